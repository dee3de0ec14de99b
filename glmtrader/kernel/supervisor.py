"""Supervision: every task of the process lives in one TaskGroup, under a name and a policy.

A feed that crashes is restarted with growing pauses and reported; a task that must not crash takes
the process down with it, orderly. This module and the bus are the places that may catch anything.
"""

import asyncio
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Final, Self

import structlog

from glmtrader.domain.event import Event
from glmtrader.domain.instruments import SECOND_NS
from glmtrader.domain.system_events import ComponentFailed
from glmtrader.kernel.clock import Clock

BACKOFF_S_FIRST: Final = 0.5
BACKOFF_S_MAX: Final = 60.0
BACKOFF_DOUBLINGS_MAX: Final = 16

_log = structlog.get_logger("glmtrader.supervisor")

Run = Callable[[], Coroutine[Any, Any, None]]
"""Makes the coroutine of a task; called again for each restart."""


class Supervisor:
    """The one TaskGroup; leaving the context cancels and awaits everything spawned in it."""

    def __init__(self, clock: Clock, publish: Callable[[Event], None]) -> None:
        self._clock = clock
        self._publish = publish
        self._group = asyncio.TaskGroup()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._tasks.values():
            task.cancel()
        await self._group.__aexit__(kind, error, trace)

    def spawn(self, name: str, run: Run, *, restart: bool = False) -> None:
        """Start a task: restarted with back-off when it crashes, or fatal to the process."""
        assert name not in self._tasks, f"task {name} runs already"
        guarded = self._restarting(name, run) if restart else run()
        self._tasks[name] = self._group.create_task(guarded, name=name)

    async def stop(self, name: str) -> None:
        """Cancel one task and wait until it has ended."""
        task = self._tasks.pop(name)
        task.cancel()
        await asyncio.wait({task})

    async def _restarting(self, name: str, run: Run) -> None:
        restarts = 0
        while True:
            started_ns = self._clock.now_ns()
            try:
                await run()
            except Exception as error:  # noqa: BLE001  supervisor: a crashed feed is restarted and reported
                _log.exception("task_crashed", task=name, restarts=restarts)
                self._report(name, error, restarts)
            else:
                return
            lived_s = (self._clock.now_ns() - started_ns) / SECOND_NS
            restarts = 1 if lived_s > BACKOFF_S_MAX else restarts + 1
            await self._clock.sleep(_backoff_s(restarts))

    def _report(self, name: str, error: Exception, restarts: int) -> None:
        now_ns = self._clock.now_ns()
        self._publish(
            ComponentFailed(
                ts_event=now_ns,
                ts_init=now_ns,
                component=name,
                error=f"{type(error).__name__}: {error}",
                fatal=False,
                restarts=restarts,
            )
        )


def _backoff_s(restarts: int) -> float:
    """Pause before a restart: doubling from the first, and never beyond what a float can hold."""
    doublings = min(restarts - 1, BACKOFF_DOUBLINGS_MAX)
    return min(BACKOFF_S_FIRST * 2.0**doublings, BACKOFF_S_MAX)
