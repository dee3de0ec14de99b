"""DeltaHedger: the no-trade band, the perpetual's own units, and what stops a hedge."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategy_cases import NOW_NS, PERPETUAL, SECOND_NS, SPOT, D, perpetual, stale, state

from glmtrader.domain.decisions import Action, IntentType, MarketState
from glmtrader.domain.instruments import Instrument
from glmtrader.quant.hedging import whalley_wilmott_band
from glmtrader.strategies.delta_hedger import (
    BandKind,
    DeltaHedgerMemory,
    DeltaHedgerParams,
    band_half_width,
    decide,
    initial_memory,
)

FIXED = DeltaHedgerParams(band=BandKind.FIXED, band_delta_coin=0.01, trade_delta_coin_min=0.0)
WHALLEY_WILMOTT = DeltaHedgerParams()
LINEAR = perpetual(inverse=False)


def book(delta: float | None = 0.1, item: Instrument = PERPETUAL, **changes: Any) -> MarketState:
    """A book of this delta that the perpetual may hedge."""
    values = {"hedge_instrument": item, "memory": initial_memory(), **changes}
    return state(total_delta=delta, **values)


def reason(given_state: MarketState, params: DeltaHedgerParams = FIXED) -> str:
    return decide(given_state, params).intent.reason


@pytest.mark.parametrize("delta", [0.0, 0.01, -0.01])
def test_inside_the_band_nothing_is_traded(delta: float) -> None:
    """The edge belongs to the band; band and delta are shown with the hold."""
    decision = decide(book(delta), FIXED)
    assert (decision.intent.intent_type, decision.intent.reason) == (IntentType.HOLD, "inside_band")
    assert decision.intent.metadata == {"band": "0.010000", "delta": f"{delta:.6f}"}
    assert decision.memory == initial_memory()


@pytest.mark.parametrize(
    ("item", "delta", "quantity"),
    [
        # 0.09 coin beyond the edge: 8,100 USD of the inverse contract, 0.09 coin of the linear one
        (PERPETUAL, 0.10, "8100"),
        (PERPETUAL, -0.10, "8100"),
        (LINEAR, 0.10, "0.09"),
        (LINEAR, -0.10, "0.09"),
        # 0.0234567 coin is 2,111.103 USD: whole lots of 10 USD, or of 0.001 coin, rounded down
        (PERPETUAL, 0.0334567, "2110"),
        (LINEAR, 0.0334567, "0.023"),
    ],
)
def test_a_hedge_is_in_the_perpetuals_own_unit(
    item: Instrument, delta: float, quantity: str
) -> None:
    """Long delta is sold, short delta is bought, to the edge, in whole lots rounded down."""
    decision = decide(book(delta, item), FIXED)
    intent = decision.intent
    assert intent.intent_type is IntentType.HEDGE_DELTA
    assert intent.action is (Action.SELL if delta > 0 else Action.BUY)
    assert intent.direction == (-1 if delta > 0 else 1)
    assert intent.quantity == D(quantity)
    assert intent.instrument_id == item.instrument_id
    assert msgspec.json.decode(decision.memory, type=DeltaHedgerMemory).hedged_ns == NOW_NS


def test_less_than_a_lot_beyond_the_edge_is_left() -> None:
    """9.9 USD beyond the edge is below the minimum of 10; memory does not start a cooldown."""
    decision = decide(book(0.01 + 9.9 / SPOT), FIXED)
    assert decision.intent.reason == "below_minimum_quantity"
    assert decision.memory == initial_memory()


def test_crumbs_at_the_edge_are_left() -> None:
    """An excess below the smallest trade is no order a tick; from there on it is hedged."""
    params = DeltaHedgerParams(band=BandKind.FIXED, band_delta_coin=0.01)
    assert reason(book(0.0109), params) == "at_the_edge"
    assert reason(book(-0.0109), params) == "at_the_edge"
    assert reason(book(0.0112), params) == "delta_left_band"


def test_a_leg_that_stands_alone_for_long_is_hedged() -> None:
    """The hedger waits for another strategy's legs, but not for ever."""
    assert reason(book(0.5, legs_inflight_ns=5 * SECOND_NS)) == "delta_left_band"


def test_the_band_widens_with_gamma() -> None:
    """Between its floor and its ceiling the half-width is Whalley and Wilmott's."""
    gammas = (1e-9, 1e-6, 3e-6, 1e-5, 1.0)
    widths = [band_half_width(book(total_gamma=gamma), WHALLEY_WILMOTT) for gamma in gammas]
    assert widths == sorted(widths)
    assert (widths[0], widths[-1]) == (0.005, 0.5)
    expected = float(whalley_wilmott_band(3e-6, SPOT, 0.0006, 1e-3))
    assert widths[2] == pytest.approx(expected)
    assert 0.005 < expected < 0.5


