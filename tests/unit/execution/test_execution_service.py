"""The execution service on the real bus, against a venue that loses, delays and repeats."""

from decimal import Decimal

import pytest
from execution_world import (
    BUY_STRADDLE,
    CALL,
    EXPIRY_NS,
    HEDGE,
    PERPETUAL,
    PUT,
    SELL_STRADDLE,
    World,
    intent,
    sides,
)

from glmtrader.domain.decisions import Action, Intent, IntentType
from glmtrader.domain.instruments import SECOND_NS
from glmtrader.domain.order_events import (
    CancelCommand,
    Fill,
    IntentCompleted,
    OrderCommand,
    OrderUpdate,
)
from glmtrader.domain.orders import OrderPurpose, OrderStatus, Side, TimeInForce
from glmtrader.domain.risk_events import KillSwitchSet, RiskVeto, TradingMode, TradingModeChanged
from glmtrader.domain.system_events import ComponentFailed
from glmtrader.errors import JournalError, VenueUnavailableError
from glmtrader.execution.policy import ExecutionPolicy, ExternalOrders
from glmtrader.risk.approval import Approved

D = Decimal


def test_start_is_fenced_until_the_venue_agrees() -> None:
    """Nothing is sent before a report equals the books; then trading opens."""
    world = World()
    world.give(BUY_STRADDLE)
    world.bus.drain()
    assert world.mode() is TradingMode.FENCED
    world.run(1.0)
    assert world.mode() is TradingMode.OPEN
    assert world.completed() == [("not_filled", D(0))]
    assert world.venue.submitted == []


def test_straddle_goes_from_command_to_fills() -> None:
    """Both legs are bought at the far touch, the books follow, and the intent completes."""
    world = World().opened()
    world.give(BUY_STRADDLE)
    world.run(1.0)
    assert world.completed() == [("filled", D("0.2"))]
    assert sorted(sides(world.venue.submitted)) == [
        ("BTC-X-65000-C", Side.BUY),
        ("BTC-X-65000-P", Side.BUY),
    ]
    first = world.venue.submitted[0]
    assert first.price == D("0.0280")
    assert first.time_in_force is TimeInForce.IMMEDIATE_OR_CANCEL
    world.check_agrees()


def test_hedge_is_one_perpetual_order() -> None:
    """A hedge sells the perpetual through the bid by the allowed slippage, in its own units."""
    world = World().opened()
    world.give(HEDGE)
    world.run(1.0)
    (order,) = world.venue.submitted
    assert (order.purpose, order.quantity) == (OrderPurpose.HEDGE, D(1000))
    assert order.price == D("64967.0")
    assert world.position(PERPETUAL) == D(-1000)
    assert world.completed() == [("filled", D(1000))]


def test_reduction_closes_what_is_held() -> None:
    """A reduction sells no more than the account holds, as closing orders."""
    world = World().opened()
    world.give(BUY_STRADDLE)
    world.run(1.0)
    reduce = intent(IntentType.REDUCE_LONG_GAMMA, Action.SELL_STRADDLE, "0.9")
    world.give(reduce, 2)
    world.run(1.0)
    closing = world.venue.submitted[2:]
    assert {(order.purpose, order.reduce_only, order.quantity) for order in closing} == {
        (OrderPurpose.CLOSE, True, D("0.2"))
    }
    assert world.position(CALL) == world.position(PUT) == 0
    world.check_agrees()


def test_missing_leg_is_finished_at_the_wider_cap() -> None:
    """When the second leg fills only in the finishing phase, the straddle is whole."""
    world = World().opened()
    world.venue.scripts.extend(["fill", "none", "none", "none", "fill"])
    world.give(BUY_STRADDLE)
    world.run(30.0)
    assert world.completed() == [("filled", D("0.2"))]
    world.check_agrees()


