"""The life of an order: every state with every event, and fills in any order."""

from decimal import Decimal

import pytest
from execution_world import HEDGE, NOW_NS, PERPETUAL, World
from hypothesis import given
from hypothesis import strategies as st

from glmtrader.domain.ids import ClientOrderId, TradeId, VenueOrderId
from glmtrader.domain.order_events import Fill, OrderUpdate
from glmtrader.domain.orders import Order, OrderStatus, Side
from glmtrader.errors import IllegalTransitionError
from glmtrader.execution.order_state import (
    NEVER_ACCEPTED,
    TABLE,
    OrderEvent,
    OrderRecord,
    created,
    filled,
    happened,
    transition,
    updated,
)

D = Decimal
FINAL = {
    OrderStatus.FILLED,
    OrderStatus.CANCELLED,
    OrderStatus.REJECTED,
    OrderStatus.EXPIRED,
}
VENUE_EVENTS = set(OrderEvent) - {OrderEvent.SEND}


def make_order() -> Order:
    world = World().opened()
    world.give(HEDGE)
    world.run(0.001)
    return world.venue.submitted[0]


ORDER = make_order()


def sent() -> OrderRecord:
    return happened(created(ORDER, now_ns=NOW_NS), OrderEvent.SEND, now_ns=NOW_NS)


def update(status: OrderStatus, **changes: object) -> OrderUpdate:
    fields: dict[str, object] = {
        "ts_event": NOW_NS,
        "ts_init": NOW_NS,
        "account_id": ORDER.account_id,
        "client_order_id": ORDER.client_order_id,
        "venue_order_id": None,
        "instrument_id": ORDER.instrument_id,
        "status": status,
        "quantity_filled": None,
        "source": "stream",
        "reason": "",
    }
    return OrderUpdate(**{**fields, **changes})  # type: ignore[arg-type]


def fill(trade: str, quantity: int, side: Side = Side.SELL) -> Fill:
    return Fill(
        ts_event=NOW_NS,
        ts_init=NOW_NS,
        account_id=ORDER.account_id,
        client_order_id=ORDER.client_order_id,
        venue_order_id=VenueOrderId("v"),
        trade_id=TradeId(trade),
        instrument_id=PERPETUAL.instrument_id,
        side=side,
        quantity=D(quantity),
        price=D(65_000),
        fee=D(0),
        fee_currency="BTC",
        is_maker=False,
        cursor=1,
        index_usd=None,
    )


def test_table_names_every_state_and_every_event() -> None:
    """Nothing can be forgotten: the table has a cell for each of them."""
    head, *rows = TABLE.splitlines()
    assert {OrderEvent(name) for name in head.split()} == set(OrderEvent)
    assert {OrderStatus(row.split()[0]) for row in rows} == set(OrderStatus)
    assert {len(row.split()) for row in rows} == {len(OrderEvent) + 1}


@pytest.mark.parametrize("state", OrderStatus)
@pytest.mark.parametrize("event", OrderEvent)
def test_every_pair_is_decided(state: OrderStatus, event: OrderEvent) -> None:
    """A pair is either illegal, or leads to a state that the rules allow."""
    illegal = event is OrderEvent.SEND and state is not OrderStatus.CREATED
    if state is OrderStatus.CREATED:
        illegal = event not in (OrderEvent.SEND, OrderEvent.REJECT, OrderEvent.EXPIRE)
    if illegal:
        with pytest.raises(IllegalTransitionError):
            transition(state, event)
        return
    after = transition(state, event)
    assert after is not OrderStatus.CREATED
    if state is OrderStatus.FILLED:
        assert after is OrderStatus.FILLED
    if event is OrderEvent.FULL:
        assert after is OrderStatus.FILLED
    if event is OrderEvent.ACK and state in FINAL:
        assert after is state
    if event is OrderEvent.LOST and state in FINAL:
        assert after is state
    if event is OrderEvent.NEVER:
        assert after in FINAL
    if event is OrderEvent.APPEAR:
        assert after not in FINAL - {OrderStatus.FILLED}


