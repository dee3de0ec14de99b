"""Scenario vectors are re-pricings, and a portfolio is their sum."""

import numpy as np
import pytest

from glmtrader.quant import black76
from glmtrader.quant.scenarios import (
    DEFAULT_GRID,
    ScenarioGrid,
    in_coin,
    inverse_vector,
    linear_vector,
    option_vectors,
    portfolio_vector,
    with_trade,
    worst_case,
    worst_loss,
)

FORWARD = 90_000.0
ROWS = (FORWARD, np.array([80_000.0, 90_000.0, 120_000.0]), 0.05, 0.6, [True, False, True])


def test_the_default_grid_has_21_by_11_points_with_the_present_among_them() -> None:
    """No shock is one of the scenarios and changes nothing."""
    assert (len(DEFAULT_GRID.spot), len(DEFAULT_GRID.vol), DEFAULT_GRID.size) == (21, 11, 231)
    vectors = option_vectors(DEFAULT_GRID, *ROWS, inverse=False)
    present = DEFAULT_GRID.spot.index(0.0) * 11 + DEFAULT_GRID.vol.index(0.0)
    np.testing.assert_allclose(vectors[:, present], 0.0, atol=1e-9)
    assert DEFAULT_GRID.shock(present) == (0.0, 0.0)


@pytest.mark.parametrize("inverse", [True, False])
def test_every_point_is_the_option_priced_anew(*, inverse: bool) -> None:
    """Linear: the change of value; inverse: the coin P&L valued at the new price."""
    forward, strike, years, sigma, is_call = ROWS
    vectors = option_vectors(DEFAULT_GRID, *ROWS, inverse=inverse)
    now = black76.price(forward, strike, years, sigma, is_call)
    for index in (0, 17, 100, 230):
        spot, vol = DEFAULT_GRID.shock(index)
        moved = forward * (1 + spot)
        then = black76.price(moved, strike, years, sigma * (1 + vol), is_call)
        expected = moved * (then / moved - now / forward) if inverse else then - now
        np.testing.assert_allclose(vectors[:, index], expected, atol=1e-8)


def test_a_bad_row_is_nan_and_so_is_every_sum_over_it() -> None:
    """An instrument that cannot be priced fails the check instead of vanishing from it."""
    vectors = option_vectors(
        DEFAULT_GRID, FORWARD, [90_000.0, np.nan], 0.1, 0.5, is_call=True, inverse=False
    )
    assert np.isfinite(vectors[0]).all()
    assert np.isnan(vectors[1]).all()
    assert np.isnan(worst_loss(portfolio_vector([1.0, 1.0], vectors)))


def test_perpetuals_move_with_spot_alone() -> None:
    """A coin gains the move; a USD of an inverse perpetual S1 (1/S0 - 1/S1)."""
    linear, inverse = linear_vector(DEFAULT_GRID, FORWARD), inverse_vector(DEFAULT_GRID)
    for index in (0, 100, 230):
        spot, _ = DEFAULT_GRID.shock(index)
        moved = FORWARD * (1 + spot)
        assert linear[index] == pytest.approx(moved - FORWARD)
        assert inverse[index] == pytest.approx(moved * (1 / FORWARD - 1 / moved))
        assert in_coin(DEFAULT_GRID, inverse, FORWARD)[index] == pytest.approx(
            1 / FORWARD - 1 / moved
        )


def test_a_trade_adds_its_vector_to_the_portfolio() -> None:
    """A pre-trade check equals the portfolio rebuilt with the trade in it."""
    vectors = option_vectors(DEFAULT_GRID, *ROWS, inverse=True)
    portfolio = portfolio_vector([2.0, -1.0, 0.0], vectors)
    after = with_trade(portfolio, -3.0, vectors[2])
    np.testing.assert_allclose(after, portfolio_vector([2.0, -1.0, -3.0], vectors), atol=1e-8)
    worst = worst_case(DEFAULT_GRID, after)
    assert worst.pnl_usd == worst_loss(after) == after.min()
    assert after[np.argmin(after)] == worst.pnl_usd < 0.0


def test_a_short_straddle_loses_at_the_edges() -> None:
    """Its worst case is a large move with volatility up."""
    vectors = option_vectors(DEFAULT_GRID, FORWARD, FORWARD, 0.1, 0.5, [True, False], inverse=False)
    worst = worst_case(DEFAULT_GRID, portfolio_vector([-1.0, -1.0], vectors))
    assert abs(worst.spot_shock) == 0.4
    assert worst.vol_shock == 1.0


@pytest.mark.parametrize("shocks", [((), (0.0,)), ((-1.0,), (0.0,)), ((0.0,), (np.nan,))])
def test_an_impossible_grid_is_refused(
    shocks: tuple[tuple[float, ...], tuple[float, ...]],
) -> None:
    """An axis without points, or a price of zero, is no scenario."""
    with pytest.raises(ValueError, match="shocks must be above -1"):
        ScenarioGrid(*shocks)
