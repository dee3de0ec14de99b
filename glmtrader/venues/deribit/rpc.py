"""JSON-RPC requests that await an answer: bounded, each with a deadline.

No I/O. Whatever happens to a request, its `on_reply` is called: with the venue's answer, its
refusal, or `Unanswered` when none came in time. An answer that comes late, on the same connection,
is delivered after all: it says what became of an order that is unknown until then.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import msgspec

from glmtrader.domain.instruments import SECOND_NS
from glmtrader.kernel.clock import Clock, TimerHandle
from glmtrader.venues.deribit.frames import RpcError


class Answered(msgspec.Struct, frozen=True):
    """The venue's result, not yet decoded."""

    result: msgspec.Raw


class Refused(msgspec.Struct, frozen=True):
    """The venue said no."""

    error: RpcError


class Unanswered(msgspec.Struct, frozen=True):
    """No answer; `sent` says whether the request may have reached the venue."""

    reason: str
    sent: bool


LATE_MAX: Final = 256
"""Overdue requests whose answer is still taken."""

Reply = Answered | Refused | Unanswered
OnReply = Callable[[Reply], None]


class _Pending:
    __slots__ = ("method", "on_reply", "sent", "timer")

    def __init__(self, method: str, on_reply: OnReply) -> None:
        self.method = method
        self.on_reply = on_reply
        self.sent = False
        self.timer: TimerHandle | None = None


class PendingRequests:
    """Requests by id; ids grow and are never used twice, over reconnections too."""

    def __init__(self, clock: Clock, *, capacity: int) -> None:
        self._clock = clock
        self._capacity = capacity
        self._pending: dict[int, _Pending] = {}
        self._overdue: OrderedDict[int, OnReply] = OrderedDict()
        self._next_id = 1

    def __len__(self) -> int:
        return len(self._pending)

    def register(self, method: str, on_reply: OnReply) -> int | None:
        """A new request's id; None when too many await an answer already."""
        if len(self._pending) >= self._capacity:
            return None
        request_id = self._next_id
        self._next_id += 1
        self._pending[request_id] = _Pending(method, on_reply)
        return request_id

    def mark_sent(self, request_id: int, *, timeout_s: float) -> None:
        """The request leaves now; its deadline runs from here."""
        pending = self._pending.get(request_id)
        if pending is None:
            return
        pending.sent = True
        due_ns = self._clock.now_ns() + round(timeout_s * SECOND_NS)
        reason = f"{pending.method}: no answer within {timeout_s:g} s"
        pending.timer = self._clock.call_at(due_ns, lambda: self._expire(request_id, reason))

    def answer(self, request_id: int, reply: Reply) -> bool:
        """Deliver the venue's word, late or not; False where nobody asked."""
        on_late = self._overdue.pop(request_id, None)
        if on_late is not None:
            on_late(reply)
            return True
        return self._finish(request_id, reply)

    def drop(self, request_id: int, reason: str) -> None:
        """Give up a request; whether it was sent stays with it."""
        pending = self._pending.get(request_id)
        if pending is not None:
            self._finish(request_id, Unanswered(reason, sent=pending.sent))

    def drop_all(self, reason: str) -> None:
        """Give up everything: the connection ended."""
        self._overdue.clear()
        for request_id in list(self._pending):
            self.drop(request_id, reason)

    def _expire(self, request_id: int, reason: str) -> None:
        pending = self._pending.get(request_id)
        if pending is None:
            return
        self._overdue[request_id] = pending.on_reply
        if len(self._overdue) > LATE_MAX:
            self._overdue.popitem(last=False)
        self.drop(request_id, reason)

    def _finish(self, request_id: int, reply: Reply) -> bool:
        pending = self._pending.pop(request_id, None)
        if pending is None:
            return False
        if pending.timer is not None:
            pending.timer.cancel()
        pending.on_reply(reply)
        return True