def test_filled_leg_is_unwound_when_the_other_never_fills() -> None:
    """One leg fills, the other does not: the filled one is taken back, and it is said."""
    world = World().opened()
    world.venue.scripts.extend(["fill", *["none"] * 6, "fill"])
    world.give(SELL_STRADDLE)
    world.run(60.0)
    assert world.completed() == [("unwound", D(0))]
    assert world.position(CALL) == world.position(PUT) == 0
    back = world.venue.submitted[-1]
    assert (back.side, back.purpose) == (Side.BUY, OrderPurpose.CLOSE)
    world.check_agrees()


def test_veto_of_the_second_leg_unwinds_at_once() -> None:
    """A rule that refuses the second leg is published, and the first leg is taken back."""
    world = World().opened()
    world.risk.refuses = lambda order: order.leg == 1 and order.purpose is OrderPurpose.OPEN
    world.give(BUY_STRADDLE)
    world.run(5.0)
    assert [veto.rule for veto in world.seen(RiskVeto)] == ["test_rule"]
    assert world.completed() == [("unwound", D(0))]


def test_veto_of_the_first_leg_ends_the_intent() -> None:
    """Nothing is sent where the gate refuses."""
    world = World().opened()
    world.risk.refuses = lambda _: True
    world.give(BUY_STRADDLE)
    world.run(1.0)
    assert world.completed() == [("vetoed", D(0))]
    assert world.venue.submitted == []


@pytest.mark.parametrize(
    ("wanted", "quotes", "reason"),
    [
        (BUY_STRADDLE, {"call": ("0.0270", None), "put": ("0.0270", None)}, "one_sided"),
        (BUY_STRADDLE, {"call": (None, "0.09"), "put": (None, "0.09")}, "beyond_cap"),
        (
            intent(IntentType.INCREASE_LONG_GAMMA, Action.BUY_STRADDLE, strike_usd=61_000.0),
            {},
            "missing_leg",
        ),
        (
            intent(IntentType.INCREASE_LONG_GAMMA, Action.BUY_STRADDLE, "0.05"),
            {},
            "below_minimum",
        ),
        (intent(IntentType.REDUCE_LONG_GAMMA, Action.SELL_STRADDLE), {}, "nothing_held"),
        (
            intent(
                IntentType.INCREASE_LONG_GAMMA, Action.BUY_STRADDLE, expiry_ns=EXPIRY_NS - 10**18
            ),
            {},
            "expired",
        ),
    ],
)
def test_what_cannot_be_traded_is_refused_with_its_reason(
    wanted: Intent, quotes: dict[str, tuple[str | None, str | None]], reason: str
) -> None:
    """An intent that has no legs or no price completes with that reason, nothing sent."""
    world = World().opened()
    world.refresh(**quotes)
    world.give(wanted)
    world.run(15.0)
    (event,) = world.seen(IntentCompleted)
    assert event.outcome == "not_filled"
    assert reason in event.detail
    assert world.venue.submitted == []


def test_order_is_committed_before_it_leaves() -> None:
    """At every submit, the journal has committed the order's command."""
    world = World().opened()
    submit, seen = world.venue.submit, []

    def checked(approved: Approved, *, now_ns: int) -> None:
        durable = world.journal.events[: world.journal.committed]
        commands = [item.order for item in durable if isinstance(item, OrderCommand)]
        seen.append(approved.order in commands)
        submit(approved, now_ns=now_ns)

    world.venue.submit = checked  # type: ignore[method-assign]
    world.give(BUY_STRADDLE)
    world.run(1.0)
    assert seen == [True, True]


def test_journal_that_cannot_commit_sends_nothing_and_halts() -> None:
    """A failing commit refuses the order, cancels at the venue and halts trading."""
    world = World().opened()
    world.journal.broken = JournalError("disk full")
    world.give(BUY_STRADDLE)
    world.run(5.0)
    assert world.venue.submitted == []
    assert world.venue.cancelled_all == 1
    assert world.mode() is TradingMode.HALTED
    assert world.completed() == [("not_filled", D(0))]


