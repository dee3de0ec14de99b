"""Drivers: virtual time, the journal's beat, and asking for a stop."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from glmtrader.domain.event import Event
from glmtrader.domain.system_events import TimerFired
from glmtrader.errors import JournalError
from glmtrader.kernel.bus import Bus
from glmtrader.kernel.clock import Timers, VirtualClock
from glmtrader.kernel.driver import (
    JOURNAL_COMMIT_S,
    StopRequest,
    keep_journal,
    run_virtual,
    settle,
    stopping_on_signals,
)
from glmtrader.kernel.inbox import Inbox
from glmtrader.kernel.journal import Journal


class Ticker:
    """A core component that asks for its next timer when one fires."""

    def __init__(self, clock: VirtualClock, bus: Bus) -> None:
        self.fired_ns: list[int] = []
        self._timers = Timers(clock, bus.publish)

    async def run(self, inbox: Inbox) -> None:
        async for event in inbox:
            self.fired_ns.append(event.ts_event)
            self._timers.at("ticker", "next", event.ts_event + 10)


def ticking() -> tuple[VirtualClock, Bus, Ticker]:
    clock = VirtualClock(0)
    bus = Bus(clock)
    ticker = Ticker(clock, bus)
    bus.register("ticker", ticker.run, TimerFired)
    bus.publish(TimerFired(ts_event=0, ts_init=0, component="ticker", key="first"))
    return clock, bus, ticker


@pytest.mark.asyncio
async def test_virtual_time_jumps_from_timer_to_timer() -> None:
    """Each timer is dispatched before the next one fires, and the clock ends where it was told."""
    clock, bus, ticker = ticking()
    await run_virtual(clock, bus, until_ns=45, should_stop=lambda: False)
    assert ticker.fired_ns == [0, 10, 20, 30, 40]
    assert clock.now_ns() == 45


@pytest.mark.asyncio
async def test_virtual_time_stops_when_asked() -> None:
    clock, bus, ticker = ticking()
    await run_virtual(clock, bus, until_ns=10**9, should_stop=lambda: len(ticker.fired_ns) >= 3)
    assert ticker.fired_ns == [0, 10, 20]


@pytest.mark.asyncio
async def test_edges_read_while_virtual_time_runs() -> None:
    """A lossless reader with little room keeps up with a thousand timers."""
    clock, bus, ticker = ticking()
    subscription = bus.subscribe(TimerFired, name="edge", capacity=300)
    read: list[Event] = []

    async def edge() -> None:
        async for _, event in subscription:
            read.append(event)

    async with asyncio.TaskGroup() as group:
        group.create_task(edge())
        await run_virtual(clock, bus, until_ns=9_995, should_stop=lambda: False)
        bus.close()
    assert len(read) == len(ticker.fired_ns) == 1000


@pytest.mark.asyncio
async def test_the_journal_is_committed_while_nothing_is_ordered(tmp_path: Path) -> None:
    """What no order waited for is on disk within a beat, and at the latest when the keeper ends."""
    fired = TimerFired(ts_event=1, ts_init=1, component="test", key="x")
    with Journal(tmp_path / "a.journal") as journal:
        async with asyncio.TaskGroup() as group:
            keeper = group.create_task(keep_journal(journal, Bus(VirtualClock(0))))
            journal.append(1, fired)
            await asyncio.sleep(2.5 * JOURNAL_COMMIT_S)
            assert journal.buffered == 0
            journal.append(2, fired)
            keeper.cancel()
        assert journal.buffered == 0


@pytest.mark.asyncio
async def test_a_burst_is_committed_when_it_is_over(tmp_path: Path) -> None:
    """The next order waits for its own records alone: those of the last burst are on disk."""
    with Journal(tmp_path / "a.journal") as journal:
        bus = Bus(VirtualClock(0), journal=journal)
        async with asyncio.TaskGroup() as group:
            dispatcher = group.create_task(bus.run())
            keeper = group.create_task(keep_journal(journal, bus))
            await settle()
            bus.publish(TimerFired(ts_event=1, ts_init=1, component="test", key="x"))
            await settle(6)
            assert (journal.seq, journal.buffered) == (1, 0)
            dispatcher.cancel()
            keeper.cancel()


@pytest.mark.asyncio
async def test_a_disk_that_refuses_ends_the_keeper(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Journal(tmp_path / "a.journal") as journal:

        def refuse() -> None:
            raise JournalError("the disk is full")

        monkeypatch.setattr(journal, "commit", refuse)
        with pytest.raises(JournalError, match="full"):
            await keep_journal(journal, Bus(VirtualClock(0)))
        monkeypatch.undo()


@pytest.mark.asyncio
async def test_the_first_reason_to_stop_counts() -> None:
    stop = StopRequest()
    assert (stop.is_set, stop.reason) == (False, None)
    stop.ask("SIGINT")
    stop.ask("SIGTERM")
    await stop.wait(None)
    assert (stop.is_set, stop.reason) == (True, "SIGINT")


@pytest.mark.asyncio
async def test_the_end_of_the_time_given_is_a_reason() -> None:
    stop = StopRequest()
    await stop.wait(0.01)
    assert stop.reason == "the time is up"


@pytest.mark.asyncio
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_asks_for_an_orderly_stop(number: signal.Signals) -> None:
    """Inside, the signal does not kill; afterwards nobody here handles it any more."""
    stop = StopRequest()
    with stopping_on_signals(stop):
        os.kill(os.getpid(), number)
        await stop.wait(2.0)
    assert stop.reason == number.name
    assert signal.getsignal(number) in (signal.default_int_handler, signal.SIG_DFL)


@pytest.mark.asyncio
async def test_settling_lets_readers_finish() -> None:
    turns = []

    async def edge() -> None:
        for number in range(3):
            turns.append(number)
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        group.create_task(edge())
        await settle(3)
        assert turns == [0, 1, 2]
