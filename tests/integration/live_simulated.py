"""The last half hour of an expiry in virtual time: system, adapter, wire and venue in one process.

The target of a simulated process; its working directory holds the journal.
"""

from pathlib import Path

from live_world import DEAR_MARKET, EXPIRY_NS, LAST_HOUR, journaled, live_world, of, venue

from glmtrader.domain.instruments import MINUTE_NS, SECOND_NS
from glmtrader.domain.order_events import Fill, OptionDelivered
from glmtrader.kernel.clock import LoopClock

START_NS = EXPIRY_NS - 35 * MINUTE_NS


async def opening() -> dict[str, object]:
    """Nine minutes: from quotes to a straddle."""
    return await _run(START_NS + 9 * MINUTE_NS)


async def through_expiry() -> dict[str, object]:
    """From quotes to a hedged straddle and through its expiry."""
    return await _run(EXPIRY_NS + 2 * MINUTE_NS)


async def _run(until_ns: int) -> dict[str, object]:
    """Trade until then; says what the journal holds, and whether the books equal the venue."""
    folder = Path("data")
    clock = LoopClock()
    exchange = venue(1, START_NS, DEAR_MARKET)
    async with live_world(
        folder, clock, exchange, step_ms=1000.0, port=8765, pq=LAST_HOUR
    ) as world:
        await clock.sleep((until_ns - START_NS) / SECOND_NS)
        equal = world.books.positions() == world.venue_positions()
        equal = equal and world.books.cash() == {"BTC": world.venue_cash()}
    events = journaled(folder)
    return {
        "digest": world.system.journal.digest,
        "events": len(events),
        "fills": len(of(events, Fill)),
        "delivered": len(of(events, OptionDelivered)),
        "equal": equal,
    }
