"""The in-memory typed bus: one queue, one dispatcher, the same order of steps live and in replay.

`publish` is synchronous and never waits. Every event gets a number in one sequence, is journaled
where its class says so, and then steps each core coroutine that asked for its class, in order of
registration. Edges (venues, web, recorder) read from subscriptions of their own, with a policy.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Coroutine, Hashable
from typing import Any, Protocol

import structlog

from glmtrader.domain.event import Event
from glmtrader.domain.system_events import ComponentFailed
from glmtrader.errors import CoreSuspendedError, QueueOverflowError
from glmtrader.kernel.clock import Clock
from glmtrader.kernel.inbox import Inbox

QUEUE_EVENTS_MAX = 65_536
"""Room of the one queue: far above any burst seen; beyond it the process must not go on."""

DRAIN_EVENTS_MAX = 256
"""Events dispatched before edges get a turn of the loop."""

CoreRun = Callable[[Inbox], Coroutine[Any, Any, None]]
"""A core component's `run`: loops over its inbox and awaits nothing else."""

_log = structlog.get_logger("glmtrader.bus")


class EventSink(Protocol):
    """Where journaled events go, before any component sees them."""

    def append(self, seq: int, event: Event) -> None:
        """Keep one event under its number."""


class Subscription:
    """An edge's view of the bus: lossless (bounded, overflow is fatal) or conflating by key.

    Iterate it with `async for`; it ends after `close()`.
    """

    def __init__(
        self, name: str, *, capacity: int, conflate_by: Callable[[Event], Hashable] | None
    ) -> None:
        assert capacity > 0, f"subscription {name}: capacity {capacity} must be positive"
        self.name = name
        self.dropped = 0
        self._capacity = capacity
        self._key = conflate_by
        self._pending: OrderedDict[Hashable, tuple[int, Event]] = OrderedDict()
        self._count = 0
        self._wake = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        return len(self._pending)

    def offer(self, seq: int, event: Event) -> None:
        """Take one event from the dispatcher.

        Raises:
            QueueOverflowError: a lossless subscription is full.
        """
        self._count += 1
        key: Hashable = self._count if self._key is None else self._key(event)
        if self._key is not None and self._pending.pop(key, None) is not None:
            self.dropped += 1
        if len(self._pending) >= self._capacity:
            if self._key is None:
                raise QueueOverflowError(
                    f"subscription {self.name} holds {self._capacity} events and loses none:"
                    " its reader is stuck or too slow"
                )
            self._pending.popitem(last=False)
            self.dropped += 1
        self._pending[key] = (seq, event)
        self._wake.set()

    def close(self) -> None:
        """End the iteration once what is pending has been read."""
        self._closed = True
        self._wake.set()

    async def __aiter__(self) -> AsyncIterator[tuple[int, Event]]:
        while True:
            while self._pending:
                _, item = self._pending.popitem(last=False)
                yield item
            if self._closed:
                return
            self._wake.clear()
            await self._wake.wait()


class _Core:
    __slots__ = ("coroutine", "inbox", "name")

    def __init__(self, name: str, run: CoreRun) -> None:
        self.name = name
        self.inbox = Inbox(name)
        self.coroutine: Coroutine[Any, Any, None] | None = run(self.inbox)

    def step(self, event: Event | None) -> None:
        """Send one event; the coroutine must come back to its inbox."""
        if self.coroutine is None:
            return
        try:
            asked = self.coroutine.send(event)
        except StopIteration:
            self.coroutine = None
            return
        if asked is not self.inbox:
            self.coroutine.close()
            self.coroutine = None
            raise CoreSuspendedError(
                f"core component {self.name} awaited {asked!r}: only its inbox may be awaited;"
                " make it an event or move it to an edge"
            )


