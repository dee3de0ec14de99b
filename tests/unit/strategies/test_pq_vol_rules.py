"""PQVolTrader: each rule, in its order, on states made by hand."""

import itertools
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from strategy_cases import DAY_NS, NOW_NS, SECOND_NS, D, cheap, dear, held, stale, state

from glmtrader.domain.decisions import Action, Decision, IntentType, MarketState
from glmtrader.strategies.pq_vol import (
    REDUCE_RETRY_S,
    ExpiryPolicy,
    PQVolMemory,
    PQVolParams,
    decide,
)

PARAMS = PQVolParams()


def memory(**values: int) -> str:
    return msgspec.json.encode(PQVolMemory(**values)).decode()


def reason(given: MarketState, params: PQVolParams = PARAMS) -> str:
    return decide(given, params).intent.reason


def kind(given: MarketState, params: PQVolParams = PARAMS) -> IntentType:
    return decide(given, params).intent.intent_type


def test_cheap_volatility_is_bought() -> None:
    """A net edge beyond the threshold opens a long straddle of one intent's size."""
    decision = decide(cheap(), PARAMS)
    intent = decision.intent
    assert (intent.intent_type, intent.action, intent.direction) == (
        IntentType.INCREASE_LONG_GAMMA,
        Action.BUY_STRADDLE,
        1,
    )
    assert (intent.quantity, intent.reason) == (D("0.1"), "market_underpricing_volatility")
    assert (intent.expiry_ns, intent.strike_usd) == (cheap().expiry_ns, 90_000.0)
    assert msgspec.json.decode(decision.memory, type=PQVolMemory).opened_ns == NOW_NS


def test_dear_volatility_is_sold() -> None:
    intent = decide(dear(), PARAMS).intent
    assert (intent.intent_type, intent.action, intent.direction) == (
        IntentType.INCREASE_SHORT_GAMMA,
        Action.SELL_STRADDLE,
        -1,
    )
    assert intent.reason == "market_overpricing_volatility"


def test_an_edge_within_the_threshold_holds_and_says_how_far_it_is() -> None:
    decision = decide(state(), PARAMS)
    assert decision.intent.reason == "threshold_not_met"
    assert decision.intent.distance_to_action_vol == pytest.approx(0.02 + 0.03)
    assert (decision.intent.quantity, decision.memory) == (D(0), state().memory)


def test_the_edge_must_exceed_the_threshold() -> None:
    """An edge of exactly the threshold is not beyond it."""
    assert reason(state(net_edge_long=0.02)) == "threshold_not_met"
    assert kind(state(net_edge_long=0.0201)) is IntentType.INCREASE_LONG_GAMMA


BRAKES: dict[str, tuple[dict[str, Any], str]] = {
    "halted": ({"trading_halted": "fenced"}, "trading_halted"),
    "surface": ({"p_vol": None}, "missing_expiry_in_window"),
    "never a surface": (
        {"p_vol": None, "staleness": stale(surface=None)},
        "missing_surface",
    ),
    "expiry": ({"expiry_ns": None}, "missing_expiry_in_window"),
    "bid": ({"p_vol_bid": None}, "missing_straddle_quote"),
    "ask": ({"p_vol_ask": None}, "missing_straddle_quote"),
    "zero bid hides no missing ask": (
        {"p_vol_bid": 0.0, "p_vol_ask": None},
        "missing_straddle_quote",
    ),
    "forecast": ({"q_straddle": None}, "missing_forecast"),
    "confidence": ({"confidence": None}, "missing_forecast"),
    "confidence is no number": ({"confidence": float("nan")}, "missing_forecast"),
    "cost": ({"cost_vol": None}, "missing_cost"),
    "edge is no number": ({"net_edge_long": float("nan")}, "missing_net_edge"),
    "leverage": ({"leverage": None}, "missing_portfolio"),
    "drawdown": ({"drawdown_pct": None}, "missing_portfolio"),
    "old surface": ({"staleness": stale(surface=120.001)}, "stale_surface"),
    "no surface age": ({"staleness": stale(surface=None)}, "stale_surface"),
    "old forecast": ({"staleness": stale(forecast=3900.1)}, "stale_forecast"),
    "no forecast age": ({"staleness": stale(forecast=None)}, "stale_forecast"),
    "old portfolio": ({"staleness": stale(portfolio=600.1)}, "stale_portfolio"),
    "no portfolio age": ({"staleness": stale(portfolio=None)}, "stale_portfolio"),
    "fomo": ({"fomo_score": 0.71}, "high_fomo_risk"),
    "fomo is no number": ({"fomo_score": float("nan")}, "high_fomo_risk"),
    "panic": ({"macro_regime": "panic"}, "panic_regime"),
    "deep drawdown": ({"drawdown_pct": 0.21}, "drawdown"),
    "in flight": ({"inflight": D("0.1")}, "intent_in_flight"),
    "weak": ({"confidence": 0.09}, "low_confidence"),
    "cooldown": ({"memory": memory(opened_ns=NOW_NS - 3599 * SECOND_NS)}, "cooldown"),
}


