"""Break-even volatility of synthetic straddles: what hedging along recorded candles was worth.

A straddle struck at spot is bought at an origin and its delta hedged at every bar with one
volatility, known at the origin. The premium that would have left it without profit, inverted to a
volatility, is its break-even: it falls short of realised volatility where variance comes after spot
has left the strike.
"""

import numpy as np

from glmtrader.domain.arrays import FloatArray


def break_even_vol(paths: FloatArray, years: float, hedge_vol: FloatArray) -> FloatArray:
    """Return the break-even volatility of each path's hedged at-the-money straddle.

    With strike K = S_0 and rate 0, premium C = |S_T - K| - sum_i D_i (S_{i+1} - S_i), delta
    D_i = 2 N(d1_i) - 1 and premium(s) = 2 K (2 N(s sqrt(T) / 2) - 1); a loss beyond the premium
    gives a negative volatility, which keeps the mean unbiased.

    Args:
        paths: Prices at the hedging times, float64[n, m + 1], m >= 1, equally spaced.
        years: Time from first to last price, ACT/365.
        hedge_vol: Volatility that the hedger believes, a path, fraction a year, > 0.

    Returns:
        Volatilities, fraction a year, float64[n].
    """
    from scipy.special import ndtr, ndtri  # noqa: PLC0415 - needed where models are fitted only

    count, steps = paths.shape[0], paths.shape[1] - 1
    assert steps >= 1
    assert hedge_vol.shape == (count,)
    strike = paths[:, :1]
    left = years * (1.0 - np.arange(steps) / steps)
    deviation = hedge_vol[:, None] * np.sqrt(left)
    d1 = np.log(paths[:, :-1] / strike) / deviation + 0.5 * deviation
    hedge = np.sum((2.0 * ndtr(d1) - 1.0) * np.diff(paths, axis=1), axis=1)
    premium = np.abs(paths[:, -1] - paths[:, 0]) - hedge
    share = np.clip(0.5 + 0.25 * premium / paths[:, 0], 1e-12, 1.0 - 1e-12)
    return np.asarray(2.0 / np.sqrt(years) * ndtri(share), dtype=np.float64)
