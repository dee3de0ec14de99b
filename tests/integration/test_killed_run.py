"""Kill -9 of a trader with orders on their way, and a start on the same journal: a normal day."""

import random
import signal
from pathlib import Path

import pytest
from killed_runs import Trader, Venue

from glmtrader.domain.order_events import Fill, OrderCommand

FAULTS = ("late_accept", "lost_reply", "timeout_after_accept")


@pytest.mark.parametrize(
    "kills",
    [pytest.param(2), pytest.param(100, marks=[pytest.mark.long, pytest.mark.timeout(1800)])],
)
def test_killed_with_orders_on_their_way(kills: int, tmp_path: Path) -> None:
    """After the last start everything is reconciled: nothing doubled, nothing lost, books equal."""
    chance = random.Random(kills)
    with Venue(tmp_path) as venue:
        trader = Trader(tmp_path, venue.port)
        for number in range(kills):
            # Each kill leaves orders that the venue executes later, or whose reply was never read.
            kind = FAULTS[number % len(FAULTS)]
            for method in ("private/buy", "private/sell"):
                venue.fault(kind=kind, method=method, times=5, delay_ms=700)
            delay_s = chance.uniform(0.0, 0.3)
            trader.run_until('"type":"order"', end=signal.SIGKILL, delay_s=delay_s)
            venue.clear()
        trader.run_until("reconciled: equal to the venue", end=signal.SIGINT)
        _assert_nothing_doubled(trader, venue)
        _assert_equal(trader, venue)
    epochs = {event.order.client_order_id.split("-")[1] for event in _orders(trader)}
    assert len(epochs) >= kills


def _orders(trader: Trader) -> list[OrderCommand]:
    return [event for event in trader.events() if isinstance(event, OrderCommand)]


def _assert_nothing_doubled(trader: Trader, venue: Venue) -> None:
    """One order a label at the venue, each of them written here before, none left working."""
    labels = [order["label"] for order in venue.orders()]
    assert len(labels) == len(set(labels))
    written = {event.order.client_order_id for event in _orders(trader)}
    assert set(labels) <= written
    assert venue.open_orders() == []


def _assert_equal(trader: Trader, venue: Venue) -> None:
    """Every trade is booked once; positions and cash equal to the last digit."""
    booked = [event.trade_id for event in trader.events() if isinstance(event, Fill)]
    done = [trade["trade_id"] for trade in venue.trades()]
    assert done
    assert sorted(set(booked)) == sorted(done)
    desk = trader.books()
    held = {name.removeprefix("deribit:"): size for name, size in desk.positions().items()}
    assert held == venue.positions()
    assert desk.cash()["BTC"] == venue.cash()
