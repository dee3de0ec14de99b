"""The shipped demo in virtual time, in one process: its own settings, a seed, and what is asked."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

from live_world import journaled

from glmtrader import assembly
from glmtrader.app import System, open_journal
from glmtrader.config.loader import load
from glmtrader.domain.event import Event
from glmtrader.domain.ids import AccountId, InstrumentId
from glmtrader.domain.instruments import MINUTE_NS
from glmtrader.kernel.clock import Clock, VirtualClock
from glmtrader.kernel.driver import run_virtual
from glmtrader.venues.port import Publish, Venue

DEMO_MINUTES = 150
"""Thirty seconds at the demo's 300 times real time."""


def as_it_is(event: Event) -> Event:
    """What the venue says, unchanged."""
    return event


class VirtualDemo:
    """The running demo; time passes only in `run`."""

    def __init__(self, system: System, clock: VirtualClock, folder: Path) -> None:
        self.system = system
        self._clock = clock
        self._folder = folder

    async def run(self, minutes: float, *, until: Callable[[], bool] = lambda: False) -> None:
        """Let so much of the market pass, or less when something has happened."""
        until_ns = self._clock.now_ns() + round(minutes * MINUTE_NS)
        await run_virtual(self._clock, self.system.bus, until_ns=until_ns, should_stop=until)

    @property
    def now_ns(self) -> int:
        """The market's time."""
        return self._clock.now_ns()

    @property
    def account_id(self) -> AccountId:
        """The account that is traded."""
        return AccountId(self.system.config.account.id)

    def positions(self) -> dict[InstrumentId, Decimal]:
        """What the books hold."""
        return self.system.risk.books(self.account_id).positions()

    def events(self) -> list[Event]:
        """The journal so far."""
        self.system.journal.commit()
        return journaled(self._folder)


@asynccontextmanager
async def virtual_demo(
    folder: Path, seed: int, *, spoil: Callable[[Event], Event] = as_it_is
) -> AsyncIterator[VirtualDemo]:
    """The demo in the market of a seed; `spoil` changes what the venue tells the trader."""
    changes = {"GLMTRADER__MARKET__SEED": str(seed), "GLMTRADER__DATA_DIR": f'"{folder}"'}
    config = load("paper.toml", changes)
    start_ns = assembly.paper_start_ns(config, 0)
    clock = VirtualClock(start_ns)
    market = assembly.generated_market(config, start_ns)
    connect = assembly.paper_venue(config, market, start_ns)

    def make_venue(clock: Clock, publish: Publish) -> Venue:
        return connect(clock, lambda event: publish(spoil(event)))

    with open_journal(config) as journal:
        system = System(config, clock=clock, journal=journal, make_venue=make_venue)
        system.start()
        venue = asyncio.get_running_loop().create_task(system.venue.run())
        await asyncio.sleep(0)
        try:
            yield VirtualDemo(system, clock, folder)
        finally:
            venue.cancel()
            await asyncio.gather(venue, return_exceptions=True)
            system.stop()
