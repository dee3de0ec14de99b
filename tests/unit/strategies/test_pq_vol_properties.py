"""PQVolTrader on any state: what no input whatsoever may make it do."""

from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from strategy_cases import DAY_NS, NOW_NS, QUIET, SECOND_NS, D, cheap, dear, held

from glmtrader.domain.decisions import Action, IntentType, MarketState, Staleness, StraddlePosition
from glmtrader.strategies.pq_vol import ExpiryPolicy, PQVolMemory, PQVolParams, decide

ENCODER = msgspec.json.Encoder(order="deterministic")
INCREASES = (IntentType.INCREASE_LONG_GAMMA, IntentType.INCREASE_SHORT_GAMMA)

vols = st.none() | st.floats(0.0, 3.0)
edges = st.none() | st.floats(-0.5, 0.5)
ages = st.none() | st.integers(0, 5000 * SECOND_NS)
sizes = st.decimals("-3", "3", places=2)
moments = st.none() | st.integers(NOW_NS - 2 * 3600 * SECOND_NS, NOW_NS)


@st.composite
def positions(draw: st.DrawFn) -> StraddlePosition:
    base = held(
        days=draw(st.floats(-0.5, 12.0)),
        q_straddle=draw(vols),
        bid=draw(vols),
        ask=draw(vols),
    )
    return msgspec.structs.replace(base, quantity=draw(sizes.filter(bool)))


@st.composite
def states(draw: st.DrawFn) -> MarketState:
    staleness = Staleness(
        surface_ns=draw(ages), forecast_ns=draw(ages), macro_ns=None, portfolio_ns=draw(ages)
    )
    remembered = PQVolMemory(opened_ns=draw(moments), reduced_ns=draw(moments))
    return msgspec.structs.replace(
        QUIET,
        p_vol=draw(vols),
        p_vol_bid=draw(vols),
        p_vol_ask=draw(vols),
        q_straddle=draw(vols),
        cost_vol=draw(vols),
        confidence=draw(st.none() | st.floats(0.0, 1.0)),
        net_edge_long=draw(edges),
        net_edge_short=draw(edges),
        macro_regime=draw(st.sampled_from([None, "panic", "bull"])),
        fomo_score=draw(st.none() | st.floats(0.0, 1.0)),
        leverage=draw(st.none() | st.floats(0.0, 5.0)),
        drawdown_pct=draw(st.none() | st.floats(0.0, 1.0)),
        position=draw(sizes),
        inflight=draw(st.sampled_from([D(0), D(0), D("0.1"), D("-0.1")])),
        straddles=tuple(draw(st.lists(positions(), max_size=3))),
        trading_halted=draw(st.sampled_from([None, None, "halted: test"])),
        staleness=staleness,
        memory=ENCODER.encode(remembered).decode(),
    )


params_of_any_kind = st.builds(
    PQVolParams,
    expiry_policy=st.sampled_from(ExpiryPolicy),
    short_allowed=st.booleans(),
    position_straddles_max=st.decimals("0.1", "2", places=1),
    cooldown_s=st.floats(0.0, 7200.0),
)


@settings(max_examples=120, deadline=None)
@given(given_state=states(), params=params_of_any_kind)
def test_a_decision_is_pure_and_bounded(given_state: MarketState, params: PQVolParams) -> None:
    """Same bytes twice; never more than there is room for or is held; holds change no memory."""
    decision = decide(given_state, params)
    intent = decision.intent
    assert ENCODER.encode(decision) == ENCODER.encode(decide(given_state, params))
    if intent.intent_type is IntentType.HOLD:
        assert (intent.quantity, intent.action, intent.direction) == (D(0), Action.NONE, 0)
        assert decision.memory == given_state.memory
    elif intent.intent_type in INCREASES:
        after = given_state.position + intent.direction * intent.quantity
        assert D(0) < intent.quantity <= params.size_straddles
        assert abs(after) <= params.position_straddles_max or abs(after) < abs(given_state.position)
        assert params.short_allowed or intent.direction > 0
    else:
        closed = [item for item in given_state.straddles if item.expiry_ns == intent.expiry_ns]
        assert any(
            intent.quantity == abs(item.quantity) and intent.direction * item.quantity < 0
            for item in closed
        ), "a reduction takes one held straddle to zero and never across it"


REQUIRED = (
    "p_vol",
    "p_vol_bid",
    "p_vol_ask",
    "q_straddle",
    "cost_vol",
    "confidence",
    "net_edge_long",
    "net_edge_short",
    "leverage",
    "drawdown_pct",
)
AGES = {"surface_ns": 120, "forecast_ns": 3900, "portfolio_ns": 600}


@settings(max_examples=80, deadline=None)
@given(
    given_state=states(),
    missing=st.sets(st.sampled_from(REQUIRED), min_size=1),
    absent=st.sampled_from([None, float("nan"), float("inf")]),
)
def test_nothing_increases_without_a_required_input(
    given_state: MarketState, missing: set[str], absent: float | None
) -> None:
    """Whichever required input is None or no number, nothing is opened."""
    changes: dict[str, Any] = dict.fromkeys(missing, absent)
    blind = msgspec.structs.replace(given_state, **changes)
    assert decide(blind, PQVolParams()).intent.intent_type not in INCREASES


@settings(max_examples=80, deadline=None)
@given(
    given_state=states() | st.sampled_from([cheap(), dear()]),
    name=st.sampled_from(sorted(AGES)),
    late_ns=st.none() | st.integers(1, 365 * DAY_NS),
)
def test_nothing_increases_on_a_stale_input(
    given_state: MarketState, name: str, late_ns: int | None
) -> None:
    """Whichever required input is over its budget, or has no age, nothing is opened."""
    age_ns = None if late_ns is None else AGES[name] * SECOND_NS + late_ns
    staleness = msgspec.structs.replace(given_state.staleness, **{name: age_ns})
    old = msgspec.structs.replace(given_state, staleness=staleness)
    assert decide(old, PQVolParams()).intent.intent_type not in INCREASES


@settings(max_examples=80, deadline=None)
@given(
    q_straddle=st.floats(0.05, 1.5),
    mid=st.floats(0.1, 1.2),
    half=st.floats(0.0, 0.05),
    cost=st.floats(0.0, 0.1),
    threshold=st.floats(0.005, 0.2),
)
def test_a_position_opens_only_beyond_cost_and_threshold(
    q_straddle: float, mid: float, half: float, cost: float, threshold: float
) -> None:
    """What is opened pays its spread, its cost and the threshold on the forecast's own numbers."""
    given_state = cheap(
        q_straddle=q_straddle, p_vol=mid, p_vol_bid=mid - half, p_vol_ask=mid + half, cost_vol=cost
    )
    intent = decide(given_state, PQVolParams(vol_threshold=threshold, exit_edge_vol=0.0)).intent
    wanted = 0
    if q_straddle - (mid + half) - cost > threshold:
        wanted = 1
    elif (mid - half) - q_straddle - cost > threshold:
        wanted = -1
    assert intent.direction == wanted


@settings(max_examples=20, deadline=None)
@given(position=st.decimals("-5", "5", places=3), limit=st.decimals("0.1", "3", places=1))
def test_repeated_openings_never_pass_the_limit(position: Decimal, limit: Decimal) -> None:
    """Filled again and again on the same edge, the position stops at the limit and stays there."""
    params = PQVolParams(position_straddles_max=limit, cooldown_s=0.0)
    held_now = position
    for _ in range(200):
        held_now += decide(cheap(position=held_now), params).intent.quantity
    assert decide(cheap(position=held_now), params).intent.reason == "position_limit"
    assert held_now == max(position, limit)
