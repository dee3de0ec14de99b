"""What the system says of itself: timers, connections, health."""

from typing import ClassVar

from glmtrader.domain.event import Event


class RunStarted(Event, frozen=True, kw_only=True):
    """First record of a run in its journal.

    Attributes:
        epoch: counts starts on this journal; part of every intent id.
        config: the configuration without secrets, canonical JSON; config_hash: of it.
        code_version: the version of glmtrader that ran.
    """

    topic: ClassVar[str] = "system.run"

    epoch: int
    mode: str
    config: str
    config_hash: str
    code_version: str


class TimerFired(Event, frozen=True, kw_only=True):
    """A timer that a core component asked for; time is an event like any other."""

    topic: ClassVar[str] = "system.timer"

    component: str
    key: str


class VenueStatusChanged(Event, frozen=True, kw_only=True):
    """A venue, or our way to it, changed state.

    Attributes:
        status: connected, disconnected, maintenance, locked or open.
        detail: what is locked, or why the connection ended.
        clock_offset_ns: venue time minus ours, where measured.
    """

    topic: ClassVar[str] = "venue.status"

    venue: str
    status: str
    detail: str
    clock_offset_ns: int | None


class Health(Event, frozen=True, kw_only=True):
    """How the process is doing; not journaled.

    Attributes:
        feeds_age_ms: age of the newest message by feed.
        queue_depths: by subscriber. dropped: conflated events by subscriber.
        stall_ms_max: the longest step of a core component since the last report.
    """

    topic: ClassVar[str] = "system.health"
    journaled: ClassVar[bool] = False

    feeds_age_ms: dict[str, float]
    queue_depths: dict[str, int]
    dropped: dict[str, int]
    stall_ms_max: float


class ComponentFailed(Event, frozen=True, kw_only=True):
    """A component crashed; `fatal` ones halt trading, the others restart with back-off."""

    topic: ClassVar[str] = "system.failure"

    component: str
    error: str
    fatal: bool
    restarts: int


class StateSnapshot(Event, frozen=True, kw_only=True):
    """A component's state for people to look at; not an input of any decision."""

    topic: ClassVar[str] = "state.snapshot"
    journaled: ClassVar[bool] = False

    component: str
    state: dict[str, str]
