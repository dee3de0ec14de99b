"""Greeks and implied volatilities in Deribit's units, for one option at a time."""

import math
from decimal import Decimal

import numpy as np

from glmtrader.domain.instruments import Instrument, InstrumentKind
from glmtrader.quant.black76_scalar import greeks_one
from glmtrader.quant.implied_vol import implied_vol as implied_vols

PERCENT = 100.0
DAYS_PER_YEAR = 365.0


def years_left(instrument: Instrument, now_ns: int) -> float:
    """Time to expiry, ACT/365; zero once it is reached."""
    return max(0.0, instrument.years(now_ns))


def implied_vol(
    instrument: Instrument, price: Decimal | None, forward_usd: Decimal, now_ns: int
) -> float | None:
    """The volatility that explains a price; None where none does."""
    return implied_vol_pair(instrument, price, None, forward_usd, now_ns)[0]


def implied_vol_pair(
    instrument: Instrument,
    first: Decimal | None,
    second: Decimal | None,
    forward_usd: Decimal,
    now_ns: int,
) -> tuple[float | None, float | None]:
    """The volatilities of two prices of one option, in one call."""
    if first is None and second is None:
        return None, None
    unit = forward_usd if instrument.kind is InstrumentKind.INVERSE_OPTION else Decimal(1)
    prices = np.array([math.nan if it is None else float(it * unit) for it in (first, second)])
    years = years_left(instrument, now_ns)
    assert instrument.strike is not None, f"{instrument.instrument_id}: an option has a strike"
    found = implied_vols(
        prices, float(forward_usd), float(instrument.strike), years, bool(instrument.is_call)
    )
    return _number(found[0]), _number(found[1])


def greeks(
    instrument: Instrument, mark_vol: float | None, forward_usd: Decimal, now_ns: int
) -> dict[str, float]:
    """Deribit's greeks: vega a vol point, theta a day, rho a percent; zero without a mark."""
    assert instrument.strike is not None, f"{instrument.instrument_id}: an option has a strike"
    found = greeks_one(
        float(forward_usd),
        float(instrument.strike),
        years_left(instrument, now_ns),
        0.0 if mark_vol is None else mark_vol,
        bool(instrument.is_call),
    )
    values = {
        "delta": found.delta,
        "gamma": found.gamma,
        "vega": found.vega / PERCENT,
        "theta": found.theta / DAYS_PER_YEAR,
        "rho": found.rho / PERCENT,
    }
    return {name: round(value, 5) if value == value else 0.0 for name, value in values.items()}  # noqa: PLR0124 - NaN alone differs from itself


def percent(volatility: float | None) -> float:
    """A volatility as the wire has it: percent, two places; 0.0 where there is none."""
    return 0.0 if volatility is None else round(volatility * PERCENT, 2)


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
