"""The paper venue behind the port: latency, outcomes, faults, reports and persistence."""

import asyncio

import msgspec
import numpy as np
import pytest
from paper_desk import CALL, PERPETUAL, START_NS, D, Desk

from glmtrader.domain.ids import AccountId, InstrumentId
from glmtrader.domain.instruments import HOUR_NS, SECOND_NS
from glmtrader.domain.ledger import (
    Ledger,
    apply_fill,
    apply_funding,
    apply_session_settlement,
)
from glmtrader.domain.market_events import Candle, ChainSnapshot, InstrumentsListed, MarketTick
from glmtrader.domain.order_events import (
    CashTransferred,
    Fill,
    FundingPaid,
    OptionDelivered,
    OrderUpdate,
    SessionSettled,
)
from glmtrader.domain.orders import (
    OrderStatus,
    Side,
)
from glmtrader.domain.system_events import VenueStatusChanged
from glmtrader.kernel.clock import LoopClock
from glmtrader.risk.opening import book
from glmtrader.simulator.exchange_types import PlatformState
from glmtrader.venues.port import Venue


@pytest.fixture
def desk() -> Desk:
    made = Desk()
    made.venue.start()
    return made


def test_it_is_a_venue(desk: Desk) -> None:
    """The port's methods are all there."""
    venue: Venue = desk.venue
    assert venue.name == "deribit"
    assert venue.account_id == "paper"
    assert venue.accept_delay_max_ns == 2 * SECOND_NS


def test_it_starts_with_status_then_instruments_then_market_data(desk: Desk) -> None:
    """Nothing is said about an instrument before it is listed."""
    kinds = [type(event) for event in desk.events]
    assert kinds[:3] == [VenueStatusChanged, InstrumentsListed, MarketTick]
    assert len(desk.seen(InstrumentsListed)[0].listed) == 13
    assert desk.seen(ChainSnapshot)[0].bid.shape == (12,)


def test_market_data_comes_at_its_intervals(desk: Desk) -> None:
    """A tick a step, a bar when it closes; watched options too."""
    desk.events.clear()
    desk.venue.watch([CALL, InstrumentId("deribit:UNKNOWN")])
    desk.run(600)
    ticks = desk.seen(MarketTick)
    assert sum(item.instrument_id == PERPETUAL for item in ticks) == 600
    assert sum(item.instrument_id == CALL for item in ticks) == 600
    closes = [item.ts_event for item in desk.seen(Candle)]
    assert closes == [START_NS + 300 * SECOND_NS, START_NS + 600 * SECOND_NS]


def test_a_chain_is_sent_once_for_each_time_it_was_made(desk: Desk) -> None:
    """A recorded chain stays the same for hours: only a new one is news."""
    desk.events.clear()
    desk.run(60)
    assert desk.seen(ChainSnapshot) == []
    for _ in range(3):
        desk.market.move(100_000.0)
        desk.run(6)
    assert len(desk.seen(ChainSnapshot)) == 3


def test_an_order_is_answered_after_the_latency_with_fill_and_state(desk: Desk) -> None:
    """Nothing is known at once; then the fill, then the final state."""
    name = desk.send()
    assert desk.seen(OrderUpdate) == []
    desk.run(0.9)
    (fill,) = desk.seen(Fill)
    (update,) = desk.seen(OrderUpdate)
    assert (fill.client_order_id, fill.quantity, fill.price) == (name, D(1000), D("100000.5"))
    assert (update.status, update.source) == (OrderStatus.FILLED, "reply")
    assert fill.fee == D("0.000005")
    assert fill.ts_event - START_NS >= 5_000_000
    assert fill.ts_init - fill.ts_event >= 5_000_000


def test_a_refusal_is_the_venues_own_word(desk: Desk) -> None:
    """Rejected, with Deribit's name for the reason."""
    desk.send(price=D("100000.3"))
    desk.run(0.9)
    (update,) = desk.seen(OrderUpdate)
    assert update.status is OrderStatus.REJECTED
    assert update.reason.startswith("price_wrong_tick")


