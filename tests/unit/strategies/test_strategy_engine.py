"""The strategy engine: who decides when, what is recorded, and what a restart remembers."""

import msgspec
import pytest
from strategy_cases import (
    ACCOUNT,
    CALL,
    EXPIRY_NS,
    HOUR_NS,
    NOW_NS,
    PERPETUAL,
    PUT,
    SECOND_NS,
    D,
    fill,
    forecast,
    option,
    portfolio,
    surface,
)

from glmtrader.domain.decisions import IntentType
from glmtrader.domain.event import Event
from glmtrader.domain.ids import AccountId, ClientOrderId, IntentId, StrategyId
from glmtrader.domain.market_events import InstrumentsListed
from glmtrader.domain.order_events import IntentCompleted, OptionDelivered
from glmtrader.domain.risk_events import RiskVeto, TradingMode, TradingModeChanged
from glmtrader.domain.strategy_events import DecisionMade, StrategyIntent, StrategySnapshot
from glmtrader.kernel.bus import Bus
from glmtrader.kernel.clock import VirtualClock
from glmtrader.quant.trading_clock import BTC_CLOCK
from glmtrader.strategies import delta_hedger, pq_vol
from glmtrader.strategies.engine import StrategyEngine
from glmtrader.strategies.registry import StrategyInstance

PQ = StrategyInstance(
    strategy_id=StrategyId("pq"),
    kind=pq_vol.NAME,
    account_id=ACCOUNT,
    underlying="BTC",
    params=pq_vol.PQVolParams(cooldown_s=0.0),
)
HEDGER = StrategyInstance(
    strategy_id=StrategyId("hedger"),
    kind=delta_hedger.NAME,
    account_id=ACCOUNT,
    underlying="BTC",
    params=delta_hedger.DeltaHedgerParams(cooldown_s=0.0, legs_wait_s=0.0),
)
LISTED = InstrumentsListed(
    ts_event=NOW_NS, ts_init=NOW_NS, venue="sim", listed=(PERPETUAL, CALL, PUT), delisted=()
)
OPEN = TradingModeChanged(
    ts_event=NOW_NS, ts_init=NOW_NS, account_id=ACCOUNT, mode=TradingMode.OPEN, reason="test"
)


class Host:
    """An engine and what it has said."""

    def __init__(self, *instances: StrategyInstance, epoch: int = 1) -> None:
        self.said: list[Event] = []
        self.engine = StrategyEngine(
            instances or (PQ, HEDGER), epoch=epoch, publish=self.said.append, clock=BTC_CLOCK
        )

    def send(self, *events: Event) -> list[Event]:
        """What the engine says to these events."""
        self.said.clear()
        for event in events:
            self.engine.handle(event)
        return list(self.said)

    def ready(self) -> "Host":
        """Listed, open, and with everything known; volatility is cheap by four points."""
        self.send(LISTED, OPEN, forecast(q_straddle=0.58), portfolio())
        return self

    def inflight(self, number: int = 0) -> dict[IntentId, object]:
        """Of one hosted instance."""
        return dict(self.engine._hosted[number].book.inflight)


def decisions(said: list[Event]) -> list[DecisionMade]:
    return [event for event in said if isinstance(event, DecisionMade)]


def completed(intent_id: str, strategy: str = "pq") -> IntentCompleted:
    return IntentCompleted(
        ts_event=NOW_NS,
        ts_init=NOW_NS,
        intent_id=IntentId(intent_id),
        strategy_id=StrategyId(strategy),
        outcome="filled",
        quantity_done=D("0.1"),
        detail="",
    )


def veto(intent_id: str, order: str | None = None) -> RiskVeto:
    return RiskVeto(
        ts_event=NOW_NS,
        ts_init=NOW_NS,
        intent_id=IntentId(intent_id),
        strategy_id=StrategyId("pq"),
        client_order_id=None if order is None else ClientOrderId(order),
        rule="leverage",
        reason="test",
        details={},
    )


