"""Mode live against the simulated Deribit server over loopback sockets, through an expiry.

One run of half an hour: quotes, a straddle, its hedges, the delivery, flat again. The
tests read what it left: the journal, the books, and the venue's own figures.
"""

import asyncio
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from live_world import (
    DEAR_MARKET,
    EXPIRY_NS,
    LAST_HOUR,
    PERPETUAL,
    LiveWorld,
    journaled,
    live_world,
    of,
    venue,
)

from glmtrader.domain.decisions import IntentType
from glmtrader.domain.event import Event
from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import MINUTE_NS, SECOND_NS
from glmtrader.domain.order_events import (
    ExecutionCommand,
    Fill,
    IntentCompleted,
    OptionDelivered,
    OrderCommand,
)
from glmtrader.domain.risk_events import RiskAlert, Severity, TradingMode, TradingModeChanged
from glmtrader.domain.strategy_events import DecisionMade, StrategyIntent
from glmtrader.kernel.clock import LoopClock
from glmtrader.research.explain import story_of
from glmtrader.research.replay import verify

START_NS = EXPIRY_NS - 32 * MINUTE_NS
SPEED = 110.0
BAND_FLOOR_USD = Decimal(500)
"""The hedger's narrowest band, 0.005 coin, at these prices, rounded up."""


class Told(msgspec.Struct, frozen=True):
    """What the run left behind.

    Attributes:
        before: booked positions six minutes before the expiry.
        booked, held: positions at the end, by the trader and by the venue; cash likewise.
    """

    journal: Path
    events: list[Event]
    before: dict[InstrumentId, Decimal]
    booked: dict[InstrumentId, Decimal]
    held: dict[InstrumentId, Decimal]
    booked_cash: dict[str, Decimal]
    held_cash: dict[str, Decimal]
    mode: TradingMode


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """The run, made once for all tests here."""
    return asyncio.run(_run(tmp_path_factory.mktemp("live")))


async def _run(folder: Path) -> Told:
    clock = LoopClock(speed=SPEED, start_ns=START_NS)
    exchange = venue(1, START_NS, DEAR_MARKET)
    async with live_world(
        folder, clock, exchange, step_ms=1000.0, pq=LAST_HOUR, chain_interval_s=15.0
    ) as world:
        await world.until(lambda: len(world.venue_positions()) >= 2, 1200.0, "a straddle")
        await clock.sleep((EXPIRY_NS - 6 * MINUTE_NS - clock.now_ns()) / SECOND_NS)
        before = world.books.positions()
        await clock.sleep((EXPIRY_NS - clock.now_ns()) / SECOND_NS)
        await world.until(lambda: _is_over(world), 300.0, "the delivery, and the hedge taken off")
        booked, held = world.books.positions(), world.venue_positions()
        booked_cash, held_cash = world.books.cash(), {"BTC": world.venue_cash()}
        mode = world.system.execution.mode
    return Told(
        journal=folder / "glmtrader.journal",
        events=journaled(folder),
        before=before,
        booked=booked,
        held=held,
        booked_cash=booked_cash,
        held_cash=held_cash,
        mode=mode,
    )


def _is_over(world: LiveWorld) -> bool:
    """Delivered, and nothing that happened at the venue is still on its way to the books."""
    booked, held = world.books.positions(), world.venue_positions()
    hedge = held.get(PERPETUAL, Decimal(0))
    equal = booked == held and world.books.cash() == {"BTC": world.venue_cash()}
    return equal and set(held) <= {PERPETUAL} and abs(hedge) <= BAND_FLOOR_USD


def test_a_decision_becomes_a_straddle_leg_by_leg(told: Told) -> None:
    """Decision, intent, command, two orders and their fills carry one intent id, in that order."""
    opened = next(
        event
        for event in of(told.events, IntentCompleted)
        if event.strategy_id == "pq" and event.outcome == "filled"
    )
    opening = next(
        event for event in of(told.events, DecisionMade) if event.intent_id == opened.intent_id
    )
    assert opening.decision.intent.intent_type is IntentType.INCREASE_SHORT_GAMMA
    chain = [
        event
        for event in told.events
        if getattr(event, "intent_id", None) == opening.intent_id
        or (isinstance(event, OrderCommand) and event.order.intent_id == opening.intent_id)
        or (
            isinstance(event, Fill)
            and str(event.client_order_id).startswith(f"{opening.intent_id}-")
        )
    ]
    kinds = [type(event) for event in chain]
    assert kinds[:4] == [DecisionMade, StrategyIntent, ExecutionCommand, OrderCommand]
    assert kinds[-1] is IntentCompleted
    fills = of(chain, Fill)
    names = {fill.instrument_id for fill in fills}
    assert {name.rsplit("-", 1)[1] for name in names} == {"C", "P"}
    assert len({name.rsplit("-", 1)[0] for name in names}) == 1
    for name in names:
        assert sum(fill.quantity for fill in fills if fill.instrument_id == name) == 1


def test_every_fill_follows_its_written_order(told: Told) -> None:
    """No fill without an approved order before it in the journal."""
    written: set[str] = set()
    for event in told.events:
        if isinstance(event, OrderCommand):
            assert event.approval_id
            written.add(event.order.client_order_id)
        elif isinstance(event, Fill):
            assert event.client_order_id in written
    assert written


def test_the_delta_is_hedged_with_the_perpetual(told: Told) -> None:
    """Hedges trade the perpetual and leave less delta than they found."""
    decisions = {event.intent_id: event for event in of(told.events, DecisionMade)}
    hedged = [
        decisions[event.intent_id]
        for event in of(told.events, IntentCompleted)
        if event.strategy_id == "hedger" and event.outcome == "filled"
    ]
    assert hedged
    fills = [fill for fill in of(told.events, Fill) if str(fill.client_order_id)[0] == "h"]
    assert {fill.instrument_id for fill in fills} == {PERPETUAL}
    for event in hedged:
        delta = event.state.total_delta
        assert delta is not None
        assert delta * event.decision.intent.direction < 0
    assert told.before[PERPETUAL] != 0


def test_the_straddle_is_delivered_and_the_hedge_taken_off(told: Told) -> None:
    """After 08:00 no option is held, and no more of the hedge than the band's floor."""
    delivered = of(told.events, OptionDelivered)
    assert [event.expiry_ns for event in delivered] == [EXPIRY_NS]
    assert sum(1 for name in told.before if name != PERPETUAL) >= 2
    assert set(told.booked) <= {PERPETUAL}
    assert abs(told.booked.get(PERPETUAL, Decimal(0))) <= BAND_FLOOR_USD


def test_the_books_equal_the_venue(told: Told) -> None:
    """Positions and cash to the last digit; nobody had to halt."""
    assert told.booked == told.held
    assert told.booked_cash == told.held_cash
    assert told.mode is TradingMode.OPEN
    modes = {event.mode for event in of(told.events, TradingModeChanged)}
    assert TradingMode.HALTED not in modes
    loud = {it.alert_type for it in of(told.events, RiskAlert) if it.severity is Severity.CRITICAL}
    # ccxt paces its requests in real time, which a scaled clock makes minutes of: reports are late.
    assert loud <= {"reconciliation"}


def test_the_run_is_explained_and_replays_bit_for_bit(told: Told) -> None:
    """The last acting decision has its story, and every decision is made again, equal."""
    story = story_of(told.journal, None)
    assert story.fills
    report = verify(told.journal)
    assert report.decisions > 100
    assert report.differing == 0