def test_a_resting_order_fills_on_the_stream_and_a_cancel_is_answered(desk: Desk) -> None:
    """Accepted, then filled when the market comes; another cancelled on request."""
    filled = desk.send(price=D(99_500))
    cancelled = desk.send(price=D(99_000))
    desk.run(0.5)
    desk.market.move(99_400)
    desk.run(2)
    desk.venue.cancel(cancelled)
    desk.run(0.5)
    assert desk.statuses(filled) == [OrderStatus.ACCEPTED, OrderStatus.FILLED]
    assert desk.statuses(cancelled) == [OrderStatus.ACCEPTED, OrderStatus.CANCELLED]


def test_cancelling_what_is_closed_or_unknown_says_how_it_stands(desk: Desk) -> None:
    """A cancel that comes too late still has an outcome."""
    name = desk.send()
    desk.run(0.5)
    desk.venue.cancel(name)
    desk.venue.faults.submits_lost = 1
    lost = desk.send()
    desk.venue.cancel(lost)
    desk.run(0.5)
    assert desk.statuses(name) == [OrderStatus.FILLED, OrderStatus.FILLED]
    assert desk.statuses(lost) == [OrderStatus.UNKNOWN]


def test_cancel_all_cancels_everything(desk: Desk) -> None:
    """All open orders of the account."""
    names = [desk.send(price=D(99_000 - number)) for number in range(3)]
    desk.run(0.5)
    desk.venue.cancel_all()
    desk.run(0.5)
    assert all(desk.statuses(name)[-1] is OrderStatus.CANCELLED for name in names)


def test_a_lost_order_is_unknown_and_the_report_does_not_find_it(desk: Desk) -> None:
    """After the longest accept delay a missing order was never accepted."""
    desk.venue.faults.submits_lost = 1
    name = desk.send()
    desk.run(3)
    assert desk.statuses(name) == [OrderStatus.UNKNOWN]
    report = desk.report(0, name)
    assert report.resolved == (name,)
    assert report.orders == ()
    assert report.fills == ()


def test_a_dropped_ack_is_unknown_while_the_fill_comes_and_the_report_finds_it(
    desk: Desk,
) -> None:
    """A time-out is not a refusal."""
    desk.venue.faults.acks_dropped = 1
    name = desk.send()
    desk.run(2)
    assert desk.statuses(name) == [OrderStatus.UNKNOWN]
    assert len(desk.seen(Fill)) == 1
    report = desk.report(0, name)
    assert [(item.client_order_id, item.status) for item in report.orders] == [
        (name, OrderStatus.FILLED)
    ]


def test_a_late_order_is_accepted_after_it_was_unknown(desk: Desk) -> None:
    """Within the accept delay, and overtaken by a later order."""
    desk.venue.faults.accept_delay_ns = 3 * SECOND_NS // 2
    late = desk.send(price=D(99_000), valid_until_ns=START_NS + 10 * SECOND_NS)
    soon = desk.send(price=D(99_000))
    desk.run(3)
    assert desk.statuses(late) == [OrderStatus.UNKNOWN, OrderStatus.ACCEPTED]
    assert desk.statuses(soon) == [OrderStatus.ACCEPTED]


def test_a_late_order_past_its_validity_is_refused(desk: Desk) -> None:
    """valid_until makes a late arrival harmless."""
    desk.venue.faults.accept_delay_ns = 3 * SECOND_NS // 2
    name = desk.send()
    desk.run(3)
    assert desk.statuses(name) == [OrderStatus.UNKNOWN, OrderStatus.REJECTED]
    assert desk.seen(OrderUpdate)[-1].reason.startswith("timed_out")


