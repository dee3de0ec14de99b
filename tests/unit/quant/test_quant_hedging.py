"""Hedging bands trade as theory says, on simulated paths."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr

from glmtrader.quant import black76
from glmtrader.quant.hedging import (
    cost_rate,
    discrete_hedging_sd,
    fixed_band,
    hedge_to_edge,
    whalley_wilmott_band,
)

SPOT, DAYS = 100.0, 30
YEARS = DAYS / 365.0
AMOUNT = st.floats(-1e3, 1e3)
Band = Callable[[np.ndarray, np.ndarray], np.ndarray]


@given(AMOUNT, st.floats(0.0, 100.0), AMOUNT)
def test_hedging_to_the_edge_ends_inside_and_never_crosses(
    delta: float, width: float, target: float
) -> None:
    """Afterwards delta is within the band; inside it nothing is traded."""
    trade = float(hedge_to_edge(delta, width, target))
    assert abs(delta + trade - target) <= width + 1e-9
    if abs(delta - target) <= width:
        assert trade == 0.0
    assert abs(trade) <= abs(delta - target) + 1e-9
    assert trade * (delta - target) <= 0.0


def test_a_missing_delta_gives_no_trade_size() -> None:
    """NaN stays NaN instead of becoming a hedge of zero."""
    assert np.isnan(hedge_to_edge(np.nan, 0.1))


@given(st.floats(1e-6, 1e-2), st.floats(0.1, 10.0))
def test_whalley_wilmott_band_scales_with_the_price(gamma: float, scale: float) -> None:
    """The same position in other money has the same band once g is in that money."""
    here = whalley_wilmott_band(gamma, 100.0, 5e-4, 1.0)
    there = whalley_wilmott_band(gamma / scale, 100.0 * scale, 5e-4, 1.0 / scale)
    assert float(here) == pytest.approx(float(there), rel=1e-12)


def test_whalley_wilmott_band_by_example() -> None:
    """H cubed is 3/2 x cost x S x gamma squared / g."""
    assert whalley_wilmott_band(-0.02, 100.0, 5e-4, 2.0) ** 3 == pytest.approx(1.5e-5)


def test_cost_rate_counts_fee_spread_and_funding_but_never_pays() -> None:
    """Funding paid adds, funding received cannot make trading free below zero."""
    assert cost_rate(5e-4, 1e-4, 0.0765, 1 / 365) == pytest.approx(6e-4 + 0.0765 / 365)
    assert cost_rate(5e-4, 1e-4, -10.0, 1.0) == 0.0


def test_parameters_out_of_range_are_refused() -> None:
    """A risk aversion of zero or a negative band has no meaning."""
    with pytest.raises(ValueError, match="risk_aversion"):
        whalley_wilmott_band(0.01, 100.0, 1e-4, 0.0)
    with pytest.raises(ValueError, match="half_width"):
        fixed_band(-0.1, 1.0)


def paths(sigma: float, steps: int, count: int, seed: int) -> np.ndarray:
    """Driftless lognormal paths, shape (steps + 1, count)."""
    shocks = np.random.default_rng(seed).normal(size=(steps, count))
    s = sigma * np.sqrt(YEARS / steps)
    logs = np.concatenate((np.zeros((1, count)), np.cumsum(s * shocks - 0.5 * s * s, axis=0)))
    spot: np.ndarray = SPOT * np.exp(logs)
    return spot


def straddle(spot: np.ndarray, years: float, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Delta and gamma of the straddle struck at the start."""
    s = sigma * np.sqrt(years)
    d1 = np.log(spot / SPOT) / s + 0.5 * s
    gamma = 2.0 * np.exp(-0.5 * d1 * d1) / np.sqrt(2.0 * np.pi) / (spot * s)
    return 2.0 * ndtr(d1) - 1.0, gamma


def hedged(
    spot: np.ndarray, implied: float, rate: float, band: Band, every: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Gross P&L of the bought, hedged straddle without costs, and the costs, by path."""
    steps = len(spot) - 1
    premium = black76.price(SPOT, SPOT, YEARS, implied, [True, False]).sum()
    pnl = np.abs(spot[-1] - SPOT) - premium
    cost = np.zeros(spot.shape[1])
    hedge = np.zeros(spot.shape[1])
    for step in range(steps):
        if step % every == 0:
            delta, gamma = straddle(spot[step], YEARS * (1 - step / steps), implied)
            trade = hedge_to_edge(delta + hedge, band(gamma, spot[step]))
            hedge += trade
            cost += rate * np.abs(trade) * spot[step]
        pnl += hedge * (spot[step + 1] - spot[step])
    return pnl, cost


def no_band(gamma: np.ndarray, spot: np.ndarray) -> np.ndarray:
    return np.zeros_like(spot)


@pytest.mark.parametrize(("implied", "realised"), [(0.5, 0.6), (0.6, 0.5)])
def test_expected_hedged_profit_is_the_difference_of_the_prices(
    implied: float, realised: float
) -> None:
    """E[P&L] = V(realised) - V(implied), within three standard errors."""
    pnl, _ = hedged(paths(realised, 60, 20_000, seed=21), implied, 0.0, no_band)
    legs = black76.price(SPOT, SPOT, YEARS, [[realised], [implied]], [True, False]).sum(axis=1)
    error = pnl.std() / np.sqrt(len(pnl))
    assert abs(pnl.mean() - (legs[0] - legs[1])) < 3.0 * error


@pytest.mark.parametrize("hedges", [30, 120])
def test_discrete_hedging_error_follows_derman_and_kamal(hedges: int) -> None:
    """The simulated standard deviation is the formula's within three per cent."""
    pnl, _ = hedged(paths(0.5, hedges, 40_000, seed=22), 0.5, 0.0, no_band)
    vega = 2.0 * black76.greeks(SPOT, SPOT, YEARS, 0.5, is_call=True).vega
    assert pnl.std() == pytest.approx(float(discrete_hedging_sd(vega, 0.5, hedges)), rel=0.03)


def test_the_band_halves_the_risk_of_regular_hedging_at_equal_cost() -> None:
    """At no more cost than hedging every eight hours, Whalley-Wilmott has 55 % of its deviation."""
    spot = paths(0.5, DAYS * 96, 3_000, seed=23)
    regular, regular_cost = hedged(spot, 0.5, 5e-4, no_band, every=32)

    def band(gamma: np.ndarray, price: np.ndarray) -> np.ndarray:
        return whalley_wilmott_band(gamma, price, 5e-4, 1.8)

    banded, banded_cost = hedged(spot, 0.5, 5e-4, band)
    assert banded_cost.mean() <= regular_cost.mean()
    assert banded.std() <= 0.55 * regular.std()