def test_fill_before_acknowledgement_counts() -> None:
    """A fill of an order that was not acknowledged makes it partly filled; the ack is stale."""
    record = filled(sent(), fill("a", 400), now_ns=NOW_NS)
    assert record.status is OrderStatus.PARTLY_FILLED
    record = updated(record, update(OrderStatus.ACCEPTED), now_ns=NOW_NS)
    assert record.status is OrderStatus.PARTLY_FILLED
    assert record.quantity_open == D(600)


def test_fill_after_cancel_counts() -> None:
    """A late fill of a cancelled order is counted, and the whole of it makes it filled."""
    record = updated(sent(), update(OrderStatus.CANCELLED), now_ns=NOW_NS)
    record = filled(record, fill("a", 400), now_ns=NOW_NS)
    assert (record.status, record.quantity_filled) == (OrderStatus.CANCELLED, D(400))
    record = filled(record, fill("b", 600), now_ns=NOW_NS)
    assert record.status is OrderStatus.FILLED
    assert record.is_settled


def test_filled_is_settled_only_with_its_fills() -> None:
    """The venue's word that it filled moves nothing: the order waits for the trades."""
    record = updated(sent(), update(OrderStatus.FILLED), now_ns=NOW_NS)
    assert record.status.is_final
    assert not record.is_settled
    assert filled(record, fill("a", 1000), now_ns=NOW_NS).is_settled


def test_cancelled_with_reported_fills_waits_for_them() -> None:
    """A cancel that names a filled quantity is settled when that much has been booked."""
    record = updated(sent(), update(OrderStatus.CANCELLED, quantity_filled=D(400)), now_ns=NOW_NS)
    assert not record.is_settled
    assert filled(record, fill("a", 400), now_ns=NOW_NS).is_settled


def test_never_accepted_is_a_presumption_that_the_venue_overrules() -> None:
    """What was presumed never accepted comes back by an acknowledgement or a fill."""
    lost = updated(sent(), update(OrderStatus.UNKNOWN), now_ns=NOW_NS)
    gone = updated(
        lost,
        update(OrderStatus.EXPIRED, source="reconciliation", reason=NEVER_ACCEPTED),
        now_ns=NOW_NS,
    )
    assert gone.presumed
    assert gone.status is OrderStatus.EXPIRED
    back = updated(gone, update(OrderStatus.ACCEPTED), now_ns=NOW_NS)
    assert (back.status, back.presumed) == (OrderStatus.ACCEPTED, False)
    back = filled(gone, fill("a", 400), now_ns=NOW_NS)
    assert (back.status, back.presumed) == (OrderStatus.PARTLY_FILLED, False)


@pytest.mark.parametrize(
    "wrong",
    [fill("a", 1001), fill("a", 10, Side.BUY)],
    ids=["more than ordered", "the other side"],
)
def test_impossible_fill_is_an_error(wrong: Fill) -> None:
    """A fill that cannot be of this order is refused."""
    with pytest.raises(IllegalTransitionError):
        filled(sent(), wrong, now_ns=NOW_NS)


def test_update_of_another_order_is_an_error() -> None:
    """An update is taken by the order it names."""
    other = update(OrderStatus.ACCEPTED, client_order_id=ClientOrderId("x"))
    with pytest.raises(IllegalTransitionError):
        updated(sent(), other, now_ns=NOW_NS)


MESSAGES: list[OrderUpdate | Fill] = [
    update(OrderStatus.ACCEPTED),
    fill("a", 300),
    fill("b", 300),
    update(OrderStatus.PARTLY_FILLED, quantity_filled=D(600)),
    fill("c", 400),
    update(OrderStatus.FILLED, quantity_filled=D(1000)),
]


@given(st.permutations(MESSAGES), st.lists(st.sampled_from(MESSAGES), max_size=6))
def test_any_order_and_repetition_of_messages_ends_filled(
    messages: list[OrderUpdate | Fill], repeated: list[OrderUpdate | Fill]
) -> None:
    """However messages are reordered and repeated, the order ends filled, each trade once."""
    record = sent()
    for message in (*messages, *repeated):
        if isinstance(message, Fill):
            record = filled(record, message, now_ns=NOW_NS)
        else:
            record = updated(record, message, now_ns=NOW_NS)
    assert record.status is OrderStatus.FILLED
    assert record.quantity_filled == D(1000)
    assert record.is_settled