@pytest.mark.parametrize("gamma", [None, 0.0, float("nan")])
def test_without_gamma_the_band_is_its_floor(gamma: float | None) -> None:
    assert band_half_width(book(total_gamma=gamma), WHALLEY_WILMOTT) == 0.005


def test_short_gamma_has_the_same_band_as_long() -> None:
    long_width = band_half_width(book(total_gamma=2e-6), WHALLEY_WILMOTT)
    assert band_half_width(book(total_gamma=-2e-6), WHALLEY_WILMOTT) == long_width


OBSTACLES: dict[str, tuple[dict[str, Any], str]] = {
    "no delta": ({"total_delta": None}, "missing_portfolio"),
    "delta is no number": ({"total_delta": float("nan")}, "missing_portfolio"),
    "no price": ({"spot_usd": None}, "missing_portfolio"),
    "no report": ({"staleness": stale(portfolio=None)}, "missing_portfolio"),
    "no perpetual": ({"hedge_instrument": None}, "missing_hedge_instrument"),
    "ether's perpetual": (
        {"hedge_instrument": perpetual("ETH")},
        "hedge_instrument_of_another_underlying",
    ),
    "old report": ({"staleness": stale(portfolio=90.001)}, "stale_portfolio"),
    "in flight": ({"inflight": D(-10)}, "hedge_in_flight"),
    "legs under way": ({"legs_inflight_ns": 5 * SECOND_NS - 1}, "legs_in_flight"),
    "just hedged": (
        {"memory": f'{{"hedged_ns":{NOW_NS - SECOND_NS + 1}}}'},
        "cooldown",
    ),
}


@pytest.mark.parametrize("case", OBSTACLES)
def test_each_obstacle_holds(case: str) -> None:
    """However far delta has left the band, an obstacle is a hold with its own reason."""
    changes, expected = OBSTACLES[case]
    given_state = msgspec.structs.replace(book(5.0), **changes)
    decision = decide(given_state, FIXED)
    assert (decision.intent.intent_type, decision.intent.reason) == (IntentType.HOLD, expected)
    assert decision.memory == given_state.memory


def test_budget_and_cooldown_include_their_limits() -> None:
    memory = f'{{"hedged_ns":{NOW_NS - SECOND_NS}}}'
    given_state = book(0.5, staleness=stale(portfolio=90.0), memory=memory)
    assert reason(given_state) == "delta_left_band"


def test_a_halt_stops_no_hedge() -> None:
    """Hedges are reductions: whether one may go out is the veto's to say, not the strategy's."""
    assert reason(book(0.5, trading_halted="reduce_only", drawdown_pct=0.9)) == "delta_left_band"


@settings(max_examples=120, deadline=None)
@given(
    delta=st.floats(-50.0, 50.0),
    gamma=st.floats(-1e-3, 1e-3),
    spot=st.floats(10.0, 500_000.0),
    inverse=st.booleans(),
    kind=st.sampled_from(BandKind),
)
def test_a_hedge_ends_at_the_edge_and_never_crosses_zero(
    delta: float, gamma: float, spot: float, *, inverse: bool, kind: BandKind
) -> None:
    """After it |delta| is less, within a lot of the band's edge, and of the same sign."""
    item = LINEAR if not inverse else PERPETUAL
    params = DeltaHedgerParams(band=kind, trade_delta_coin_min=0.0)
    given_state = book(delta, item, total_gamma=gamma, spot_usd=spot)
    intent = decide(given_state, params).intent
    width = band_half_width(given_state, params)
    price = D(repr(spot))
    lot_coin = float(item.coin_quantity(item.lot, price))
    if intent.intent_type is IntentType.HOLD:
        assert abs(delta) < width + lot_coin * 1.000001
        return
    assert intent.quantity % item.lot == 0
    after = delta + intent.direction * float(item.coin_quantity(intent.quantity, price))
    assert delta * after > 0, "a hedge to the edge does not flip the book"
    assert width - 1e-9 <= abs(after) < width + lot_coin * 1.000001
    assert decide(given_state, params) == decide(given_state, params)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"band_delta_coin": 0.0}, "band_delta_coin 0.0"),
        ({"band_delta_coin_max": 0.001}, "band_delta_coin_max 0.001"),
        ({"risk_aversion_per_usd": 0.0}, "risk_aversion_per_usd"),
        ({"cost_rate": 1.0}, "cost_rate 1.0"),
        ({"trade_delta_coin_min": -1.0}, "trade_delta_coin_min"),
        ({"legs_wait_s": -1.0}, "legs_wait_s -1.0"),
        ({"cooldown_s": -1.0}, "cooldown_s -1.0"),
        ({"portfolio_age_s_max": 0.0}, "portfolio_age_s_max 0.0"),
    ],
)
def test_parameters_that_cannot_be_meant_are_refused(values: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        DeltaHedgerParams(**values)
