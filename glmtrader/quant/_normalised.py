r"""The scaled normalised Black function, exact to rounding in every corner of its domain.

With x = ln(F/K), s = sigma sqrt(T), h = -|x|/s <= 0 and t = s/2, the out-of-the-money price is

    sqrt(F K) / 2 * exp(-(h^2 + t^2)/2) * D(h, t),   D = G(h + t) - G(h - t),
    G(y) = erfcx(-y / sqrt 2).

Source: Jaeckel, "Let's Be Rational", Wilmott 2015(75), pp. 40-53 (the scaled form, and an
expansion where t is small). NumPy and ``scipy.special`` alone may enter.
"""

from math import pi, sqrt

import numpy as np

from glmtrader.quant._arrays import BoolArray, FloatArray, constants
from glmtrader.quant.special_functions import erfcx

SQRT_HALF = sqrt(0.5)
SQRT_TWO_OVER_PI = sqrt(2.0 / pi)
_S_SMALL = 0.3
"""Bound of the series' truncation error: t = s/2 below 0.15."""
_A_SMALL = 2.0
"""t|h| = a/2 below 1: beyond, rounding in the recurrence costs more than the difference does."""

_TERMS = 12
_SHARES = constants(*(1.0 / (order + 2) for order in range(_TERMS)))


def is_small(s: FloatArray, a: FloatArray) -> BoolArray:
    """Where the Taylor series in t is more exact (and cheaper) than the difference of two erfcx."""
    small = s < _S_SMALL
    small &= a < _A_SMALL
    return small


def scaled_difference(h: FloatArray, t: FloatArray, small: BoolArray) -> FloatArray:
    """D(h, t) > 0, by series where ``small`` and by the difference of two erfcx elsewhere.

    Args:
        h: -|ln(F/K)| / s, not positive.
        t: s / 2, positive.
        small: As from ``is_small``.
    """
    inside = np.flatnonzero(small)
    if len(inside) == len(h):
        return _series(h, t)
    if len(inside) == 0:
        return _direct(h, t)
    out = np.empty_like(h)
    out[inside] = _series(h[inside], t[inside])
    outside = np.flatnonzero(~small)
    out[outside] = _direct(h[outside], t[outside])
    return out


def _direct(h: FloatArray, t: FloatArray) -> FloatArray:
    upper = erfcx((h + t) * -SQRT_HALF)
    upper -= erfcx((h - t) * -SQRT_HALF)
    return upper


def _series(h: FloatArray, t: FloatArray) -> FloatArray:
    """Odd Taylor terms of G about h, doubled.

    G' = sqrt(2/pi) + h G and G(n+2) = (n+1) G(n) + h G(n+1), so the terms a(n) = G(n) t^n / n!
    obey a(n+2) = (t^2 a(n) + h t a(n+1)) / (n+2). The one of the thirteenth derivative, the last,
    is below 1e-15 of the first in the domain.
    """
    even = erfcx(h * -SQRT_HALF)
    odd = h * even
    odd += SQRT_TWO_OVER_PI
    odd *= t
    first, second = t * t, h * t
    total = odd.copy()
    work = np.empty_like(odd)
    for order in range(0, _TERMS, 2):
        even *= first
        even += np.multiply(second, odd, out=work)
        even *= _SHARES[order]
        odd *= first
        odd += np.multiply(second, even, out=work)
        odd *= _SHARES[order + 1]
        total += odd
    total += total
    return total
