"""The demo's promise, and its determinism, in virtual time."""

import asyncio
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from demo_runs import environment, generated_backtest, lines
from live_world import journaled, of

from glmtrader import assembly
from glmtrader.app import System, open_journal
from glmtrader.config.loader import load
from glmtrader.domain.ids import AccountId
from glmtrader.domain.instruments import MINUTE_NS
from glmtrader.domain.order_events import Fill
from glmtrader.domain.strategy_events import DecisionMade
from glmtrader.kernel.clock import VirtualClock
from glmtrader.kernel.driver import run_virtual

DEMO_MINUTES = 150
"""Thirty seconds at the demo's 300 times real time."""


class Promise(msgspec.Struct, frozen=True):
    """What a market of one seed did: whether an option was traded, and how many holds there were."""

    traded: bool
    holds: int


async def demo(seed: int, folder: Path) -> Promise:
    """The shipped demo in the market of a seed, until it trades or half a minute of it is over."""
    changes = {"GLMTRADER__MARKET__SEED": str(seed), "GLMTRADER__DATA_DIR": f'"{folder}"'}
    config = load("paper.toml", changes)
    start_ns = assembly.paper_start_ns(config, 0)
    clock = VirtualClock(start_ns)
    with open_journal(config) as journal:
        market = assembly.generated_market(config, start_ns)
        make_venue = assembly.paper_venue(config, market, start_ns)
        system = System(config, clock=clock, journal=journal, make_venue=make_venue)
        books = system.risk.books(AccountId(config.account.id))
        system.start()
        venue = asyncio.get_running_loop().create_task(system.venue.run())
        await asyncio.sleep(0)
        until_ns = start_ns + DEMO_MINUTES * MINUTE_NS
        await run_virtual(
            clock, system.bus, until_ns=until_ns, should_stop=lambda: bool(books.positions())
        )
        venue.cancel()
        await asyncio.gather(venue, return_exceptions=True)
        system.stop()
    events = journaled(folder)
    options = [fill for fill in of(events, Fill) if str(fill.client_order_id).startswith("pq-")]
    decided = [event for event in of(events, DecisionMade) if event.strategy == "pq_vol"]
    holds = sum(event.decision.intent.quantity == 0 for event in decided)
    return Promise(bool(options), holds)


@pytest.mark.parametrize("seed", range(1, 7))
def test_the_demo_trades_and_holds_within_half_a_minute(seed: int, tmp_path: Path) -> None:
    """Production thresholds find a trade in 150 minutes of the market, and refuse one too."""
    promise = asyncio.run(demo(seed, tmp_path))
    assert promise.traded
    assert promise.holds > 0


@pytest.mark.long
@pytest.mark.timeout(900)
def test_nineteen_of_twenty_markets_trade(tmp_path: Path) -> None:
    """Of a hundred seeds at least 95 trade, and each holds at least once."""
    promises = []
    for seed in range(1, 101):
        folder = tmp_path / str(seed)
        folder.mkdir()
        promises.append(asyncio.run(demo(seed, folder)))
    assert sum(promise.traded for promise in promises) >= 95
    assert all(promise.holds > 0 for promise in promises)


def test_two_processes_write_the_same_journal(tmp_path: Path) -> None:
    """The same seed gives the same digest, whatever Python's hash seed."""
    runs = []
    for hash_seed in ("1", "2"):
        folder = tmp_path / hash_seed
        folder.mkdir()
        config = generated_backtest(folder)
        command = [sys.executable, "-m", "glmtrader", "run", "--config", config.name]
        runs.append(
            subprocess.Popen(
                [*command, "--for", "100m", "--json"],
                cwd=folder,
                env=environment(PYTHONHASHSEED=hash_seed),
                stdout=subprocess.PIPE,
                text=True,
            )
        )
    told = [lines(run.communicate(timeout=60)[0]) for run in runs]
    assert told[0] == told[1]
    assert told[0][-1]["fills"] > 0
    assert len(told[0][-1]["journal_digest"]) == 32
