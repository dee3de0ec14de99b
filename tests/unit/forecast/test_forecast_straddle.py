"""The break-even volatility of hedged straddles, against theory."""

import numpy as np
import pytest

from glmtrader.forecast.straddle import break_even_vol

_YEARS = 7 / 365


def _paths(count: int, steps: int, vol: float, seed: int = 2) -> np.ndarray:
    rng = np.random.default_rng(seed)
    moves = rng.normal(size=(count, steps)) * vol * np.sqrt(_YEARS / steps)
    logs = np.cumsum(moves - 0.5 * vol**2 * _YEARS / steps, axis=1)
    return np.asarray(100.0 * np.exp(np.concatenate([np.zeros((count, 1)), logs], axis=1)))


@pytest.mark.parametrize("hedge_vol", [0.4, 0.6, 0.9])
def test_a_diffusion_breaks_even_at_its_volatility_whatever_the_hedge_believes(
    hedge_vol: float,
) -> None:
    """E[hedged P&L] = V(realised) - V(paid) for any hedge volatility and no drift."""
    found = break_even_vol(_paths(8000, 168, 0.6), _YEARS, np.full(8000, hedge_vol))
    assert found.mean() == pytest.approx(0.6, abs=4 * found.std() / np.sqrt(8000))


def test_its_spread_around_the_truth_is_that_of_discrete_hedging() -> None:
    """Derman and Kamal: the break-even's deviation is sqrt(pi / 4) sigma / sqrt(N)."""
    found = break_even_vol(_paths(8000, 168, 0.6), _YEARS, np.full(8000, 0.6))
    assert found.std() == pytest.approx(np.sqrt(np.pi / 4) * 0.6 / np.sqrt(168), rel=0.06)


def test_a_price_that_stands_still_is_worth_nothing() -> None:
    assert break_even_vol(np.full((1, 25), 100.0), _YEARS, np.array([0.5]))[0] == pytest.approx(
        0.0, abs=2e-3
    )


def test_variance_after_spot_left_the_strike_is_worth_less() -> None:
    """A jump first and turmoil after earn less than the same returns the other way round."""
    turmoil = 0.01 * np.tile([1.0, -1.0], 80)
    early = np.concatenate([[0.0, 0.12], turmoil])
    late = np.concatenate([[0.0], turmoil, [0.12]])
    paths = 100.0 * np.exp(np.cumsum(np.stack([early, late]), axis=1))
    first, last = break_even_vol(paths, _YEARS, np.full(2, 0.6))
    assert first < last - 0.1


def test_the_scale_of_the_price_does_not_matter() -> None:
    paths = _paths(10, 50, 0.5)
    vols = np.full(10, 0.5)
    assert break_even_vol(paths * 700.0, _YEARS, vols) == pytest.approx(
        break_even_vol(paths, _YEARS, vols), rel=1e-9
    )
