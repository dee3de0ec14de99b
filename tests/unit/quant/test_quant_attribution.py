"""Attributed parts sum to the actual P&L, and the residual is what the expansion leaves out."""

from math import fsum

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glmtrader.quant import black76
from glmtrader.quant.attribution import (
    OptionInterval,
    PnlAttribution,
    attribute,
    combine,
    inverse_hedge_pnl,
    linear_hedge_pnl,
    option_pnl,
)

FORWARD = 90_000.0


def interval(
    *,
    inverse: bool,
    move: float,
    vol_move: float = 0.0,
    days: float = 1.0,
    start: float = FORWARD,
    years: float = 0.08,
    basis: float = 1.0,
) -> OptionInterval:
    """A long straddle and a short call over one interval, marked by Black-76."""
    strike, is_call = np.array([90_000.0, 90_000.0, 100_000.0]), np.array([True, False, True])
    vol = np.array([0.5, 0.5, 0.55])
    end, years_end = start * (1.0 + move), years - days / 365.0

    def column(value: float) -> np.ndarray:
        return np.full(3, value)

    return OptionInterval(
        quantity=np.array([1.0, 1.0, -2.0]),
        strike=strike,
        is_call=is_call,
        inverse=np.full(3, inverse),
        forward_start=column(start),
        forward_end=column(end),
        years_start=column(years),
        years_end=column(years_end),
        vol_start=vol,
        vol_end=vol + vol_move,
        value_start=black76.price(start, strike, years, vol, is_call),
        value_end=black76.price(end, strike, years_end, vol + vol_move, is_call),
        index_end=column(end * basis),
    )


@given(
    inverse=st.booleans(),
    move=st.floats(-0.3, 0.3),
    vol_move=st.floats(-0.2, 0.5),
    hedge=st.floats(-1e5, 1e5),
    fees=st.floats(-1e3, 0.0),
)
def test_the_parts_sum_to_the_actual_profit(
    *, inverse: bool, move: float, vol_move: float, hedge: float, fees: float
) -> None:
    """Ten parts and the residual sum to the actual P&L to 1e-9, however large the move."""
    held = interval(inverse=inverse, move=move, vol_move=vol_move)
    found = attribute(held, hedge_usd=hedge, funding_usd=-3.0, fees_usd=fees)
    assert fsum(found[:10]) == pytest.approx(found.actual, abs=1e-9)
    assert found.explained + found.residual == pytest.approx(found.actual, abs=1e-9)
    assert found.actual == pytest.approx(fsum(option_pnl(held)) + hedge - 3.0 + fees, abs=1e-6)


@pytest.mark.parametrize("inverse", [True, False])
def test_the_residual_vanishes_with_the_size_of_the_step(*, inverse: bool) -> None:
    """A small step is explained by its greeks; halving it more than halves what is left."""
    wide, narrow = (
        attribute(interval(inverse=inverse, move=0.02 * h, vol_move=0.02 * h, days=h))
        for h in (0.25, 0.125)
    )
    assert abs(wide.residual) < 0.02 * abs(wide.actual)
    assert abs(narrow.residual) < 0.4 * abs(wide.residual)


def test_inverse_option_by_worked_example() -> None:
    """One BTC call bought at 0.05 and marked at 0.06 while the price goes from 90,000 to 93,000.

    Coin P&L 0.01 BTC, worth 930 USD. In USD its value went from 4,500 to 5,580, by 1,080; the
    150 between are 0.05 BTC of premium that rose by 3,000 as coin anyway.
    """
    one = np.ones(1)
    held = OptionInterval(
        quantity=one,
        strike=90_000.0 * one,
        is_call=np.array([True]),
        inverse=np.array([True]),
        forward_start=90_000.0 * one,
        forward_end=93_000.0 * one,
        years_start=0.08 * one,
        years_end=0.08 * one,
        vol_start=0.44 * one,
        vol_end=0.44 * one,
        value_start=0.05 * 90_000.0 * one,
        value_end=0.06 * 93_000.0 * one,
        index_end=93_000.0 * one,
    )
    assert option_pnl(held)[0] == pytest.approx(930.0)
    found = attribute(held)
    plain = black76.greeks(90_000.0, 90_000.0, 0.08, 0.44, is_call=True).delta
    assert found.delta == pytest.approx(float((plain - 0.05) * 3_000.0))
    assert found.actual == pytest.approx(930.0)


def test_inverse_profit_is_valued_at_the_index() -> None:
    """With the index one per cent under the forward every part is one per cent smaller."""
    at_forward = attribute(interval(inverse=True, move=0.03, vol_move=0.05))
    at_index = attribute(interval(inverse=True, move=0.03, vol_move=0.05, basis=0.99))
    np.testing.assert_allclose(np.array(at_index), 0.99 * np.array(at_forward), rtol=1e-9)


def test_linear_option_by_worked_example() -> None:
    """A linear option's P&L is its change of value, whatever the index says."""
    held = interval(inverse=False, move=0.03, basis=0.5)
    assert option_pnl(held)[0] == held.value_end[0] - held.value_start[0]


def test_hedge_instruments_by_worked_example() -> None:
    """Short 90,000 USD of an inverse perpetual while the price goes from 90,000 to 100,000.

    Coin P&L -90,000 (1/90,000 - 1/100,000) = -0.1 BTC, at 100,000 worth -10,000 USD: the loss of
    one coin short, which is what the same hedge in a linear perpetual loses.
    """
    assert inverse_hedge_pnl(-90_000.0, 90_000.0, 100_000.0, 100_000.0) == pytest.approx(-10_000.0)
    assert linear_hedge_pnl(-1.0, 90_000.0, 100_000.0) == -10_000.0


def test_a_ledger_that_disagrees_shows_in_the_residual() -> None:
    """What the ledger has beyond the marks is residual, not spread over the greeks."""
    held = interval(inverse=False, move=0.01)
    plain = attribute(held)
    ledger = attribute(held, actual_usd=plain.actual + 12.5)
    assert ledger.residual - plain.residual == pytest.approx(12.5, abs=1e-9)
    assert ledger[:9] == plain[:9]


@pytest.mark.parametrize("inverse", [True, False])
def test_a_hedged_path_adds_up_over_its_intervals(*, inverse: bool) -> None:
    """Over a simulated week of hourly steps the parts sum to the change of the marks.

    Gamma and theta explain the hedged straddle; the residual stays below two per cent of them.
    """
    shocks = np.random.default_rng(4).normal(size=168) * 0.5 / np.sqrt(8760)
    first = held = interval(inverse=inverse, move=0.0)
    pieces, years, forward = [], 0.08, FORWARD
    for shock in shocks:
        held = interval(
            inverse=inverse,
            move=float(np.expm1(shock)),
            days=1 / 24,
            start=forward,
            years=years,
        )
        pieces.append(attribute(held))
        forward, years = float(held.forward_end[0]), float(held.years_end[0])
    total = combine(pieces)
    assert fsum(total[:10]) == pytest.approx(total.actual, abs=1e-9)
    assert abs(total.residual) < 0.02 * (abs(total.gamma) + abs(total.theta))
    if not inverse:
        change = held.quantity @ held.value_end - first.quantity @ first.value_start
        assert total.actual == pytest.approx(float(change), abs=1e-6)


def test_nothing_combines_to_nothing() -> None:
    """No interval, no P&L."""
    assert combine([]) == PnlAttribution(*[0.0] * 11)
