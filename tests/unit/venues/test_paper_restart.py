"""The paper account over kills, restarts and what fell due in between."""

from pathlib import Path

import msgspec
import pytest
from paper_desk import CALL, CONFIG, EXPIRY_NS, PERPETUAL, START_NS, D, Desk

from glmtrader.domain.instruments import HOUR_NS, SECOND_NS
from glmtrader.domain.market_events import InstrumentsListed
from glmtrader.domain.order_events import (
    Fill,
    FundingPaid,
    OptionDelivered,
    SessionSettled,
)
from glmtrader.domain.orders import (
    OrderStatus,
)
from glmtrader.errors import DataError
from glmtrader.venues.paper_store import saved_now_ns


def test_the_account_survives_a_kill_after_any_fill_it_told(tmp_path: Path) -> None:
    """Without a clean stop the second run has the position; what rested is cancelled."""
    path = tmp_path / "run" / "paper.json"
    config = msgspec.structs.replace(CONFIG, state_path=path)
    first = Desk(config)
    first.venue.start()
    resting = first.send(price=D(99_000))
    first.run(0.5)
    first.send()
    first.run(0.5)
    assert len(first.seen(Fill)) == 1
    saved_ns = saved_now_ns(path)
    assert saved_ns is not None
    second = Desk(config, start_ns=START_NS + 60 * SECOND_NS)
    second.venue.start()
    report = second.report(0, resting)
    assert report.positions == {PERPETUAL: D(1000)}
    assert [item.status for item in report.orders] == [OrderStatus.CANCELLED]
    assert [item.trade_id for item in report.fills] == [first.seen(Fill)[0].trade_id]


def test_an_expiry_between_two_runs_is_told_at_the_start_of_the_second(tmp_path: Path) -> None:
    """The held option is listed first, so that its delivery can be booked."""
    config = msgspec.structs.replace(CONFIG, state_path=tmp_path / "paper.json")
    first = Desk(config)
    first.venue.start()
    first.send(instrument_id=CALL, quantity=D(1), price=D("0.05"))
    first.run(1)
    first.venue.stop()
    second = Desk(config, start_ns=EXPIRY_NS + HOUR_NS)
    second.venue.start()
    second.run(1)
    listed = second.seen(InstrumentsListed)
    assert CALL in {item.instrument_id for item in listed[0].listed}
    assert CALL in listed[1].delisted
    (delivered,) = second.seen(OptionDelivered)
    assert second.events.index(delivered) > second.events.index(listed[0])
    assert second.report().positions == {}


def test_a_settlement_between_two_runs_is_told_at_the_start_of_the_second(tmp_path: Path) -> None:
    """Funding and the session of 08:00 too, once the connection stands."""
    config = msgspec.structs.replace(CONFIG, state_path=tmp_path / "paper.json")
    first = Desk(config)
    first.market.move(100_000, funding_rate_8h=0.0008)
    first.venue.start()
    first.send()
    first.send(price=D(99_000))
    first.run(1)
    first.venue.stop()
    second = Desk(config, start_ns=EXPIRY_NS + HOUR_NS // 2)
    second.market.move(110_000, funding_rate_8h=0.0008)
    second.venue.start()
    second.run(1)
    flows = (*second.seen(FundingPaid), *second.seen(SessionSettled))
    assert [(type(flow), flow.ts_event) for flow in flows] == [
        (FundingPaid, EXPIRY_NS),
        (SessionSettled, EXPIRY_NS),
    ]


def test_an_order_between_eight_and_the_next_step_does_not_hide_the_settlement() -> None:
    """With long steps, an order just after 08:00 comes before the step that tells it."""
    config = msgspec.structs.replace(CONFIG, step_s=7.0)
    desk = Desk(config)
    desk.venue.start()
    desk.send()
    assert EXPIRY_NS % (7 * SECOND_NS) != 0
    desk.run(3601)
    desk.send()
    desk.run(10)
    assert [item.ts_event for item in desk.seen(SessionSettled)] == [EXPIRY_NS]


def test_a_state_of_the_future_is_refused(tmp_path: Path) -> None:
    """A clock behind the saved account would let time run twice."""
    config = msgspec.structs.replace(CONFIG, state_path=tmp_path / "paper.json")
    first = Desk(config)
    first.venue.start()
    first.run(10)
    first.venue.stop()
    with pytest.raises(DataError, match="later than the clock"):
        Desk(config).venue.start()
