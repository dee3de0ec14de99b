"""Credits, pauses and the send queue."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glmtrader.domain.instruments import SECOND_NS
from glmtrader.kernel.clock import VirtualClock
from glmtrader.venues.deribit.config import DeribitLimits
from glmtrader.venues.deribit.limits import CreditBucket, OrderLimiter
from glmtrader.venues.deribit.outbox import Lane, Outbox, OutgoingFrame

LIMITS = DeribitLimits(orders_per_s=5.0, orders_burst=2, pause_s=10.0, send_queue_max=3)


@given(st.lists(st.integers(0, 3 * SECOND_NS), min_size=1, max_size=200))
def test_never_more_than_burst_and_rate(gaps_ns: list[int]) -> None:
    """In any stretch of time, no more credits are drawn than burst plus rate times time."""
    bucket = CreditBucket(rate_per_s=5.0, burst=3, now_ns=0)
    now_ns, taken = 0, 0
    for gap_ns in gaps_ns:
        now_ns += gap_ns
        if bucket.wait_ns(now_ns) == 0:
            bucket.take(now_ns)
            taken += 1
        assert taken <= 3 + 5.0 * now_ns / SECOND_NS + 1e-6


def test_a_complaint_pauses_new_orders() -> None:
    """After `too_many_requests` new orders wait for the pause, or for what the venue asked."""
    limiter = OrderLimiter(LIMITS, now_ns=0)
    assert limiter.wait_ns(0) == 0
    limiter.too_many_requests(0)
    assert limiter.wait_ns(0) == 10 * SECOND_NS
    limiter.too_many_requests(0, retry_after_ns=60 * SECOND_NS)
    assert limiter.wait_ns(0) == 60 * SECOND_NS
    assert limiter.wait_ns(61 * SECOND_NS) == 0


class Wire:
    """An outbox that writes into a list."""

    def __init__(self) -> None:
        self.clock = VirtualClock(0)
        self.limiter = OrderLimiter(LIMITS, now_ns=0)
        self.written: list[str] = []
        self.dropped: list[tuple[int, str]] = []
        self.outbox = Outbox(
            LIMITS,
            self.limiter,
            clock=self.clock,
            on_sent=lambda _frame: None,
            on_dropped=lambda frame, reason: self.dropped.append((frame.request_id, reason)),
        )

    def put(self, request_id: int, lane: Lane, until_ns: int | None = None) -> None:
        self.outbox.put(
            OutgoingFrame(
                request_id=request_id,
                payload=f"{lane.value}{request_id}",
                lane=lane,
                timeout_s=1.0,
                sendable_until_ns=until_ns,
            )
        )

    async def write(self, text: str) -> None:
        self.written.append(text)

    async def settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)


@pytest.mark.asyncio
async def test_cancels_leave_while_orders_pause() -> None:
    """A pause holds new orders back; cancels and heartbeats go at once."""
    wire = Wire()
    wire.limiter.too_many_requests(0)
    wire.put(1, Lane.ORDER)
    wire.put(2, Lane.CANCEL)
    wire.put(3, Lane.URGENT)
    task = asyncio.get_running_loop().create_task(wire.outbox.run(wire.write))
    await wire.settle()
    assert wire.written == ["urgent3", "cancel2"]
    while wire.clock.fire_next(10 * SECOND_NS):
        await wire.settle()
    await wire.settle()
    assert wire.written == ["urgent3", "cancel2", "order1"]
    task.cancel()


@pytest.mark.asyncio
async def test_an_order_is_dropped_rather_than_sent_late() -> None:
    """An order that could not leave before its valid_until never leaves, and its owner hears."""
    wire = Wire()
    wire.limiter.too_many_requests(0)
    wire.put(1, Lane.ORDER, until_ns=2 * SECOND_NS)
    task = asyncio.get_running_loop().create_task(wire.outbox.run(wire.write))
    await wire.settle()
    while wire.clock.fire_next(20 * SECOND_NS):
        await wire.settle()
    await wire.settle()
    assert wire.written == []
    assert wire.dropped == [(1, "not sent: it waited past its valid_until")]
    task.cancel()


def test_the_queue_is_bounded_for_orders_and_open_for_cancels() -> None:
    """The fourth waiting order is refused here; a cancel always finds room."""
    wire = Wire()
    for request_id in range(4):
        wire.put(request_id, Lane.ORDER)
    wire.put(9, Lane.CANCEL)
    assert wire.dropped == [(3, "not sent: 3 frames wait already")]
    assert len(wire.outbox) == 4
    wire.outbox.clear("gone")
    assert len(wire.outbox) == 0
    assert {request_id for request_id, _ in wire.dropped} == {0, 1, 2, 3, 9}
