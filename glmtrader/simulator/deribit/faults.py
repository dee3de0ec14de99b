"""Faults that a test or an operator injects; what is armed here, the server does.

A fault is data: a kind, what it strikes (`method` and `channel` are shell patterns) and how often.
Kinds that strike requests or notifications wait until one comes along; the others act at once and
are never armed.
"""

from collections.abc import Callable
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final

import msgspec

from glmtrader.domain.instruments import SECOND_NS
from glmtrader.errors import InputError

ARMED_MAX: Final = 100
"""Faults armed at once."""


class FaultKind(StrEnum):
    """What can go wrong."""

    TIMEOUT_AFTER_ACCEPT = "timeout_after_accept"
    """The request is executed, its reply comes `delay_ms` later."""
    LATE_ACCEPT = "late_accept"
    """The request is executed `delay_ms` after it arrived, even if the client is gone."""
    LOST_REPLY = "lost_reply"
    """The request is executed and never answered (HTTP: the connection ends)."""
    HTTP_429 = "http_429"
    """Not executed: HTTP 429 with `Retry-After: retry_after_s` (WebSocket: error 10028)."""
    TOO_MANY_REQUESTS = "too_many_requests"
    """Not executed: error 10028, and the session ends."""
    RPC_ERROR = "rpc_error"
    """Not executed: error `code` with `message`."""
    SEQUENCE_GAP = "sequence_gap"
    """The next change of a book channel is not sent."""
    DUPLICATE_FILL = "duplicate_fill"
    """The next `user.trades` notification is sent twice."""
    REORDER_FILLS = "reorder_fills"
    """The next `user.trades` notification comes after the one that follows it (or `delay_ms`)."""
    BACK_TO_BACK_FILLS = "back_to_back_fills"
    """Fills of the next `delay_ms` are withheld, then sent at once, each in its own frame."""
    STALL = "stall"
    """Notifications of `channel` stop for `delay_ms`; heartbeats and replies go on."""
    ERROR_FRAME = "error_frame"
    """Every connection gets a JSON-RPC error that belongs to no request."""
    DROP = "drop"
    """Every connection ends with a close frame."""
    DROP_WITHOUT_CLOSE = "drop_without_close"
    """Every connection's socket is cut."""
    OTHER_SNAPSHOT = "other_snapshot"
    """Connections are cut, and books go on from change ids far away."""
    CLOCK_OFFSET = "clock_offset"
    """The venue's clock is `offset_ms` ahead: get_time, usIn, signatures, valid_until."""
    PLATFORM_LOCK = "platform_lock"
    """New orders and edits are refused, cancels work."""
    MAINTENANCE = "maintenance"
    """Nothing works."""
    PLATFORM_OPEN = "platform_open"
    """The end of a lock or maintenance."""
    HALT_BOOK = "halt_book"
    """`instrument` takes no orders."""
    OPEN_BOOK = "open_book"
    """`instrument` takes orders again."""


ON_REQUEST: Final = frozenset(
    {
        FaultKind.TIMEOUT_AFTER_ACCEPT,
        FaultKind.LATE_ACCEPT,
        FaultKind.LOST_REPLY,
        FaultKind.HTTP_429,
        FaultKind.TOO_MANY_REQUESTS,
        FaultKind.RPC_ERROR,
    }
)
ON_NOTIFICATION: Final = frozenset(
    {
        FaultKind.SEQUENCE_GAP,
        FaultKind.DUPLICATE_FILL,
        FaultKind.REORDER_FILLS,
        FaultKind.BACK_TO_BACK_FILLS,
    }
)


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault.

    Attributes:
        method: requests it strikes. channel: notifications it strikes.
        times: how many of them. delay_ms: of the process clock.
        retry_after_s: of an HTTP 429. code, message: of an `rpc_error` or `error_frame`.
        offset_ms: of the clock. instrument: whose book is halted.
    """

    kind: FaultKind
    method: str = "*"
    channel: str = "*"
    times: int = 1
    delay_ms: float = 1_000.0
    retry_after_s: int = 1
    code: int = 10040
    message: str = "retry"
    offset_ms: float = 0.0
    instrument: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.times <= 1_000_000:
            raise InputError(f"fault {self.kind}: times {self.times} must be 1 to 1,000,000")
        if not 0 <= self.delay_ms <= 3_600_000:
            raise InputError(f"fault {self.kind}: delay_ms {self.delay_ms} must be 0 to 3,600,000")

    @property
    def delay_ns(self) -> int:
        """The delay in nanoseconds."""
        return round(self.delay_ms * SECOND_NS / 1_000)


class Faults:
    """Armed faults in the order of arming, each until it has struck as often as it should."""

    def __init__(self) -> None:
        self._armed: list[tuple[Fault, int]] = []
        self._stalls: list[tuple[str, int]] = []
        self.clock_offset_ns = 0

    def arm(self, fault: Fault) -> None:
        """Let a fault wait for its request or notification.

        Raises:
            InputError: too many are armed.
        """
        if len(self._armed) >= ARMED_MAX:
            raise InputError(f"{ARMED_MAX} faults are armed already: clear some")
        self._armed.append((fault, fault.times))

    def stall(self, channel: str, until_ns: int) -> None:
        """Let notifications of matching channels stop until then."""
        self._stalls = [*self._stalls[-ARMED_MAX:], (channel, until_ns)]

    def clear(self) -> None:
        """Disarm everything and set the clock right."""
        self._armed.clear()
        self._stalls.clear()
        self.clock_offset_ns = 0

    def armed(self) -> list[tuple[Fault, int]]:
        """What waits, with the number of strikes left."""
        return list(self._armed)

    def on_request(self, method: str) -> Fault | None:
        """The fault that strikes this request; counts as struck."""
        return self._strike(lambda it: it.kind in ON_REQUEST and fnmatchcase(method, it.method))

    def on_channel(self, kind: FaultKind, channel: str) -> Fault | None:
        """The fault of that kind that strikes this notification; counts as struck."""
        return self._strike(lambda it: it.kind is kind and fnmatchcase(channel, it.channel))

    def is_stalled(self, channel: str, now_ns: int) -> bool:
        """Whether notifications of this channel are stopped now."""
        if not self._stalls:
            return False
        self._stalls = [item for item in self._stalls if item[1] > now_ns]
        return any(fnmatchcase(channel, pattern) for pattern, _ in self._stalls)

    def _strike(self, fits: Callable[[Fault], bool]) -> Fault | None:
        for place, (fault, left) in enumerate(self._armed):
            if fits(fault):
                if left > 1:
                    self._armed[place] = (fault, left - 1)
                else:
                    del self._armed[place]
                return fault
        return None
