"""Orders to Deribit's words and back: parameters, states, fills, and which refusals are certain.

Pure. A refusal in `UNCERTAIN_CODES` does not say whether the order exists; it is resolved by
looking the label up, never by sending again, because labels are not unique at this venue.
"""

from collections.abc import Iterable
from typing import Final

from glmtrader.domain.ids import AccountId, ClientOrderId, TradeId, VenueOrderId
from glmtrader.domain.order_events import Fill, OrderUpdate, VenueOrder
from glmtrader.domain.orders import Order, OrderStatus, OrderType, Side
from glmtrader.errors import ProtocolError
from glmtrader.venues.deribit.account_frames import OrderData, UserTradeData
from glmtrader.venues.deribit.names import MS_NS, id_of, name_of

LABEL_LENGTH_MAX: Final = 64

TOO_MANY_REQUESTS: Final = 10028
ORDER_NOT_FOUND: Final = 10004
NOT_OPEN_ORDER: Final = 11044
INTERNAL_SERVER_ERROR: Final = 11094
SYSTEM_MAINTENANCE: Final = 11051
TEMPORARILY_UNAVAILABLE: Final = 13028
UNAVAILABLE: Final = 13503
TIMED_OUT: Final = 13888

UNCERTAIN_CODES: Final = frozenset(
    {TOO_MANY_REQUESTS, INTERNAL_SERVER_ERROR, TEMPORARILY_UNAVAILABLE, UNAVAILABLE, TIMED_OUT}
)
"""Answers after which an order may exist. `timed_out` is also the venue's word for an order that
came after its `valid_until`; the same code for two meanings is treated as the worse one."""

TRANSIENT_CODES: Final = UNCERTAIN_CODES | {SYSTEM_MAINTENANCE, 10040, 10041, 10047, 10066}
"""Answers that a later, equal request need not get: retry, settlement, full queue, concurrency."""

_STATES: Final = {
    "filled": OrderStatus.FILLED,
    "rejected": OrderStatus.REJECTED,
    "cancelled": OrderStatus.CANCELLED,
    "untriggered": OrderStatus.ACCEPTED,
}


def order_method(order: Order) -> str:
    """The JSON-RPC method that places this order."""
    return "private/buy" if order.side is Side.BUY else "private/sell"


def order_params(order: Order, *, valid_until_ns: int, clock_offset_ns: int) -> dict[str, object]:
    """Parameters of `private/buy` or `private/sell`; `valid_until` is in the venue's time.

    Args:
        order: what is asked.
        valid_until_ns: by our clock; the matching engine starts nothing after it.
        clock_offset_ns: venue time minus ours.
    """
    assert len(order.client_order_id) <= LABEL_LENGTH_MAX, "labels have at most 64 characters"
    params: dict[str, object] = {
        "instrument_name": name_of(order.instrument_id),
        "amount": order.quantity,
        "type": order.order_type.value,
        "label": order.client_order_id,
        "reduce_only": order.reduce_only,
        "valid_until": (valid_until_ns + clock_offset_ns) // MS_NS,
    }
    if order.order_type is OrderType.LIMIT:
        assert order.price is not None, f"limit order {order.client_order_id} has no price"
        params["price"] = order.price
        params["time_in_force"] = order.time_in_force.value
    if order.post_only:
        params["post_only"] = True
        params["reject_post_only"] = True
    return params


def status_of(data: OrderData) -> OrderStatus:
    """State of an order.

    Raises:
        ProtocolError: a state that the venue's interface does not describe.
    """
    if data.order_state == "open":
        return OrderStatus.PARTLY_FILLED if data.filled_amount else OrderStatus.ACCEPTED
    status = _STATES.get(data.order_state)
    if status is None:
        raise ProtocolError(f"order {data.order_id}: unknown order_state {data.order_state!r}")
    return status


def update_of(
    data: OrderData, *, account_id: AccountId, source: str, ts_init: int
) -> OrderUpdate | None:
    """What the venue says of an order of ours; None for one without a label (not ours)."""
    if not data.label:
        return None
    return OrderUpdate(
        ts_event=data.last_update_timestamp * MS_NS,
        ts_init=ts_init,
        account_id=account_id,
        client_order_id=ClientOrderId(data.label),
        venue_order_id=VenueOrderId(data.order_id),
        instrument_id=id_of(data.instrument_name),
        status=status_of(data),
        quantity_filled=data.filled_amount,
        source=source,
        reason=data.reject_reason or data.cancel_reason,
    )


def unknown_update(
    order: Order, *, status: OrderStatus, source: str, reason: str, ts_init: int
) -> OrderUpdate:
    """An update about an order of which the venue gave no state."""
    return OrderUpdate(
        ts_event=ts_init,
        ts_init=ts_init,
        account_id=order.account_id,
        client_order_id=order.client_order_id,
        venue_order_id=None,
        instrument_id=order.instrument_id,
        status=status,
        quantity_filled=None,
        source=source,
        reason=reason,
    )


def fill_of(data: UserTradeData, *, account_id: AccountId, ts_init: int) -> Fill:
    """One execution; its cursor is the trade's time in ms, the one order that spans currencies.

    `trade_seq` counts within an instrument and trade ids within a currency; several trades share
    a millisecond, so whoever asks again from a cursor gets its last ones twice: dedupe by id.
    """
    return Fill(
        ts_event=data.timestamp * MS_NS,
        ts_init=ts_init,
        account_id=account_id,
        client_order_id=ClientOrderId(data.label) if data.label else None,
        venue_order_id=VenueOrderId(data.order_id),
        trade_id=TradeId(data.trade_id),
        instrument_id=id_of(data.instrument_name),
        side=Side(data.direction),
        quantity=data.amount,
        price=data.price,
        fee=data.fee,
        fee_currency=data.fee_currency,
        is_maker=data.liquidity == "M",
        cursor=data.timestamp,
        index_usd=data.index_price,
    )


def fills_of(
    trades: Iterable[UserTradeData], *, account_id: AccountId, ts_init: int
) -> tuple[Fill, ...]:
    """Executions in order of time, each trade id once."""
    by_id = {trade.trade_id: trade for trade in trades}
    ordered = sorted(by_id.values(), key=lambda trade: (trade.timestamp, trade.trade_id))
    return tuple(fill_of(trade, account_id=account_id, ts_init=ts_init) for trade in ordered)


def venue_order_of(data: OrderData) -> VenueOrder:
    """An order in a report."""
    return VenueOrder(
        client_order_id=ClientOrderId(data.label) if data.label else None,
        venue_order_id=VenueOrderId(data.order_id),
        instrument_id=id_of(data.instrument_name),
        side=Side(data.direction),
        status=status_of(data),
        quantity=data.amount,
        quantity_filled=data.filled_amount,
        price=data.limit,
    )
