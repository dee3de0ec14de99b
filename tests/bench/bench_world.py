"""The real system of a paper run, for measuring: only the configuration is made for it.

The market stands still but for the ticks that a benchmark publishes, so that what is measured is
the path and not the simulator. Positions come from orders filled by the simulated exchange.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import ClassVar, NamedTuple

import msgspec

from glmtrader import assembly
from glmtrader.app import System, open_journal
from glmtrader.config.schema import Config
from glmtrader.domain.decisions import Action, Intent, IntentType
from glmtrader.domain.event import Event
from glmtrader.domain.ids import AccountId, InstrumentId, IntentId, StrategyId
from glmtrader.domain.instruments import DAY_NS
from glmtrader.domain.market_events import ChainSnapshot, MarketTick
from glmtrader.domain.risk_events import TradingMode
from glmtrader.domain.strategy_events import StrategyIntent
from glmtrader.kernel.clock import Clock, LoopClock
from glmtrader.kernel.driver import keep_journal
from glmtrader.kernel.inbox import Inbox
from glmtrader.kernel.supervisor import Supervisor
from glmtrader.risk.approval import Approved
from glmtrader.simulator.market_model import MarketModel
from glmtrader.venues.paper import PaperVenue
from glmtrader.venues.port import Publish

POSITIONS = 50
ACCOUNT = AccountId("paper")
PERPETUAL = InstrumentId("deribit:BTC-PERPETUAL")
OWN_SIZE_USD = Decimal(100_000)
"""In the ticks of the benchmark itself: the probe tells them from the venue's by this object."""

PROBE = StrategyId("probe")

HEDGER: dict[str, object] = {
    "id": "hedger",
    "kind": "delta_hedger",
    "underlying": "BTC",
    "params": {"band": "fixed", "band_delta_coin": 0.0005, "cooldown_s": 0.0},
}
"""Hedges at every price that risk reports: each such tick ends in an order."""

LIMITS = {
    "orders_per_minute_max": 1_000_000,
    "intents_per_hour_max": 1_000_000,
    "quote_age_ns_max": 10**12,
    "surface_age_ns_max": 10**12,
}
"""Armed as ever; only what would stop a thousand orders a minute on a still market is wide."""

EXECUTION = {
    "quote_age_max_ns": 10**12,
    "cap_vol": 0.08,
    "cap_finish_vol": 0.08,
    "hedge_slippage": 0.002,
}
"""Wide enough for an order after a tick to be filled by the market that stands still."""


def configuration(
    folder: Path,
    *,
    strategies: tuple[dict[str, object], ...] = (),
    step_s: float = 0.05,
    mode: str = "paper",
) -> Config:
    """A paper run with room for a thousand orders.

    Args:
        folder: for journal and account.
        strategies: tables of `[[strategy]]`.
        step_s: between the market's own steps, which fill up its books again.
        mode: paper keeps the account on disk at every booking, a backtest does not.
    """
    document = {
        "mode": mode,
        "data_dir": str(folder),
        "account": {"id": ACCOUNT, "numeraire": "BTC"},
        "paper": {
            "balances": {"BTC": "100"},
            "step_s": step_s,
            "chain_interval_s": 30.0,
            "latency_ms": 0.2,
        },
        "execution": EXECUTION,
        "risk": LIMITS,
        "market": {"recorded": {"folder": str(folder)}} if mode == "backtest" else {},
        "strategy": strategies,
    }
    return msgspec.convert(document, Config)


class StampedVenue:
    """The paper venue, noting when each order reaches it; everything else is its own."""

    def __init__(self, inner: PaperVenue) -> None:
        self.inner = inner
        self.submitted_ns: list[int] = []
        self.name = inner.name
        self.account_id = inner.account_id
        self.accept_delay_max_ns = inner.accept_delay_max_ns
        self.run = inner.run
        self.cancel = inner.cancel
        self.cancel_all = inner.cancel_all
        self.request_report = inner.request_report
        self.watch = inner.watch

    def submit(self, approved: Approved, *, now_ns: int) -> None:
        """Note the moment, then hand the order on."""
        self.submitted_ns.append(time.perf_counter_ns())
        self.inner.submit(approved, now_ns=now_ns)


class StraddleTerms(NamedTuple):
    """Which straddle."""

    expiry_ns: int
    strike_usd: float


