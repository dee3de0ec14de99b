"""No-trade bands around a delta target, and what theory says of hedged straddles.

Trading happens only when delta leaves the band, and then only back to its edge: the cost of a
trade is of first order in its size, the benefit near the target of second. NumPy alone may enter.
"""

from math import pi, sqrt

import numpy as np
from numpy.typing import ArrayLike

from glmtrader.quant._arrays import FloatArray


def cost_rate(
    fee_rate: float,
    half_spread_rate: float,
    funding_rate_year: float = 0.0,
    holding_years: float = 0.0,
) -> float:
    """Proportional cost of trading one USD of the hedging instrument.

    Args:
        fee_rate: Taker (or maker) fee, fraction of notional.
        half_spread_rate: Half the quoted spread over the mid.
        funding_rate_year: What the new hedge position pays a year (negative: receives).
        holding_years: How long it is expected to be held.

    Returns:
        Fraction of notional, not below zero: funding received never pays for trading more.
    """
    return max(fee_rate + half_spread_rate + funding_rate_year * holding_years, 0.0)


def whalley_wilmott_band(
    gamma: ArrayLike, forward: ArrayLike, cost: ArrayLike, risk_aversion: float
) -> FloatArray:
    """Half-width of the no-trade band in units of underlying.

        H = (3/2 cost S Gamma^2 / g)^(1/3)   (undiscounted)

    Source: Whalley and Wilmott, Mathematical Finance 7 (1997), pp. 307-324.

    Args:
        gamma: Position gamma, units of underlying per 1 USD; the sign does not matter.
        forward: Price of the hedging instrument, USD.
        cost: Proportional cost as from ``cost_rate``.
        risk_aversion: g, per USD of wealth, positive. Prices c times as large need g / c for the
            same band: 1 at a price of 100 is 0.0011 at 90,000.
    """
    if not risk_aversion > 0.0:
        raise ValueError(f"risk_aversion must be positive, got {risk_aversion}")
    curvature = np.asarray(gamma, dtype=np.float64)
    price = np.asarray(forward, dtype=np.float64)
    band: FloatArray = np.cbrt(1.5 * np.asarray(cost) * price * curvature**2 / risk_aversion)
    return band


def fixed_band(half_width: float, quantity: ArrayLike) -> FloatArray:
    """Half-width of a band that is constant an option: ``half_width`` times |quantity|."""
    if half_width < 0.0:
        raise ValueError(f"half_width must not be negative, got {half_width}")
    return half_width * np.abs(np.asarray(quantity, dtype=np.float64))


def hedge_to_edge(delta: ArrayLike, half_width: ArrayLike, target: ArrayLike = 0.0) -> FloatArray:
    """Underlying to buy (positive) or sell so that delta comes back to the band's nearer edge.

    Args:
        delta: Total delta with the hedge held now, units of underlying.
        half_width: Of the band around ``target``, not negative; zero hedges to the target.
        target: Delta wanted.

    Returns:
        Zero inside the band; never enough to cross the target. NaN in, NaN out.
    """
    excess = np.asarray(delta, dtype=np.float64) - np.asarray(target, dtype=np.float64)
    width = np.asarray(half_width, dtype=np.float64)
    return np.clip(excess, -width, width) - excess


def discrete_hedging_sd(vega: ArrayLike, sigma: ArrayLike, hedges: ArrayLike) -> FloatArray:
    """Standard deviation of the P&L of an option hedged ``hedges`` times at equal intervals.

        sqrt(pi/4) vega sigma / sqrt(N)   at the money, realised equal to implied volatility

    Source: Derman and Kamal, "When You Cannot Hedge Continuously", Risk 12 (1999), pp. 82-85.
    """
    count = np.asarray(hedges, dtype=np.float64)
    sd: FloatArray = sqrt(pi / 4.0) * np.asarray(vega) * np.asarray(sigma) / np.sqrt(count)
    return sd