@pytest.mark.parametrize("case", BRAKES)
@pytest.mark.parametrize("edge", [cheap, dear])
def test_each_brake_holds_an_opening(case: str, edge: Any) -> None:
    """On an edge to either side every brake holds, with its own reason, and remembers nothing."""
    changes, expected = BRAKES[case]
    given = edge(**changes)
    decision = decide(given, PARAMS)
    assert (decision.intent.intent_type, decision.intent.reason) == (IntentType.HOLD, expected)
    assert decision.memory == given.memory


@pytest.mark.parametrize("case", [name for name in BRAKES if name != "in flight"])
@pytest.mark.parametrize("quantity", ["0.5", "-0.5"])
def test_no_brake_stops_a_reduction(case: str, quantity: str) -> None:
    """Whatever brakes an opening, a converged position of either sign is still closed."""
    changes, _ = BRAKES[case]
    given = cheap(**changes, straddles=(held(quantity, q_straddle=0.50, bid=0.50, ask=0.50),))
    intent = decide(given, PARAMS).intent
    assert intent.intent_type.is_reduction
    assert intent.quantity == D("0.5")


ORDER = (
    "halted",
    "surface",
    "old surface",
    "fomo",
    "panic",
    "deep drawdown",
    "in flight",
    "weak",
    "cooldown",
)


@pytest.mark.parametrize(("first", "second"), list(itertools.combinations(ORDER, 2)))
def test_the_first_brake_that_says_no_is_the_reason(first: str, second: str) -> None:
    """Of two brakes the one earlier in the strategy's order is told."""
    changes = {**BRAKES[second][0], **BRAKES[first][0]}
    assert reason(cheap(**changes)) == BRAKES[first][1]


def test_optional_inputs_may_be_absent() -> None:
    """No FOMO, no sentiment, no regime: shown as absent, and no brake."""
    assert kind(cheap(fomo_score=None, macro_regime=None, sentiment_score=None)) is (
        IntentType.INCREASE_LONG_GAMMA
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"staleness": stale(surface=120.0, forecast=3900.0, portfolio=600.0)},
        {"fomo_score": 0.7},
        {"drawdown_pct": 0.20},
        {"confidence": 0.1},
        {"memory": memory(opened_ns=NOW_NS - 3600 * SECOND_NS)},
        {"macro_regime": "bear"},
    ],
)
def test_budgets_include_their_limits(changes: dict[str, Any]) -> None:
    """A value on the limit is within it."""
    assert kind(cheap(**changes)) is IntentType.INCREASE_LONG_GAMMA


def test_the_cooldown_delays_openings_of_both_sides_and_no_reduction() -> None:
    cooling = memory(opened_ns=NOW_NS - SECOND_NS)
    assert reason(dear(memory=cooling)) == "cooldown"
    closing = cheap(memory=cooling, straddles=(held("0.5", q_straddle=0.4),))
    assert kind(closing) is IntentType.REDUCE_LONG_GAMMA


@pytest.mark.parametrize(
    ("position", "edge", "quantity"),
    [
        ("0", cheap, "0.1"),
        ("0.95", cheap, "0.05"),
        ("-0.95", dear, "0.05"),
        ("1", cheap, None),
        ("-1", dear, None),
        ("1.5", cheap, None),
        ("1", dear, "0.1"),
    ],
)
def test_an_opening_fits_the_room_that_is_left(
    position: str, edge: Any, quantity: str | None
) -> None:
    """Quantity is one intent's size or what the position limit leaves; the other side is free."""
    intent = decide(edge(position=D(position)), PARAMS).intent
    if quantity is None:
        assert (intent.intent_type, intent.reason) == (IntentType.HOLD, "position_limit")
    else:
        assert intent.quantity == D(quantity)


