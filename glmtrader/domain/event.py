"""The base of every event: frozen, tagged by class name, named by topic."""

from typing import ClassVar

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Something that happened, or a command that was given; never changed afterwards.

    Attributes:
        topic: where it belongs on the bus (one topic, one class).
        journaled: whether the journal keeps it; high-rate market data is recorded elsewhere.
        ts_event: when it happened, by the clock of its source; ns UTC.
        ts_init: when this process made it, by the process clock; ns UTC.
    """

    topic: ClassVar[str] = ""
    journaled: ClassVar[bool] = True

    ts_event: int
    ts_init: int
