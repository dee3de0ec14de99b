"""What the exchange charges: a fee schedule as configuration, and the fee of one trade.

Deribit's schedule (support page, kept copy without a date; see the configuration for the numbers):
options 0.03 % of the underlying for maker and taker, at most 12.5 % of the option's price;
perpetuals 0 % maker, 0.05 % taker.
"""

from decimal import Decimal

import msgspec

from glmtrader.domain.instruments import Instrument, InstrumentKind
from glmtrader.domain.pnl import money


class FeeRate(msgspec.Struct, frozen=True, kw_only=True):
    """Fractions of the underlying's value; `premium_cap` limits it to a part of the premium."""

    maker: Decimal
    taker: Decimal
    premium_cap: Decimal | None = None


_OPTION = FeeRate(maker=Decimal("0.0003"), taker=Decimal("0.0003"), premium_cap=Decimal("0.125"))
_PERPETUAL = FeeRate(maker=Decimal(0), taker=Decimal("0.0005"))


class FeeSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """Fees by kind of instrument."""

    inverse_perpetual: FeeRate = _PERPETUAL
    linear_perpetual: FeeRate = _PERPETUAL
    inverse_option: FeeRate = _OPTION
    linear_option: FeeRate = _OPTION


def trade_fee(
    schedule: FeeSchedule,
    instrument: Instrument,
    *,
    amount: Decimal,
    price: Decimal,
    index_usd: Decimal,
    is_maker: bool,
) -> Decimal:
    """Fee of one trade in the settlement currency, rounded like every payment."""
    rate = _rate(schedule, instrument.kind)
    fraction = rate.maker if is_maker else rate.taker
    fee = fraction * _underlying_value(instrument, amount, price, index_usd)
    if rate.premium_cap is not None:
        fee = min(fee, rate.premium_cap * price * amount)
    return money(fee)


def _rate(schedule: FeeSchedule, kind: InstrumentKind) -> FeeRate:
    match kind:
        case InstrumentKind.INVERSE_PERPETUAL:
            return schedule.inverse_perpetual
        case InstrumentKind.LINEAR_PERPETUAL:
            return schedule.linear_perpetual
        case InstrumentKind.INVERSE_OPTION:
            return schedule.inverse_option
        case InstrumentKind.LINEAR_OPTION:
            return schedule.linear_option
        case InstrumentKind.SPOT:
            raise AssertionError("spot is not listed on this exchange")


def _underlying_value(
    instrument: Instrument, amount: Decimal, price: Decimal, index_usd: Decimal
) -> Decimal:
    """Value of the underlying of `amount`, in the settlement currency."""
    match instrument.kind:
        case InstrumentKind.INVERSE_PERPETUAL:
            return amount / price
        case InstrumentKind.INVERSE_OPTION:
            return amount
        case InstrumentKind.LINEAR_OPTION:
            return amount * index_usd
        case _:
            return amount * price
