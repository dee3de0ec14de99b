"""Contract terms and names of what the simulated venues list; one place for both markets."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from glmtrader.domain.ids import instrument_id
from glmtrader.domain.instruments import SECOND_NS, Instrument, InstrumentKind, TickStep

_MONTHS: Final = (
    *("JAN", "FEB", "MAR", "APR", "MAY", "JUN"),
    *("JUL", "AUG", "SEP", "OCT", "NOV", "DEC"),
)
_OPTION_TICKS: Final = (
    TickStep(Decimal(0), Decimal("0.0001")),
    TickStep(Decimal("0.005"), Decimal("0.0005")),
)


def expiry_name(expiry_ns: int) -> str:
    """Deribit's spelling of a date: `2JAN26`, no leading zero."""
    day = datetime.fromtimestamp(expiry_ns / SECOND_NS, UTC)
    return f"{day.day}{_MONTHS[day.month - 1]}{day.year % 100:02d}"


def option_symbol(underlying: str, expiry_ns: int, strike: float, *, is_call: bool) -> str:
    """Deribit's symbol, for example `BTC-27MAR26-90000-C`; a fraction is written with `d`."""
    number = f"{strike:.10g}".replace(".", "d")
    return f"{underlying}-{expiry_name(expiry_ns)}-{number}-{'C' if is_call else 'P'}"


def inverse_option(
    venue: str, underlying: str, expiry_ns: int, strike: float, lot: Decimal, *, is_call: bool
) -> Instrument:
    """A coin-settled European option on one coin."""
    symbol = option_symbol(underlying, expiry_ns, strike, is_call=is_call)
    return Instrument(
        instrument_id=instrument_id(venue, symbol),
        venue=venue,
        symbol=symbol,
        kind=InstrumentKind.INVERSE_OPTION,
        underlying=underlying,
        price_currency=underlying,
        settlement_currency=underlying,
        quantity_currency=underlying,
        contract_size=Decimal(1),
        lot=lot,
        quantity_min=lot,
        tick_steps=_OPTION_TICKS,
        strike=Decimal(f"{strike:.10g}"),
        is_call=is_call,
        expiry_ns=expiry_ns,
    )


def inverse_perpetual(venue: str, underlying: str, tick_usd: Decimal) -> Instrument:
    """Deribit's perpetual: settled in coin, its amount in USD, ten of them a contract."""
    symbol = f"{underlying}-PERPETUAL"
    return Instrument(
        instrument_id=instrument_id(venue, symbol),
        venue=venue,
        symbol=symbol,
        kind=InstrumentKind.INVERSE_PERPETUAL,
        underlying=underlying,
        price_currency="USD",
        settlement_currency=underlying,
        quantity_currency="USD",
        contract_size=Decimal(10),
        lot=Decimal(10),
        quantity_min=Decimal(10),
        tick_steps=(TickStep(Decimal(0), tick_usd),),
    )


def linear_perpetual(venue: str, underlying: str, tick_usd: Decimal) -> Instrument:
    """A perpetual settled in USDT, which is taken as USD; its amount is in coin."""
    symbol = f"{underlying}-USDT-PERP"
    return Instrument(
        instrument_id=instrument_id(venue, symbol),
        venue=venue,
        symbol=symbol,
        kind=InstrumentKind.LINEAR_PERPETUAL,
        underlying=underlying,
        price_currency="USD",
        settlement_currency="USD",
        quantity_currency=underlying,
        contract_size=Decimal(1),
        lot=Decimal("0.001"),
        quantity_min=Decimal("0.001"),
        tick_steps=(TickStep(Decimal(0), tick_usd),),
    )
