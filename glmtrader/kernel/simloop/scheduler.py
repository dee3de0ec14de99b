"""The virtual-time half of the simulated loop: timers, ready callbacks, failures; no transports.

Where asyncio would wait in `select`, this loop jumps its clock to the next timer. Callbacks keep
asyncio's first-in-first-out order; timers with one deadline fire in the order they were set.
"""

import asyncio
import gc
import heapq
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from random import Random
from typing import Any, TypeVar, TypeVarTuple

from glmtrader.kernel.simloop.clock import SimClock, deadline_ns
from glmtrader.kernel.simloop.errors import (
    SimDeadlockError,
    SimLivelockError,
    SimUnhandledError,
    SimUnsupportedError,
    UnsupportedPythonError,
)
from glmtrader.kernel.simloop.internals import is_task_step, require_internals
from glmtrader.kernel.simloop.stacks import describe_tasks

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

ITERATIONS_PER_INSTANT_MAX = 100_000
CANCELLED_TIMERS_MIN = 100


class SimTask(asyncio.Task[T]):
    """A task whose hash is its birth number, so that sets of tasks iterate alike in every run."""

    birth_number = 0

    def __hash__(self) -> int:
        return self.birth_number


class VirtualTimeLoop(asyncio.BaseEventLoop):
    """An event loop whose clock is a `SimClock` and whose executor runs inline.

    Args:
        seed: Seeds the order of task steps where `permute_task_steps` is set.
        clock: The clock that the process reads too, see `patching`.
        permute_task_steps: Shuffle, per iteration, the task steps among themselves. Plain
            callbacks keep their places, because asyncio documents their order.
        step_cost_ns: Virtual nanoseconds that each callback takes; 0 makes computing free.
        gc_interval_iterations: Collect garbage after this many iterations; 0 never does.
    """

    _ready: deque[asyncio.Handle]
    _stopping: bool
    _thread_id: int | None
    _check_closed: Callable[[], None]

    def __init__(
        self,
        seed: int,
        clock: SimClock,
        *,
        permute_task_steps: bool = False,
        step_cost_ns: int = 0,
        gc_interval_iterations: int = 0,
    ) -> None:
        super().__init__()
        try:
            require_internals(self)
        except UnsupportedPythonError:
            super().close()
            raise
        self.clock = clock
        self.iterations = 0
        self._timers: list[tuple[int, int, asyncio.Handle]] = []
        self._timer_number = 0
        self._cancelled_timers = 0
        self._task_number = 0
        self._failures: list[dict[str, Any]] = []
        self._order = Random(f"task steps {seed}") if permute_task_steps else None  # noqa: S311 - simulation, not secrets
        self._step_cost_ns = step_cost_ns
        self._gc_interval_iterations = gc_interval_iterations
        self._instant_ns = -1
        self._iterations_this_instant = 0

    def time(self) -> float:
        """Return the monotonic virtual time in seconds."""
        return self.clock.monotonic_ns() / 1e9

    def now_ns(self) -> int:
        """Return the virtual time of day, UTC nanoseconds."""
        return self.clock.now_ns()

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run `callback` at loop time `when` (seconds), not before it."""
        self._check_closed()
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self._push_timer(deadline_ns(when), timer)
        return timer

    def call_at_ns(
        self,
        monotonic_ns: int,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """Run `callback` at a monotonic reading in exact nanoseconds."""
        self._check_closed()
        handle = asyncio.Handle(callback, args, self, context)
        self._push_timer(monotonic_ns, handle)
        return handle

    async def wait_ns(self, duration_ns: int) -> None:
        """Suspend the calling task for exactly `duration_ns`."""
        future = self.create_future()
        self.call_at_ns(self.clock.monotonic_ns() + duration_ns, _resolve, future)
        await future

    def create_task(
        self,
        coro: Coroutine[Any, Any, T] | Generator[Any, None, T],
        *,
        name: object = None,
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        """Start a task that is named and hashed by its number on this loop.

        asyncio's own numbers span loops, so a second run in one process would be told apart.
        """
        self._check_closed()
        self._task_number += 1
        task: SimTask[T] = SimTask.__new__(SimTask)
        task.birth_number = self._task_number  # before __init__, which puts it into a set
        shown = f"Task-{self._task_number}" if name is None else str(name)
        task.__init__(coro, loop=self, name=shown, context=context)  # type: ignore[misc]
        return task

    def run_in_executor(
        self,
        executor: Any,  # noqa: ARG002 - asyncio's signature
        func: Callable[[*Ts], T],
        *args: *Ts,
    ) -> asyncio.Future[T]:
        """Run `func` now, on this thread: the order in which threads finish is not seeded."""
        self._check_closed()
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - an executor hands any failure to the awaiter
            future.set_exception(error)
        return future

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Run `callback` soon; refused from another thread, whose timing nothing seeds.

        Raises:
            SimUnsupportedError: The caller is another thread.
        """
        if self._thread_id not in {None, threading.get_ident()}:
            raise SimUnsupportedError(
                f"thread {threading.current_thread().name} reached the simulated loop; "
                "use run_in_executor, which runs inline"
            )
        return self.call_soon(callback, *args, context=context)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep a failure nobody handled, to raise it after this iteration.

        A handler set with `set_exception_handler` takes precedence. Cancellation is no failure:
        asyncio's streams report it for every handler task that is cancelled at the end.
        """
        if self.get_exception_handler() is not None:
            super().call_exception_handler(context)
        elif not isinstance(context.get("exception"), asyncio.CancelledError):
            self._failures.append(context)

    def raise_failures(self) -> None:
        """Raise what callbacks, forgotten tasks and finalizers reported.

        Raises:
            SimUnhandledError: Something was reported; its cause is the first exception.
        """
        if not self._failures:
            return
        failures, self._failures = self._failures, []
        lines = [_describe_failure(context) for context in failures]
        raise SimUnhandledError("; ".join(lines)) from failures[0].get("exception")

    def close(self) -> None:
        """Close the loop and forget every timer."""
        super().close()
        self._timers.clear()

    def _push_timer(self, monotonic_ns: int, handle: asyncio.Handle) -> None:
        self._timer_number += 1
        heapq.heappush(self._timers, (monotonic_ns, self._timer_number, handle))

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:  # noqa: ARG002 - asyncio's signature
        self._cancelled_timers += 1

    def _purge_cancelled(self) -> None:
        """Drop cancelled timers once they are most of the heap; else they wait for their turn."""
        enough = self._cancelled_timers > CANCELLED_TIMERS_MIN
        if enough and self._cancelled_timers * 2 > len(self._timers):
            self._timers = [timer for timer in self._timers if not timer[2].cancelled()]
            heapq.heapify(self._timers)
            self._cancelled_timers = 0

    def _write_to_self(self) -> None:
        """Wake nobody: no selector sleeps here."""

    def _run_once(self) -> None:
        ready = self._ready
        if not ready and not self._stopping:
            self._jump_to_next_timer()
        self._move_due_timers()
        self._count_iteration()
        if self._order is not None and len(ready) > 1:
            self._permute_task_steps(self._order)
        steps = len(ready)
        for _ in range(steps):
            handle = ready.popleft()
            if not handle._cancelled:  # noqa: SLF001 - listed in internals
                handle._run()  # noqa: SLF001 - listed in internals
        handle = None  # type: ignore[assignment]  # a handle kept here would keep its exception
        self.clock.advance(steps * self._step_cost_ns)
        if self._failures:
            self.raise_failures()

    def _jump_to_next_timer(self) -> None:
        timers = self._timers
        while timers and timers[0][2].cancelled():
            heapq.heappop(timers)
        if not timers:
            raise SimDeadlockError(
                "nothing is ready, no timer is set and no byte is under way, so nothing can ever "
                f"happen; waiting are:\n{describe_tasks(self)}"
            )
        self.clock.jump_to(timers[0][0])

    def _move_due_timers(self) -> None:
        self._purge_cancelled()
        timers = self._timers
        now_ns = self.clock.monotonic_ns()
        while timers and timers[0][0] <= now_ns:
            handle = heapq.heappop(timers)[2]
            if not handle.cancelled():
                self._ready.append(handle)

    def _count_iteration(self) -> None:
        self.iterations += 1
        if self._gc_interval_iterations and self.iterations % self._gc_interval_iterations == 0:
            gc.collect()
        if self._instant_ns != self.clock.elapsed_ns:
            self._instant_ns = self.clock.elapsed_ns
            self._iterations_this_instant = 0
        self._iterations_this_instant += 1
        if self._iterations_this_instant > ITERATIONS_PER_INSTANT_MAX:
            raise SimLivelockError(
                f"{ITERATIONS_PER_INSTANT_MAX} iterations at one virtual instant: something polls "
                f"without waiting; give it a timer. Tasks:\n{describe_tasks(self)}"
            )

    def _permute_task_steps(self, order: Random) -> None:
        handles = list(self._ready)
        places = [place for place, handle in enumerate(handles) if is_task_step(handle)]
        shuffled = order.sample(places, len(places))
        steps = [handles[place] for place in shuffled]
        for place, step in zip(places, steps, strict=True):
            handles[place] = step
        self._ready.clear()
        self._ready.extend(handles)


def _resolve(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _describe_failure(context: dict[str, Any]) -> str:
    error = context.get("exception")
    return f"{context.get('message')}" + (f": {error!r}" if error is not None else "")
