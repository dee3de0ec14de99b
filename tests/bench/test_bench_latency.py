"""Tick to order at the adapter: live dispatcher, both gates, a committed record on disk."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.bench.bench_report import Report, percentile
from tests.bench.bench_world import HEDGER, Probe, World, configuration, live_world

uvloop = pytest.importorskip("uvloop", reason="uvloop has no wheel here")

pytestmark = pytest.mark.bench

TICKS = 100
WARM_UP = 20
CHAIN_INTERVAL_S = 0.05
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}

Measure = Callable[[World], Awaitable[list[float]]]


def on_loop(
    loop: str, folder: Path, strategies: tuple[dict[str, object], ...], run: Measure
) -> list[float]:
    """Run one measurement on a fresh loop over a fresh system."""

    async def main() -> list[float]:
        async with live_world(configuration(folder, strategies=strategies)) as world:
            return await run(world)

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        return runner.run(main())


async def latencies_us(world: World, move: float) -> list[float]:
    """Publish ticks that go up and down by `move`, each once the last order is done.

    Args:
        world: running.
        move: of the price, as a fraction.
    """
    found = []
    for count in range(WARM_UP + TICKS):
        await settled(world)
        price = world.market.index_usd("BTC")
        tick = world.tick(price * (1 + move if count % 2 else 1 - move))
        before = len(world.venue.submitted_ns)
        started_ns = time.perf_counter_ns()
        world.system.bus.publish(tick)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if len(world.venue.submitted_ns) > before and count >= WARM_UP:
            found.append((world.venue.submitted_ns[before] - started_ns) / 1e3)
    # A chain may have caused a hedge that is under way; its tick then waits, and is no sample.
    assert len(found) > 0.5 * TICKS, f"{len(found)} of {TICKS} ticks led to an order"
    return found


async def settled(world: World) -> None:
    """Keep the loop turning until no order and no intent is on its way."""
    deadline = time.monotonic() + 5.0
    while not world.is_quiet:
        assert time.monotonic() < deadline, "an order was not settled in 5 s"
        await asyncio.sleep(0)


async def hedging(world: World) -> list[float]:
    """Each tick moves the delta of 50 options: risk, state, decision, intent, order."""
    return await latencies_us(world, 0.0006)


async def opening(world: World) -> list[float]:
    """A trivial strategy asks for a lot of an option at each tick: every rule applies."""
    probe = Probe(world, every=1)
    world.system.bus.register("probe", probe.run, *probe.EVENTS)
    return await latencies_us(world, 0.0)


async def hedging_with_chains(world: World) -> list[float]:
    """The same as `hedging` while a chain comes twenty times a second."""

    async def publish_chains() -> None:
        while True:
            world.system.bus.publish(world.chain())
            await asyncio.sleep(CHAIN_INTERVAL_S)

    task = asyncio.ensure_future(publish_chains())
    try:
        return await hedging(world)
    finally:
        task.cancel()


async def stall(world: World) -> list[float]:
    """How long one chain keeps the core from anything else, in ms."""
    found = []
    for _ in range(30):
        started_ns = time.perf_counter_ns()
        world.system.bus.publish(world.chain())
        world.system.bus.drain()
        found.append((time.perf_counter_ns() - started_ns) / 1e6)
        await asyncio.sleep(0.01)
    return found


@pytest.mark.parametrize("loop", LOOPS)
def test_hedge_order_after_a_tick(loop: str, tmp_path: Path, report: Report) -> None:
    """Delta hedger: a tick becomes portfolio risk, a recorded decision and an order."""
    found = on_loop(loop, tmp_path, (HEDGER,), hedging)
    report.add(f"tick to hedge order, {loop}, p50", percentile(found, 0.5), "us", 30)
    report.add(f"tick to hedge order, {loop}, p99", percentile(found, 0.99), "us", 100)


@pytest.mark.parametrize("loop", LOOPS)
def test_opening_order_after_a_tick(loop: str, tmp_path: Path, report: Report) -> None:
    """Trivial strategy, an opening order that every rule looks at."""
    found = on_loop(loop, tmp_path, (), opening)
    report.add(f"tick to opening order, {loop}, p50", percentile(found, 0.5), "us", 30)
    report.add(f"tick to opening order, {loop}, p99", percentile(found, 0.99), "us", 100)


def test_hedge_order_while_chains_arrive(tmp_path: Path, report: Report) -> None:
    """The same hedge while a chain of 700 quotes comes twenty times a second."""
    found = on_loop("asyncio", tmp_path, (HEDGER,), hedging_with_chains)
    report.add("tick to hedge order, 20 chains/s, p50", percentile(found, 0.5), "us")
    report.add("tick to hedge order, 20 chains/s, p99", percentile(found, 0.99), "us")


def test_longest_stall_of_the_core(tmp_path: Path, report: Report) -> None:
    """One chain of 700 quotes: fit, greeks of 50 positions, decisions; nothing else runs."""
    found = on_loop("asyncio", tmp_path, (HEDGER,), stall)
    report.add("core stalled by a chain of 700 quotes, median", percentile(found, 0.5), "ms", 8)
    report.add("core stalled by a chain of 700 quotes, longest", max(found), "ms")
