"""The virtual-time half of the loop: time, order, failures and the end of a simulation."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glmtrader.kernel.simloop import (
    SimDeadlockError,
    SimLivelockError,
    SimOptions,
    SimUnhandledError,
    SimUnsupportedError,
    UnsupportedPythonError,
    internals,
    run_simulated,
    scheduler,
    simulate,
)
from glmtrader.kernel.simloop.clock import deadline_ns

START_NS = 1_767_225_600_000_000_000


def simulated(main: Callable[[], Coroutine[Any, Any, Any]], seed: int = 1, **options: Any) -> Any:
    return run_simulated(main, seed=seed, start_ns=START_NS, options=SimOptions(**options))


def test_a_day_of_sleeping_passes_at_once_and_to_the_nanosecond() -> None:
    """Time jumps to the next timer."""
    outcome = simulate(lambda: asyncio.sleep(86_400.0), seed=1, start_ns=START_NS)
    assert 0 <= outcome.elapsed_ns - 86_400 * 10**9 <= 1
    assert outcome.iterations < 20


@given(st.floats(min_value=0.0, max_value=1e9))
def test_a_deadline_is_never_rounded_to_before_itself(when_s: float) -> None:
    """`loop.time() >= when` holds when a timer fires, within some nanoseconds of it."""
    rounded_ns = deadline_ns(when_s)
    assert rounded_ns / 1e9 >= when_s
    assert (rounded_ns - 1_000) / 1e9 < when_s


def test_timers_of_one_deadline_fire_in_the_order_they_were_set() -> None:
    """Equal deadlines keep their order."""

    async def main() -> list[int]:
        loop, fired = asyncio.get_running_loop(), list[int]()
        for number in range(300):
            loop.call_at(loop.time() + 1.0, fired.append, number)
        await asyncio.sleep(2.0)
        return fired

    assert simulated(main) == list(range(300))


def test_cancelled_timers_do_not_fire_and_do_not_pile_up() -> None:
    """Far timers that are set and cancelled for ever leave the heap bounded."""

    async def main() -> int:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, scheduler.VirtualTimeLoop)
        for _ in range(2_000):
            loop.call_later(1e6, pytest.fail).cancel()
            await asyncio.sleep(0.001)
        return len(loop._timers)

    assert simulated(main) <= 2 * scheduler.CANCELLED_TIMERS_MIN


def test_a_deadlock_is_raised_with_the_stack_of_who_waits() -> None:
    """Nothing can ever happen: the message names the task and the function it waits in."""

    async def waits_for_ever() -> None:
        await asyncio.Event().wait()

    with pytest.raises(SimDeadlockError, match=r"(?s)task Task-1:.*in waits_for_ever.*in wait"):
        simulated(waits_for_ever)


def test_polling_without_waiting_is_a_livelock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Callbacks that keep each other busy at one instant are found."""
    monkeypatch.setattr(scheduler, "ITERATIONS_PER_INSTANT_MAX", 500)

    async def polls() -> None:
        while True:  # noqa: ASYNC110 - the mistake that must be found
            await asyncio.sleep(0)

    with pytest.raises(SimLivelockError, match="in polls"):
        simulated(polls)


def test_polling_ends_when_computing_takes_time() -> None:
    """With a cost for each step, virtual time passes for a poller too."""

    async def polls() -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + 0.001
        while loop.time() < end:  # noqa: ASYNC110 - the poller under test
            await asyncio.sleep(0)

    simulated(polls, step_cost_ns=1_000)


def test_a_failing_callback_ends_the_simulation() -> None:
    """An exception in a plain callback is raised, not logged."""

    async def main() -> None:
        asyncio.get_running_loop().call_later(1.0, int, "x")
        await asyncio.sleep(10.0)

    with pytest.raises(SimUnhandledError) as caught:
        simulated(main)
    assert isinstance(caught.value.__cause__, ValueError)


def test_a_forgotten_failed_task_is_reported() -> None:
    """An exception that nobody retrieved is raised at the end."""

    async def fails() -> None:
        raise ValueError("forgotten")

    async def main() -> None:
        asyncio.ensure_future(fails())  # noqa: RUF006 - forgotten on purpose
        await asyncio.sleep(1.0)

    with pytest.raises(SimUnhandledError, match="forgotten"):
        simulated(main)