def test_short_gamma_may_be_forbidden() -> None:
    """Then nothing is sold to open, and a short that is there may still be bought back."""
    params = PQVolParams(short_allowed=False)
    assert reason(dear(), params) == "short_not_allowed"
    assert kind(cheap(), params) is IntentType.INCREASE_LONG_GAMMA
    closing = dear(straddles=(held("-0.5", q_straddle=0.52),))
    assert kind(closing, params) is IntentType.REDUCE_SHORT_GAMMA


@pytest.mark.parametrize(
    ("quantity", "bid", "ask", "q_straddle", "closes"),
    [
        ("0.5", 0.50, 0.52, 0.50, True),
        ("0.5", 0.50, 0.52, 0.51, False),
        ("-0.5", 0.48, 0.50, 0.50, True),
        ("-0.5", 0.48, 0.50, 0.49, False),
    ],
)
def test_a_position_is_closed_when_its_edge_has_gone(
    quantity: str, bid: float, ask: float, q_straddle: float, *, closes: bool
) -> None:
    """A long is measured against the bid it would get, a short against the ask."""
    given = state(straddles=(held(quantity, q_straddle=q_straddle, bid=bid, ask=ask),))
    intent = decide(given, PARAMS).intent
    assert intent.intent_type.is_reduction is closes
    assert intent.reason == ("edge_converged" if closes else "threshold_not_met")


def test_an_exit_may_wait_for_less_edge() -> None:
    """With a positive `exit_edge_vol` the position goes before its edge is wholly gone."""
    given = state(straddles=(held("0.5", q_straddle=0.505, bid=0.50),))
    assert kind(given, PQVolParams(exit_edge_vol=0.01)) is IntentType.REDUCE_LONG_GAMMA
    assert kind(given, PQVolParams(exit_edge_vol=0.001)) is IntentType.HOLD


@pytest.mark.parametrize(
    "missing", [{"q_straddle": None}, {"bid": None}, {"q_straddle": float("nan")}]
)
def test_convergence_needs_a_price_and_a_forecast(missing: dict[str, Any]) -> None:
    """What is not known is no reason to close."""
    given = state(straddles=(held("0.5", **{"q_straddle": 0.4, **missing}),))
    assert kind(given) is IntentType.HOLD


@pytest.mark.parametrize("policy", list(ExpiryPolicy))
@pytest.mark.parametrize("quantity", ["0.5", "-0.5"])
def test_the_expiry_policy_acts_at_close_days(policy: ExpiryPolicy, quantity: str) -> None:
    """`hold` leaves a straddle to be delivered; `close` and `roll` close it, prices or none."""
    params = PQVolParams(expiry_policy=policy)
    near = held(quantity, days=1.5, q_straddle=None, bid=None, ask=None)
    later = held(quantity, days=1.51, q_straddle=None, bid=None, ask=None)
    expected = "threshold_not_met" if policy is ExpiryPolicy.HOLD else "expiry_near"
    assert reason(state(straddles=(near,)), params) == expected
    assert reason(state(straddles=(later,)), params) == "threshold_not_met"


@pytest.mark.parametrize(("policy", "opens"), [(ExpiryPolicy.CLOSE, False), ("roll", True)])
def test_only_a_roll_lets_the_successor_open_at_once(policy: ExpiryPolicy, *, opens: bool) -> None:
    """After a roll's close the cooldown is forgotten; after a plain close it is not."""
    params = PQVolParams(expiry_policy=ExpiryPolicy(policy))
    cooling = memory(opened_ns=NOW_NS - SECOND_NS)
    closed = decide(cheap(memory=cooling, straddles=(held("0.5", days=1.0),)), params)
    assert closed.intent.reason == "expiry_near"
    after = cheap(memory=closed.memory)
    assert (kind(after, params) is IntentType.INCREASE_LONG_GAMMA) is opens


def test_a_roll_forgets_the_cooldown_for_expiry_alone() -> None:
    """A converged position that is closed under `roll` leaves the cooldown as it was."""
    params = PQVolParams(expiry_policy=ExpiryPolicy.ROLL)
    cooling = memory(opened_ns=NOW_NS - SECOND_NS)
    closed = decide(cheap(memory=cooling, straddles=(held("0.5", q_straddle=0.4),)), params)
    assert reason(cheap(memory=closed.memory), params) == "cooldown"


def test_panic_buys_back_short_gamma_and_keeps_long() -> None:
    short = state(macro_regime="panic", straddles=(held("-0.5", q_straddle=0.3),))
    assert reason(short) == "panic_buys_back_short_gamma"
    assert kind(short) is IntentType.REDUCE_SHORT_GAMMA
    assert reason(state(macro_regime="panic", straddles=(held("0.5"),))) == "panic_regime"