@pytest.mark.parametrize("script", ["lost_ack", "late", "mute_fill"])
def test_lost_answer_is_resolved_by_asking(script: str) -> None:
    """An order whose answer was lost is found, its fill booked once, and nothing sent again."""
    world = World().opened()
    world.venue.scripts.append(script)
    world.give(BUY_STRADDLE)
    world.run(30.0)
    assert world.completed() == [("filled", D("0.2"))]
    assert len(world.venue.submitted) == 2
    world.check_agrees()
    assert len(world.seen(Fill)) == 2


def test_unknown_order_holds_its_intent_until_the_grace_is_over() -> None:
    """Not found within the grace is no answer: the next attempt waits until it is conclusive."""
    world = World(ExecutionPolicy(leg_budget_ns=30 * SECOND_NS)).opened()
    world.venue.scripts.append("lost_request")
    world.give(BUY_STRADDLE)
    world.run(6.9)
    assert len(world.venue.submitted) == 1
    statuses = [event.status for event in world.seen(OrderUpdate)]
    assert statuses == [OrderStatus.UNKNOWN]
    world.run(20.0)
    expired = [e for e in world.seen(OrderUpdate) if e.status is OrderStatus.EXPIRED]
    assert [(e.reason, e.source) for e in expired] == [("never_accepted", "reconciliation")]
    assert world.completed() == [("filled", D("0.2"))]
    world.check_agrees()


def test_silent_venue_leaves_the_order_unknown() -> None:
    """Reports that never come are not a not-found, however long they do not come."""
    world = World().opened()
    world.venue.scripts.append("lost_request")
    world.venue.reports_blocked = True
    world.give(BUY_STRADDLE)
    world.run(300.0)
    assert len(world.venue.submitted) == 1
    assert world.completed() == []
    (record,) = world.service.records.working()
    assert record.status is OrderStatus.UNKNOWN


@pytest.mark.parametrize("script", ["fill_first", "twice"])
def test_disorder_of_messages_changes_nothing(script: str) -> None:
    """A fill before its acknowledgement, or everything twice, is booked once."""
    world = World().opened()
    world.venue.scripts.extend([script, script])
    world.give(BUY_STRADDLE)
    world.run(5.0)
    assert world.completed() == [("filled", D("0.2"))]
    world.check_agrees()


def test_kill_switch_cancels_at_the_venue_and_stops_everything() -> None:
    """After the kill switch nothing is sent, what rests is cancelled, and intents end."""
    world = World().opened()
    world.venue.scripts.append("rest")
    world.give(BUY_STRADDLE)
    world.run(0.5)
    world.bus.publish(
        KillSwitchSet(
            ts_event=world.clock.now_ns(),
            ts_init=world.clock.now_ns(),
            engaged=True,
            flatten=False,
            source="test",
        )
    )
    world.run(5.0)
    assert world.venue.cancelled_all >= 1
    assert len(world.venue.submitted) == 1
    assert world.completed() == [("not_filled", D(0))]
    world.give(HEDGE, 2)
    world.run(5.0)
    assert len(world.venue.submitted) == 1


def test_kill_switch_catches_an_order_on_its_way_to_the_gateway() -> None:
    """An approved order whose command is still on the bus does not leave after the kill."""
    world = World().opened()
    world.give(BUY_STRADDLE)
    now_ns = world.clock.now_ns()
    world.bus.publish(
        KillSwitchSet(ts_event=now_ns, ts_init=now_ns, engaged=True, flatten=False, source="test")
    )
    world.run(5.0)
    assert len(world.seen(OrderCommand)) == 1
    assert world.venue.submitted == []


def test_kill_switch_survives_a_restart() -> None:
    """A restarted process reads that the switch is engaged, and cancels again."""
    world = World().opened()
    now_ns = world.clock.now_ns()
    world.bus.publish(
        KillSwitchSet(ts_event=now_ns, ts_init=now_ns, engaged=True, flatten=False, source="test")
    )
    world.run(1.0)
    world.journal.commit()
    world.kill()
    world.boot()
    world.run(1.0)
    world.give(HEDGE, 2)
    world.run(5.0)
    assert world.service.is_killed
    assert world.venue.submitted == []
    assert world.venue.cancelled_all == 2


