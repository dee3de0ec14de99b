"""The two figures beside nautilus_trader, in the same run and on the same machine.

The peer runs in a process of its own (`peer_nautilus.py`), under the interpreter that
GLMTRADER_PEER_PYTHON names, else under this one; it needs nautilus_trader 1.x (the `bench` extra).

Tick to order. Ours: from a tick on the bus through the core under the live dispatcher, both gates
with all rules armed and 50 positions held, and a write-ahead record committed on disk, to the
venue's `submit`; an order is settled before the next tick. Theirs: from a quote at the data engine
through strategy, order factory and risk engine to the execution client, with a client that answers
nothing, no position held and logging off. *Live* passes three asyncio queues (data, risk and
execution engine), *synchronous* is the call chain of their backtest; both get quotes back to back,
which keeps the path warm. Ours waits for the fills of both legs between ticks, while the market
and the account move on; *live, spaced* gives theirs such pauses too, and is the row to compare
with. On a busy machine a pause of milliseconds alone makes their path ten times dearer in CPU
time, with no page fault and no switch within it.

Ticks a CPU-second. Ours: the whole engine in virtual time, simulated exchange and journal on disk,
50 positions re-valued; a straddle of two legs at every n-th tick. Theirs: a backtest over as many
quotes, at every n-th a limit order at the touch, the last one cancelled if it is still open.

What nautilus_trader does in these paths: an order object with its identifier, indexes of its
cache, checks of price, quantity, notional, balance and rate, matching and account of the simulated
exchange. What it does not: it keeps no journal and writes nothing to disk before an order leaves,
has no second gate, values no option, computes no portfolio greeks or scenarios, and records no
reason of a decision. So a ratio says what the user of each waits for, not which code is faster.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import ClassVar

import msgspec
import pytest

from glmtrader.domain.event import Event
from glmtrader.domain.market_events import MarketTick
from glmtrader.kernel.inbox import Inbox
from tests.bench.bench_report import Report, median, percentile
from tests.bench.bench_world import World, configuration, live_world
from tests.bench.test_bench_latency import settled
from tests.bench.test_bench_throughput import TICKS as BACKTEST_TICKS
from tests.bench.test_bench_throughput import ticks_per_cpu_s

pytestmark = pytest.mark.bench

SCRIPT = Path(__file__).with_name("peer_nautilus.py")
PYTHON_VARIABLE = "GLMTRADER_PEER_PYTHON"
TIMEOUT_S = 50.0
PEER_TICKS = 5_000
TICKS = 200
WARM_UP = 20
PAUSE_MS = 20
"""Enough for the path to cool; two legs of ours wait up to 50 ms for their fills."""

RUNS = 3
VERSION_CODE = "import nautilus_trader as peer; print(peer.__version__)"


class Peer(msgspec.Struct, frozen=True):
    """What the script prints."""

    version: str
    tick_to_order_us: dict[str, dict[str, float]]
    ticks_per_cpu_s: dict[str, float]


def peer_python() -> str:
    """An interpreter that has the peer; skips where there is none."""
    python = os.environ.get(PYTHON_VARIABLE, sys.executable)
    try:
        asked = subprocess.run(
            [python, "-c", VERSION_CODE],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except OSError as error:
        pytest.skip(f"{PYTHON_VARIABLE} names {python!r}, which does not start: {error}")
    if asked.returncode != 0:
        pytest.skip(
            f"{python!r} cannot import nautilus_trader: install the bench extra, or name a Python "
            f"that has it in {PYTHON_VARIABLE}"
        )
    version = asked.stdout.strip()
    if not version.startswith("1."):
        pytest.skip(f"the peer's script speaks to nautilus_trader 1.x, {python!r} has {version}")
    return python


@pytest.fixture(scope="module")
def peer() -> Peer:
    """The peer's numbers, measured once in a process of its own."""
    sizes = {
        "ticks": PEER_TICKS,
        "spaced-ticks": TICKS,
        "pause-ms": PAUSE_MS,
        "backtest-ticks": BACKTEST_TICKS,
        "runs": RUNS,
    }
    options = [f"--{name}={value}" for name, value in sizes.items()]
    ran = subprocess.run(
        [peer_python(), str(SCRIPT), *options],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert ran.returncode == 0, f"{SCRIPT.name} ended with {ran.returncode}: {ran.stderr[-2000:]}"
    return msgspec.convert(json.loads(ran.stdout.splitlines()[-1]), Peer)


class AskedProbe:
    """Answers one awaited tick with an intent, and none that the market itself sends."""

    EVENTS: ClassVar[tuple[type[Event], ...]] = (MarketTick,)

    def __init__(self, world: World) -> None:
        self._world = world
        self._straddle = world.near_straddles(1)[0]
        self._buys = False
        self.awaited: MarketTick | None = None

    async def run(self, inbox: Inbox) -> None:
        """Publish an intent when the awaited tick comes, buying and selling in turn."""
        async for event in inbox:
            if event is self.awaited:
                self._buys = not self._buys
                self._world.system.bus.publish(self._world.intent(self._straddle, buys=self._buys))


async def latencies_us(world: World) -> list[float]:
    """From a tick to the first leg of the intent that answers it, each after the last is done."""
    probe = AskedProbe(world)
    world.system.bus.register("probe", probe.run, *probe.EVENTS)
    found = []
    for _ in range(WARM_UP + TICKS):
        await settled(world)
        probe.awaited = world.tick(world.market.index_usd("BTC"))
        before = len(world.venue.submitted_ns)
        started_ns = time.perf_counter_ns()
        world.system.bus.publish(probe.awaited)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if len(world.venue.submitted_ns) > before:
            found.append((world.venue.submitted_ns[before] - started_ns) / 1e3)
    assert len(found) > 0.9 * (WARM_UP + TICKS), f"{len(found)} ticks led to an order"
    return found[WARM_UP:]


async def our_latencies_us(folder: Path) -> list[float]:
    """The same on a system of its own."""
    async with live_world(configuration(folder)) as world:
        return await latencies_us(world)


def test_tick_to_order_beside_the_peer(peer: Peer, tmp_path: Path, report: Report) -> None:
    """An opening order that every rule looks at, beside the peer's limit order."""
    found = asyncio.run(our_latencies_us(tmp_path))
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        ours = percentile(found, share)
        report.add(f"tick to order beside the peer, ours, {name}", ours, "us")
        for engine, measured in peer.tick_to_order_us.items():
            title = f"tick to order, nautilus_trader {peer.version} {engine}, {name}"
            report.add_peer(title, measured[name], "us", ours=ours)


@pytest.mark.parametrize("every", [10, 100])
def test_ticks_a_cpu_second_beside_the_peer(
    every: int, peer: Peer, tmp_path: Path, report: Report
) -> None:
    """The middle of three runs of each, over as many ticks."""
    found = []
    for number in range(RUNS):
        folder = tmp_path / str(number)
        folder.mkdir()
        found.append(asyncio.run(ticks_per_cpu_s(folder, every)))
    ours = median(found)
    report.add(f"an order every {every} ticks beside the peer, ours", ours, "ticks/CPU-s")
    title = f"an order every {every} ticks, nautilus_trader {peer.version}"
    report.add_peer(title, peer.ticks_per_cpu_s[str(every)], "ticks/CPU-s", ours=ours)
