"""One direction of a simulated connection: ordered bytes, latency, window, retransmission."""

import asyncio
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Protocol

from glmtrader.kernel.simloop.errors import SimLoopError
from glmtrader.kernel.simloop.links import Link
from glmtrader.kernel.simloop.scheduler import VirtualTimeLoop


class Mark(Enum):
    """What travels in line with the bytes."""

    FIN = "fin"
    RST = "rst"


class PipeEnd(Protocol):
    """What a pipe needs to know of the transports at its ends."""

    def receive(self, data: bytes) -> None:
        """Take bytes that arrived."""

    def receive_mark(self, mark: Mark) -> None:
        """Take an end of stream or a reset that arrived."""

    def is_receiving(self) -> bool:
        """Tell whether bytes may be delivered now."""

    def sent_more(self) -> None:
        """Learn that the buffer shrank."""

    def timed_out(self) -> None:
        """Learn that bytes were not acknowledged for too long."""


class Pipe:
    """Carries bytes from `source` to `destination` over a link, first in, first out.

    Bytes beyond the window wait in the backlog, the sender's own buffer. A blocked link lets
    nothing arrive; what is under way is sent again once it heals, or times out.
    """

    def __init__(
        self,
        loop: VirtualTimeLoop,
        link: Link,
        source: PipeEnd,
        destination: PipeEnd,
        record: Callable[[bytes], None],
    ) -> None:
        self.link = link
        self._loop = loop
        self._source = source
        self._destination = destination
        self._record = record
        self._backlog: deque[bytes] = deque()
        self._backlog_bytes = 0
        self._flight: deque[tuple[int, bytes | Mark]] = deque()
        self._flight_bytes = 0
        self._last_due_ns = 0
        self._arrival: asyncio.Handle | None = None
        self._give_up: asyncio.Handle | None = None
        self._finishing = False
        self._finished = False

    @property
    def backlog_bytes(self) -> int:
        """Bytes that wait for the window."""
        return self._backlog_bytes

    def write(self, data: bytes) -> None:
        """Send bytes after everything written before.

        Raises:
            SimLoopError: The sender goes on writing although it was told to pause.
        """
        limit = self.link.profile.buffer_bytes_max
        if self._backlog_bytes + len(data) > limit:
            raise SimLoopError(
                f"{self.link.source} has {self._backlog_bytes} bytes waiting for "
                f"{self.link.destination} and adds {len(data)} to the {limit} allowed; "
                "the protocol must obey pause_writing"
            )
        self._backlog.append(data)
        self._backlog_bytes += len(data)
        self._fill_window()

    def finish(self) -> None:
        """Send an end of stream after everything written before."""
        if not self._finished:
            self._finishing = self._finished = True
            self._fill_window()

    def reset(self) -> None:
        """Forget what was not sent and send a reset."""
        self.discard_backlog()
        self._launch(Mark.RST)

    def discard_backlog(self) -> None:
        """Forget what was not sent."""
        self._backlog.clear()
        self._backlog_bytes = 0
        self._finishing = False

    def discard(self) -> None:
        """Forget everything, what is under way too."""
        self.discard_backlog()
        self._flight.clear()
        self._flight_bytes = 0
        self._cancel_timers()

    def resume(self) -> None:
        """Go on after the link healed or the receiver reads again."""
        if self._give_up is not None and not self.link.is_blocked:
            self._give_up.cancel()
            self._give_up = None
            again_ns = self._loop.clock.monotonic_ns() + self.link.profile.retransmission_ns
            self._schedule_arrival(again_ns + self.link.latency_ns())
        else:
            self._schedule_arrival(0)

    def _fill_window(self) -> None:
        backlog = self._backlog
        window = self.link.profile.window_bytes
        while backlog and self._flight_bytes < window:
            chunk = backlog.popleft()
            room = window - self._flight_bytes
            if len(chunk) > room:
                backlog.appendleft(chunk[room:])
                chunk = chunk[:room]
            self._backlog_bytes -= len(chunk)
            for segment in self.link.segments(chunk):
                self._launch(segment)
        if self._finishing and not backlog:
            self._finishing = False
            self._launch(Mark.FIN)

    def _launch(self, item: bytes | Mark) -> None:
        due_ns = self._loop.clock.monotonic_ns() + self.link.latency_ns()
        due_ns = self._last_due_ns = max(due_ns, self._last_due_ns)
        self._flight.append((due_ns, item))
        if isinstance(item, bytes):
            self._flight_bytes += len(item)
        self._schedule_arrival(due_ns)

    def _schedule_arrival(self, at_ns: int) -> None:
        if self._arrival is not None or not self._flight or self._give_up is not None:
            return
        at_ns = max(at_ns, self._flight[0][0])
        self._arrival = self._loop.call_at_ns(at_ns, self._arrive)

    def _arrive(self) -> None:
        self._arrival = None
        if self.link.is_blocked:
            self._wait_for_heal()
        elif self._destination.is_receiving():
            self._deliver()

    def _wait_for_heal(self) -> None:
        at_ns = self._loop.clock.monotonic_ns() + self.link.profile.give_up_ns
        self._give_up = self._loop.call_at_ns(at_ns, self._time_out)

    def _time_out(self) -> None:
        self._give_up = None
        self.discard()
        self._source.timed_out()

    def _deliver(self) -> None:
        data, mark = self._take_due()
        self._flight_bytes -= len(data)
        if data:
            self._record(data)
            self._destination.receive(data)
        if mark is not None:
            self._destination.receive_mark(mark)
        if self._backlog or self._finishing:
            self._fill_window()
        self._source.sent_more()
        self._schedule_arrival(0)

    def _take_due(self) -> tuple[bytes, Mark | None]:
        """Take what has arrived; segments that arrived together are read together."""
        flight = self._flight
        now_ns = self._loop.clock.monotonic_ns()
        chunks: list[bytes] = []
        while flight and flight[0][0] <= now_ns:
            item = flight.popleft()[1]
            if isinstance(item, Mark):
                return b"".join(chunks), item
            chunks.append(item)
        return b"".join(chunks), None

    def _cancel_timers(self) -> None:
        for handle in (self._arrival, self._give_up):
            if handle is not None:
                handle.cancel()
        self._arrival = self._give_up = None
