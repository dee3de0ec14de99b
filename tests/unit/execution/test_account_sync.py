"""Reconciliation goes on: through early timers, halts, silent venues and broken adapters."""

import pytest
from execution_world import ACCOUNT, BUY_STRADDLE, HEDGE, World

from glmtrader.domain.instruments import MINUTE_NS
from glmtrader.domain.order_events import CancelCommand
from glmtrader.domain.risk_events import (
    KillSwitchSet,
    RiskAlert,
    Severity,
    TradingMode,
    TradingModeChanged,
)
from glmtrader.domain.system_events import TimerFired, VenueStatusChanged
from glmtrader.errors import QueueOverflowError, VenueUnavailableError
from glmtrader.execution.account_sync import TIMER_KEY


def test_timer_that_fires_early_is_armed_again() -> None:
    """A timer a moment before its time does not end reconciliation."""
    world = World().opened()
    asked = len(world.venue.requests)
    handle = world.service._sync._timer  # the timer itself is the state under test
    assert handle is not None
    handle[1].cancel()
    now_ns = world.clock.now_ns()
    world.bus.publish(
        TimerFired(ts_event=now_ns, ts_init=now_ns, component=world.service.name, key=TIMER_KEY)
    )
    world.run(100.0)
    assert len(world.venue.requests) > asked


def test_a_timer_that_is_due_now_is_not_put_off() -> None:
    """What happens at the very moment of a periodic report does not skip it."""
    world = World().opened()
    asked = len(world.venue.requests)
    sync = world.service._sync
    due_ns = sync._report_next_ns
    world.clock.call_at(due_ns, lambda: sync.hasten(due_ns + MINUTE_NS, due_ns))
    sync._timer = None  # so that ours is armed after the call above, and fires after it
    sync.hasten(due_ns, world.clock.now_ns())
    world.run((due_ns - world.clock.now_ns()) / 1e9 + 5.0)
    assert len(world.venue.requests) > asked


def change_mode(world: World, mode: TradingMode, released_by: str = "") -> None:
    """Change the mode from outside."""
    now_ns = world.clock.now_ns()
    world.bus.publish(
        TradingModeChanged(
            ts_event=now_ns,
            ts_init=now_ns,
            account_id=ACCOUNT,
            mode=mode,
            reason="from outside",
            released_by=released_by,
        )
    )


def said_last(world: World) -> TradingMode:
    """The mode as everyone else heard it last."""
    changes: list[TradingModeChanged] = world.seen(TradingModeChanged)
    return changes[-1].mode


def test_halt_is_not_undone_by_what_was_queued_before_it() -> None:
    """A fence and an agreeing report that were on their way do not open a halted account."""
    world = World().opened()
    now_ns = world.clock.now_ns()
    sync = world.service._sync
    connected = VenueStatusChanged(
        ts_event=now_ns,
        ts_init=now_ns,
        venue="deribit",
        status="connected",
        detail="test",
        clock_offset_ns=0,
    )
    sync.on_status(connected, now_ns)
    world.bus.publish(world.venue.report("queued", 0, ()))
    sync.halt("a contradiction", now_ns, books_in_doubt=True)
    world.run(60.0)
    assert world.mode() is TradingMode.HALTED
    assert said_last(world) is TradingMode.HALTED


def test_opening_that_passes_a_halt_from_outside_is_taken_back() -> None:
    """Where our own opening comes after another's halt, the halt is said again to everyone."""
    world = World()
    world.bus.drain()
    report = world.venue.report("queued", 0, ())
    world.bus.publish(report)
    change_mode(world, TradingMode.HALTED)
    world.run(60.0)
    assert world.mode() is TradingMode.HALTED
    assert said_last(world) is TradingMode.HALTED


def test_opening_from_outside_does_not_release_a_halt() -> None:
    """A halt ends by a fence, which compares first; an opening alone is answered by the halt."""
    world = World().opened()
    change_mode(world, TradingMode.HALTED)
    change_mode(world, TradingMode.OPEN)
    world.run(5.0)
    assert world.mode() is TradingMode.HALTED
    assert said_last(world) is TradingMode.HALTED
    change_mode(world, TradingMode.FENCED)
    world.run(5.0)
    assert world.mode() is TradingMode.HALTED
    change_mode(world, TradingMode.FENCED, "a person")
    world.run(5.0)
    assert world.mode() is TradingMode.OPEN


def test_venue_that_reports_no_more_fences_and_alerts() -> None:
    """Three intervals without a comparison fence the account, with one critical alert."""
    world = World().opened()
    world.venue.reports_blocked = True
    world.run(80.0)
    assert world.mode() is TradingMode.OPEN
    world.run(300.0)
    assert world.mode() is TradingMode.FENCED
    (alert,) = world.seen(RiskAlert)
    assert alert.severity is Severity.CRITICAL
    assert "not compared" in alert.message
    world.venue.reports_blocked = False
    world.run(30.0)
    assert world.mode() is TradingMode.OPEN


@pytest.mark.parametrize(
    "error",
    [QueueOverflowError("requests"), VenueUnavailableError("closed"), BrokenPipeError("socket")],
)
def test_adapter_that_raises_at_a_request_is_asked_again(error: Exception) -> None:
    """A request for a report that fails in the adapter ends nothing: it fences, then recovers."""
    world = World().opened()
    ask = world.venue.request_report

    def failing(*_: object, **__: object) -> None:
        raise error

    world.venue.request_report = failing  # type: ignore[method-assign]
    world.run(200.0)
    assert world.mode() is TradingMode.FENCED
    world.venue.request_report = ask  # type: ignore[method-assign]
    world.run(10.0)
    assert world.mode() is TradingMode.OPEN


def test_adapter_that_raises_at_a_cancel_ends_nothing() -> None:
    """Neither one cancel nor a cancel of everything can bring the core down."""
    world = World().opened()
    world.venue.scripts.append("rest")
    world.give(HEDGE)
    world.run(0.5)

    def failing(*_: object) -> None:
        raise QueueOverflowError("orders")

    world.venue.cancel = failing  # type: ignore[method-assign,assignment]
    world.venue.cancel_all = failing  # type: ignore[method-assign]
    now_ns = world.clock.now_ns()
    (order,) = world.venue.submitted
    world.bus.publish(
        CancelCommand(
            ts_event=now_ns,
            ts_init=now_ns,
            account_id=ACCOUNT,
            client_order_id=order.client_order_id,
            reason="test",
        )
    )
    world.bus.publish(
        KillSwitchSet(ts_event=now_ns, ts_init=now_ns, engaged=True, flatten=False, source="test")
    )
    world.run(5.0)
    assert world.service.is_killed
    assert len(world.service.records.working()) == 1


def test_adapter_that_overflows_at_submit_leaves_the_order_unknown() -> None:
    """A full queue of the adapter is no refusal by the venue; the order is asked for."""
    world = World().opened()

    def failing(*_: object, **__: object) -> None:
        raise QueueOverflowError("orders")

    world.venue.submit = failing  # type: ignore[method-assign]
    world.give(BUY_STRADDLE)
    world.run(1.0)
    assert len(world.service.records.open_questions(world.clock.now_ns())) == 1
    assert world.mode() is TradingMode.OPEN