def test_a_reduction_closes_the_whole_straddle_it_names() -> None:
    intent = decide(state(straddles=(held("-0.3", q_straddle=0.6),)), PARAMS).intent
    position = held("-0.3")
    assert (intent.action, intent.direction, intent.quantity) == (Action.BUY_STRADDLE, 1, D("0.3"))
    assert (intent.expiry_ns, intent.strike_usd) == (position.expiry_ns, position.strike_usd)


@pytest.mark.parametrize("quantity", ["0.2", "-0.2"])
def test_a_leg_that_stands_alone_is_taken_back(quantity: str) -> None:
    """Half a straddle is no view on volatility: it goes, whatever its edge and expiry policy."""
    alone = msgspec.structs.replace(held(quantity, q_straddle=None), put_id=None)
    params = PQVolParams(expiry_policy=ExpiryPolicy.HOLD)
    intent = decide(state(straddles=(alone,)), params).intent
    assert (intent.reason, intent.quantity) == ("leg_stands_alone", D("0.2"))
    assert intent.intent_type.is_reduction


def test_of_several_straddles_the_first_that_should_go_goes() -> None:
    """They are looked at by expiry; one that may stay delays none behind it."""
    stays, goes = held("0.5"), held("0.2", days=9.0, q_straddle=0.4)
    intent = decide(state(straddles=(stays, goes)), PARAMS).intent
    assert (intent.quantity, intent.expiry_ns) == (D("0.2"), goes.expiry_ns)


def test_a_reduction_waits_for_the_intent_in_flight() -> None:
    """Only one intent of a strategy is under way, so that a close cannot be sent twice."""
    given = state(inflight=D("-0.5"), straddles=(held("0.5", q_straddle=0.4),))
    assert reason(given) == "reduction_waits_for_intent_in_flight"


def test_a_reduction_is_asked_again_after_a_while() -> None:
    pause_ns = round(REDUCE_RETRY_S * SECOND_NS)
    gone = (held("0.5", q_straddle=0.4),)
    just = state(straddles=gone, memory=memory(reduced_ns=NOW_NS - pause_ns + 1))
    assert reason(just) == "reduction_just_asked"
    again = state(straddles=gone, memory=memory(reduced_ns=NOW_NS - pause_ns))
    assert kind(again) is IntentType.REDUCE_LONG_GAMMA


def test_a_reduction_remembers_when_it_was_asked_and_keeps_the_cooldown() -> None:
    opened_ns = NOW_NS - DAY_NS
    given = state(straddles=(held("0.5", q_straddle=0.4),), memory=memory(opened_ns=opened_ns))
    after = msgspec.json.decode(decide(given, PARAMS).memory, type=PQVolMemory)
    assert after == PQVolMemory(opened_ns=opened_ns, reduced_ns=NOW_NS)


def test_the_same_state_gives_the_same_bytes() -> None:
    """Deciding twice, and on a state that went through JSON, gives one and the same record."""
    encoder = msgspec.json.Encoder(order="deterministic")
    for given in (cheap(), state(), dear(straddles=(held("-0.5", q_straddle=0.6),))):
        copied = msgspec.json.decode(encoder.encode(given), type=MarketState)
        records = {encoder.encode(decide(one, PARAMS)) for one in (given, given, copied)}
        assert len(records) == 1
        assert msgspec.json.decode(records.pop(), type=Decision) == decide(given, PARAMS)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"vol_threshold": 0.0}, "vol_threshold 0.0"),
        ({"exit_edge_vol": 0.02}, "exit_edge_vol 0.02"),
        ({"size_straddles": Decimal(0)}, "size_straddles 0"),
        ({"position_straddles_max": Decimal("0.05")}, "position_straddles_max 0.05"),
        ({"confidence_min": 1.1}, "confidence_min 1.1"),
        ({"cooldown_s": -1.0}, "cooldown_s -1.0"),
        ({"close_days": 4.5}, "close_days < expiry_days_min"),
        ({"expiry_days_max": 6.0}, "expiry_days_max must hold"),
        ({"drawdown_pct_max": 0.0}, "drawdown_pct_max"),
        ({"fomo_score_max": 1.5}, "fomo_score_max"),
        ({"surface_age_s_max": 0.0}, "surface_age_s_max 0.0"),
    ],
)
def test_parameters_that_cannot_be_meant_are_refused(values: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        PQVolParams(**values)