def test_crashed_component_cancels_and_halts() -> None:
    """A fatal failure anywhere cancels at the venue and halts the account."""
    world = World().opened()
    now_ns = world.clock.now_ns()
    world.bus.publish(
        ComponentFailed(
            ts_event=now_ns, ts_init=now_ns, component="risk", error="x", fatal=True, restarts=0
        )
    )
    world.run(1.0)
    assert world.venue.cancelled_all == 1
    assert world.mode() is TradingMode.HALTED


def test_books_that_differ_halt_with_both_figures() -> None:
    """Cash that the books do not have halts trading after a second look, naming both figures."""
    world = World().opened()
    world.venue.ledger.balances["BTC"] = D("1.5")
    world.run(90.0)
    assert world.mode() is TradingMode.HALTED
    halt = [e for e in world.seen(TradingModeChanged) if e.mode is TradingMode.HALTED]
    assert len(halt) == 1
    assert "cash BTC: ours 0, venue 1.5" in halt[0].reason
    assert halt[0].books_in_doubt


def test_fence_by_a_person_after_a_halt_reconciles_and_opens() -> None:
    """A halt ends when a person fences the account and the venue agrees."""
    world = World().opened()
    world.venue.ledger.balances["BTC"] = D("1.5")
    world.run(90.0)
    world.venue.ledger.balances["BTC"] = D(0)
    world.run(60.0)
    assert world.mode() is TradingMode.HALTED
    now_ns = world.clock.now_ns()
    world.bus.publish(
        TradingModeChanged(
            ts_event=now_ns,
            ts_init=now_ns,
            account_id=world.venue.account_id,
            mode=TradingMode.FENCED,
            reason="a person looked",
            released_by="a person",
        )
    )
    world.run(5.0)
    assert world.mode() is TradingMode.OPEN


def test_lost_connection_fences_and_comes_back_reconciled() -> None:
    """Trading is fenced while the venue is away and opens on a report that agrees."""
    world = World().opened()
    world.venue.status("connected")
    world.run(1.0)
    world.venue.status("disconnected")
    world.run(40.0)
    assert world.mode() is TradingMode.FENCED
    world.venue.status("connected")
    world.run(1.0)
    assert world.mode() is TradingMode.OPEN


def test_fills_of_others_are_found_and_booked() -> None:
    """A trade that this process never saw comes out of a report, once, and the books agree."""
    world = World().opened()
    world.give(BUY_STRADDLE)
    world.run(1.0)
    world.venue.trade(world.venue.submitted[0], D("0.1"))
    world.run(40.0)
    assert len(world.seen(Fill)) == 3


def test_cancel_goes_through_the_journal_and_needs_no_approval() -> None:
    """A cancel command reaches the venue after it was journaled."""
    world = World().opened()
    world.venue.scripts.append("rest")
    world.give(HEDGE)
    world.run(0.5)
    (order,) = world.venue.submitted
    now_ns = world.clock.now_ns()
    world.bus.publish(
        CancelCommand(
            ts_event=now_ns,
            ts_init=now_ns,
            account_id=order.account_id,
            client_order_id=order.client_order_id,
            reason="test",
        )
    )
    world.bus.drain()
    (record,) = world.service.records.working()
    assert record.status is OrderStatus.CANCEL_REQUESTED
    world.run(0.5)
    assert world.service.records.working() == []


def test_finished_orders_are_forgotten() -> None:
    """Memory is bounded: settled orders go when their window for late fills has passed."""
    world = World().opened()
    for number in range(1, 6):
        world.give(HEDGE, number)
        world.run(1.0)
    assert len(world.service.records) == 5
    world.run(400.0)
    assert len(world.service.records) == 0


