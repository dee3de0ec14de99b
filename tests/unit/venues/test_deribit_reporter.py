"""Requests for reports while the venue is slow, away or refuses, and the cancel of last resort."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from glmtrader.domain.event import Event
from glmtrader.errors import VenueUnavailableError
from glmtrader.kernel.clock import VirtualClock
from glmtrader.venues.deribit.config import DeribitConfig
from glmtrader.venues.deribit.counters import Counters
from glmtrader.venues.deribit.reporter import ATTEMPTS_MAX, REQUESTS_MAX, Reporter
from glmtrader.venues.deribit.reports import ReportRequest

START_NS = 1_774_000_000_000_000_000


class Away:
    """A venue that answers nothing, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.is_back = False

    async def read(self, request: ReportRequest) -> Event:
        self.asked.append(request.reason)
        raise VenueUnavailableError("no route to the venue")

    async def private(self, method: str, _params: Mapping[str, object], _result: Any) -> Any:
        self.asked.append(method)
        if not self.is_back:
            raise VenueUnavailableError("no route to the venue")
        return 0


class Bench:
    """A reporter on a clock that the test moves."""

    def __init__(self) -> None:
        self.clock = VirtualClock(START_NS)
        self.counters = Counters()
        self.venue = Away()
        config = DeribitConfig()
        self.reporter = Reporter(
            config, clock=self.clock, counters=self.counters, publish=lambda _event: None
        )

    def ask(self, *names: str) -> None:
        for name in names:
            self.reporter.ask(ReportRequest(name, 0, ()))

    def start(self) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(
            self.reporter.run(self.venue, self.venue)  # type: ignore[arg-type]  # a venue that is away needs no wire
        )

    async def pass_time(self, seconds: float) -> None:
        until_ns = self.clock.now_ns() + round(seconds * 1e9)
        for _ in range(200):
            for _ in range(5):
                await asyncio.sleep(0)
            if not self.clock.fire_next(until_ns):
                break
        for _ in range(5):
            await asyncio.sleep(0)


@pytest.mark.asyncio
async def test_asking_without_end_keeps_the_newest_and_never_raises() -> None:
    """The core asks every minute for as long as the venue is away: the newest few are kept."""
    bench = Bench()
    bench.ask(*(f"ask {number}" for number in range(1000)))
    assert bench.counters["report_superseded"] == 1000 - REQUESTS_MAX
    task = bench.start()
    await bench.pass_time(0.1)
    assert bench.venue.asked[0] == f"ask {1000 - REQUESTS_MAX}"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.asyncio
async def test_a_failed_adapter_starts_again_without_old_requests() -> None:
    """What a lost run left unanswered is not tried first by the next one."""
    bench = Bench()
    bench.ask("old 1", "old 2", "old 3")
    first = bench.start()
    await bench.pass_time(600.0)
    assert first.done()
    assert isinstance(first.exception(), ExceptionGroup)
    assert bench.venue.asked == ["old 1"] * ATTEMPTS_MAX
    second = bench.start()
    bench.ask("new")
    await bench.pass_time(0.1)
    assert bench.venue.asked[ATTEMPTS_MAX:] == ["new"]
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)


@pytest.mark.asyncio
async def test_a_cancel_of_everything_outlives_the_adapter_that_was_asked() -> None:
    """The run that tried is cancelled in its back-off; the next one goes on until it succeeds."""
    bench = Bench()
    bench.reporter.cancel_everything()
    first = bench.start()
    await bench.pass_time(3.0)
    assert "cancel_all" in bench.venue.asked
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    bench.venue.asked.clear()
    bench.venue.is_back = True
    second = bench.start()
    await bench.pass_time(60.0)
    assert bench.venue.asked == ["cancel_all"]
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
