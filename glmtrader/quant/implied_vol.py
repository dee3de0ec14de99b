"""Black-76 implied volatility in one corrected step, vectorised.

A rational guess (``_iv_guess``) is refined by a single Householder step of order three on the
logarithm of the out-of-the-money price (objective and step: Jaeckel, "By Implication", Wilmott
2006(11), pp. 60-66, and "Let's Be Rational", Wilmott 2015(75), pp. 40-53); rows outside the
guess's domain take a bracketed iteration (``_iv_bracketed``).
NumPy and ``scipy.special`` alone may enter.
"""

import numpy as np
from numpy.typing import ArrayLike

from glmtrader.quant._arrays import BoolArray, FloatArray, blocks, flat_rows, shaped
from glmtrader.quant._iv_bracketed import bracketed
from glmtrader.quant._iv_guess import guess
from glmtrader.quant._normalised import SQRT_TWO_OVER_PI, is_small, scaled_difference
from glmtrader.quant.invalid import InvalidReason, implied_codes

_PRICE_MAX = 0.72
_MONEYNESS_MAX = 12.0
_S_MAX = 2.4
_TINY = 1e-300


def implied_vol(
    price: ArrayLike, forward: ArrayLike, strike: ArrayLike, years: ArrayLike, is_call: ArrayLike
) -> FloatArray:
    """Black-76 volatility at which ``price`` is the undiscounted option price.

    Relative error below 1e-14 from out-of-the-money prices down to 1e-289 of the forward. From the
    in-the-money side the error is that of ``price`` minus intrinsic value: imply from the other
    side where both exist.

    Args:
        price: Option price in the currency of the forward, undiscounted (r = 0).
        forward: Forward of the option's expiry, positive.
        strike: Strike, positive.
        years: Time to expiry, ACT/365, positive.
        is_call: True for calls.

    Returns:
        Volatilities as fractions per year in the broadcast shape; NaN where ``invalid_reason``
        is not ``VALID``.
    """
    shape, (p, f, k, t), call = flat_rows(price, forward, strike, years, flags=is_call)
    out = np.empty(len(p))
    with np.errstate(all="ignore"):
        for rows in blocks(len(p)):
            out[rows] = _block(p[rows], f[rows], k[rows], t[rows], call[rows])
    return shaped(out, shape)


def _block(
    price: FloatArray, forward: FloatArray, strike: FloatArray, years: FloatArray, call: BoolArray
) -> FloatArray:
    low = np.minimum(forward, strike)
    gap = np.maximum(forward, strike)
    gap -= low
    premium = price - gap * (call == (forward >= strike))
    root = np.sqrt(forward * strike)
    a = np.log1p(gap / low)
    a += _TINY
    gap /= root
    gap += _TINY
    reached = (premium > 0.0) & (low > 0.0)
    reached &= premium < _PRICE_MAX * low
    premium /= root
    s = guess(gap / premium, a, gap)
    reached &= (s < _S_MAX) & (a < _MONEYNESS_MAX)
    reached &= (years > 0.0) & (years < np.inf)
    out = _householder(s, a, np.log(premium))
    out /= np.sqrt(years)
    if not reached.all():
        missed = np.flatnonzero(~reached)
        out[missed] = _outside(
            price[missed], forward[missed], strike[missed], years[missed], call[missed]
        )
    return out


def _householder(s: FloatArray, a: FloatArray, log_price: FloatArray) -> FloatArray:
    """One Householder-3 step on ln b(s) - ln beta, with b' / b = sqrt(2/pi) / D."""
    t = 0.5 * s
    h = a / s
    np.negative(h, out=h)
    difference = scaled_difference(h, t, is_small(s, a))
    slope = SQRT_TWO_OVER_PI / difference
    h *= h
    t *= t
    difference *= 0.5
    newton = log_price - np.log(difference)
    newton += 0.5 * (h + t)
    newton /= slope
    second = h - t
    second /= s
    third = second * second
    third -= 3.0 * h / (s * s)
    third -= 0.25
    third += slope * (2.0 * slope - 3.0 * second)
    second -= slope
    third *= newton
    third *= 1.0 / 6.0
    third += second
    third *= newton
    third += 1.0
    second *= newton
    second *= 0.5
    second += 1.0
    newton *= second
    newton /= third
    newton += s
    return newton


def _outside(
    price: FloatArray, forward: FloatArray, strike: FloatArray, years: FloatArray, call: BoolArray
) -> FloatArray:
    """Rows that the guess does not reach: NaN if invalid, else the bracketed iteration."""
    out = np.full(len(price), np.nan)
    codes = implied_codes(price, forward, strike, years, call)
    valid = np.flatnonzero(codes == InvalidReason.VALID)
    if len(valid) == 0:
        return out
    f, k = forward[valid], strike[valid]
    low = np.minimum(f, k)
    gap = np.maximum(f, k) - low
    premium = price[valid] - gap * (call[valid] == (f >= k))
    s = bracketed(premium / low, (low - premium) / low, np.log1p(gap / low))
    out[valid] = s / np.sqrt(years[valid])
    return out
