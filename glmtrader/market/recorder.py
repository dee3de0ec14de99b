"""The recorder: an edge that keeps chains, top of book and candles as Parquet, by UTC day.

What it takes from the bus is bounded and never holds trading up: where it cannot follow, the oldest
events are dropped and counted. On the loop's thread it only collects references; encoding and
writing run on another thread, one hand-over at a time (in virtual time they run in place, so that
nothing depends on threads). A disk that fails or is full stops the recording, not the trading: it
is logged, published as a `StateSnapshot`, and everything from then on counts as dropped.
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import ClassVar, Final

import msgspec
import structlog

from glmtrader.domain.event import Event
from glmtrader.domain.market_events import Candle, ChainSnapshot, MarketTick
from glmtrader.domain.system_events import StateSnapshot
from glmtrader.kernel.bus import Bus, Subscription
from glmtrader.kernel.clock import Clock
from glmtrader.market.recorded_rows import row_count
from glmtrader.market.recording import Recording
from glmtrader.market.segments import RecordingError, SegmentStore

CHAINS_WAITING_MAX: Final = 512
"""About 40 MB of chains of 700 rows; many minutes on any venue."""

TICKS_WAITING_MAX: Final = 32_768
"""Ticks and candles: ten days of bars of several coins arrive at once at a start."""

_log = structlog.get_logger("glmtrader.market.recorder")


class RecorderSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How to record.

    Attributes:
        folder: where the recordings are kept.
        size_mb_max: of all files together; recording stops there.
        flush_s: process time after which what was collected is written; what a kill loses.
        rows_max: collected rows that are written at once, whatever the time.
        in_place: encode on the loop's thread: for virtual time.
    """

    folder: Path
    size_mb_max: float
    flush_s: float = 300.0
    rows_max: int = 20_000
    in_place: bool = False


class Recorder:
    """Records one run; subscribes when made, writes from `run`.

    Args:
        bus: what is recorded, and where a stop is told.
        settings: see there.
        clock: the process clock.
    """

    name: ClassVar[str] = "recorder"

    def __init__(self, bus: Bus, settings: RecorderSettings, *, clock: Clock) -> None:
        self._publish = bus.publish
        self._settings = settings
        self._clock = clock
        self._recording = Recording(SegmentStore(settings.folder, settings.size_mb_max))
        self._subscriptions = (
            _dropping(bus, "recorder.chains", CHAINS_WAITING_MAX, ChainSnapshot),
            _dropping(bus, "recorder.ticks", TICKS_WAITING_MAX, MarketTick, Candle),
        )
        self._collected: list[Event] = []
        self._rows_collected = 0
        self._writing = asyncio.Lock()
        self._ended = asyncio.Event()
        self._events_lost = 0
        self.stopped_because: str | None = None

    @property
    def rows_written(self) -> Counter[str]:
        """Rows on disk from this run, by kind: options, ticks, klines."""
        return Counter(self._recording.rows_written)

    @property
    def events_refused(self) -> Counter[str]:
        """Events that were not recorded, by reason."""
        return Counter(self._recording.events_refused)

    @property
    def events_dropped(self) -> int:
        """Events that came too fast, or after recording had stopped."""
        return sum(item.dropped for item in self._subscriptions) + self._events_lost

    def open(self) -> None:
        """Make the folder ready; blocking, for before trading begins. A fault stops recording."""
        try:
            self._recording.open()
        except RecordingError as error:
            self._stop(error)

    async def run(self) -> None:
        """Record until the bus closes the subscriptions, then write what is left."""
        self._ended.clear()
        try:
            async with asyncio.TaskGroup() as group:
                timer = group.create_task(self._flush_regularly(), name="recorder.timer")
                readers = [
                    group.create_task(self._read(subscription), name=subscription.name)
                    for subscription in self._subscriptions
                ]
                await asyncio.wait(readers)
                timer.cancel()
            await self._flush()
        finally:
            self._ended.set()

    async def ended(self, seconds_max: float) -> None:
        """Wait until the last rows are on disk, for `seconds_max` of real time at most."""
        try:
            await asyncio.wait_for(self._ended.wait(), seconds_max)
        except TimeoutError:
            _log.warning("recording_cut_short", rows_lost=self._rows_collected)

    async def _read(self, subscription: Subscription) -> None:
        events: AsyncIterator[tuple[int, Event]] = aiter(subscription)
        async for _, event in events:
            if self.stopped_because is not None:
                subscription.dropped += 1
                continue
            self._collected.append(event)
            self._rows_collected += row_count(event)
            if self._rows_collected >= self._settings.rows_max:
                await self._flush()

    async def _flush_regularly(self) -> None:
        while True:
            await self._clock.sleep(self._settings.flush_s)
            await self._flush()

    async def _flush(self) -> None:
        """Hand over what was collected; what comes meanwhile waits for the next hand-over."""
        async with self._writing:
            events, self._collected, self._rows_collected = self._collected, [], 0
            if not events:
                return
            try:
                if self.stopped_because is None:
                    await self._write(events)
            except RecordingError as error:
                self._stop(error)
            if self.stopped_because is not None:
                self._events_lost += len(events)

    async def _write(self, events: Sequence[Event]) -> None:
        if self._settings.in_place:
            self._recording.write(events)
        else:
            await asyncio.to_thread(self._recording.write, events)

    def _stop(self, error: RecordingError) -> None:
        self.stopped_because = str(error)
        written = dict(self._recording.rows_written)
        _log.error("recording_stopped", reason=self.stopped_because, rows_written=written)
        now_ns = self._clock.now_ns()
        state = {"status": "stopped", "reason": self.stopped_because}
        self._publish(
            StateSnapshot(ts_event=now_ns, ts_init=now_ns, component=self.name, state=state)
        )


def _dropping(bus: Bus, name: str, capacity: int, *types: type[Event]) -> Subscription:
    """A subscription that drops its oldest when it is full: every event has a key of its own."""
    keys = itertools.count()
    unique: Callable[[Event], int] = lambda _: next(keys)  # noqa: E731  typed for the bus
    return bus.subscribe(*types, name=name, capacity=capacity, conflate_by=unique)