def test_an_action_is_a_decision_and_an_intent_under_one_id() -> None:
    """The record comes first, with state, parameters and memory; the intent asks the same."""
    decision, intent = Host().ready().send(surface())
    assert isinstance(decision, DecisionMade)
    assert isinstance(intent, StrategyIntent)
    assert decision.intent_id == intent.intent_id == "pq-1-1"
    assert decision.decision.intent == intent.intent
    assert intent.intent.intent_type is IntentType.INCREASE_LONG_GAMMA
    assert (intent.account_id, intent.underlying) == (ACCOUNT, "BTC")
    assert msgspec.json.decode(decision.params, type=pq_vol.PQVolParams) == PQ.params
    assert decision.ts_event == decision.state.now_ns == NOW_NS


def test_a_hold_is_recorded_and_asks_for_nothing() -> None:
    (decision,) = Host().send(surface())
    assert isinstance(decision, DecisionMade)
    assert decision.decision.intent.reason == "trading_halted"


def test_ids_count_decisions_within_the_epoch() -> None:
    """Holds count too; another start has another epoch, so no id ever comes twice."""
    first, second = Host(PQ), Host(PQ, epoch=2)
    said = [*first.send(surface(), surface()), *second.send(surface())]
    assert [event.intent_id for event in decisions(said)] == ["pq-1-1", "pq-1-2", "pq-2-1"]


def test_each_strategy_decides_on_its_own_events() -> None:
    """A surface is the straddles' business, a report of risk the hedger's; others' are nobody's."""
    host = Host().ready()
    assert {event.strategy_id for event in decisions(host.send(surface()))} == {"pq"}
    moved = portfolio(delta=0.2)
    assert {event.strategy_id for event in decisions(host.send(moved))} == {"hedger"}
    elsewhere = portfolio(delta=0.2, account_id=AccountId("other"))
    assert host.send(surface(underlying="ETH"), elsewhere, forecast(), OPEN) == []


def test_a_price_move_alone_makes_the_hedger_act() -> None:
    """No fill is needed: a report of risk after a move is enough."""
    said = Host().ready().send(portfolio(delta=0.2, trigger="tick"))
    (intent,) = [event for event in said if isinstance(event, StrategyIntent)]
    assert intent.intent.intent_type is IntentType.HEDGE_DELTA
    assert intent.intent.instrument_id == PERPETUAL.instrument_id


def test_one_intent_at_a_time_is_in_flight() -> None:
    """Until it is answered, the same edge is a hold, and the intent is counted with its sign."""
    host = Host().ready()
    host.send(surface())
    assert host.inflight() == {"pq-1-1": D("0.1")}
    (again,) = decisions(host.send(surface()))
    assert again.decision.intent.reason == "intent_in_flight"
    assert again.state.inflight == D("0.1")


def test_completion_clears_what_is_in_flight() -> None:
    host = Host().ready()
    host.send(surface(), completed("pq-1-1"))
    assert host.inflight() == {}
    (after,) = decisions(host.send(surface()))
    assert after.decision.intent.intent_type is IntentType.INCREASE_LONG_GAMMA


def test_a_veto_of_the_intent_clears_it_and_one_of_an_order_does_not() -> None:
    """Execution goes on after one order was refused, and says itself when it is done."""
    host = Host().ready()
    host.send(surface(), veto("pq-1-1", order="pq-1-1-0-0"))
    assert set(host.inflight()) == {"pq-1-1"}
    host.send(veto("pq-1-1"))
    assert host.inflight() == {}


def test_another_strategys_completion_clears_nothing() -> None:
    host = Host().ready()
    host.send(surface(), completed("pq-1-1", strategy="hedger"), completed("pq-1-9"))
    assert set(host.inflight()) == {"pq-1-1"}


