"""A slow, readable Black-76 in mpmath, against which the fast one is held.

Nothing here is clever: every formula is the textbook's, every number has 60 digits, and the
volatility is found by bisection followed by Newton steps on the logarithm of the price.
"""

from typing import NamedTuple

from mpmath import erfc, exp, log, mp, mpf, pi, sqrt

DIGITS = 60


class ReferenceGreeks(NamedTuple):
    delta: float
    gamma: float
    vega: float
    theta: float
    rho: float
    vanna: float
    volga: float


def cumulative(x: mpf) -> mpf:
    """The normal distribution function N(x)."""
    return erfc(-x / sqrt(mpf(2))) / 2


def density(x: mpf) -> mpf:
    """The normal density n(x)."""
    return exp(-x * x / 2) / sqrt(2 * pi)


def exact_price(forward: float, strike: float, years: float, sigma: mpf, *, is_call: bool) -> mpf:
    """The undiscounted price with 60 digits."""
    f, k = mpf(forward), mpf(strike)
    s = mpf(sigma) * sqrt(mpf(years))
    d1 = log(f / k) / s + s / 2
    d2 = d1 - s
    if is_call:
        return f * cumulative(d1) - k * cumulative(d2)
    return k * cumulative(-d2) - f * cumulative(-d1)


def reference_price(
    forward: float, strike: float, years: float, sigma: float, *, is_call: bool
) -> float:
    """The price rounded to double."""
    with mp.workdps(DIGITS):
        return float(exact_price(forward, strike, years, mpf(sigma), is_call=is_call))


def reference_greeks(
    forward: float, strike: float, years: float, sigma: float, *, is_call: bool
) -> ReferenceGreeks:
    """The textbook's closed forms."""
    with mp.workdps(DIGITS):
        f, k, t, v = mpf(forward), mpf(strike), mpf(years), mpf(sigma)
        s = v * sqrt(t)
        d1 = log(f / k) / s + s / 2
        d2 = d1 - s
        vega = f * density(d1) * sqrt(t)
        return ReferenceGreeks(
            delta=float(cumulative(d1) if is_call else -cumulative(-d1)),
            gamma=float(density(d1) / (f * s)),
            vega=float(vega),
            theta=float(-f * density(d1) * v / (2 * sqrt(t))),
            rho=float(-t * exact_price(forward, strike, years, v, is_call=is_call)),
            vanna=float(-density(d1) * d2 / v),
            volga=float(vega * d1 * d2 / v),
        )


def reference_implied_vol(
    price: float, forward: float, strike: float, years: float, *, is_call: bool
) -> float:
    """The volatility whose exact price is the double ``price``."""
    with mp.workdps(DIGITS):
        target, f, k, t = mpf(price), mpf(forward), mpf(strike), mpf(years)
        low, high = mpf("1e-6"), mpf(1)
        while exact_price(forward, strike, years, high, is_call=is_call) < target:
            high *= 2
        for _ in range(22):
            middle = sqrt(low * high)
            below = exact_price(forward, strike, years, middle, is_call=is_call) < target
            low, high = (middle, high) if below else (low, middle)
        sigma = (low + high) / 2
        for _ in range(5):
            value = exact_price(forward, strike, years, sigma, is_call=is_call)
            d1 = log(f / k) / (sigma * sqrt(t)) + sigma * sqrt(t) / 2
            vega = f * density(d1) * sqrt(t)
            sigma -= log(value / target) * value / vega
        return float(sigma)
