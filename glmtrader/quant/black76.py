r"""Black-76 price and greeks of European options on a forward, vectorised.

    call = F N(d1) - K N(d2),  put = K N(-d2) - F N(-d1),
    d1 = ln(F/K)/s + s/2,  d2 = d1 - s,  s = sigma sqrt(T)

Source: Black, "The pricing of commodity contracts", J. Financial Economics 3 (1976), p. 177;
greeks: Haug, "The Complete Guide to Option Pricing Formulas", 2nd ed., ch. 2. The rate is zero:
prices are undiscounted, as coin-margined venues quote them. Units: prices and forward in USD,
volatility a fraction per year, years ACT/365. Every argument broadcasts; a row outside the domain
is NaN and ``invalid_input_reason`` or ``invalid_reason`` says why.
NumPy and ``scipy.special`` alone may enter.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from glmtrader.quant._arrays import BoolArray, FloatArray, blocks, flat_rows, shaped
from glmtrader.quant._black76_kernel import (
    intrinsic,
    premium,
    sensitivities,
    setup,
    tails,
)
from glmtrader.quant.implied_vol import implied_vol
from glmtrader.quant.invalid import InvalidReason, invalid_input_reason, invalid_reason

__all__ = [
    "Greeks",
    "InvalidReason",
    "coin_price",
    "greeks",
    "implied_vol",
    "invalid_input_reason",
    "invalid_reason",
    "net_transaction_delta",
    "price",
    "price_and_greeks",
]


class Greeks(NamedTuple):
    """Sensitivities of the undiscounted USD price, each in the broadcast shape of the inputs."""

    delta: FloatArray
    """dV/dF, per unit of underlying: N(d1) for calls, N(d1) - 1 for puts."""
    gamma: FloatArray
    """d2V/dF2, change of delta per 1 USD."""
    vega: FloatArray
    """dV/dsigma, USD per 1.00 of volatility."""
    theta: FloatArray
    """dV/dt with the forward held, USD per year; never positive."""
    rho: FloatArray
    """dV/dr of the discounted price at r = 0 with the forward held: -years * price."""
    vanna: FloatArray
    """d2V/dF dsigma, change of delta per 1.00 of volatility."""
    volga: FloatArray
    """d2V/dsigma2, change of vega per 1.00 of volatility."""


def price(
    forward: ArrayLike, strike: ArrayLike, years: ArrayLike, sigma: ArrayLike, is_call: ArrayLike
) -> FloatArray:
    """Undiscounted option price in USD, relative error below 1e-12 however far out of the money.

    With no time or no volatility left it is the intrinsic value.

    Args:
        forward: Forward of the option's expiry, USD, positive.
        strike: Strike, USD, positive.
        years: Time to expiry, ACT/365, not negative.
        sigma: Volatility, fraction per year, not negative.
        is_call: True for calls.
    """
    shape, (f, k, t, v), call = flat_rows(forward, strike, years, sigma, flags=is_call)
    out = np.empty(len(f))
    with np.errstate(all="ignore"):
        for rows in blocks(len(f)):
            common = setup(f[rows], k[rows], t[rows], v[rows])
            value = premium(common)
            value += intrinsic(common, call[rows])
            value[_invalid(f[rows], k[rows], t[rows], v[rows])] = np.nan
            out[rows] = value
    return shaped(out, shape)


def greeks(
    forward: ArrayLike, strike: ArrayLike, years: ArrayLike, sigma: ArrayLike, is_call: ArrayLike
) -> Greeks:
    """All seven sensitivities; arguments as for ``price``, units in ``Greeks``.

    At the money with no variance left (``AT_THE_KINK``) they do not exist and are NaN; elsewhere
    the limit is taken.
    """
    return price_and_greeks(forward, strike, years, sigma, is_call)[1]


def price_and_greeks(
    forward: ArrayLike, strike: ArrayLike, years: ArrayLike, sigma: ArrayLike, is_call: ArrayLike
) -> tuple[FloatArray, Greeks]:
    """Price and greeks in one pass, at little more than the cost of the price alone.

    This price is exact to 1e-15 of the forward, not relative to itself as that of ``price``; the
    greeks other than rho are exact relative to themselves.
    """
    shape, (f, k, t, v), call = flat_rows(forward, strike, years, sigma, flags=is_call)
    out = np.empty((8, len(f)))
    with np.errstate(all="ignore"):
        for rows in blocks(len(f)):
            _fill(out[:, rows], f[rows], k[rows], t[rows], v[rows], call[rows])
    value, delta, gamma, vega, theta, rho, vanna, volga = (shaped(row, shape) for row in out)
    return value, Greeks(delta, gamma, vega, theta, rho, vanna, volga)


def coin_price(usd: ArrayLike, forward: ArrayLike) -> FloatArray:
    """Price in coin of an inverse option: USD price / forward of its expiry (Deribit).

    Dividing by the index instead errs thirty times more. NaN where the forward is not positive.
    """
    divisor = np.asarray(forward, dtype=np.float64)
    with np.errstate(all="ignore"):
        return np.asarray(usd, dtype=np.float64) / np.where(divisor > 0.0, divisor, np.nan)


def net_transaction_delta(delta: ArrayLike, mark_coin: ArrayLike) -> FloatArray:
    """Coin delta of an inverse option with its premium: delta - mark price in coin.

    It is what Deribit's account DeltaTotal sums; the exchange's per-option delta stays N(d1).
    """
    return np.asarray(delta, dtype=np.float64) - np.asarray(mark_coin, dtype=np.float64)


def _invalid(
    forward: FloatArray, strike: FloatArray, years: FloatArray, sigma: FloatArray
) -> BoolArray:
    """Rows outside the domain that arithmetic alone would not turn into NaN."""
    valid = (np.minimum(forward, strike) > 0.0) & (np.maximum(forward, strike) < np.inf)
    valid &= (years >= 0.0) & (years < np.inf)
    valid &= (sigma >= 0.0) & (sigma < np.inf)
    return np.logical_not(valid, out=valid)


def _fill(
    out: FloatArray,
    forward: FloatArray,
    strike: FloatArray,
    years: FloatArray,
    sigma: FloatArray,
    call: BoolArray,
) -> None:
    """One block of ``price_and_greeks`` into rows price, then the fields of ``Greeks``."""
    common = setup(forward, strike, years, sigma)
    upper, lower = tails(common)
    out[1], out[2], out[3], out[4], out[6], out[7] = sensitivities(
        common, forward, call, np.where(common.above, lower, upper)
    )
    value = out[0]
    upper *= common.low
    lower *= common.low + common.gap
    np.subtract(upper, lower, out=value)
    np.maximum(value, 0.0, out=value)
    value += intrinsic(common, call)
    np.multiply(value, years, out=out[5])
    np.negative(out[5], out=out[5])
    invalid = _invalid(forward, strike, years, sigma)
    if invalid.any():
        out[:, invalid] = np.nan
    kink = (common.t == 0.0) & (common.gap == 0.0)
    if kink.any():
        out[1:, kink] = np.nan