def test_the_hedgers_holds_are_recorded_when_they_say_something_new() -> None:
    """A hold with the same reason comes once in ten minutes, and at once after an action."""
    host = Host(HEDGER).ready()

    def at(second: float, delta: float = 0.0) -> list[str]:
        now_ns = NOW_NS + round(second * SECOND_NS)
        said = host.send(portfolio(delta=delta, now_ns=now_ns))
        return [event.decision.intent.reason for event in decisions(said)]

    assert at(0) == []  # `ready` has recorded the first one
    assert at(599.9) == []
    assert at(600.0) == ["inside_band"]
    assert at(601.0, delta=0.2) == ["delta_left_band"]
    assert at(602.0, delta=0.2) == ["hedge_in_flight"]
    host.send(completed("hedger-1-3", strategy="hedger"))
    assert at(603.0) == ["inside_band"]
    assert at(604.0) == []


def test_every_hold_of_the_straddles_is_recorded() -> None:
    host = Host(PQ)
    assert len(decisions(host.send(surface(), surface(), surface()))) == 3


def test_a_fill_moves_the_strategy_that_its_order_names() -> None:
    """Fills of the hedger, or without an order of ours, are no straddles of this strategy."""
    host = Host().ready()
    host.send(
        fill(CALL, "0.1", order="pq-1-1-0-0", trade="1"),
        fill(PUT, "0.1", order="pq-1-1-1-0", trade="2"),
        fill(PUT, "0.5", order=None, trade="3"),
        fill(PERPETUAL, "-1000", order="hedger-1-2-0-0", trade="4"),
    )
    (decision,) = decisions(host.send(surface()))
    assert decision.state.position == D("0.1")


def test_a_delivery_ends_the_holding() -> None:
    """After its expiry is delivered a straddle is held no more, and other expiries are."""
    later = tuple(
        option(90_000, is_call=is_call, expiry_ns=EXPIRY_NS + 24 * HOUR_NS)
        for is_call in (True, False)
    )
    host = Host(PQ).ready()
    host.send(msgspec.structs.replace(LISTED, listed=later))
    for number, item in enumerate((CALL, PUT, *later)):
        host.send(fill(item, "0.1", trade=str(number)))
    delivered = OptionDelivered(
        ts_event=EXPIRY_NS,
        ts_init=EXPIRY_NS,
        account_id=ACCOUNT,
        underlying="BTC",
        expiry_ns=EXPIRY_NS,
        delivery_price_usd=D(91_000),
        cursor=9,
    )
    said = host.send(delivered, surface(now_ns=EXPIRY_NS - HOUR_NS))
    (decision,) = decisions(said)
    assert [item.expiry_ns for item in decision.state.straddles] == [later[0].expiry_ns]


def test_snapshots_come_hourly_and_say_what_is_held() -> None:
    """One an hour for each instance, of the event that is an hour after the last."""
    host = Host(PQ).ready()
    host.send(fill(CALL, "0.1", trade="t1"), fill(PUT, "0.1", trade="t2"))
    just_before = host.send(surface(now_ns=NOW_NS + HOUR_NS - 1))
    assert not [event for event in just_before if isinstance(event, StrategySnapshot)]
    said = host.send(surface(now_ns=NOW_NS + HOUR_NS))
    (snapshot,) = [event for event in said if isinstance(event, StrategySnapshot)]
    assert [item.instrument_id for item in snapshot.holdings] == [
        CALL.instrument_id,
        PUT.instrument_id,
    ]


DAY = [
    LISTED,
    OPEN,
    forecast(q_straddle=0.58),
    portfolio(),
    surface(),
    fill(CALL, "0.1", trade="1"),
    fill(PUT, "0.1", trade="2"),
    portfolio(delta=0.2),
    fill(PERPETUAL, "-10000", order="hedger-1-2-0-0", trade="3"),
    surface(now_ns=NOW_NS + 30 * SECOND_NS),
]
NEXT_NS = NOW_NS + 90 * SECOND_NS
NEXT = [
    LISTED,
    OPEN,
    forecast(q_straddle=0.58, now_ns=NEXT_NS),
    portfolio(now_ns=NEXT_NS),
    surface(now_ns=NEXT_NS),
    portfolio(delta=0.3, now_ns=NEXT_NS),
]


