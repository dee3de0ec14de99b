"""Black-76 for one option in microseconds, for checks that re-price a single instrument.

Same formulas and limits as ``black76``, in plain floats. Prices are exact to 1e-15 of the forward
(absolute, not relative: use ``black76.price`` for far out-of-the-money values). A row outside the
domain is NaN. Only ``math`` may enter.
"""

from math import erfc, exp, inf, isfinite, log, log1p, nan, pi, sqrt
from typing import NamedTuple

_SQRT_HALF = sqrt(0.5)
_ONE_OVER_SQRT_TWO_PI = 1.0 / sqrt(2.0 * pi)


class OptionGreeks(NamedTuple):
    """Sensitivities of one option; units as in ``black76.Greeks``."""

    delta: float
    gamma: float
    vega: float
    theta: float
    rho: float
    vanna: float
    volga: float


_NO_GREEKS = OptionGreeks(nan, nan, nan, nan, nan, nan, nan)


def price_one(forward: float, strike: float, years: float, sigma: float, is_call: bool) -> float:  # noqa: FBT001 - the argument order is public
    """Undiscounted price of one option in USD; intrinsic value when no variance is left."""
    s = _total_vol(forward, strike, years, sigma)
    if s != s:  # noqa: PLR0124 - NaN is the one value that differs from itself
        return nan
    sign = 1.0 if is_call else -1.0
    if s == 0.0:
        return max(sign * (forward - strike), 0.0)
    d1 = _log_ratio(forward, strike) / s + 0.5 * s
    out_sign = 1.0 if strike >= forward else -1.0
    premium = out_sign * (forward * _normal(out_sign * d1) - strike * _normal(out_sign * (d1 - s)))
    return max(premium, 0.0) + max(sign * (forward - strike), 0.0)


def greeks_one(
    forward: float,
    strike: float,
    years: float,
    sigma: float,
    is_call: bool,  # noqa: FBT001 - the argument order is public
) -> OptionGreeks:
    """Sensitivities of one option; limits when no variance is left, NaN at the money then."""
    s = _total_vol(forward, strike, years, sigma)
    if s != s or (s == 0.0 and forward == strike):  # noqa: PLR0124 - as above
        return _NO_GREEKS
    sign = 1.0 if is_call else -1.0
    rho = -years * price_one(forward, strike, years, sigma, is_call)
    if s == 0.0:
        delta = sign if sign * (forward - strike) > 0.0 else 0.0
        return OptionGreeks(delta, 0.0, 0.0, 0.0, rho, 0.0, 0.0)
    d1 = _log_ratio(forward, strike) / s + 0.5 * s
    d2 = d1 - s
    density = _ONE_OVER_SQRT_TWO_PI * exp(-0.5 * d1 * d1)
    vega = forward * density * sqrt(years)
    return OptionGreeks(
        delta=sign * _normal(sign * d1),
        gamma=density / (forward * s),
        vega=vega,
        theta=-0.5 * vega * sigma / years,
        rho=rho,
        vanna=-density * d2 / sigma,
        volga=vega * d1 * d2 / sigma,
    )


def _log_ratio(forward: float, strike: float) -> float:
    """ln(forward / strike), without the cancellation that a quotient near one would bring."""
    if 0.5 * strike < forward < 2.0 * strike:
        return log1p((forward - strike) / strike)
    return log(forward / strike)


def _normal(x: float) -> float:
    return 0.5 * erfc(-x * _SQRT_HALF)


def _total_vol(forward: float, strike: float, years: float, sigma: float) -> float:
    """Sigma sqrt(T), or NaN for a row outside the domain."""
    inside = 0.0 < forward < inf and 0.0 < strike < inf and years >= 0.0 and sigma >= 0.0
    if not inside or not isfinite(years + sigma):
        return nan
    return sigma * sqrt(years)
