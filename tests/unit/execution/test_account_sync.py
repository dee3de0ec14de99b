"""Reconciliation goes on: through early timers, halts, silent venues and broken adapters."""

from execution_world import World

from glmtrader.domain.system_events import TimerFired
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
