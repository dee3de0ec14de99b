"""Events into files: sorted by stream and day, and nothing twice.

A start repeats what the venue has in store (ten days of bars), and a recorded market that is run
again repeats itself: rows that are not newer than what their stream has on disk are refused and
counted. Blocking, for one caller at a time.
"""

from collections import Counter
from collections.abc import Sequence

from glmtrader.domain.event import Event
from glmtrader.domain.market_events import MarketTick
from glmtrader.market.recorded_rows import Stream, day_of, row_time, stream_of, table_of
from glmtrader.market.segments import SegmentStore


class Recording:
    """The recordings of one folder, growing.

    Args:
        store: where the files go.
    """

    def __init__(self, store: SegmentStore) -> None:
        self._store = store
        self._newest: dict[Stream, int] = {}
        self.rows_written: Counter[str] = Counter()
        self.events_refused: Counter[str] = Counter()

    def open(self) -> None:
        """Make the folder ready.

        Raises:
            RecordingError: it cannot be made or read.
        """
        self._store.open()

    def write(self, events: Sequence[Event]) -> None:
        """Write events as one file for each stream and day.

        Raises:
            RecordingError: no room is left, or the disk refuses; earlier files stay.
        """
        for (stream, day), found in self._sorted(events).items():
            table = table_of(stream.kind, found)
            if len(table):
                self._store.write(stream, day, table)
                self.rows_written[stream.kind] += len(table)

    def _sorted(self, events: Sequence[Event]) -> dict[tuple[Stream, str], list[Event]]:
        """The new events by stream and day; days of a stream ascend, as its events do."""
        groups: dict[tuple[Stream, str], list[Event]] = {}
        for event in events:
            stream = stream_of(event)
            if stream is None:
                self.events_refused["linear_chain"] += 1
            elif self._is_new(stream, event):
                groups.setdefault((stream, day_of(event)), []).append(event)
            else:
                self.events_refused["repeated"] += 1
        return groups

    def _is_new(self, stream: Stream, event: Event) -> bool:
        """Whether the event is newer than its stream; ticks, of many books, than the last run."""
        if stream not in self._newest:
            found = self._store.last_time(stream)
            self._newest[stream] = -1 if found is None else found
        at = row_time(event)
        if at <= self._newest[stream]:
            return False
        if not isinstance(event, MarketTick):
            self._newest[stream] = at
        return True