class Bus:
    """Publishes, numbers, journals and dispatches; the heartbeat of the process.

    Args:
        clock: the process clock.
        journal: takes every event whose class is journaled, before it is delivered.
        seq_start: number of the last event of earlier runs; this run continues after it.
    """

    def __init__(
        self, clock: Clock, *, journal: EventSink | None = None, seq_start: int = 0
    ) -> None:
        self._clock = clock
        self._journal = journal
        self._queue: asyncio.Queue[Event] = asyncio.Queue(QUEUE_EVENTS_MAX)
        self._cores: list[_Core] = []
        self._routes: dict[type[Event], list[_Core]] = {}
        self._taps: dict[type[Event], list[Subscription]] = {}
        self._subscriptions: list[Subscription] = []
        self.seq = seq_start
        self.stall_ns_max = 0
        self._has_journaled = False
        self._burst_journaled = asyncio.Event()

    @property
    def depth(self) -> int:
        """Events published and not yet dispatched."""
        return self._queue.qsize()

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        """All edge subscriptions, for health reports."""
        return tuple(self._subscriptions)

    def publish(self, event: Event) -> None:
        """Put an event at the end of the one queue; never waits.

        Raises:
            QueueOverflowError: the queue is full; the process must halt.
        """
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull as error:
            raise QueueOverflowError(
                f"the bus holds {QUEUE_EVENTS_MAX} events: a component publishes without end"
            ) from error

    def register(self, name: str, run: CoreRun, *types: type[Event]) -> None:
        """Add a core component; delivery follows the order of registration."""
        assert all(core.name != name for core in self._cores), f"core {name} registered twice"
        core = _Core(name, run)
        self._cores.append(core)
        for event_type in types:
            self._routes.setdefault(event_type, []).append(core)
        self._guarded_step(core, None)

    def subscribe(
        self,
        *types: type[Event],
        name: str,
        capacity: int = 4096,
        conflate_by: Callable[[Event], Hashable] | None = None,
    ) -> Subscription:
        """Open an edge's subscription to some event classes; `(seq, event)` pairs come out."""
        subscription = Subscription(name, capacity=capacity, conflate_by=conflate_by)
        self._subscriptions.append(subscription)
        for event_type in types:
            self._taps.setdefault(event_type, []).append(subscription)
        return subscription

    def drain(self) -> int:
        """Dispatch everything that is queued, what the steps publish included."""
        count = 0
        while not self._queue.empty():
            self._dispatch(self._queue.get_nowait())
            count += 1
        return count

    async def run(self) -> None:
        """Dispatch for ever, giving edges a turn after each burst."""
        while True:
            self._dispatch(await self._queue.get())
            for _ in range(DRAIN_EVENTS_MAX):
                if self._queue.empty():
                    break
                self._dispatch(self._queue.get_nowait())
            if self._has_journaled:
                self._has_journaled = False
                self._burst_journaled.set()
            await asyncio.sleep(0)

    async def burst_journaled(self) -> None:
        """Wait until `run` has finished a burst that left something in the journal."""
        await self._burst_journaled.wait()
        self._burst_journaled.clear()

    def close(self) -> None:
        """Dispatch the rest, end every core coroutine and every subscription."""
        self.drain()
        for core in self._cores:
            self._guarded_step(core, None)
        self.drain()
        for subscription in self._subscriptions:
            subscription.close()

    def _dispatch(self, event: Event) -> None:
        self.seq += 1
        event_type = type(event)
        if self._journal is not None and event_type.journaled:
            self._journal.append(self.seq, event)
            self._has_journaled = True
        started_ns = time.perf_counter_ns()
        for core in self._routes.get(event_type, ()):
            self._guarded_step(core, event)
        self.stall_ns_max = max(self.stall_ns_max, time.perf_counter_ns() - started_ns)
        for subscription in self._taps.get(event_type, ()):
            subscription.offer(self.seq, event)

    def _guarded_step(self, core: _Core, event: Event | None) -> None:
        """Step a core component; if it crashes it stays down, and the risk service halts."""
        try:
            core.step(event)
        except Exception as error:  # noqa: BLE001  supervisor: a crash must halt trading, not the halting
            core.coroutine = None
            _log.exception("core_component_crashed", component=core.name)
            now_ns = self._clock.now_ns()
            failed = ComponentFailed(
                ts_event=now_ns,
                ts_init=now_ns,
                component=core.name,
                error=f"{type(error).__name__}: {error}",
                fatal=True,
                restarts=0,
            )
            self.publish(failed)
