"""What an order must satisfy before it may enter a book; every refusal has Deribit's name."""

from decimal import Decimal

from glmtrader.domain.instruments import Instrument
from glmtrader.domain.orders import OrderType, Side, TimeInForce
from glmtrader.simulator.exchange_types import ExchangeOrder, OrderRequest, PlatformState
from glmtrader.simulator.matching import InstrumentBook
from glmtrader.simulator.refusals import ExchangeRefusedError

LABEL_LENGTH_MAX = 64
"""Deribit's limit on labels."""


def check_platform(state: PlatformState, reason: str, *, settling: bool, cancel: bool) -> None:
    """Refuse what the platform's state does not let pass; a lock still lets cancels through."""
    if state is PlatformState.MAINTENANCE:
        raise ExchangeRefusedError("system_maintenance", reason or "the platform is down")
    if cancel:
        return
    if state is PlatformState.LOCKED:
        raise ExchangeRefusedError("locked_by_admin", reason or "the platform is locked")
    if settling:
        raise ExchangeRefusedError("settlement_in_progress", "try again in a few seconds")


def check_request(request: OrderRequest, instrument: Instrument, now_ns: int) -> None:
    """Refuse a malformed or late request."""
    if request.valid_until_ns is not None and now_ns > request.valid_until_ns:
        late_ms = (now_ns - request.valid_until_ns) / 1e6
        raise ExchangeRefusedError("timed_out", f"it arrived {late_ms:.3f} ms after valid_until")
    if len(request.label) > LABEL_LENGTH_MAX:
        raise ExchangeRefusedError("other_reject", f"the label is over {LABEL_LENGTH_MAX} long")
    check_amount(request.amount, instrument)
    if request.order_type is OrderType.MARKET:
        if request.price is not None or request.post_only:
            raise ExchangeRefusedError("invalid_price", "a market order has no price to keep")
        return
    check_price(request.price, instrument)
    if request.post_only and request.time_in_force is TimeInForce.IMMEDIATE_OR_CANCEL:
        raise ExchangeRefusedError("other_reject", "post_only never executes immediately")


def check_amount(amount: Decimal, instrument: Instrument) -> None:
    """Refuse an amount below the minimum or off the lot."""
    if not amount.is_finite() or amount <= 0:
        raise ExchangeRefusedError("invalid_amount", f"{amount} is no amount")
    if amount < instrument.quantity_min:
        least = f"{instrument.quantity_min} {instrument.quantity_currency}"
        raise ExchangeRefusedError("qty_too_low", f"{amount} is below {least}")
    if amount % instrument.lot:
        raise ExchangeRefusedError(
            "invalid_quantity", f"{amount} is no multiple of {instrument.lot}"
        )


def check_price(price: Decimal | None, instrument: Instrument) -> None:
    """Refuse a price that is none, or off the tick in force there."""
    if price is None or not price.is_finite() or price <= 0:
        raise ExchangeRefusedError("invalid_price", f"{price} is no price")
    tick = instrument.tick_at(price)
    if price % tick:
        raise ExchangeRefusedError("price_wrong_tick", f"{price} is no multiple of {tick}")


def reduced_amount(
    side: Side, amount: Decimal, position: Decimal, resting: list[ExchangeOrder]
) -> Decimal:
    """A reduce-only amount, shrunk to what resting reduce-only orders leave of the position.

    Raises:
        ExchangeRefusedError: nothing is left to reduce.
    """
    promised = sum(
        (item.remaining for item in resting if item.reduce_only and item.side is side), Decimal(0)
    )
    room = -side.sign * position - promised
    if room <= 0:
        raise ExchangeRefusedError(
            "other_reject", f"reduce_only: a {side} would not reduce a position of {position}"
        )
    return min(amount, room)


def post_only_price(
    side: Side, price: Decimal, book: InstrumentBook, instrument: Instrument, *, reject: bool
) -> Decimal:
    """The price at which a post-only order may rest: its own, or one tick from the other side.

    Raises:
        ExchangeRefusedError: it would cross and is to be refused, or there is no room below.
    """
    opposite = book.best(side.opposite)
    if opposite is None or not book.crosses(side, price):
        return price
    if reject:
        raise ExchangeRefusedError("post_only_reject", f"{price} meets {opposite}")
    tick = instrument.tick_at(opposite)
    moved = (
        instrument.price_down(opposite - tick)
        if side is Side.BUY
        else instrument.price_up(opposite + tick)
    )
    if moved <= 0:
        raise ExchangeRefusedError("price_not_allowed", f"there is no price below {opposite}")
    return moved
