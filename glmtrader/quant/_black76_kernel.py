"""Block kernels of Black-76: value, then greeks, each from the out-of-the-money side.

Notation: low = min(F, K), high = max(F, K), a = |ln(F/K)|, s = sigma sqrt(T), h = -a/s, t = s/2.
The out-of-the-money price is low N(h+t) - high N(h-t) whichever way the option points.
NumPy and ``scipy.special`` alone may enter.
"""

from math import pi, sqrt
from typing import NamedTuple

import numpy as np

from glmtrader.quant._arrays import BoolArray, FloatArray
from glmtrader.quant._normalised import is_small, scaled_difference
from glmtrader.quant.special_functions import ndtr

_ONE_OVER_SQRT_TWO_PI = 1.0 / sqrt(2.0 * pi)
_TINY = 1e-300
_H_MIN = -1_000.0
"""Every price underflows long before; the clip keeps the limit s -> 0 free of infinities."""


class Setup(NamedTuple):
    """What value and greeks share, one entry a row."""

    low: FloatArray
    gap: FloatArray
    above: BoolArray
    root_years: FloatArray
    s: FloatArray
    h: FloatArray
    t: FloatArray
    density: FloatArray
    """sqrt(F K) exp(-(h^2 + t^2)/2) = F exp(-d1^2/2)."""
    small: BoolArray


def setup(forward: FloatArray, strike: FloatArray, years: FloatArray, sigma: FloatArray) -> Setup:
    """Normalise a block; rows outside the domain become NaN or are masked by the caller."""
    root_years = np.sqrt(years)
    s = sigma * root_years
    low = np.minimum(forward, strike)
    gap = np.maximum(forward, strike)
    gap -= low
    a = np.log1p(gap / low)
    small = is_small(s, a)
    t = 0.5 * s
    s += _TINY
    a /= s
    np.negative(a, out=a)
    h = np.maximum(a, _H_MIN, out=a)
    density = h * h
    density += t * t
    density *= -0.5
    np.exp(density, out=density)
    density *= np.sqrt(forward * strike)
    return Setup(low, gap, forward >= strike, root_years, s, h, t, density, small)


def premium(common: Setup) -> FloatArray:
    """Out-of-the-money price, relative error below 1e-12 however far out."""
    value = scaled_difference(common.h, common.t, common.small)
    value *= common.density
    value *= 0.5
    return value


def tails(common: Setup) -> tuple[FloatArray, FloatArray]:
    """N(h + t) and N(h - t), each exact relative to itself."""
    return ndtr(common.h + common.t), ndtr(common.h - common.t)


def intrinsic(common: Setup, call: BoolArray) -> FloatArray:
    """max(F - K, 0) of calls, max(K - F, 0) of puts."""
    value: FloatArray = common.gap * (call == common.above)
    return value


def sensitivities(
    common: Setup, forward: FloatArray, call: BoolArray, out_delta: FloatArray
) -> tuple[FloatArray, ...]:
    """Delta, gamma, vega, theta, vanna, volga.

    Args:
        common: From ``setup``.
        forward: USD.
        call: True for calls.
        out_delta: Absolute delta of the out-of-the-money option at each strike.
    """
    root_years, s, h, t = common.root_years, common.s, common.h, common.t
    direction = common.above * 2.0
    direction -= 1.0
    delta = call == common.above
    delta = direction * (delta - out_delta)
    vega = common.density * _ONE_OVER_SQRT_TWO_PI
    theta = vega * s
    theta *= -0.5
    theta /= root_years * root_years + _TINY
    inverse_s = 1.0 / s
    per_s = vega * inverse_s
    gamma = per_s / forward
    gamma /= forward
    vega *= root_years
    per_s *= root_years
    vanna = h * direction
    vanna += t
    vanna *= per_s
    vanna /= forward
    volga = h * h
    volga -= t * t
    volga *= per_s
    volga *= root_years
    return delta, gamma, vega, theta, vanna, volga
