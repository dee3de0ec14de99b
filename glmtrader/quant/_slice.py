"""One expiry of the surface: its quotes as a table by strike, and its smile.

NumPy and this room's Black-76 alone may enter.
"""

from dataclasses import dataclass

import numpy as np

from glmtrader.quant._arrays import BoolArray, FloatArray

FORWARD_DISAGREEMENT_MAX = 0.01
"""Marks whose parity forward is further than this from the quoted one are not trusted with it."""
_PARITY_MONEYNESS_MAX = 0.1


@dataclass(frozen=True, slots=True)
class LegTable:
    """Two-sided quotes by listed strike in USD; NaN where a leg has no usable quote. Shape (n,)."""

    strikes: FloatArray
    call_bid: FloatArray
    call_ask: FloatArray
    put_bid: FloatArray
    put_ask: FloatArray

    def out_of_the_money(self, forward: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Strikes, bids and asks of the out-of-the-money side where it is quoted."""
        above = self.strikes >= forward
        bid = np.where(above, self.call_bid, self.put_bid)
        ask = np.where(above, self.call_ask, self.put_ask)
        quoted = ~np.isnan(bid)
        return self.strikes[quoted], bid[quoted], ask[quoted]


@dataclass(frozen=True, slots=True)
class VolSlice:
    """Implied volatilities of one expiry, from the out-of-the-money side, ascending in strike."""

    expiry_ns: int
    years: float
    trading_years: float
    forward: float
    strikes: FloatArray
    bid_vol: FloatArray
    ask_vol: FloatArray
    mid_vol: FloatArray
    """Volatility of the mid price, which is not quite the mean of the other two."""
    log_moneyness: FloatArray
    """ln(strike / forward)."""
    legs: LegTable

    def mid_vol_at(self, log_moneyness: FloatArray) -> FloatArray:
        """Linear in total variance against log-moneyness, flat beyond the quotes."""
        return self._along(log_moneyness, self.mid_vol)

    def bid_vol_at(self, log_moneyness: FloatArray) -> FloatArray:
        """As ``mid_vol_at`` for the bid."""
        return self._along(log_moneyness, self.bid_vol)

    def ask_vol_at(self, log_moneyness: FloatArray) -> FloatArray:
        """As ``mid_vol_at`` for the ask."""
        return self._along(log_moneyness, self.ask_vol)

    def is_beyond(self, log_moneyness: FloatArray) -> BoolArray:
        """Whether the smile there is extrapolated."""
        beyond: BoolArray = log_moneyness < self.log_moneyness[0]
        beyond |= log_moneyness > self.log_moneyness[-1]
        return beyond

    def atm_vol(self) -> float:
        """Mid volatility at the forward."""
        return float(self.mid_vol_at(np.zeros(1))[0])

    def _along(self, log_moneyness: FloatArray, vol: FloatArray) -> FloatArray:
        variance = np.interp(log_moneyness, self.log_moneyness, vol * vol)
        return np.sqrt(variance)


def leg_table(strike: FloatArray, is_call: BoolArray, bid: FloatArray, ask: FloatArray) -> LegTable:
    """Pivot the rows of one expiry, in USD, by strike; a later row replaces an earlier twin."""
    strikes, position = np.unique(strike, return_inverse=True)
    table = np.full((4, len(strikes)), np.nan)
    call, put = position[is_call], position[~is_call]
    table[0, call], table[1, call] = bid[is_call], ask[is_call]
    table[2, put], table[3, put] = bid[~is_call], ask[~is_call]
    return LegTable(strikes, table[0], table[1], table[2], table[3])


def parity_forward(
    strike: FloatArray, is_call: BoolArray, mark: FloatArray, quoted: float, *, inverse: bool
) -> float | None:
    """Forward that put-call parity of the marks implies, or None where they do not say.

    Linear: F = K + C - P; inverse, prices in coin: F = K / (1 - (C - P)). Venues mark a whole
    expiry off one forward; the forward quoted with each row moves while rows are collected.
    The median over strikes within ten per cent of the quoted forward.
    """
    near = np.abs(strike / quoted - 1.0) < _PARITY_MONEYNESS_MAX
    near &= ~np.isnan(mark)
    calls, puts = near & is_call, near & ~is_call
    common, call_at, put_at = np.intersect1d(strike[calls], strike[puts], return_indices=True)
    if len(common) == 0:
        return None
    gap = mark[calls][call_at] - mark[puts][put_at]
    forward = float(np.median(common / (1.0 - gap) if inverse else common + gap))
    agrees = abs(forward / quoted - 1.0) < FORWARD_DISAGREEMENT_MAX
    return forward if agrees else None
