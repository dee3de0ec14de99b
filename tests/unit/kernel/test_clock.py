"""Clocks: monotone, in integer nanoseconds, and virtual time that jumps."""

import asyncio

import pytest

from glmtrader.domain.event import Event
from glmtrader.domain.system_events import TimerFired
from glmtrader.kernel.clock import LoopClock, Timers, VirtualClock


def test_virtual_timers_fire_in_order_of_time_then_of_asking() -> None:
    """Two timers of one moment run in the order they were asked for."""
    clock = VirtualClock(100)
    log: list[tuple[int, str]] = []
    for when_ns, name in ((300, "late"), (200, "first"), (200, "second")):
        clock.call_at(when_ns, lambda name=name: log.append((clock.now_ns(), name)))  # type: ignore[misc]
    while clock.fire_next(250):
        pass
    assert log == [(200, "first"), (200, "second")]
    assert clock.now_ns() == 250


def test_a_cancelled_virtual_timer_never_fires() -> None:
    """A cancelled timer neither runs nor moves the clock."""
    clock = VirtualClock(0)
    handle = clock.call_at(10, lambda: pytest.fail("a cancelled timer ran"))
    handle.cancel()
    assert clock.next_timer_ns() is None
    assert not clock.fire_next(20)


def test_a_timer_in_the_past_fires_now_and_not_before() -> None:
    """Virtual time never goes backwards."""
    clock = VirtualClock(100)
    log: list[int] = []
    clock.call_at(5, lambda: log.append(clock.now_ns()))
    assert clock.fire_next(100)
    assert log == [100]


@pytest.mark.asyncio
async def test_a_scaled_clock_runs_faster_than_the_loop() -> None:
    """At speed 1000 a hundredth of a second is at least ten seconds."""
    clock = LoopClock(speed=1000.0, start_ns=0)
    await clock.sleep(10.0)
    assert clock.now_ns() >= 9_900_000_000


@pytest.mark.asyncio
async def test_a_scaled_timer_fires_at_process_time() -> None:
    """`call_at` speaks process time, not loop time."""
    clock = LoopClock(speed=1000.0, start_ns=0)
    fired = asyncio.Event()
    clock.call_at(5_000_000_000, fired.set)
    await asyncio.wait_for(fired.wait(), 1.0)
    assert clock.now_ns() >= 5_000_000_000


def test_a_timer_of_a_component_is_an_event() -> None:
    """Core components get time as a `TimerFired` with its due time."""
    clock = VirtualClock(0)
    published: list[Event] = []
    Timers(clock, published.append).at("execution", "retry/1", 50)
    clock.fire_next(60)
    assert published == [TimerFired(ts_event=50, ts_init=50, component="execution", key="retry/1")]
