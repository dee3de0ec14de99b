"""Ticks a CPU-second in virtual time: the whole engine, 50 positions, journal on disk."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from glmtrader.domain.instruments import SECOND_NS
from glmtrader.domain.risk_events import TradingMode
from glmtrader.kernel.clock import VirtualClock
from glmtrader.kernel.driver import run_virtual, settle
from glmtrader.kernel.supervisor import Supervisor
from tests.bench.bench_report import Report
from tests.bench.bench_world import (
    Probe,
    World,
    building,
    configuration,
    generated,
    seed_positions,
)

pytestmark = pytest.mark.bench

START_NS = 1_790_000_000 * SECOND_NS
TICKS = 10_000
TICK_NS = SECOND_NS // 100
"""Of the perpetual's book: a hundred a second."""


async def until_virtual(world: World, clock: VirtualClock, reached: Callable[[], bool]) -> None:
    """Move virtual time until something is true, at most a minute."""
    for _ in range(600):
        if reached():
            return
        until_ns = clock.now_ns() + SECOND_NS // 10
        await run_virtual(clock, world.system.bus, until_ns=until_ns, should_stop=lambda: False)
    raise AssertionError("not reached within a minute of virtual time")


async def ticks_per_cpu_s(folder: Path, every: int) -> float:
    """Feed ticks of a price that wanders by a basis point, an order on each `every`-th."""
    clock = VirtualClock(START_NS)
    config = configuration(folder, step_s=1.0, mode="backtest")
    with building(config, clock, generated(config, clock.now_ns())) as world:
        system = world.system
        async with Supervisor(clock, system.bus.publish) as supervisor:
            system.start()
            supervisor.spawn("venue", system.venue.run)
            await settle()
            await until_virtual(world, clock, lambda: system.execution.mode is TradingMode.OPEN)
            await seed_positions(
                world, lambda world: until_virtual(world, clock, lambda: world.is_quiet)
            )
            elapsed_s = await feed(world, clock, every)
            await supervisor.stop("venue")
            system.stop()
    return TICKS / elapsed_s


async def feed(world: World, clock: VirtualClock, every: int) -> float:
    """CPU seconds that the ticks take, made beforehand."""
    probe = Probe(world, every)
    world.system.bus.register("probe", probe.run, *probe.EVENTS)
    price, start_ns = world.market.index_usd("BTC"), clock.now_ns()
    ticks = [
        world.tick(price * (1 + 1e-5 * (row % 20 - 10)), start_ns + (row + 1) * TICK_NS)
        for row in range(TICKS)
    ]
    before = len(world.venue.submitted_ns)
    publish, remaining = world.system.bus.publish, iter(ticks)

    def step() -> None:
        tick = next(remaining, None)
        if tick is not None:
            publish(tick)
            clock.call_at(clock.now_ns() + TICK_NS, step)

    clock.call_at(start_ns + TICK_NS, step)
    started_s = time.process_time()
    until_ns = start_ns + (TICKS + 1) * TICK_NS
    await run_virtual(clock, world.system.bus, until_ns=until_ns, should_stop=lambda: False)
    elapsed_s = time.process_time() - started_s
    orders = len(world.venue.submitted_ns) - before
    assert orders >= TICKS / every * 0.9, f"{orders} orders, one every {every} ticks wanted"
    return elapsed_s


@pytest.mark.parametrize(("every", "target"), [(10, 80_000.0), (100, 150_000.0)])
def test_ticks_a_cpu_second(every: int, target: float, tmp_path: Path, report: Report) -> None:
    """Opening orders at a fixed rate, every rule and the journal included."""
    found = asyncio.run(ticks_per_cpu_s(tmp_path, every))
    name = f"virtual time, an order every {every} ticks"
    report.add(name, found, "ticks/CPU-s", target, more_is_better=True)
