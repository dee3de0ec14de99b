"""Instruments, currencies and listings on the wire."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from glmtrader.domain.instruments import DAY_NS, SECOND_NS, Instrument
from glmtrader.simulator.contracts import expiry_name
from glmtrader.simulator.deribit.names import index_name, kind_of
from glmtrader.simulator.deribit.wire import Frame, ms
from glmtrader.simulator.fees import FeeRate, FeeSchedule

NEVER_MS: Final = 32_503_708_800_000
"""Deribit's expiration of a perpetual: the year 3000."""
_FRIDAY: Final = 4
_LEVERAGE_MAX: Final = 50
"""What the perpetual's 2 % initial margin allows."""
_NAMES: Final = {"BTC": "Bitcoin", "ETH": "Ethereum", "SOL": "Solana", "USD": "US Dollar"}


def instrument_frame(
    instrument: Instrument, fees: FeeSchedule, created_ns: int, *, is_active: bool
) -> Frame:
    """One row of `public/get_instruments`."""
    rate = _rate(fees, instrument)
    quote = instrument.price_currency
    tick = instrument.tick_steps[0].tick
    frame: Frame = {
        "tick_size": tick,
        "tick_size_steps": [
            {"above_price": step.price_from, "tick_size": step.tick}
            for step in instrument.tick_steps[1:]
        ],
        "taker_commission": rate.taker,
        "maker_commission": rate.maker,
        "block_trade_commission": rate.taker,
        "block_trade_min_trade_amount": instrument.quantity_min,
        "block_trade_tick_size": tick,
        "settlement_period": settlement_period(instrument),
        "settlement_currency": instrument.settlement_currency,
        "rfq": False,
        "quote_currency": quote,
        "counter_currency": "USD",
        "base_currency": instrument.underlying,
        "price_index": index_name(instrument.underlying),
        "min_trade_amount": instrument.quantity_min,
        "kind": kind_of(instrument),
        "instrument_type": "reversed" if instrument.is_inverse else "linear",
        "is_active": is_active,
        "state": "open" if is_active else "closed",
        "instrument_name": instrument.symbol,
        "instrument_id": instrument_number(instrument),
        "creation_timestamp": ms(created_ns),
        "contract_size": instrument.contract_size,
        "expiration_timestamp": NEVER_MS,
    }
    if instrument.is_option:
        assert instrument.expiry_ns is not None, f"{instrument.symbol}: an option expires"
        frame |= {
            "strike": instrument.strike,
            "option_type": "call" if instrument.is_call else "put",
            "expiration_timestamp": ms(instrument.expiry_ns),
        }
    else:
        frame |= {
            "max_leverage": _LEVERAGE_MAX,
            "max_liquidation_commission": Decimal("0.0075"),
            "future_type": "reversed" if instrument.is_inverse else "linear",
        }
    return frame


def instrument_number(instrument: Instrument) -> int:
    """A number for `instrument_id`, the same in every run."""
    return int.from_bytes(instrument.symbol.encode()[-6:], "big") % 1_000_000_007


def underlying_index(instrument: Instrument) -> str:
    """What an option's forward is called: its expiry's future."""
    if instrument.expiry_ns is None:
        return index_name(instrument.underlying)
    return f"{instrument.underlying}-{expiry_name(instrument.expiry_ns)}"


def settlement_period(instrument: Instrument) -> str:
    """`perpetual`, or day, week or month by the place of the expiry in the calendar."""
    if instrument.expiry_ns is None:
        return "perpetual"
    day = datetime.fromtimestamp(instrument.expiry_ns / SECOND_NS, UTC)
    if day.weekday() != _FRIDAY:
        return "day"
    week_later_ns = instrument.expiry_ns + 7 * DAY_NS
    next_friday = datetime.fromtimestamp(week_later_ns / SECOND_NS, UTC)
    return "month" if next_friday.month != day.month else "week"


def currency_frame(currency: str) -> Frame:
    """One row of `public/get_currencies`."""
    return {
        "currency": currency,
        "currency_long": _NAMES.get(currency, currency),
        "coin_type": currency if currency == "USD" else f"{_NAMES.get(currency, currency)}".upper(),
        "fee_precision": 4,
        "decimals": 8,
        "min_confirmations": 1,
        "min_withdrawal_fee": Decimal("0.0001"),
        "withdrawal_fee": Decimal("0.0001"),
        "withdrawal_priorities": [],
        "in_cross_collateral_pool": False,
    }


def _rate(fees: FeeSchedule, instrument: Instrument) -> FeeRate:
    rate: FeeRate = getattr(fees, instrument.kind.value)
    return rate