def test_a_duplicated_fill_has_the_same_trade_id_and_a_held_one_is_overtaken(
    desk: Desk,
) -> None:
    """Whoever books fills must cope with both."""
    desk.venue.faults.fills_duplicated = 1
    desk.send()
    desk.run(0.9)
    first, second = desk.seen(Fill)
    assert (first.trade_id, first.cursor) == (second.trade_id, second.cursor)
    desk.events.clear()
    desk.venue.faults.fills_held = 1
    desk.send()
    desk.send()
    desk.run(0.9)
    assert [item.cursor for item in desk.seen(Fill)] == [4, 3]


def test_a_lost_connection_cancels_orders_silently_and_tells_what_is_unknown(
    desk: Desk,
) -> None:
    """What happened meanwhile is learned from a report, not from the stream."""
    resting = desk.send(price=D(99_000))
    desk.run(0.5)
    pending = desk.send()
    desk.venue.disconnect(5)
    assert desk.statuses(pending) == [OrderStatus.UNKNOWN]
    desk.events.clear()
    desk.run(4.5)
    assert desk.events == []
    refused = desk.send()
    assert desk.statuses(refused) == [OrderStatus.UNKNOWN]
    desk.run(1)
    assert [item.status for item in desk.seen(VenueStatusChanged)] == ["connected"]
    report = desk.report(0, resting, pending)
    assert [(item.client_order_id, item.status) for item in report.orders] == [
        (resting, OrderStatus.CANCELLED)
    ]


def test_a_fill_whose_message_was_lost_is_in_the_report(desk: Desk) -> None:
    """The exchange traded; the connection broke before it could say so."""
    desk.send()
    desk.run(0.008)
    desk.venue.disconnect(1)
    desk.run(2)
    assert desk.seen(Fill) == []
    assert [item.quantity for item in desk.report().fills] == [D(1000)]


def test_maintenance_silences_market_data_and_refuses_orders(desk: Desk) -> None:
    """Platform states are told as they change."""
    desk.venue.set_platform(PlatformState.MAINTENANCE, "upgrade")
    desk.events.clear()
    name = desk.send()
    desk.run(3)
    assert desk.seen(MarketTick) == []
    assert desk.statuses(name) == [OrderStatus.REJECTED]
    desk.venue.set_platform(PlatformState.OPEN, "done")
    desk.run(1)
    assert desk.seen(VenueStatusChanged)[-1].status == "open"
    assert desk.seen(MarketTick)


def test_cash_flows_and_fills_share_one_growing_cursor(desk: Desk) -> None:
    """Funding, delivery and settlement of 08:00 come in their order, after the trades."""
    desk.market.move(100_000, funding_rate_8h=0.0008)
    desk.send()
    desk.send(instrument_id=CALL, quantity=D(1), price=D("0.05"))
    desk.run(3700)
    booked = [
        event
        for event in desk.events
        if isinstance(event, Fill | FundingPaid | SessionSettled | OptionDelivered)
    ]
    assert [type(event) for event in booked] == [
        Fill,
        Fill,
        OptionDelivered,
        FundingPaid,
        SessionSettled,
    ]
    cursors = [event.cursor for event in booked]
    assert cursors == sorted(set(cursors))
    report = desk.report(cursors[2])
    assert [item.cursor for item in report.cashflows] == cursors[2:]
    assert report.fills == ()


def test_a_report_says_positions_and_balances_as_the_exchange_has_them(desk: Desk) -> None:
    """Complete, with the client ids that were asked for."""
    desk.send()
    desk.run(0.9)
    report = desk.report()
    assert report.complete
    assert report.positions == {PERPETUAL: D(1000)}
    (balance,) = report.balances
    assert balance.cash == D(5) - D("0.000005")
    assert balance.initial_margin > balance.maintenance_margin > 0