def lived(host: Host, snapshot_after: int | None) -> list[Event]:
    """Let a host live through the day; its journal, with a snapshot after so many inputs."""
    journal: list[Event] = []
    for number, event in enumerate(DAY, start=1):
        queue: list[Event] = [event]
        while queue:
            cause = queue.pop(0)
            said = host.send(cause)
            journal += [cause, *said]
            asked = [item for item in said if isinstance(item, StrategyIntent)]
            queue += [completed(item.intent_id, item.strategy_id) for item in asked]
        if number == snapshot_after:
            host.said.clear()
            host.engine.snapshot(event.ts_init)
            journal += host.said
    return journal


@pytest.mark.parametrize("snapshot_after", [None, 5, 8, len(DAY)])
def test_a_restart_decides_like_the_run_that_went_on(snapshot_after: int | None) -> None:
    """Folding the journal, from a snapshot or without, gives the same states and decisions."""
    running, restarted = Host(), Host(epoch=2)
    for event in lived(running, snapshot_after):
        if isinstance(event, StrategyEngine.FOLDS):
            restarted.engine.restore(event)
    restarted.engine.forget_inputs()
    assert restarted.said == [], "a restore decides nothing"
    acted = [
        [
            (event.strategy_id, event.state, event.decision)
            for event in decisions(host.send(*NEXT))
            if event.decision.intent.intent_type is not IntentType.HOLD
        ]
        for host in (running, restarted)
    ]
    assert acted[0] == acted[1]
    assert [strategy_id for strategy_id, _, _ in acted[0]] == ["pq", "hedger"]
    assert acted[0][0][1].position == D("0.1")


def test_a_restart_forgets_what_markets_said() -> None:
    """Surfaces, forecasts, risk and modes are asked anew: nothing is decided on yesterday's."""
    host = Host(PQ)
    for event in DAY:
        host.engine.restore(event)
    host.engine.forget_inputs()
    (decision,) = decisions(host.send(surface()))
    assert decision.state.q_straddle is None
    assert decision.state.trading_halted == "not reconciled yet"
    assert decision.state.position == D("0.1")


def test_the_engine_awaits_nothing_but_its_inbox() -> None:
    """On the real bus its decisions come back as events, in the order of their causes."""
    bus = Bus(VirtualClock(NOW_NS))
    engine = StrategyEngine((PQ,), epoch=1, publish=bus.publish, clock=BTC_CLOCK)
    bus.register("strategies", engine.run, *StrategyEngine.EVENTS)
    seen = bus.subscribe(DecisionMade, StrategyIntent, name="test")
    for event in (LISTED, OPEN, forecast(q_straddle=0.58), portfolio(), surface()):
        bus.publish(event)
    bus.drain()
    assert len(seen) == 2


def test_two_instances_of_one_name_are_a_mistake() -> None:
    with pytest.raises(AssertionError, match="repeat"):
        Host(PQ, PQ)


def test_a_fill_told_twice_is_held_once() -> None:
    """A stream and a report may both tell a trade; its id counts it once."""
    host = Host(PQ).ready()
    host.send(*(fill(item, "-0.1", trade=name) for item, name in PAIR), surface())
    (first,) = [item.state.position for item in decisions(host.send(surface()))]
    (again,) = [
        item.state.position
        for item in decisions(
            host.send(*(fill(item, "-0.1", trade=name) for item, name in PAIR), surface())
        )
    ]
    assert first == again == D("-0.1")


def test_a_snapshot_written_behind_a_fill_does_not_lose_it() -> None:
    """What was queued before the snapshot is told before it, and is in it after a restart."""
    before, after = Host(PQ).ready(), Host(PQ)
    call, put = (fill(item, "-0.1", trade=name) for item, name in PAIR)
    (snapshot,) = [
        event
        for event in before.send(call, surface(now_ns=NOW_NS + HOUR_NS))
        if isinstance(event, StrategySnapshot)
    ]
    for event in (call, put, snapshot):
        after.engine.restore(event)
    said = after.ready().send(surface())
    assert decisions(said)[-1].state.position == D("-0.1")


PAIR = ((CALL, "t1"), (PUT, "t2"))
