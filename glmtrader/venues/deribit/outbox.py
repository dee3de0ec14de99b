"""Frames waiting for the socket, in three lanes: urgent ones first, orders when credit allows.

An order never waits past its `sendable_until_ns`: it is dropped, unsent, and its owner told.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from enum import StrEnum

import msgspec

from glmtrader.kernel.clock import Clock
from glmtrader.venues.deribit.config import DeribitLimits
from glmtrader.venues.deribit.limits import CreditBucket, OrderLimiter


class Lane(StrEnum):
    """How a frame leaves."""

    URGENT = "urgent"
    """Heartbeat answers: at once."""

    CANCEL = "cancel"
    """At once, drawing order credit without asking for it."""

    ORDER = "order"
    """New orders: wait for credit and for the end of a pause."""

    SUBSCRIBE = "subscribe"
    """Subscribing and leaving: dearer than other requests, waits for credit of its own."""

    REQUEST = "request"
    """Everything else: waits for request credit."""


class OutgoingFrame(msgspec.Struct, frozen=True):
    """One encoded request."""

    request_id: int
    payload: str
    lane: Lane
    timeout_s: float
    sendable_until_ns: int | None = None


class Outbox:
    """The send side of one connection.

    Args:
        on_sent: called when a frame is handed to the socket, before the write.
        on_dropped: called with a reason for a frame that will never be sent.
    """

    def __init__(
        self,
        limits: DeribitLimits,
        limiter: OrderLimiter,
        *,
        clock: Clock,
        on_sent: Callable[[OutgoingFrame], None],
        on_dropped: Callable[[OutgoingFrame, str], None],
    ) -> None:
        self._capacity = limits.send_queue_max
        self._limiter = limiter
        now_ns = clock.now_ns()
        self._credits = {
            Lane.SUBSCRIBE: CreditBucket(
                rate_per_s=limits.subscribes_per_s, burst=limits.subscribes_burst, now_ns=now_ns
            ),
            Lane.REQUEST: CreditBucket(
                rate_per_s=limits.requests_per_s, burst=limits.requests_burst, now_ns=now_ns
            ),
        }
        self._clock = clock
        self._on_sent = on_sent
        self._on_dropped = on_dropped
        self._lanes: dict[Lane, deque[OutgoingFrame]] = {lane: deque() for lane in Lane}
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        return sum(len(lane) for lane in self._lanes.values())

    def put(self, frame: OutgoingFrame) -> None:
        """Take a frame; one too many is dropped, unless it is urgent or a cancel."""
        bounded = frame.lane not in (Lane.URGENT, Lane.CANCEL)
        if bounded and len(self) >= self._capacity:
            self._on_dropped(frame, f"not sent: {self._capacity} frames wait already")
            return
        self._lanes[frame.lane].append(frame)
        self._wake.set()

    def withdraw_orders(self, request_id: int | None, reason: str) -> int:
        """Drop one order that has not left, or all of them; how many those were."""
        orders = self._lanes[Lane.ORDER]
        gone = [frame for frame in orders if request_id in (None, frame.request_id)]
        for frame in gone:
            orders.remove(frame)
            self._on_dropped(frame, reason)
        return len(gone)

    def clear(self, reason: str) -> None:
        """Drop everything unsent: the connection that it was meant for is gone."""
        for lane in self._lanes.values():
            while lane:
                self._on_dropped(lane.popleft(), reason)

    async def run(self, write: Callable[[str], Awaitable[None]]) -> None:
        """Write frames as they may leave, until cancelled or the socket fails."""
        while True:
            frame = self._next()
            if frame is None:
                await self._wake.wait()
                self._wake.clear()
                continue
            self._on_sent(frame)
            await write(frame.payload)

    def _next(self) -> OutgoingFrame | None:
        """The next frame that may leave now; else arranges to be woken when one may."""
        now_ns = self._clock.now_ns()
        if self._lanes[Lane.URGENT]:
            return self._lanes[Lane.URGENT].popleft()
        if self._lanes[Lane.CANCEL]:
            self._limiter.cancel_left(now_ns)
            return self._lanes[Lane.CANCEL].popleft()
        return (
            self._next_order(now_ns)
            or self._next_request(Lane.SUBSCRIBE, now_ns)
            or self._next_request(Lane.REQUEST, now_ns)
        )

    def _next_order(self, now_ns: int) -> OutgoingFrame | None:
        orders = self._lanes[Lane.ORDER]
        while orders and now_ns >= (orders[0].sendable_until_ns or now_ns + 1):
            self._on_dropped(orders.popleft(), "not sent: it waited past its valid_until")
        if not orders:
            return None
        wait_ns = self._limiter.wait_ns(now_ns)
        if wait_ns:
            last_ns = orders[0].sendable_until_ns or now_ns + wait_ns
            self._clock.call_at(min(now_ns + wait_ns, last_ns), self._wake.set)
            return None
        self._limiter.order_left(now_ns)
        return orders.popleft()

    def _next_request(self, lane: Lane, now_ns: int) -> OutgoingFrame | None:
        requests = self._lanes[lane]
        if not requests:
            return None
        wait_ns = self._credits[lane].wait_ns(now_ns)
        if wait_ns:
            self._clock.call_at(now_ns + wait_ns, self._wake.set)
            return None
        self._credits[lane].take(now_ns)
        return requests.popleft()