def test_deposits_and_withdrawals_are_told_and_booked(desk: Desk) -> None:
    """A ledger that books the stream, or the report alone, has the exchange's cash."""
    desk.venue.deposit("BTC", D("0.5"))
    desk.send()
    desk.run(1)
    desk.venue.deposit("BTC", D("-0.25"))
    desk.run(1)
    told = [(item.kind, item.amount) for item in desk.seen(CashTransferred)]
    assert told == [("deposit", D("0.5")), ("withdrawal", D("-0.25"))]
    report = desk.report()
    listed = {item.instrument_id: item for item in desk.seen(InstrumentsListed)[0].listed}
    streamed = [item for item in desk.events if isinstance(item, CashTransferred | Fill)]
    for start, events in ((D(5), streamed), (D(0), [*report.fills, *report.cashflows])):
        ledger = Ledger(account_id=AccountId("paper"), balances={"BTC": start})
        for event in (*events, *events):
            ledger = book(ledger, event, listed.get)
        assert ledger.balance("BTC") == report.balances[0].cash


def test_the_same_seed_publishes_the_same_events() -> None:
    """Two runs of one script are equal to the last byte."""

    def play() -> bytes:
        desk = Desk()
        desk.venue.start()
        for number in range(20):
            desk.send(price=D(99_990 + number))
            desk.market.move(100_000 + (-1) ** number * 7 * number)
            desk.run(0.7)
        encoder = msgspec.json.Encoder(enc_hook=lambda array: array.tolist())
        return b"\n".join(encoder.encode(event) for event in desk.events)

    assert play() == play()


@pytest.mark.parametrize("seed", range(12))
def test_whatever_the_wire_does_stream_and_report_together_are_the_truth(seed: int) -> None:
    """Lost, late, doubled and overtaking messages leave a ledger equal to the exchange."""
    desk = Desk()
    desk.venue.start()
    instruments = {item.instrument_id: item for item in desk.seen(InstrumentsListed)[0].listed}
    rng = np.random.default_rng(seed)
    for _ in range(60):
        fault = rng.choice(["submits_lost", "acks_dropped", "fills_duplicated", "fills_held", ""])
        if fault:
            setattr(desk.venue.faults, str(fault), 1)
        desk.market.move(100_000 + float(rng.integers(-50, 50)), funding_rate_8h=0.001)
        side = Side.BUY if rng.random() < 0.5 else Side.SELL
        desk.send(side=side, price=D(100_000 + int(rng.integers(-60, 60))))
        if rng.random() < 0.2:
            desk.run(0.008)
            desk.venue.disconnect(float(rng.integers(1, 5)))
            desk.run(6)
        desk.run(float(rng.integers(1, 120)))
    report = desk.report()
    ledger = Ledger(account_id=AccountId("paper"), balances={"BTC": D(5)})
    told = (*desk.events, *report.fills, *report.cashflows)
    booked = [event for event in told if isinstance(event, Fill | FundingPaid | SessionSettled)]
    for event in sorted(booked, key=lambda event: event.cursor):
        if isinstance(event, Fill):
            ledger, _ = apply_fill(ledger, event, instruments[event.instrument_id])
        elif isinstance(event, FundingPaid):
            ledger, _ = apply_funding(ledger, event)
        else:
            traded = instruments[event.instrument_id]
            ledger, _ = apply_session_settlement(ledger, event, traded)
    assert ledger.position(PERPETUAL).quantity == report.positions.get(PERPETUAL, D(0))
    assert ledger.balance("BTC") == report.balances[0].cash


@pytest.mark.asyncio
async def test_on_a_scaled_loop_clock_it_does_the_same_and_stops_when_cancelled() -> None:
    """No virtual time is needed; cancelling `run` stops every step."""
    desk = Desk(clock=LoopClock(speed=200.0, start_ns=START_NS))
    task = asyncio.get_running_loop().create_task(desk.venue.run())
    await asyncio.sleep(0.02)
    name = desk.send(valid_until_ns=START_NS + HOUR_NS)
    await asyncio.sleep(0.08)
    assert OrderStatus.FILLED in desk.statuses(name)
    assert len(desk.seen(MarketTick)) >= 5
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    count = len(desk.seen(MarketTick))
    await asyncio.sleep(0.03)
    assert len(desk.seen(MarketTick)) == count
