"""The process dies anywhere and starts again: nothing is doubled, nothing is lost."""

from decimal import Decimal

import pytest
from execution_world import (
    BUY_STRADDLE,
    CALL,
    HEDGE,
    PERPETUAL,
    PUT,
    Crash,
    World,
    intent,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from glmtrader.domain.decisions import Action, IntentType
from glmtrader.domain.order_events import (
    ExecutionCommand,
    Fill,
    IntentCompleted,
    OrderUpdate,
    VenueReport,
)
from glmtrader.domain.orders import OrderStatus
from glmtrader.domain.risk_events import TradingMode

D = Decimal
SCRIPTS = (
    "fill",
    "half",
    "none",
    "reject",
    "lost_request",
    "lost_ack",
    "late",
    "mute_fill",
    "fill_first",
    "twice",
)


def run_until_crash(world: World, seconds: float) -> bool:
    """Run; True when the process died, which is then dropped and started again."""
    try:
        world.run(seconds)
    except Crash:
        world.kill()
        world.run_venue(3.0)
        world.boot()
        return True
    return False


def check_survived(world: World) -> None:
    """Open again, equal to the venue, every begun intent ended, no leg left alone."""
    world.run(60.0)
    assert world.service.mode is TradingMode.OPEN
    world.check_agrees()
    assert world.position(CALL) == world.position(PUT)
    begun = {event.intent_id for event in world.seen(ExecutionCommand)}
    ended = [event.intent_id for event in world.seen(IntentCompleted)]
    assert sorted(begun) == sorted(ended)


@pytest.mark.parametrize("script", ["fill", "half", "lost_ack", "lost_request", "late", "none"])
@pytest.mark.parametrize("crash_at", range(4, 16))
def test_crash_at_every_event(script: str, crash_at: int) -> None:
    """Dying as any event is journaled, then starting, leaves books equal and legs balanced."""
    world = World()
    world.venue.script_default = script
    world.journal.crash_at = crash_at
    run_until_crash(world, 1.0)
    world.venue.script_default = "fill"
    world.give(BUY_STRADDLE, 7)
    run_until_crash(world, 10.0)
    world.venue.script_default = "fill"
    world.journal.crash_at = None
    check_survived(world)


def test_crash_between_commit_and_submit_sends_nothing_later() -> None:
    """An order that was committed and never left is resolved, not sent by the next process."""
    world = World().opened()
    world.journal.commit()
    world.journal.crash_after_commit = True
    world.give(HEDGE)
    assert run_until_crash(world, 1.0)
    check_survived(world)
    assert world.venue.submitted == []
    assert world.position(PERPETUAL) == 0
    assert world.completed() == [("not_filled", D(0))]


def test_crash_after_the_first_leg_unwinds_it() -> None:
    """A straddle of which one leg had filled is balanced by taking that leg back."""
    world = World().opened()
    world.journal.commit()
    world.venue.scripts.extend(["fill", "lost_request"])
    world.give(BUY_STRADDLE)
    world.run(0.5)
    world.journal.commit()
    world.kill()
    world.run_venue(1.0)
    world.boot()
    check_survived(world)
    assert world.completed() == [("unwound", D(0))]
    assert len(world.venue.submitted) == 3


@pytest.mark.parametrize("script", ["fill", "half", "lost_ack", "lost_request", "none"])
def test_crash_between_the_legs_of_a_reduction_carries_it_through(script: str) -> None:
    """A reduction of which one leg was sent closes both, and no more than it was asked to."""
    world = World().opened()
    world.give(BUY_STRADDLE)
    world.give(BUY_STRADDLE, 2)
    world.run(3.0)
    assert world.position(CALL) == world.position(PUT) == D("0.4")
    world.venue.scripts.append(script)
    world.give(intent(IntentType.REDUCE_LONG_GAMMA, Action.SELL_STRADDLE), 3)
    world.bus.drain()
    world.run(0.012)
    world.journal.commit()
    world.kill()
    world.run_venue(3.0)
    world.boot()
    check_survived(world)
    assert world.position(CALL) == world.position(PUT) == D("0.2")
    assert world.completed()[-1] == ("filled", D("0.2"))


def test_fill_that_came_while_down_is_booked_once() -> None:
    """What filled while nobody listened comes out of the first report after the start."""
    world = World().opened()
    world.venue.scripts.append("late")
    world.give(HEDGE)
    world.run(0.01)
    world.journal.commit()
    world.kill()
    world.run_venue(10.0)
    assert world.position(PERPETUAL) == D(-1000)
    world.boot()
    check_survived(world)
    assert world.completed() == [("filled", D(1000))] or world.completed() == [
        ("partly_filled", D(1000))
    ]


@settings(max_examples=40, deadline=None)
@given(
    scripts=st.lists(
        st.sampled_from(SCRIPTS),
        min_size=4,
        max_size=12,
    ),
    crashes=st.lists(st.integers(1, 25), max_size=3),
)
def test_no_interleaving_of_losses_and_crashes_breaks_the_books(
    scripts: list[str], crashes: list[int]
) -> None:
    """Whatever is lost, late, repeated or crashed, no order is sent twice and the books agree."""
    world = World()
    world.venue.scripts.extend(scripts)
    for number, events in enumerate((*crashes, None), start=1):
        world.run(8.0)
        world.journal.commit()
        if events is not None:
            world.journal.crash_at = len(world.journal.events) + events
        world.refresh()
        world.give(BUY_STRADDLE, 10 * number)
        world.give(HEDGE, 10 * number + 1)
        run_until_crash(world, 30.0)
        world.journal.crash_at = None
    check_survived(world)


def test_order_without_an_answer_is_unknown_after_a_restart() -> None:
    """What was written ahead and never answered may be at the venue: that is said at once."""
    world = World().opened()
    world.venue.scripts.append("lost_request")
    world.give(HEDGE)
    world.bus.drain()
    world.kill()
    world.boot()
    world.bus.drain()
    (news,) = world.seen(OrderUpdate)
    assert (news.status, news.source) == (OrderStatus.UNKNOWN, "local")
    assert world.mode() is TradingMode.FENCED


def test_facts_of_a_report_survive_a_crash_before_they_are_journaled() -> None:
    """A report was committed, the fill in it was not: the next process publishes the fill."""
    world = World().opened()
    world.venue.scripts.append("mute_fill")
    world.give(HEDGE)
    world.run(0.1)
    world.journal.crash_at = next_report(world)
    with pytest.raises(Crash):
        world.run(10.0)
    world.journal.commit()
    assert isinstance(world.journal.events[-1], VenueReport)
    assert world.seen(Fill) == []
    world.kill()
    world.boot()
    check_survived(world)
    assert len(world.seen(Fill)) == 1


def next_report(world: World) -> int:
    """Where the journal will stand just after the next report, before what follows from it."""
    twin = World().opened()
    twin.venue.scripts.append("mute_fill")
    twin.give(HEDGE)
    twin.run(0.1)
    start = len(twin.journal.events)
    assert start == len(world.journal.events)
    twin.run(10.0)
    kinds = [type(event) for event in twin.journal.events[start:]]
    return start + kinds.index(VenueReport) + 1
