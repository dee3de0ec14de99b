"""Supervision: feeds come back with growing pauses, what must not crash ends the process."""

import asyncio

import pytest

from glmtrader.domain.event import Event
from glmtrader.domain.instruments import SECOND_NS
from glmtrader.domain.system_events import ComponentFailed
from glmtrader.kernel.clock import VirtualClock
from glmtrader.kernel.supervisor import BACKOFF_S_FIRST, BACKOFF_S_MAX, Supervisor, _backoff_s


class Feed:
    """Crashes a number of times, living so long each time, and then runs until cancelled."""

    def __init__(self, clock: VirtualClock, *, crashes: int, lives_s: float = 0.0) -> None:
        self.clock = clock
        self.starts_s: list[float] = []
        self.cancelled = False
        self._crashes = crashes
        self._lives_s = lives_s

    async def run(self) -> None:
        self.starts_s.append(self.clock.now_ns() / SECOND_NS)
        if len(self.starts_s) <= self._crashes:
            await self.clock.sleep(self._lives_s)
            raise ConnectionError("the feed is gone")
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            self.cancelled = True
            raise


async def passing(clock: VirtualClock, seconds: float) -> None:
    """Let virtual time pass, tasks having their turns."""
    until_ns = clock.now_ns() + round(seconds * SECOND_NS)
    for _ in range(5):
        await asyncio.sleep(0)
    while clock.fire_next(until_ns):
        for _ in range(5):
            await asyncio.sleep(0)


@pytest.mark.asyncio
async def test_a_crashed_feed_is_restarted_with_growing_pauses() -> None:
    """The first pause is the shortest, each is twice the last, none beyond the longest."""
    clock, said = VirtualClock(0), list[Event]()
    feed = Feed(clock, crashes=10)
    async with Supervisor(clock, said.append) as supervisor:
        supervisor.spawn("feed", feed.run, restart=True)
        await passing(clock, 600.0)
    pauses = [
        after - before for before, after in zip(feed.starts_s, feed.starts_s[1:], strict=False)
    ]
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]
    failures = [event for event in said if isinstance(event, ComponentFailed)]
    assert [event.restarts for event in failures] == list(range(10))
    assert {(event.component, event.fatal) for event in failures} == {("feed", False)}
    assert failures[0].error == "ConnectionError: the feed is gone"


@pytest.mark.asyncio
async def test_a_feed_that_lived_long_starts_again_at_the_first_pause() -> None:
    clock, said = VirtualClock(0), list[Event]()
    feed = Feed(clock, crashes=3, lives_s=BACKOFF_S_MAX + 1.0)
    async with Supervisor(clock, said.append) as supervisor:
        supervisor.spawn("feed", feed.run, restart=True)
        await passing(clock, 600.0)
    step_s = BACKOFF_S_MAX + 1.0 + BACKOFF_S_FIRST
    assert feed.starts_s == pytest.approx([step_s * number for number in range(4)])


def test_the_pause_stays_finite_for_ever() -> None:
    """A venue that is down for a week does not end the process by an overflow."""
    assert _backoff_s(1) == BACKOFF_S_FIRST
    assert _backoff_s(100_000) == BACKOFF_S_MAX


@pytest.mark.asyncio
async def test_a_feed_that_ends_by_itself_is_not_restarted() -> None:
    clock, starts = VirtualClock(0), []

    async def once() -> None:
        starts.append(clock.now_ns())

    async with Supervisor(clock, lambda _: None) as supervisor:
        supervisor.spawn("once", once, restart=True)
        await passing(clock, 100.0)
    assert starts == [0]


@pytest.mark.asyncio
async def test_a_crash_of_what_must_not_crash_ends_everything() -> None:
    """The error comes out, and every other task has been cancelled and awaited."""
    clock = VirtualClock(0)
    feed = Feed(clock, crashes=0)

    async def fatal() -> None:
        raise OSError("the disk is full")

    async def process() -> None:
        async with Supervisor(clock, lambda _: None) as supervisor:
            supervisor.spawn("feed", feed.run, restart=True)
            supervisor.spawn("journal", fatal)
            await asyncio.get_running_loop().create_future()

    with pytest.raises(ExceptionGroup) as caught:
        await process()
    assert [str(error) for error in caught.value.exceptions] == ["the disk is full"]
    assert feed.cancelled


@pytest.mark.asyncio
async def test_stopping_one_task_leaves_the_others() -> None:
    clock = VirtualClock(0)
    one, other = Feed(clock, crashes=0), Feed(clock, crashes=0)
    async with Supervisor(clock, lambda _: None) as supervisor:
        supervisor.spawn("one", one.run)
        supervisor.spawn("other", other.run, restart=True)
        await passing(clock, 1.0)
        await supervisor.stop("one")
        assert (one.cancelled, other.cancelled) == (True, False)
    assert other.cancelled


@pytest.mark.asyncio
async def test_two_tasks_of_one_name_are_a_mistake() -> None:
    clock = VirtualClock(0)
    feed = Feed(clock, crashes=0)
    async with Supervisor(clock, lambda _: None) as supervisor:
        supervisor.spawn("feed", feed.run)
        with pytest.raises(AssertionError, match="feed runs already"):
            supervisor.spawn("feed", feed.run)
