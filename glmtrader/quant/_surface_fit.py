"""From the rows of a snapshot to fitted expiries, refused rows counted by reason.

NumPy and this room alone may enter.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from glmtrader.quant._arrays import BoolArray, CodeArray, FloatArray, IntArray
from glmtrader.quant._slice import LegTable, VolSlice, leg_table, parity_forward
from glmtrader.quant.black76 import implied_vol
from glmtrader.quant.chain_quotes import ChainQuotes, QuoteRefusal, classify
from glmtrader.quant.trading_clock import TradingClock, calendar_years
from glmtrader.quant.unavailable import Unavailable, UnavailableReason

STRIKES_MIN = 3
"""Fewer out-of-the-money strikes do not make a smile."""


class _Expiry(NamedTuple):
    """One expiry's quotes before its volatilities are known."""

    expiry_ns: int
    forward: float
    legs: LegTable
    strikes: FloatArray
    bid: FloatArray
    ask: FloatArray


def build_slices(
    quotes: ChainQuotes, clock: TradingClock
) -> tuple[tuple[VolSlice, ...], Mapping[int, Unavailable], Mapping[QuoteRefusal, int]]:
    """Fitted expiries, expiries that could not be fitted, and counts of refused rows."""
    codes = classify(quotes)
    listed = (codes != QuoteRefusal.BAD_TERMS) & (codes != QuoteRefusal.EXPIRED)
    candidates = []
    for expiry_ns in np.unique(quotes.expiry_ns[listed]):
        rows = np.flatnonzero(listed & (quotes.expiry_ns == expiry_ns))
        candidates.append(_tabulate(quotes, codes, rows, int(expiry_ns)))
    slices: list[VolSlice] = []
    unavailable: dict[int, Unavailable] = {}
    not_invertible = 0
    for expiry, vols in zip(candidates, _implied(candidates, quotes.now_ns), strict=True):
        invertible = np.isfinite(vols.sum(axis=0))
        not_invertible += int(np.count_nonzero(~invertible))
        fitted = _slice(expiry, vols, invertible, quotes.now_ns, clock)
        if isinstance(fitted, Unavailable):
            unavailable[expiry.expiry_ns] = fitted
        else:
            slices.append(fitted)
    return tuple(slices), unavailable, _counts(codes, not_invertible)


def _counts(codes: CodeArray, not_invertible: int) -> dict[QuoteRefusal, int]:
    found = np.bincount(codes, minlength=len(QuoteRefusal))
    found[QuoteRefusal.NOT_INVERTIBLE] += not_invertible
    return {
        refusal: int(found[refusal])
        for refusal in QuoteRefusal
        if refusal is not QuoteRefusal.USED and found[refusal]
    }


def _tabulate(quotes: ChainQuotes, codes: CodeArray, rows: IntArray, expiry_ns: int) -> _Expiry:
    strike, is_call = quotes.strike[rows], quotes.is_call[rows]
    instrument = strike * np.where(is_call, 1.0, -1.0)
    _, last = np.unique(instrument[::-1], return_index=True)
    if len(last) < len(rows):
        kept = np.sort(len(rows) - 1 - last)
        codes[np.delete(rows, kept)] = QuoteRefusal.DUPLICATE
        rows, strike, is_call = rows[kept], strike[kept], is_call[kept]
    forward = _forward(quotes, rows)
    to_usd = forward if quotes.inverse else 1.0
    used = codes[rows] == QuoteRefusal.USED
    bid = np.where(used, quotes.bid[rows], np.nan) * to_usd
    ask = np.where(used, quotes.ask[rows], np.nan) * to_usd
    legs = leg_table(strike, is_call, bid, ask)
    return _Expiry(expiry_ns, forward, legs, *legs.out_of_the_money(forward))


def _forward(quotes: ChainQuotes, rows: IntArray) -> float:
    """One forward for the expiry: what the marks imply, else the median of the rows'."""
    quoted = float(np.median(quotes.forward[rows]))
    if quotes.mark is None:
        return quoted
    implied = parity_forward(
        quotes.strike[rows],
        quotes.is_call[rows],
        quotes.mark[rows],
        quoted,
        inverse=quotes.inverse,
    )
    return quoted if implied is None else implied


def _implied(candidates: list[_Expiry], now_ns: int) -> list[FloatArray]:
    """Volatilities of bid, mid and ask, shape (3, strikes) an expiry, from one inversion."""
    if not candidates:
        return []
    counts = [len(expiry.strikes) for expiry in candidates]
    bid = np.concatenate([expiry.bid for expiry in candidates])
    ask = np.concatenate([expiry.ask for expiry in candidates])
    strike = np.concatenate([expiry.strikes for expiry in candidates])
    forward = np.repeat([expiry.forward for expiry in candidates], counts)
    years = calendar_years(now_ns, [expiry.expiry_ns for expiry in candidates])
    prices = np.stack((bid, 0.5 * (bid + ask), ask))
    vols = implied_vol(prices, forward, strike, np.repeat(years, counts), strike >= forward)
    return np.split(vols, np.cumsum(counts)[:-1], axis=1)


def _slice(
    expiry: _Expiry,
    vols: FloatArray,
    invertible: BoolArray,
    now_ns: int,
    clock: TradingClock,
) -> VolSlice | Unavailable:
    strikes = expiry.strikes[invertible]
    if len(strikes) < STRIKES_MIN:
        return Unavailable(
            UnavailableReason.TOO_FEW_STRIKES,
            f"{len(strikes)} strikes quoted on both sides, {STRIKES_MIN} needed",
        )
    if not strikes[0] <= expiry.forward <= strikes[-1]:
        return Unavailable(
            UnavailableReason.FORWARD_NOT_BRACKETED,
            f"forward {expiry.forward} outside strikes {strikes[0]} to {strikes[-1]}",
        )
    bid_vol, mid_vol, ask_vol = vols[:, invertible]
    return VolSlice(
        expiry_ns=expiry.expiry_ns,
        years=float(calendar_years(now_ns, expiry.expiry_ns)),
        trading_years=float(clock.years(now_ns, expiry.expiry_ns)),
        forward=expiry.forward,
        strikes=strikes,
        bid_vol=bid_vol,
        ask_vol=ask_vol,
        mid_vol=mid_vol,
        log_moneyness=np.log(strikes / expiry.forward),
        legs=expiry.legs,
    )