def test_second_command_for_an_intent_is_ignored() -> None:
    """An intent is executed once, however often its command comes."""
    world = World().opened()
    world.give(HEDGE)
    world.run(1.0)
    world.give(HEDGE)
    world.run(1.0)
    assert len(world.venue.submitted) == 1


def test_late_appearance_is_adopted_and_cancelled() -> None:
    """An order that appears after it was concluded never accepted is ours again, and is ended."""
    world = World().opened()
    world.venue.scripts.append("lost_request")
    world.give(HEDGE)
    world.run(25.0)
    (order,) = world.venue.submitted[:1]
    record = world.service.records.get(order.client_order_id)
    assert record is not None
    assert record.presumed
    world.venue.accept_anyway(order)
    world.run(35.0)
    adopted = [e for e in world.seen(OrderUpdate) if e.status is OrderStatus.ACCEPTED]
    assert order.client_order_id in {event.client_order_id for event in adopted}
    record = world.service.records.get(order.client_order_id)
    assert record is not None
    assert record.status is OrderStatus.CANCELLED
    assert not record.presumed


def test_venue_that_fails_while_sending_leaves_the_order_unknown() -> None:
    """An error of the adapter at submit is no refusal: the outcome is asked for."""
    world = World().opened()
    submit = world.venue.submit

    def failing(approved: Approved, *, now_ns: int) -> None:
        submit(approved, now_ns=now_ns)
        raise VenueUnavailableError("socket closed")

    world.venue.submit = failing  # type: ignore[method-assign]
    world.give(HEDGE)
    world.run(10.0)
    assert world.completed() == [("filled", D(1000))]
    assert len(world.venue.submitted) == 1
    assert world.seen(OrderUpdate)[0].status is OrderStatus.UNKNOWN


@pytest.mark.parametrize(
    ("policy", "mode", "shown"),
    [
        (ExternalOrders.HALT, TradingMode.HALTED, 0),
        (ExternalOrders.IGNORE, TradingMode.OPEN, 0),
        (ExternalOrders.ADOPT, TradingMode.OPEN, 1),
    ],
)
def test_orders_of_others_follow_the_policy(
    policy: ExternalOrders, mode: TradingMode, shown: int
) -> None:
    """An open order that this journal never sent halts, is ignored, or is shown."""
    other = World().opened()
    other.venue.scripts.append("rest")
    other.give(HEDGE)
    other.run(0.5)
    world = World(ExecutionPolicy(external_orders=policy))
    world.venue.orders = other.venue.orders
    world.run(50.0)
    assert world.service.mode is mode
    assert min(1, len([e for e in world.seen(OrderUpdate) if e.source == "external"])) == shown
    assert world.venue.orders["v-pq-1-1-0-0"].status is OrderStatus.ACCEPTED  # type: ignore[index]


def test_closed_books_halt_instead_of_trading() -> None:
    """Where the books could not be opened on the venue's history nothing is sent."""
    world = World()
    world.risk.is_opened = False
    world.run(50.0)
    assert world.mode() is TradingMode.HALTED
    halt = world.seen(TradingModeChanged)[-1]
    assert "books: ours not opened" in halt.reason


def test_report_to_an_unknown_question_proves_nothing() -> None:
    """A not-found in a report that answers none of our questions is not conclusive."""
    world = World().opened()
    world.venue.scripts.append("lost_request")
    world.venue.reports_blocked = True
    world.give(HEDGE)
    world.run(60.0)
    (record,) = world.service.records.working()
    name = record.order.client_order_id
    world.bus.publish(world.venue.report("unasked", 0, (name,)))
    world.bus.drain()
    (record,) = world.service.records.working()
    assert record.status is OrderStatus.UNKNOWN


def test_policy_that_cannot_be_run_lists_every_fault() -> None:
    """An impossible policy is refused with all its faults."""
    with pytest.raises(ValueError, match=r"cap_vol.*strangle_delta.*intents_max 0"):
        ExecutionPolicy(cap_vol=-1.0, strangle_delta=0.9, intents_max=0)
