"""What quoted straddles and strangles cost in volatility, the counterpart of ``q_straddle``.

The volatility of a package is the single one at which Black-76 prices its legs at the sum of their
bids (mids, asks). NumPy and this room's Black-76 alone may enter.
"""

from typing import NamedTuple

import numpy as np

from glmtrader.quant._arrays import FloatArray
from glmtrader.quant._slice import VolSlice
from glmtrader.quant.black76 import implied_vol, price_and_greeks
from glmtrader.quant.unavailable import Unavailable, UnavailableReason

_NEWTON_MAX = 30
_TOLERANCE = 1e-12


class StraddleQuote(NamedTuple):
    """The quoted straddle at one strike: volatilities whose Black-76 price is the legs' sum."""

    expiry_ns: int
    strike: float
    years: float
    forward: float
    bid_vol: float
    mid_vol: float
    ask_vol: float
    bid_usd: float
    ask_usd: float


class StrangleQuote(NamedTuple):
    """A quoted put and call at different strikes, as ``StraddleQuote`` for one."""

    expiry_ns: int
    put_strike: float
    call_strike: float
    years: float
    forward: float
    bid_vol: float
    mid_vol: float
    ask_vol: float
    bid_usd: float
    ask_usd: float


def straddle_quote(fitted: VolSlice, strike: float | None) -> StraddleQuote | Unavailable:
    """The straddle at ``strike`` or, where None, at the listed strike nearest the forward."""
    legs, forward = fitted.legs, fitted.forward
    wanted = forward if strike is None else strike
    row = int(np.argmin(np.abs(legs.strikes - wanted)))
    listed = float(legs.strikes[row])
    if strike is not None and listed != strike:
        return Unavailable(UnavailableReason.STRIKE_NOT_LISTED, f"nearest to {strike} is {listed}")
    bid = float(legs.call_bid[row] + legs.put_bid[row])
    ask = float(legs.call_ask[row] + legs.put_ask[row])
    if np.isnan(bid + ask):
        return Unavailable(UnavailableReason.LEG_NOT_QUOTED, f"a leg at {listed} lacks a side")
    outside = (np.array([bid, 0.5 * (bid + ask), ask]) - abs(forward - listed)) * 0.5
    vols = implied_vol(outside, forward, listed, fitted.years, listed >= forward)
    if np.isnan(vols).any():
        return Unavailable(UnavailableReason.NOT_INVERTIBLE, f"straddle {bid}/{ask} at {listed}")
    return StraddleQuote(
        expiry_ns=fitted.expiry_ns,
        strike=listed,
        years=fitted.years,
        forward=forward,
        bid_vol=float(vols[0]),
        mid_vol=float(vols[1]),
        ask_vol=float(vols[2]),
        bid_usd=bid,
        ask_usd=ask,
    )


def strangle_quote(
    fitted: VolSlice, put_strike: float, call_strike: float
) -> StrangleQuote | Unavailable:
    """The strangle of a listed put and a listed call, both quoted on both sides."""
    legs = fitted.legs
    rows = [int(np.argmin(np.abs(legs.strikes - strike))) for strike in (put_strike, call_strike)]
    for row, wanted in zip(rows, (put_strike, call_strike), strict=True):
        if legs.strikes[row] != wanted:
            return Unavailable(
                UnavailableReason.STRIKE_NOT_LISTED, f"nearest to {wanted} is {legs.strikes[row]}"
            )
    put, call = rows
    bids = np.array([legs.put_bid[put], legs.call_bid[call]])
    asks = np.array([legs.put_ask[put], legs.call_ask[call]])
    if np.isnan(bids + asks).any():
        return Unavailable(
            UnavailableReason.LEG_NOT_QUOTED, f"a leg of {put_strike}/{call_strike} lacks a side"
        )
    prices = np.stack((bids, 0.5 * (bids + asks), asks))
    vols = _common_vol(fitted, legs.strikes[rows], prices)
    if np.isnan(vols).any():
        return Unavailable(
            UnavailableReason.NOT_INVERTIBLE, f"strangle {bids.tolist()}/{asks.tolist()}"
        )
    return StrangleQuote(
        expiry_ns=fitted.expiry_ns,
        put_strike=put_strike,
        call_strike=call_strike,
        years=fitted.years,
        forward=fitted.forward,
        bid_vol=float(vols[0]),
        mid_vol=float(vols[1]),
        ask_vol=float(vols[2]),
        bid_usd=float(bids.sum()),
        ask_usd=float(asks.sum()),
    )


def _common_vol(fitted: VolSlice, strikes: FloatArray, prices: FloatArray) -> FloatArray:
    """One volatility a row at which a put and a call, shape (rows, 2), are worth the row's sum.

    The legs' own volatilities bracket it, since both legs gain with volatility.
    """
    is_call = np.array([False, True])
    own = implied_vol(prices, fitted.forward, strikes, fitted.years, is_call)
    low, high = own.min(axis=1), own.max(axis=1)
    wanted = prices.sum(axis=1)
    vol: FloatArray = own.mean(axis=1)
    for _ in range(_NEWTON_MAX):
        value, at = price_and_greeks(fitted.forward, strikes, fitted.years, vol[:, None], is_call)
        step = (wanted - value.sum(axis=1)) / at.vega.sum(axis=1)
        vol = np.clip(vol + step, low, high)
        if not (np.abs(step) > _TOLERANCE * vol).any():
            break
    return vol