class World:
    """A built system with its stamped venue and its market."""

    def __init__(self, config: Config, clock: Clock, market: MarketModel, system: System) -> None:
        self.config = config
        self.clock = clock
        self.market = market
        self.system = system
        venue = system.venue
        assert isinstance(venue, StampedVenue), "built by `building` alone"
        self.venue = venue
        self._intents = 0

    @property
    def positions(self) -> dict[InstrumentId, Decimal]:
        """What the account holds."""
        return self.system.risk.books(ACCOUNT).positions()

    @property
    def is_quiet(self) -> bool:
        """Whether no order and no intent is on its way."""
        books = self.system.risk.books(ACCOUNT)
        return books.orders.open_count == 0 and len(books.intents) == 0

    def tick(self, price_usd: float, at_ns: int | None = None) -> MarketTick:
        """Top of the perpetual's book around a price, as Deribit sends it."""
        now_ns = self.clock.now_ns() if at_ns is None else at_ns
        mark = Decimal(round(price_usd * 2)) / 2
        return MarketTick(
            ts_event=now_ns,
            ts_init=now_ns,
            instrument_id=PERPETUAL,
            bid=mark - Decimal("0.5"),
            ask=mark + Decimal("0.5"),
            bid_quantity=OWN_SIZE_USD,
            ask_quantity=OWN_SIZE_USD,
            mark=mark,
            index_usd=mark,
        )

    def intent(self, straddle: StraddleTerms, *, buys: bool) -> StrategyIntent:
        """Ask for one lot of a straddle, as a strategy that kept no record of its decision."""
        now_ns = self.clock.now_ns()
        self._intents += 1
        return StrategyIntent(
            ts_event=now_ns,
            ts_init=now_ns,
            intent_id=IntentId(f"{PROBE}-{self.system.journal.epoch}-{self._intents}"),
            strategy_id=PROBE,
            account_id=ACCOUNT,
            underlying="BTC",
            intent=Intent(
                intent_type=(
                    IntentType.INCREASE_LONG_GAMMA if buys else IntentType.INCREASE_SHORT_GAMMA
                ),
                action=Action.BUY_STRADDLE if buys else Action.SELL_STRADDLE,
                direction=1 if buys else -1,
                quantity=Decimal("0.1"),
                confidence=1.0,
                reason="benchmark",
                expiry_ns=straddle.expiry_ns,
                strike_usd=straddle.strike_usd,
                instrument_id=None,
                distance_to_action_vol=None,
                metadata={},
            ),
        )

    def chain(self) -> ChainSnapshot:
        """The market's chain, as if it had come this moment."""
        found = self.system.quotes.chain("BTC")
        assert found is not None, "the venue publishes a chain at its start"
        now_ns = self.clock.now_ns()
        return msgspec.structs.replace(found, ts_event=now_ns, ts_init=now_ns)

    def near_straddles(self, count: int) -> list[StraddleTerms]:
        """The liquid ones: nearest the money, a week to a quarter away."""
        index, now_ns = self.market.index_usd("BTC"), self.clock.now_ns()
        found = {
            StraddleTerms(item.expiry_ns, float(item.strike))
            for item in self.system.catalogue.listed()
            if item.expiry_ns is not None and item.strike is not None
            if 5 * DAY_NS < item.expiry_ns - now_ns < 100 * DAY_NS
        }
        assert len(found) >= count, f"{len(found)} straddles are listed, {count} wanted"
        return sorted(found, key=lambda item: (abs(item.strike_usd - index), item.expiry_ns))[
            :count
        ]


def generated(config: Config, start_ns: int) -> MarketModel:
    """The seeded market of the configuration."""
    return assembly.generated_market(config, start_ns)


@contextmanager
def building(config: Config, clock: Clock, market: MarketModel) -> Iterator[World]:
    """The system over its journal on disk; not started."""
    make_paper = assembly.paper_venue(config, market, clock.now_ns())

    def make(venue_clock: Clock, publish: Publish) -> StampedVenue:
        inner = make_paper(venue_clock, publish)
        assert isinstance(inner, PaperVenue), "paper_venue builds a PaperVenue"
        return StampedVenue(inner)

    with open_journal(config) as journal:
        yield World(
            config, clock, market, System(config, clock=clock, journal=journal, make_venue=make)
        )


@asynccontextmanager
async def live_world(config: Config) -> AsyncIterator[World]:
    """A running paper system on the real clock, with 50 positions, under the live dispatcher."""
    clock = LoopClock()
    market = generated(config, clock.now_ns())
    with building(config, clock, market) as world:
        system = world.system
        async with Supervisor(clock, system.bus.publish) as supervisor:
            system.start()
            supervisor.spawn("bus", system.bus.run)
            supervisor.spawn("journal", lambda: keep_journal(system.journal, system.bus))
            supervisor.spawn("venue", system.venue.run)
            await until(lambda: system.execution.mode is TradingMode.OPEN)
            await seed_positions(world, until_quiet)
            yield world
            await supervisor.stop("venue")
            await supervisor.stop("bus")
            system.stop()


Settle = Callable[["World"], Awaitable[None]]
"""Lets time pass, real or virtual, until the world is quiet."""


async def seed_positions(world: World, settle: Settle) -> None:
    """Hold 50 options, two thirds bought, by orders that the exchange fills."""
    for row, straddle in enumerate(world.near_straddles(2 * POSITIONS)):
        world.system.bus.publish(world.intent(straddle, buys=row % 3 < 2))
        world.system.bus.drain()
        await settle(world)
        if len(world.positions) >= POSITIONS:
            return
    raise AssertionError(f"{len(world.positions)} positions were filled, {POSITIONS} wanted")


async def until_quiet(world: World) -> None:
    """Wait in real time."""
    await until(lambda: world.is_quiet)


async def until(reached: Callable[[], bool], seconds_max: float = 5.0) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds_max
    while not reached():
        assert time.monotonic() < deadline, f"not reached in {seconds_max} s"
        await asyncio.sleep(0.0005)


class Probe:
    """A trivial strategy: every n-th tick asks for one lot of a straddle, buying and selling."""

    EVENTS: ClassVar[tuple[type[Event], ...]] = (MarketTick,)

    def __init__(self, world: World, every: int) -> None:
        self._world = world
        self._straddle = world.near_straddles(1)[0]
        self._every = every
        self.ticks = 0

    async def run(self, inbox: Inbox) -> None:
        """Count the benchmark's ticks and publish an intent on each n-th."""
        publish = self._world.system.bus.publish
        async for event in inbox:
            if not isinstance(event, MarketTick) or event.bid_quantity is not OWN_SIZE_USD:
                continue
            self.ticks += 1
            if self.ticks % self._every == 0:
                buys = self.ticks // self._every % 2 == 1
                publish(self._world.intent(self._straddle, buys=buys))
