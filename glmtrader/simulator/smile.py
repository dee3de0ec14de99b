"""The generated market's smile and the quotes around it: pure functions on arrays.

Volatility by standardised moneyness z = ln(K / F) / (atm sqrt(T)) is

    (vol(z) / atm)^2 = 1 + b (rho z + sqrt(z^2 + s^2) - s),

Gatheral's raw SVI slice in z with its value at the money fixed at one (Gatheral and Jacquier,
"Arbitrage-free SVI volatility surfaces", Quantitative Finance 14 (2014), p. 60). With b = 0.55 and
rho = -0.2 the wings match Bitcoin smiles of early 2026 from one day to a year. Total variance has
wing slopes atm sqrt(T) b (1 +- rho), below Lee's bound of 2 for all listed expiries.
"""

from typing import Final

import numpy as np

from glmtrader.domain.arrays import FloatArray

TICK_SMALL: Final = 0.0001
TICK_LARGE: Final = 0.0005
TICK_LARGE_FROM: Final = 0.005
"""Deribit's coin-settled options: ticks in coin, and the price from which the larger one holds."""

SPREAD_DAYS: Final = (1.0, 4.5, 17.0, 65.0, 180.0)
SPREAD_VOL: Final = (0.035, 0.024, 0.012, 0.0072, 0.0068)
"""Median bid-ask width in volatility by days to expiry, |delta| 0.05 to 0.6, measured in 2026."""

_WIDER_IN_WINGS: Final = 0.15  # of the width, times z squared
_WIDER_IN_THE_MONEY: Final = 0.015  # of intrinsic value
_ASK_Z_MAX: Final = 5.0  # deep in the money nobody offers
_BID_Z_MAX: Final = 6.0


def variance_ratio(
    moneyness: FloatArray, skew: float, wing_slope: float, wing_width: float
) -> FloatArray:
    """Variance over at-the-money variance at standardised moneyness; positive for |skew| < 1."""
    curve = np.sqrt(moneyness**2 + wing_width**2) - wing_width + skew * moneyness
    floor = 0.25  # the minimum of the curve is above it for every slope that makes sense
    return np.asarray(np.maximum(1.0 + wing_slope * curve, floor), np.float64)


def spread_vol(days: FloatArray) -> FloatArray:
    """Bid-ask width in volatility (fraction a year) by days to expiry."""
    logs = np.log(np.maximum(days, SPREAD_DAYS[0]))
    return np.interp(logs, np.log(SPREAD_DAYS), SPREAD_VOL)


def vega_coin(
    forward: FloatArray, strike: FloatArray, years: FloatArray, vol: FloatArray
) -> FloatArray:
    """Change of the coin price for 1.00 of volatility: n(d1) sqrt(T)."""
    total = vol * np.sqrt(years)
    d1 = np.log(forward / strike) / total + 0.5 * total
    return np.asarray(np.exp(-0.5 * d1**2) * np.sqrt(years / (2.0 * np.pi)), np.float64)


def half_width(
    days: FloatArray, vega: FloatArray, moneyness: FloatArray, intrinsic_coin: FloatArray
) -> FloatArray:
    """Half the bid-ask width in coin before rounding to ticks."""
    at_strike = 0.5 * spread_vol(days) * vega * (1.0 + _WIDER_IN_WINGS * moneyness**2)
    return np.asarray(at_strike + 0.5 * _WIDER_IN_THE_MONEY * intrinsic_coin, np.float64)


def tick_of(price: FloatArray) -> FloatArray:
    """The tick in force at each price."""
    return np.where(price >= TICK_LARGE_FROM - 1e-12, TICK_LARGE, TICK_SMALL)


def quote(
    mark: FloatArray, half: FloatArray, in_the_money_z: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Bid and ask in coin on the tick grid; NaN where nobody stands.

    Rounding outwards would widen every quote by a tick on average, so half a tick is taken off
    first: the mean width stays the measured one.

    Args:
        mark: (n,) coin.
        half: (n,) half width in coin.
        in_the_money_z: (n,) standardised moneyness, positive in the money.
    """
    tick = tick_of(mark)
    inner = np.maximum(half - 0.5 * tick, 0.0)
    bid, ask = _on_ticks(mark - inner, np.floor), _on_ticks(mark + inner, np.ceil)
    ask = np.where(ask - bid < 0.5 * tick, bid + tick_of(bid), ask)
    bid = np.where((bid < 0.5 * TICK_SMALL) | (in_the_money_z > _BID_Z_MAX), np.nan, bid)
    ask = np.where(in_the_money_z > _ASK_Z_MAX, np.nan, np.maximum(ask, TICK_SMALL))
    return np.round(bid, 4), np.round(ask, 4)


def _on_ticks(price: FloatArray, rounding: np.ufunc) -> FloatArray:
    clipped = np.maximum(price, 0.0)
    tick = tick_of(clipped)
    # the nudge keeps a price that already lies on the grid where it is
    nudge = 1e-9 if rounding is np.floor else -1e-9
    return np.asarray(rounding(clipped / tick + nudge) * tick, np.float64)
