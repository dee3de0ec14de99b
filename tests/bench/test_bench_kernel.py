"""What the parts cost: a hop on the bus, a record in the journal, a chain turned into P."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from glmtrader.domain.event import Event
from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import HOUR_NS
from glmtrader.domain.market_events import ChainSnapshot, VolatilitySurface
from glmtrader.domain.system_events import TimerFired
from glmtrader.kernel.bus import Bus
from glmtrader.kernel.clock import VirtualClock, wall_now_ns
from glmtrader.kernel.inbox import Inbox
from glmtrader.kernel.journal import Journal
from glmtrader.market.quote_book import Catalogue, QuoteBook
from glmtrader.market.service import MarketService
from glmtrader.quant.trading_clock import BTC_CLOCK
from glmtrader.simulator.generated import GeneratedMarket
from glmtrader.simulator.generated_config import GeneratedMarketConfig
from tests.bench.bench_report import Report, median, percentile

pytestmark = pytest.mark.bench

ROUNDS = 2_000
QUOTES = 1_000


def times_us(call: Callable[[int], None], rounds: int = ROUNDS) -> list[float]:
    """How long each of many calls takes."""
    found = []
    for number in range(rounds):
        started_ns = time.perf_counter_ns()
        call(number)
        found.append((time.perf_counter_ns() - started_ns) / 1e3)
    return found


def timer(number: int) -> TimerFired:
    """A small event."""
    return TimerFired(ts_event=number, ts_init=number, component="bench", key="hop")


def test_hop_to_a_core_component(report: Report) -> None:
    """Publish one event and step the component that asked for it."""
    bus = Bus(VirtualClock(0))

    async def run(inbox: Inbox) -> None:
        async for _ in inbox:
            pass

    bus.register("reader", run, TimerFired)

    def hop(number: int) -> None:
        bus.publish(timer(number))
        bus.drain()

    report.add("bus: publish to core component, p50", median(times_us(hop)), "us", 3)
    bus.close()


def test_hop_to_an_edge(report: Report) -> None:
    """From publish to the task that reads a subscription, under the live dispatcher."""

    async def main() -> list[float]:
        bus = Bus(VirtualClock(0))
        subscription = bus.subscribe(TimerFired, name="edge")
        dispatcher = asyncio.ensure_future(bus.run())
        reader = aiter(subscription)
        found = []
        for number in range(ROUNDS):
            waiting = asyncio.ensure_future(anext(reader))
            await asyncio.sleep(0)
            started_ns = time.perf_counter_ns()
            bus.publish(timer(number))
            await waiting
            found.append((time.perf_counter_ns() - started_ns) / 1e3)
        dispatcher.cancel()
        return found

    report.add("bus: publish to edge task, p50", median(asyncio.run(main())), "us", 30)


def test_journal_append_and_commit(tmp_path: Path, report: Report) -> None:
    """One record: encoded and chained, then committed to the write-ahead log."""
    with Journal(tmp_path / "bench.journal") as journal:
        first = journal.seq + 1
        appended = times_us(lambda number: journal.append(first + number, timer(number)), 500)
        journal.commit()
        first = journal.seq + 1
        committed = []
        for number in range(ROUNDS):
            journal.append(first + number, timer(number))
            committed += times_us(lambda _: journal.commit(), 1)
    report.add("journal: append, p50", median(appended), "us", 5)
    report.add("journal: commit of one record, p50", median(committed), "us", 20)
    report.add("journal: commit of one record, p99", percentile(committed, 0.99), "us", 100)


def thousand_quotes() -> ChainSnapshot:
    """A generated chain, filled up to 1,000 quotes with expiries six hours after the listed."""
    now_ns = wall_now_ns()
    rng = np.random.default_rng(1)
    market = GeneratedMarket(GeneratedMarketConfig(), rng=rng, start_ns=now_ns)
    chain = market.chain("BTC")
    listed = len(chain.instrument_ids)
    assert listed > QUOTES / 2, f"{listed} quotes are listed, at least half of {QUOTES} wanted"
    rows = np.arange(QUOTES) % listed
    later = np.arange(QUOTES) >= listed
    names = [
        InstrumentId(f"{chain.instrument_ids[row]}-{number}") for number, row in enumerate(rows)
    ]
    return ChainSnapshot(
        ts_event=now_ns,
        ts_init=now_ns,
        underlying="BTC",
        venue="deribit",
        instrument_ids=tuple(names),
        expiry_ns=chain.expiry_ns[rows] + later * (6 * HOUR_NS),
        strike=chain.strike[rows],
        is_call=chain.is_call[rows],
        bid=chain.bid[rows],
        ask=chain.ask[rows],
        mark=chain.mark[rows],
        bid_quantity=chain.bid_size[rows],
        ask_quantity=chain.ask_size[rows],
        forward=chain.forward[rows],
        inverse=True,
        index_usd=market.index_usd("BTC"),
    )


def test_chain_to_surface(report: Report) -> None:
    """A snapshot of 1,000 quotes becomes a published surface."""
    published: list[Event] = []
    service = MarketService(Catalogue(), QuoteBook(), clock=BTC_CLOCK, publish=published.append)
    chain = thousand_quotes()
    found = times_us(lambda _: service.handle(chain), 60)
    surface = published[-1]
    assert isinstance(surface, VolatilitySurface), f"{type(surface).__name__} was published"
    assert surface.slices, f"the surface is empty: {surface.unavailable}"
    report.add("chain of 1,000 quotes to published surface", median(found) / 1e3, "ms", 8)
