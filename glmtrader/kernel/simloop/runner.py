"""Running a coroutine in a simulated process, from the first patch to a clean end."""

import asyncio
import gc
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

import msgspec

from glmtrader.kernel.simloop.clock import SimClock
from glmtrader.kernel.simloop.links import LinkProfile
from glmtrader.kernel.simloop.loop import SimLoop
from glmtrader.kernel.simloop.network import NetworkCounts, SimNetwork
from glmtrader.kernel.simloop.patching import patched_process

T = TypeVar("T")


class SimOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a simulation may vary besides its seed and start.

    Attributes:
        link: Profile of the links that the simulation does not set itself.
        permute_task_steps: Shuffle the steps of tasks that are ready together.
        step_cost_ns: Virtual time that each callback takes.
        gc_interval_iterations: Iterations between two collections of garbage.
    """

    link: LinkProfile = LinkProfile()
    permute_task_steps: bool = False
    step_cost_ns: int = 0
    gc_interval_iterations: int = 100_000


class SimOutcome(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A finished simulation.

    Attributes:
        result: What the main coroutine returned.
        digest: Hash over every delivered segment with its instant.
        elapsed_ns: Virtual nanoseconds that passed.
        iterations: Iterations of the loop.
        counts: What the network did.
    """

    result: T
    digest: str
    elapsed_ns: int
    iterations: int
    counts: NetworkCounts


def run_simulated(
    main: Callable[[], Coroutine[Any, Any, T]],
    *,
    seed: int,
    start_ns: int,
    options: SimOptions | None = None,
) -> T:
    """Run `main()` on a `SimLoop` in a patched process and return its result.

    Everything is restored on exit. For the same hash in two processes, start each one fresh
    with `python -m glmtrader.kernel.simloop`, which patches before anything else is imported.

    Args:
        main: Called once, inside the simulation, to make the coroutine.
        seed: Seeds the network, ids and random numbers.
        start_ns: UTC nanoseconds at which the simulation begins.
        options: What else to vary.

    Raises:
        SimDeadlockError: Nothing can ever happen any more.
        SimUnhandledError: A callback failed, or a failed task was forgotten.
    """
    return simulate(main, seed=seed, start_ns=start_ns, options=options).result


def simulate(
    main: Callable[[], Coroutine[Any, Any, T]],
    *,
    seed: int,
    start_ns: int,
    options: SimOptions | None = None,
) -> SimOutcome[T]:
    """Do what `run_simulated` does and report the digest and the counts as well."""
    options = options or SimOptions()
    clock = SimClock(start_ns)
    with patched_process(clock, seed):
        network = SimNetwork(seed, options.link)
        loop = SimLoop(
            seed,
            start_ns,
            network=network,
            clock=clock,
            permute_task_steps=options.permute_task_steps,
            step_cost_ns=options.step_cost_ns,
            gc_interval_iterations=options.gc_interval_iterations,
        )
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            result = runner.run(main())
        gc.collect()  # finalizers of forgotten tasks report their failures now
        loop.raise_failures()
    return SimOutcome(
        result=result,
        digest=network.digest(),
        elapsed_ns=clock.elapsed_ns,
        iterations=loop.iterations,
        counts=network.counts,
    )
