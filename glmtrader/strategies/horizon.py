"""P and Q brought to one horizon: the expiry that is traded; pure.

A forecast is made for a fixed horizon (7 days: one whole week, so its calendar weights average to
one). At another expiry the same rate of variance is spread over the trading time until then, and
annualised again in calendar time. Mean reversion between 7 days and the expiry is left out: within
the 4 to 11 days that are opened it moves a forecast by less than its own error.
"""

import msgspec

from glmtrader.domain.instruments import DAY_NS, YEAR_NS
from glmtrader.domain.market_events import SurfaceSlice, VolatilityForecast, VolatilitySurface
from glmtrader.quant.trading_clock import TradingClock


class ForecastAtExpiry(msgspec.Struct, frozen=True, kw_only=True):
    """Q at one expiry; volatilities a year of 365 days."""

    q_var: float
    q_vol: float
    q_vol_low: float
    q_vol_high: float
    q_straddle: float


def forecast_at(
    forecast: VolatilityForecast, *, now_ns: int, expiry_ns: int, clock: TradingClock
) -> ForecastAtExpiry:
    """The forecast for `[now_ns, expiry_ns]`, its variance spread in the trading clock."""
    assert expiry_ns > now_ns, "a forecast needs a future"
    weight_expiry = _weight(now_ns, expiry_ns, clock)
    weight_made = _weight(forecast.ts_event, forecast.ts_event + forecast.horizon_ns, clock)
    variance_ratio = weight_expiry / weight_made
    vol_ratio = float(variance_ratio**0.5)
    return ForecastAtExpiry(
        q_var=forecast.q_var * variance_ratio,
        q_vol=forecast.q_vol * vol_ratio,
        q_vol_low=forecast.q_vol_low * vol_ratio,
        q_vol_high=forecast.q_vol_high * vol_ratio,
        q_straddle=forecast.q_straddle * vol_ratio,
    )


def traded_slice(
    surface: VolatilitySurface, *, now_ns: int, days_min: float, days_target: float, days_max: float
) -> SurfaceSlice | None:
    """The expiry nearest to `days_target` whose straddle is quoted on both sides; None if none."""
    eligible = [
        item
        for item in surface.slices
        if days_min <= (item.expiry_ns - now_ns) / DAY_NS <= days_max
        and item.straddle_bid is not None
        and item.straddle_ask is not None
        and item.atm_vol is not None
    ]
    return min(
        eligible,
        key=lambda item: abs((item.expiry_ns - now_ns) / DAY_NS - days_target),
        default=None,
    )


def _weight(start_ns: int, end_ns: int, clock: TradingClock) -> float:
    """Trading time per calendar time over an interval; one over whole weeks."""
    return float(clock.years(start_ns, end_ns)) / ((end_ns - start_ns) / YEAR_NS)
