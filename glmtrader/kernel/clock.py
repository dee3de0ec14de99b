"""Time, from one place: real, scaled or virtual, behind one port.

Core components never sleep: they ask `Timers` for a `TimerFired` event. Edges may `await
clock.sleep(...)`. In virtual time nothing waits: `VirtualClock` jumps to the next timer.
"""

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from typing import Protocol

from glmtrader.domain.event import Event
from glmtrader.domain.instruments import SECOND_NS
from glmtrader.domain.system_events import TimerFired


class TimerHandle(Protocol):
    """What `call_at` returns."""

    def cancel(self) -> None:
        """Make sure that the callback does not run; harmless when it has."""


class Clock(Protocol):
    """Process time in integer nanoseconds UTC; never goes backwards."""

    def now_ns(self) -> int:
        """The time now."""

    def call_at(self, when_ns: int, callback: Callable[[], None]) -> TimerHandle:
        """Run `callback` once at `when_ns`, or as soon as possible if that has passed."""

    async def sleep(self, seconds: float) -> None:
        """Wait, for edges only."""


class LoopClock:
    """Clock on the running asyncio loop: real (`speed` 1) or scaled.

    Args:
        speed: process seconds for each second of the loop.
        start_ns: where process time begins; None takes the wall clock, which only a real clock
            (speed 1) keeps following.
    """

    def __init__(self, *, speed: float = 1.0, start_ns: int | None = None) -> None:
        assert speed > 0, f"speed {speed} must be positive"
        self.speed = speed
        self._loop = asyncio.get_running_loop()
        self._follows_wall = speed == 1.0 and start_ns is None
        self._anchor_ns = time.time_ns() if start_ns is None else start_ns
        self._anchor_loop_s = self._loop.time()
        self._last_ns = self._anchor_ns

    def now_ns(self) -> int:
        """The time now; never before an earlier answer, also when the wall clock steps back."""
        if self._follows_wall:
            now_ns = time.time_ns()
        else:
            elapsed_s = (self._loop.time() - self._anchor_loop_s) * self.speed
            now_ns = self._anchor_ns + round(elapsed_s * SECOND_NS)
        self._last_ns = max(now_ns, self._last_ns)
        return self._last_ns

    def call_at(self, when_ns: int, callback: Callable[[], None]) -> TimerHandle:
        """Run `callback` once at process time `when_ns`."""
        delay_s = max(0, when_ns - self.now_ns()) / SECOND_NS / self.speed
        return self._loop.call_later(delay_s, callback)

    async def sleep(self, seconds: float) -> None:
        """Wait `seconds` of process time."""
        await asyncio.sleep(max(0.0, seconds) / self.speed)


class _VirtualTimer:
    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class VirtualClock:
    """Clock that stands still until told to move; timers of one moment run in asking order."""

    def __init__(self, start_ns: int) -> None:
        self._now_ns = start_ns
        self._order = itertools.count()
        self._heap: list[tuple[int, int, _VirtualTimer]] = []

    def now_ns(self) -> int:
        """The time now."""
        return self._now_ns

    def call_at(self, when_ns: int, callback: Callable[[], None]) -> TimerHandle:
        """Run `callback` when the clock is moved to or past `when_ns`."""
        timer = _VirtualTimer(callback)
        heapq.heappush(self._heap, (max(when_ns, self._now_ns), next(self._order), timer))
        return timer

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has been moved by `seconds`."""
        woken = asyncio.get_running_loop().create_future()
        when_ns = self._now_ns + round(seconds * SECOND_NS)
        self.call_at(when_ns, lambda: None if woken.done() else woken.set_result(None))
        await woken

    def next_timer_ns(self) -> int | None:
        """When the next timer is due; None without timers."""
        while self._heap and self._heap[0][2].callback is None:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def fire_next(self, until_ns: int) -> bool:
        """Jump to the next timer due by `until_ns` and run it.

        Returns:
            False, with the clock moved to `until_ns`, when no timer is due by then.
        """
        due_ns = self.next_timer_ns()
        if due_ns is None or due_ns > until_ns:
            self._now_ns = max(self._now_ns, until_ns)
            return False
        _, _, timer = heapq.heappop(self._heap)
        self._now_ns = due_ns
        assert timer.callback is not None, "cancelled timers are dropped by next_timer_ns"
        timer.callback()
        return True


class Timers:
    """Timers for core components: each fires as one `TimerFired` event on the bus."""

    def __init__(self, clock: Clock, publish: Callable[[Event], None]) -> None:
        self._clock = clock
        self._publish = publish

    def at(self, component: str, key: str, when_ns: int) -> TimerHandle:
        """Publish `TimerFired(component, key)` at `when_ns`."""

        def fire() -> None:
            now_ns = self._clock.now_ns()
            self._publish(
                TimerFired(ts_event=when_ns, ts_init=now_ns, component=component, key=key)
            )

        return self._clock.call_at(when_ns, fire)


def wall_now_ns() -> int:
    """The wall clock, for the moment before a process clock exists."""
    return time.time_ns()