def test_the_main_coroutine_raises_its_own_exception() -> None:
    """What main raises arrives unchanged."""

    async def main() -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        simulated(main)


def test_leftover_tasks_and_async_generators_are_closed() -> None:
    """A simulation ends with every task cancelled and every generator finalised."""
    ended: list[str] = []

    async def stays() -> None:
        try:
            await asyncio.sleep(1e9)
        finally:
            ended.append("task")

    async def numbers() -> AsyncIterator[int]:
        try:
            for number in range(10):
                yield number
        finally:
            await asyncio.sleep(0)
            ended.append("generator")

    async def main() -> None:
        asyncio.ensure_future(stays())  # noqa: RUF006 - left over on purpose
        generator = numbers()
        kept.append(generator)
        await anext(generator)

    kept: list[AsyncIterator[int]] = []
    simulated(main)
    assert sorted(ended) == ["generator", "task"]


def test_the_executor_runs_inline_and_hands_failures_over() -> None:
    """`to_thread` runs on the loop's thread."""

    async def main() -> None:
        assert await asyncio.to_thread(threading.get_ident) == threading.get_ident()
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 // 0)

    simulated(main)


def test_another_thread_cannot_reach_the_loop() -> None:
    """Threads have no seeded order, so their calls are refused."""

    async def main() -> list[BaseException]:
        loop, caught = asyncio.get_running_loop(), list[BaseException]()

        def intrude() -> None:
            try:
                loop.call_soon_threadsafe(print)
            except SimUnsupportedError as error:
                caught.append(error)

        thread = threading.Thread(target=intrude)
        thread.start()
        thread.join()
        return caught

    assert len(simulated(main)) == 1


async def _interleaving() -> list[int]:
    order: list[int] = []

    async def step(number: int) -> None:
        await asyncio.sleep(1.0)
        order.append(number)

    async with asyncio.TaskGroup() as group:
        for number in range(8):
            group.create_task(step(number))
    return order


def test_permutation_is_seeded_and_off_by_default() -> None:
    """Ready task steps keep their order, or are shuffled alike for one seed."""
    assert simulated(_interleaving) == list(range(8))
    shuffled = [simulated(_interleaving, seed, permute_task_steps=True) for seed in (1, 1, 2)]
    assert shuffled[0] == shuffled[1]
    assert shuffled[0] != list(range(8))
    assert shuffled[0] != shuffled[2]


def test_permutation_finds_a_lost_update() -> None:
    """A read-modify-write race that first-in-first-out order hides shows under some seed."""

    async def main() -> int:
        total = 0

        async def add(*, pause: bool) -> None:
            nonlocal total
            await asyncio.sleep(1.0)
            seen = total
            if pause:
                await asyncio.sleep(0)
            total = seen + 1

        await asyncio.gather(add(pause=False), add(pause=True))
        return total

    assert simulated(main) == 2
    totals = [simulated(main, seed, permute_task_steps=True) for seed in range(12)]
    assert set(totals) == {1, 2}


def test_sets_of_tasks_iterate_in_order_of_birth() -> None:
    """Tasks hash by number, so `asyncio.wait` gives its set in one order in every process."""

    async def main() -> list[str]:
        tasks = [asyncio.ensure_future(asyncio.sleep(1.0)) for _ in range(200)]
        done, _ = await asyncio.wait(tasks)
        return [task.get_name() for task in done]

    first, second = simulated(main), simulated(main)
    assert first == second
    assert sorted(first) == sorted(f"Task-{number}" for number in range(2, 202))


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(min_value=0.0, max_value=1e4), min_size=1, max_size=20))
def test_sleepers_wake_in_order_of_their_deadlines(durations_s: list[float]) -> None:
    """Virtual time never goes back and nobody wakes early."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        woken: list[float] = []

        async def sleeper(duration_s: float) -> None:
            due = loop.time() + duration_s
            await asyncio.sleep(duration_s)
            assert loop.time() >= due
            woken.append(loop.time())

        await asyncio.gather(*map(sleeper, durations_s))
        assert woken == sorted(woken)

    simulated(main)


def test_a_python_without_the_private_names_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A renamed internal of asyncio is named in the error."""
    monkeypatch.setattr(internals, "LOOP_FIELDS", ("_ready", "_gone"))
    with pytest.raises(UnsupportedPythonError, match=r"BaseEventLoop\._gone"):
        simulated(_interleaving)
