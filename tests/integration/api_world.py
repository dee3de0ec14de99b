"""The real system on paper in virtual time, with its API on a free port of the loopback."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from yarl import URL

from glmtrader import assembly
from glmtrader.app import System, open_journal
from glmtrader.config.schema import AccountConfig, ApiConfig, Config, Mode, PaperConfig
from glmtrader.config.schema import StrategyConfig as Strategy
from glmtrader.domain.event import Event
from glmtrader.domain.events import JOURNALED_EVENTS, PASSING_EVENTS
from glmtrader.domain.ids import AccountId
from glmtrader.domain.instruments import MINUTE_NS, SECOND_NS
from glmtrader.kernel.bus import Bus
from glmtrader.kernel.clock import VirtualClock
from glmtrader.kernel.driver import run_virtual, settle
from glmtrader.kernel.supervisor import Supervisor
from glmtrader.web.server import ApiServer
from glmtrader.web.views import ViewCache, WebScope

START_NS = 1_769_839_200 * SECOND_NS
"""A Saturday: the next Friday is inside the expiry window of the trader."""
ANSWER_S_MAX = 5.0


def paper_config(folder: Path) -> Config:
    """One hour of it trades a straddle: the threshold is low, so that there is much to serve."""
    return Config(
        mode=Mode.PAPER,
        data_dir=str(folder),
        account=AccountConfig(id="paper", numeraire="BTC"),
        paper=PaperConfig(balances={"BTC": Decimal(1)}, step_s=10.0, chain_interval_s=60.0),
        strategy=(
            Strategy(id="pq", kind="pq_vol", underlying="BTC", params={"vol_threshold": 0.002}),
            Strategy(id="hedger", kind="delta_hedger", underlying="BTC"),
        ),
        api=ApiConfig(port=0),
    )


class Witness:
    """A second, lossless reader of the bus: what the API is compared with."""

    def __init__(self, bus: Bus) -> None:
        self._subscription = bus.subscribe(
            *JOURNALED_EVENTS, *PASSING_EVENTS, name="witness", capacity=1_000_000
        )
        self.events: list[Event] = []

    async def run(self) -> None:
        """Keep everything."""
        async for _, event in self._subscription:
            self.events.append(event)

    def newest(self, kind: type[Event], **fields: object) -> Any:
        """The newest event of a class with these fields."""
        for event in reversed(self.events):
            if isinstance(event, kind) and all(
                getattr(event, name) == value for name, value in fields.items()
            ):
                return event
        raise AssertionError(f"no {kind.__name__} with {fields} was published")


class Answer(msgspec.Struct):
    """One HTTP answer."""

    status: int
    content_type: str
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The body decoded."""
        return msgspec.json.decode(self.text)


class World:
    """A system, its API, and somebody who asks it."""

    def __init__(self, system: System, clock: VirtualClock, api: ApiServer) -> None:
        self.system = system
        self.clock = clock
        self.api = api
        self.witness = Witness(system.bus)

    async def ask(self, path: str, *, method: str = "GET", **request: Any) -> Answer:
        """Send one request; the path goes out as it stands."""
        url = URL(self.api.url + path.lstrip("/"), encoded=True)
        timeout = aiohttp.ClientTimeout(total=ANSWER_S_MAX)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.request(method, url, **request) as response,
        ):
            return Answer(
                status=response.status,
                content_type=response.content_type,
                headers=dict(response.headers),
                text=await response.text(),
            )

    async def advance(self, minutes: float) -> None:
        """Let virtual time pass and everything be read."""
        until_ns = self.clock.now_ns() + round(minutes * MINUTE_NS)
        await run_virtual(self.clock, self.system.bus, until_ns=until_ns, should_stop=lambda: False)
        await settle()


def server_of(system: System, config: Config) -> ApiServer:
    """The API of a system, wired as the command line does."""
    scope = WebScope(
        account_id=AccountId(config.account.id),
        underlyings=config.underlyings,
        quote_age_ns_max=config.risk.quote_age_ns_max,
        surface_age_ns_max=config.risk.surface_age_ns_max,
    )
    views = ViewCache(system.bus, system.clock, scope)
    return ApiServer(views, "127.0.0.1", config.api.port, clock=system.clock, bus=system.bus)


@asynccontextmanager
async def running(
    folder: Path, *, venue: bool = True, start_ns: int = START_NS
) -> AsyncIterator[World]:
    """A started system; with `venue`, its market is open too."""
    config = paper_config(folder)
    clock = VirtualClock(start_ns)
    with open_journal(config) as journal:
        market = assembly.generated_market(config, START_NS)
        make_venue = assembly.paper_venue(config, market, start_ns)
        system = System(config, clock=clock, journal=journal, make_venue=make_venue)
        world = World(system, clock, server_of(system, config))
        async with Supervisor(clock, system.bus.publish) as supervisor:
            supervisor.spawn("witness", world.witness.run)
            supervisor.spawn("views", world.api.views.run)
            supervisor.spawn("api", world.api.run)
            system.start()
            if venue:
                supervisor.spawn("venue", system.venue.run)
            await settle()
            yield world
            if venue:
                await supervisor.stop("venue")
            system.stop()
            await settle()


async def kept_running(
    folder: Path, ready: asyncio.Future[World], done: asyncio.Event, *, minutes: float
) -> None:
    """A world that lives in one task until `done`, as a TaskGroup must."""
    async with running(folder) as world:
        await world.advance(minutes)
        ready.set_result(world)
        await done.wait()
