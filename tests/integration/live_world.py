"""Mode live against a simulated Deribit server: the whole system, over a wire, on one clock.

Server and trader share the loop and its clock, so that a scaled clock, or the virtual time of a
simulated loop, is the same for both. The system is the one that `run` builds and supervises.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from glmtrader import assembly
from glmtrader.app import System, open_journal
from glmtrader.config.schema import AccountConfig as TradedAccount
from glmtrader.config.schema import ApiConfig, Config, Mode, StrategyConfig
from glmtrader.config.secret import Secret
from glmtrader.domain.event import Event
from glmtrader.domain.ids import AccountId, InstrumentId
from glmtrader.domain.instruments import DAY_NS, HOUR_NS, SECOND_NS
from glmtrader.execution.policy import ExecutionPolicy
from glmtrader.kernel.clock import Clock
from glmtrader.kernel.driver import keep_journal, settle
from glmtrader.kernel.ids import generator
from glmtrader.kernel.journal import open_for_reading, read_records
from glmtrader.kernel.supervisor import Supervisor
from glmtrader.risk.account_desk import AccountDesk
from glmtrader.simulator.deribit.config import ServerConfig
from glmtrader.simulator.deribit.server import DeribitServer
from glmtrader.simulator.exchange import SimulatedExchange
from glmtrader.simulator.exchange_config import AccountConfig, ExchangeConfig
from glmtrader.simulator.generated import GeneratedMarket
from glmtrader.simulator.generated_config import GeneratedMarketConfig
from glmtrader.venues.deribit.config import (
    DeribitConfig,
    DeribitCredentials,
    DeribitLimits,
    DeribitTimeouts,
)

EXPIRY_NS = 20_601 * DAY_NS + 8 * HOUR_NS
"""An expiry at 08:00 UTC, late in May 2026."""

DEAR_MARKET = GeneratedMarketConfig(premium_mean_vol=0.4, premium_sd_vol=0.05)
"""Implied volatility stands 40 points above what the market does: worth selling on its last day."""

LAST_HOUR: dict[str, Any] = {
    "size_straddles": "1",
    "cooldown_s": 60.0,
    "expiry_days_min": 0.005,
    "expiry_days_target": 0.005,
    "expiry_days_max": 0.1,
    "close_days": 0.0,
    "expiry_policy": "hold",
}
"""Parameters that open the expiry at hand, and leave it to be delivered."""

VENUE_ACCOUNT = AccountConfig(
    name="main", api_key="key", api_secret="hush", balances={"BTC": Decimal(5)}
)
PERPETUAL = InstrumentId("deribit:BTC-PERPETUAL")

PATIENT = DeribitTimeouts(
    connect_s=60.0,
    request_s=30.0,
    order_s=20.0,
    rest_s=60.0,
    heartbeat_s=60,
    silence_s=120.0,
    accept_delay_max_s=40.0,
)
"""For a scaled clock, on which a request takes seconds of process time."""

LAST_HOUR_POLICY = ExecutionPolicy(
    cap_vol=0.05,
    cap_finish_vol=0.10,
    cap_unwind_vol=0.15,
    leg_budget_ns=60 * SECOND_NS,
    order_valid_ns=30 * SECOND_NS,
    report_interval_ns=60 * SECOND_NS,
    report_retry_ns=15 * SECOND_NS,
    report_lost_ns=120 * SECOND_NS,
)
"""In an option's last hour one tick of its price is worth vol points, so caps are wider; and on a
scaled clock the way to the venue takes seconds."""

E = TypeVar("E", bound=Event)


def venue(seed: int, start_ns: int, market: GeneratedMarketConfig) -> SimulatedExchange:
    """An exchange over a generated market that begins at `start_ns`."""
    model = GeneratedMarket(market, rng=generator(seed, "market"), start_ns=start_ns)
    return SimulatedExchange(model, ExchangeConfig(accounts=(VENUE_ACCOUNT,)), start_ns)


UNHURRIED = DeribitLimits(requests_per_s=1000.0)
"""REST is throttled in the loop's seconds: at 180 times real time a report would take minutes."""


def live_config(folder: Path, port: int, *, pq: dict[str, Any], **deribit: Any) -> Config:
    """Mode live, the strategies of the demo, their parameters given."""
    credentials = DeribitCredentials(client_id="key", client_secret=Secret("hush"))
    return Config(
        mode=Mode.LIVE,
        data_dir=str(folder),
        account=TradedAccount(id="main", numeraire="BTC"),
        execution=LAST_HOUR_POLICY,
        deribit=DeribitConfig(
            ws_url=f"ws://127.0.0.1:{port}/ws/api/v2",
            rest_url=f"http://127.0.0.1:{port}",
            credentials=credentials,
            timeouts=PATIENT,
            limits=UNHURRIED,
            **deribit,
        ),
        strategy=(
            StrategyConfig(id="pq", kind="pq_vol", underlying="BTC", params=pq),
            StrategyConfig(id="hedger", kind="delta_hedger", underlying="BTC"),
        ),
        api=ApiConfig(enabled=False),
    )


class LiveWorld:
    """A running system in mode live and the venue that it trades at."""

    def __init__(self, system: System, server: DeribitServer, clock: Clock) -> None:
        self.system = system
        self.server = server
        self.clock = clock

    async def until(self, done: Callable[[], object], process_s: float, what: str) -> None:
        """Wait for something, at most so long in process time."""
        until_ns = self.clock.now_ns() + round(process_s * SECOND_NS)
        while not done():
            assert self.clock.now_ns() < until_ns, f"not within {process_s} s: {what}"
            await self.clock.sleep(0.5)

    @property
    def books(self) -> AccountDesk:
        """The trader's books of the account."""
        return self.system.risk.books(AccountId("main"))

    def venue_positions(self) -> dict[InstrumentId, Decimal]:
        """What the venue says is held."""
        held = self.server.exchange.positions("main")
        return {item.instrument_id: item.quantity for item in held if item.quantity}

    def venue_cash(self) -> Decimal:
        """Settled cash plus realised session profit, as the venue has it."""
        return self.server.exchange.account_summary("main", "BTC").cash


@asynccontextmanager
async def live_world(
    folder: Path,
    clock: Clock,
    exchange: SimulatedExchange,
    *,
    step_ms: float,
    port: int = 0,
    **config: Any,
) -> AsyncIterator[LiveWorld]:
    """The system in mode live, connected over the wire; ended in order on leaving."""
    settings = ServerConfig(step_ms=step_ms)
    server = DeribitServer(exchange, clock, settings)
    async with server.running("127.0.0.1", port) as bound:
        wanted = live_config(folder, bound, **config)
        with open_journal(wanted) as journal:
            make_venue = assembly.deribit_venue(wanted)
            system = System(wanted, clock=clock, journal=journal, make_venue=make_venue)
            async with Supervisor(clock, system.bus.publish) as supervisor:
                system.start()
                supervisor.spawn("bus", system.bus.run)
                supervisor.spawn("journal", lambda: keep_journal(journal, system.bus))
                supervisor.spawn("venue", system.venue.run, restart=True)
                yield LiveWorld(system, server, clock)
                await supervisor.stop("venue")
                await settle()
                await supervisor.stop("bus")
                system.stop()


def journaled(folder: Path) -> list[Event]:
    """Everything in the journal of a folder, verified against its chain."""
    return [record.event for record in read_records(open_for_reading(folder / "glmtrader.journal"))]


def of(events: list[Event], kind: type[E]) -> list[E]:
    """The events of one kind, in order."""
    return [event for event in events if isinstance(event, kind)]
