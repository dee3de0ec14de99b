"""Drivers: what makes a built system go, in virtual time or until somebody says stop."""

import asyncio
import functools
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final

from glmtrader.errors import GlmtraderError
from glmtrader.kernel.bus import Bus
from glmtrader.kernel.clock import VirtualClock
from glmtrader.kernel.journal import Journal

JOURNAL_COMMIT_S: Final = 0.1
CHECKPOINT_S: Final = 60.0

SETTLE_LOOK_S: Final = 0.01
"""Between two looks at whether something has settled."""

TIMERS_BEFORE_EDGES: Final = 256
"""Virtual timers fired before printers and recorders get a turn of the loop."""


async def run_virtual(
    clock: VirtualClock, bus: Bus, *, until_ns: int, should_stop: Callable[[], bool]
) -> None:
    """Jump from timer to timer, dispatching after each, until `until_ns` or a stop."""
    fired = 0
    bus.drain()
    while not should_stop() and clock.fire_next(until_ns):
        bus.drain()
        fired += 1
        if fired % TIMERS_BEFORE_EDGES == 0:
            await asyncio.sleep(0)
    await asyncio.sleep(0)


async def keep_journal(journal: Journal, bus: Bus) -> None:
    """Commit what no order waited for after each burst, and checkpoint once a minute; real time.

    The next order then waits for its own records alone. A burst that never ends, and a bus that
    virtual time drains, are committed ten times a second.

    Raises:
        JournalError: the disk refuses; the process must not go on.
    """
    loop = asyncio.get_running_loop()
    checkpoint_s = loop.time() + CHECKPOINT_S
    try:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(JOURNAL_COMMIT_S):
                    await bus.burst_journaled()
            journal.commit()
            if loop.time() >= checkpoint_s:
                journal.checkpoint()
                checkpoint_s = loop.time() + CHECKPOINT_S
    finally:
        journal.commit()


class StopRequest:
    """Says when to stop and why: a signal, a duration, or a component that gave up."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.reason: str | None = None

    @property
    def is_set(self) -> bool:
        """Whether a stop was asked for."""
        return self._event.is_set()

    def ask(self, reason: str) -> None:
        """Ask for a stop; the first reason counts."""
        if self.reason is None:
            self.reason = reason
        self._event.set()

    async def wait(self, seconds_max: float | None) -> None:
        """Wait for a stop, or for `seconds_max` of real time to pass."""
        try:
            await asyncio.wait_for(self._event.wait(), seconds_max)
        except TimeoutError:
            self.ask("the time is up")


@contextmanager
def stopping_on_signals(stop: StopRequest) -> Iterator[None]:
    """Let SIGINT and SIGTERM ask for an orderly stop while inside."""
    asks = {
        number: functools.partial(stop.ask, number.name)
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    with handling_signals(asks):
        yield


@contextmanager
def handling_signals(handlers: Mapping[signal.Signals, Callable[[], None]]) -> Iterator[None]:
    """Call a handler in the loop for each of some signals while inside."""
    loop = asyncio.get_running_loop()
    for number, handle in handlers.items():
        loop.add_signal_handler(number, handle)
    try:
        yield
    finally:
        for number in handlers:
            loop.remove_signal_handler(number)


async def settle(tasks_turns: int = 3) -> None:
    """Give other tasks a few turns, so that what was published is read."""
    for _ in range(tasks_turns):
        await asyncio.sleep(0)


async def settle_until(holds: Callable[[], bool], *, seconds_max: float) -> None:
    """Wait until something is so, or for `seconds_max` of real time."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + seconds_max
    while not holds() and loop.time() < until_s:  # noqa: ASYNC110  the core signals nobody
        await asyncio.sleep(SETTLE_LOOK_S)


def first_error(group: BaseExceptionGroup[GlmtraderError]) -> GlmtraderError:
    """The first error of ours in a group, however deep."""
    error = group.exceptions[0]
    return first_error(error) if isinstance(error, BaseExceptionGroup) else error
