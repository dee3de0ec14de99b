"""Realised variance of a price path: total, bipower, semivariances, annualised by actual time.

    RV = sum r_i^2,  BV = pi/2 sum |r_i||r_(i-1)|,  RS+- = sum r_i^2 [r_i > 0 or < 0]

Sources: Andersen, Bollerslev, Diebold and Labys, Econometrica 71 (2003), 579-625;
Barndorff-Nielsen and Shephard, J. Financial Econometrics 2 (2004), 1-37 (bipower);
Barndorff-Nielsen, Kinnebrock and Shephard (2010) (semivariance).
A return across a gap is left out with its time, and counted. NumPy alone may enter.
"""

from math import pi, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from glmtrader.quant._arrays import BoolArray, FloatArray, IntArray
from glmtrader.quant.trading_clock import CALENDAR_CLOCK, TradingClock
from glmtrader.quant.unavailable import Unavailable, UnavailableReason

RETURNS_MIN = 2
"""Bipower variation needs a neighbour."""


class RealizedVariance(NamedTuple):
    """Variances per year (fractions squared) of one window, and what they rest on."""

    variance: float
    bipower: float
    """Continuous part: robust to rare jumps; NaN where no two returns are adjacent."""
    downside: float
    """Semivariance of falls; with ``upside`` it sums to ``variance``."""
    upside: float
    returns: int
    gaps: int
    """Steps left out: longer or shorter than the interval, or with a price that is no price."""
    years: float
    """Time covered by the returns that were used, in the clock given."""

    @property
    def vol(self) -> float:
        """Square root of ``variance``."""
        return sqrt(self.variance)


def realized_variance(
    ts_ns: ArrayLike, close: ArrayLike, interval_ns: int, clock: TradingClock = CALENDAR_CLOCK
) -> RealizedVariance | Unavailable:
    """Realised variance of regularly sampled closes.

    Args:
        ts_ns: Instants of the closes, nanoseconds UTC, ascending, shape (n,).
        close: Prices, shape (n,).
        interval_ns: The regular step; any other step is a gap.
        clock: Time by which to annualise. The trading clock removes the hour and weekday of a
            window that is not whole weeks.
    """
    at = np.asarray(ts_ns, dtype=np.int64)
    used, squares, signed = _regular_returns(at, np.asarray(close, dtype=np.float64), interval_ns)
    count = int(np.count_nonzero(used))
    if count < RETURNS_MIN:
        return Unavailable(
            UnavailableReason.TOO_FEW_RETURNS,
            f"{count} returns over one interval, {RETURNS_MIN} needed",
        )
    elapsed = clock.years(at[:-1], at[1:])
    years = float(elapsed[used].sum())
    total = float(squares[used].sum())
    down = float(squares[used & (signed < 0.0)].sum())
    return RealizedVariance(
        variance=total / years,
        bipower=_bipower(signed, used, elapsed),
        downside=down / years,
        upside=(total - down) / years,
        returns=count,
        gaps=len(used) - count,
        years=years,
    )


def _regular_returns(
    at: IntArray, close: FloatArray, interval_ns: int
) -> tuple[BoolArray, FloatArray, FloatArray]:
    """Which steps are regular and priced, the squared and the plain log returns."""
    with np.errstate(invalid="ignore", divide="ignore"):
        returns = np.diff(np.log(np.where(close > 0.0, close, np.nan)))
    used = (np.diff(at) == interval_ns) & np.isfinite(returns)
    return used, returns * returns, returns


def _bipower(returns: FloatArray, used: BoolArray, elapsed: FloatArray) -> float:
    """Bipower variation per year over pairs of adjacent regular returns."""
    pairs = used[1:] & used[:-1]
    if not pairs.any():
        return float("nan")
    size = np.abs(returns)
    products = (size[1:] * size[:-1])[pairs]
    return 0.5 * pi * float(products.sum()) / float(elapsed[1:][pairs].sum())
