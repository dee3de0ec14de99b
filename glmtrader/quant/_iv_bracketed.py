"""Implied volatility where the one-step method's guess does not reach: large s, huge moneyness.

Newton's iteration on the log-odds of the price inside a bracket, to rounding. Rare rows only
(s >= 2.4, |ln(F/K)| >= 12 or price/min(F, K) >= 0.72), so iterations cost nothing that matters.
NumPy and ``scipy.special`` alone may enter.
"""

import numpy as np

from glmtrader.quant._arrays import FloatArray
from glmtrader.quant._normalised import SQRT_HALF, SQRT_TWO_OVER_PI
from glmtrader.quant.special_functions import erfcx, ndtri

_ITERATIONS_MAX = 80
_TOLERANCE = 2e-15
"""Relative size of the last Newton step; what remains after it is rounding."""


def bracketed(price: FloatArray, below: FloatArray, a: FloatArray) -> FloatArray:
    """Normalised volatility s for c = price, 1 - c = below and a = |ln(F/K)|.

    c(s) = N(h + t) - e^a N(h - t). Where the iteration does not settle the result is NaN.

    Args:
        price: Out-of-the-money price / min(F, K), in (0, 1).
        below: 1 - price, computed by the caller without cancellation.
        a: |ln(F/K)|, not negative.
    """
    target = np.log(price) - np.log(below)
    low = _lower_bound(price, a)
    high = 20.0 + np.sqrt(2.0 * a)
    s = np.clip(low, 1e-300, high)
    settled = np.zeros(s.shape, dtype=np.bool_)
    for _ in range(_ITERATIONS_MAX):
        error, slope = _log_odds(s, a, target)
        low = np.where(error < 0.0, np.maximum(low, s), low)
        high = np.where(error > 0.0, np.minimum(high, s), high)
        moved = s - error / slope
        inside = (moved >= low) & (moved <= high)
        moved = np.where(inside, moved, 0.5 * (low + high))
        settled = np.abs(moved - s) <= _TOLERANCE * s
        s = moved
        if settled.all():
            break
    return np.where(settled, s, np.nan)


def _lower_bound(price: FloatArray, a: FloatArray) -> FloatArray:
    """The larger of two bounds: N(h+t) > c, and more volatility is needed than at the money."""
    y = ndtri(price)
    root = np.sqrt(y * y + 2.0 * a)
    deep = np.where(y < 0.0, 2.0 * a / (root - y), y + root)
    return np.maximum(deep, 2.0 * ndtri(0.5 * (1.0 + price)))


def _log_odds(s: FloatArray, a: FloatArray, target: FloatArray) -> tuple[FloatArray, FloatArray]:
    """ln(c/(1-c)) - target and its slope in s, each side scaled so that nothing underflows."""
    h = -a / s
    t = 0.5 * s
    lower = erfcx((h - t) * -SQRT_HALF)
    up = erfcx((h + t) * -SQRT_HALF) - lower
    down = erfcx((h + t) * SQRT_HALF) + lower
    # c / (1 - c) = up / down; for h + t far below zero `down` overflows while c is its plain self.
    plain = np.log(0.5 * up) - 0.5 * (h + t) ** 2
    deep = plain < -0.7
    odds = np.where(deep, plain - np.log1p(-np.exp(np.minimum(plain, -0.7))), np.log(up / down))
    return odds - target, SQRT_TWO_OVER_PI * (1.0 / up + 1.0 / down)
