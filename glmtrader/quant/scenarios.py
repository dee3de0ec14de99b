"""P&L of every instrument on a spot x volatility grid, cached so that a pre-trade check only adds.

One vector an instrument, of one unit, in USD: rows are computed together by ``option_vectors``,
kept by the caller, and a portfolio is their sum weighted by quantity. NumPy and ``scipy.special``
alone may enter.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from glmtrader.quant._arrays import BoolArray, FloatArray, flat_rows
from glmtrader.quant.special_functions import ndtr

_TINY = 1e-300


@dataclass(frozen=True, slots=True)
class ScenarioGrid:
    """Relative shocks; a vector is the grid flattened, volatility shocks running fastest.

    Args:
        spot: Changes of the forward as fractions, each above -1.
        vol: Changes of volatility as fractions of itself, each above -1.

    Raises:
        ValueError: Where a shock is -1 or below, or an axis is empty.
    """

    spot: tuple[float, ...]
    vol: tuple[float, ...]

    def __post_init__(self) -> None:
        for name, shocks in (("spot", self.spot), ("vol", self.vol)):
            if not shocks or not all(-1.0 < shock < np.inf for shock in shocks):
                raise ValueError(f"{name} shocks must be above -1 and not empty, got {shocks!r}")

    @property
    def size(self) -> int:
        """Length of a vector."""
        return len(self.spot) * len(self.vol)

    def shock(self, index: int) -> tuple[float, float]:
        """Spot and volatility shock at a position of the vector."""
        spot, vol = divmod(index, len(self.vol))
        return self.spot[spot], self.vol[vol]


DEFAULT_GRID = ScenarioGrid(
    spot=tuple(step / 25.0 for step in range(-10, 11)),
    vol=(-0.5, -0.4, -0.3, -0.2, -0.1, 0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
)
"""Forward from -40 to +40 per cent in 21 steps, volatility from half to double in 11."""


class WorstCase(NamedTuple):
    """The least favourable point of the grid."""

    pnl_usd: float
    spot_shock: float
    vol_shock: float


def option_vectors(
    grid: ScenarioGrid,
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    sigma: ArrayLike,
    is_call: ArrayLike,
    inverse: ArrayLike,
) -> FloatArray:
    """P&L in USD of one long unit of each option, shape (n, grid.size).

    Linear: V(F1, sigma1) - V(F0, sigma0). Inverse (coin-settled, value V/F in coin): the coin P&L
    valued at the new price, F1 (V1/F1 - V0/F0). Exact to 1e-15 of the forward. A row outside the
    domain is NaN throughout, so that a sum over it fails closed.

    Args:
        grid: Shocks.
        forward: USD, shape (n,) or scalar, as all that follow.
        strike: USD.
        years: Time to expiry, ACT/365, not negative.
        sigma: Volatility now.
        is_call: True for calls.
        inverse: True for coin-settled options.
    """
    _, (f, k, t, v, coin), call = flat_rows(forward, strike, years, sigma, inverse, flags=is_call)
    spot_factor = np.concatenate((1.0 + np.array(grid.spot), [1.0]))
    vol_factor = np.concatenate((1.0 + np.array(grid.vol), [1.0]))
    value = _values(f, k, t, v, call, spot_factor, vol_factor)
    now = value[:, -1, -1].copy()
    valid = (f > 0.0) & (k > 0.0) & (t >= 0.0) & (v >= 0.0) & np.isfinite(f + k + t + v)
    now[~valid] = np.nan
    carried = np.where(coin[:, None] > 0.0, spot_factor[:-1], 1.0) * now[:, None]
    pnl = value[:, :-1, :-1] - carried[:, :, None]
    return pnl.reshape(len(f), grid.size)


def _values(
    forward: FloatArray,
    strike: FloatArray,
    years: FloatArray,
    sigma: FloatArray,
    call: BoolArray,
    spot_factor: FloatArray,
    vol_factor: FloatArray,
) -> FloatArray:
    """Undiscounted prices, shape (n, spots, vols); calls by formula, puts by parity."""
    with np.errstate(all="ignore"):
        shocked = forward[:, None] * spot_factor
        s = (sigma * np.sqrt(years))[:, None] * vol_factor + _TINY
        d1 = np.log(shocked / strike[:, None])[:, :, None] / s[:, None, :]
        half = 0.5 * s[:, None, :]
        d1 += half
        d2 = d1 - 2.0 * half
        value = ndtr(d1, out=d1)
        value *= shocked[:, :, None]
        lower = ndtr(d2, out=d2)
        lower *= strike[:, None, None]
        value -= lower
    puts = np.flatnonzero(~call)
    value[puts] -= (shocked[puts] - strike[puts, None])[:, :, None]
    return value


def linear_vector(grid: ScenarioGrid, price: float) -> FloatArray:
    """P&L in USD of one long coin of spot or of a linear perpetual or future."""
    return np.repeat(np.array(grid.spot) * price, len(grid.vol))


def inverse_vector(grid: ScenarioGrid) -> FloatArray:
    """P&L in USD of one long USD of an inverse perpetual: S1 (1/S0 - 1/S1), the spot shock."""
    return np.repeat(np.array(grid.spot), len(grid.vol))


def in_coin(grid: ScenarioGrid, pnl_usd: FloatArray, price: float) -> FloatArray:
    """The same P&L in coin, each point at its own shocked price."""
    return pnl_usd / (price * (1.0 + np.repeat(np.array(grid.spot), len(grid.vol))))


def portfolio_vector(quantities: ArrayLike, vectors: FloatArray) -> FloatArray:
    """Sum of quantity x vector over instruments: shapes (n,), (n, size) -> (size,)."""
    return np.asarray(quantities, dtype=np.float64) @ vectors


def with_trade(portfolio: FloatArray, quantity: float, vector: FloatArray) -> FloatArray:
    """The portfolio's vector after a trade; the cached vectors are untouched."""
    total: FloatArray = vector * quantity
    total += portfolio
    return total


def worst_loss(vector: FloatArray) -> float:
    """The least P&L on the grid in USD; NaN where any point is, which no limit accepts."""
    return float(np.minimum.reduce(vector))


def worst_case(grid: ScenarioGrid, vector: FloatArray) -> WorstCase:
    """``worst_loss`` and the shocks at which it occurs."""
    index = int(np.argmin(vector))
    return WorstCase(float(vector[index]), *grid.shock(index))
