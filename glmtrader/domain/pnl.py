"""What a trade, a funding payment, a session or a delivery pays: exact arithmetic in Decimal.

Pure functions of one instrument; nothing but values enters. Quantities are signed and in the
instrument's own unit. Amounts are in its settlement currency, positive when the account gains.
Money that changes a balance is rounded half to even to `MONEY_STEP`; quotients carry the 28
significant digits of the decimal context, so that only paid amounts are ever rounded.

An *entry value* is the signed cost of an open position: coins (`quantity / price`) for an inverse
perpetual, whose quantity is USD, and `quantity * price` for everything else.
"""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

import msgspec

from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import Instrument, InstrumentKind
from glmtrader.domain.risk_events import PositionEntry
from glmtrader.errors import InstrumentError, LedgerError

MONEY_STEP: Final = Decimal("0.00000001")
"""Balances move in 1e-8 of any currency: one satoshi, and Deribit's and Binance's own step."""

ZERO: Final = Decimal(0)


def money(amount: Decimal) -> Decimal:
    """Round an amount that changes a balance to `MONEY_STEP`, half to even."""
    return amount.quantize(MONEY_STEP, rounding=ROUND_HALF_EVEN)


def entry_value(instrument: Instrument, quantity: Decimal, price: Decimal) -> Decimal:
    """Signed cost of opening `quantity` at `price`, unrounded (see the module)."""
    if price <= 0:
        raise LedgerError(f"{instrument.instrument_id}: price {price} must be positive to book")
    if instrument.kind is InstrumentKind.INVERSE_PERPETUAL:
        return quantity / price
    return quantity * price


def average_price(instrument: Instrument, position: PositionEntry) -> Decimal | None:
    """Average entry price of the open quantity, of shorts too; None when flat."""
    if position.quantity == 0:
        return None
    if instrument.kind is InstrumentKind.INVERSE_PERPETUAL:
        return position.quantity / position.entry_value
    return position.entry_value / position.quantity


def open_pnl(instrument: Instrument, quantity: Decimal, cost: Decimal, price: Decimal) -> Decimal:
    """Profit of closing `quantity`, whose entry value is `cost`, at `price`; unrounded.

    Inverse perpetual: `cost - quantity / price`, which is q (1/entry - 1/exit) coins.
    Others: `quantity * price - cost`.
    """
    value = entry_value(instrument, quantity, price)
    if instrument.kind is InstrumentKind.INVERSE_PERPETUAL:
        return cost - value
    return value - cost


def inverse_perpetual_pnl(quantity_usd: Decimal, entry: Decimal, exit_price: Decimal) -> Decimal:
    """Profit in coin of `quantity_usd` (signed) from `entry` to `exit_price`: q (1/e - 1/x)."""
    return money(quantity_usd / entry - quantity_usd / exit_price)


def linear_pnl(quantity: Decimal, entry: Decimal, exit_price: Decimal) -> Decimal:
    """Profit in the settlement currency of `quantity` coins (signed): q (x - e)."""
    return money(quantity * (exit_price - entry))


def option_premium(instrument: Instrument, quantity: Decimal, price: Decimal) -> Decimal:
    """Cash of an option trade: a buyer (quantity > 0) pays `quantity * price` at once."""
    if not instrument.is_option:
        raise InstrumentError(f"{instrument.instrument_id} is no option and has no premium")
    return money(-quantity * price)


def delivery_payoff(instrument: Instrument, delivery_price_usd: Decimal) -> Decimal:
    """What one unit of an option pays at delivery, unrounded, in its settlement currency.

    Linear: max(S - K, 0) for a call, max(K - S, 0) for a put, in USD. Inverse: the same / S,
    in coin.
    """
    if instrument.strike is None or instrument.is_call is None:
        raise InstrumentError(f"{instrument.instrument_id} is no option and is not delivered")
    if delivery_price_usd <= 0:
        raise LedgerError(
            f"{instrument.instrument_id}: delivery price {delivery_price_usd} must be positive"
        )
    gap = delivery_price_usd - instrument.strike
    intrinsic = max(gap if instrument.is_call else -gap, ZERO)
    return intrinsic / delivery_price_usd if instrument.is_inverse else intrinsic


def funding_paid(
    instrument: Instrument, quantity: Decimal, price: Decimal, rate: Decimal
) -> Decimal:
    """Funding that a holder of `quantity` pays (negative: receives) over one period.

    Args:
        instrument: a perpetual.
        quantity: signed, in its own unit.
        price: the price that funding is reckoned at (Deribit: index, Binance: mark).
        rate: of the period itself, as a fraction; Deribit's 8-hour rate must be scaled to it.
    """
    if not instrument.is_perpetual:
        raise InstrumentError(f"{instrument.instrument_id} is no perpetual and pays no funding")
    return money(entry_value(instrument, quantity, price) * rate)


class TradeEffect(msgspec.Struct, frozen=True, kw_only=True):
    """What one trade does, fee apart.

    Attributes:
        position: after the trade. realized_pnl: of the part that was closed.
        cash: signed change of balances by currency.
    """

    position: PositionEntry
    realized_pnl: Decimal
    cash: dict[str, Decimal]


def flat_position(instrument_id: InstrumentId) -> PositionEntry:
    """A position of nothing."""
    return PositionEntry(
        instrument_id=instrument_id, quantity=ZERO, entry_value=ZERO, realized_pnl=ZERO
    )


def trade(
    position: PositionEntry, instrument: Instrument, quantity: Decimal, price: Decimal
) -> TradeEffect:
    """Book a trade of signed `quantity` at `price`: average price right through zero.

    What reduces is realised against its share of the entry value; what is left of the trade
    opens anew at `price`.
    """
    if quantity == 0:
        raise LedgerError(f"{instrument.instrument_id}: a trade of nothing cannot be booked")
    held = position.quantity
    closing = _closing_part(held, quantity)
    removed = ZERO if closing == 0 else position.entry_value * (-closing) / held
    realized = ZERO if closing == 0 else money(open_pnl(instrument, -closing, removed, price))
    if held + closing == 0:
        removed = position.entry_value
    opened = entry_value(instrument, quantity - closing, price)
    after = PositionEntry(
        instrument_id=position.instrument_id,
        quantity=held + quantity,
        entry_value=position.entry_value - removed + opened,
        realized_pnl=position.realized_pnl + realized,
    )
    cash = _trade_cash(instrument, quantity, price, realized)
    return TradeEffect(position=after, realized_pnl=realized, cash=cash)


def _closing_part(held: Decimal, quantity: Decimal) -> Decimal:
    """The part of a signed trade that reduces `held`; zero when it adds to it."""
    if held * quantity >= 0:
        return ZERO
    return max(quantity, -held) if quantity < 0 else min(quantity, -held)


def _trade_cash(
    instrument: Instrument, quantity: Decimal, price: Decimal, realized: Decimal
) -> dict[str, Decimal]:
    if instrument.is_perpetual:
        return {instrument.settlement_currency: realized}
    if instrument.is_option:
        return {instrument.settlement_currency: option_premium(instrument, quantity, price)}
    return {
        instrument.quantity_currency: quantity,
        instrument.price_currency: money(-quantity * price),
    }
