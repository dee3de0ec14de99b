"""What is in flight may fill or not: closes, finished orders and margin count with either."""

from decimal import Decimal

import msgspec
import pytest
from risk_cases import ACCOUNT, CALL, PERPETUAL, World, fill, update, with_limits

from glmtrader.domain.orders import Order, OrderPurpose, OrderStatus
from glmtrader.risk.approval import Approved

CLOSE, HEDGE = OrderPurpose.CLOSE, OrderPurpose.HEDGE
D = Decimal


def sent(world: World, order: Order) -> Order:
    """An order that passed the gate."""
    assert isinstance(world.review(order), Approved)
    return order


def in_flight(world: World) -> tuple[Decimal, int]:
    """Buys of the perpetual that may still fill, and orders in flight."""
    desk = world.service.desks[ACCOUNT.account_id]
    exposure = desk.book.by_id.get(PERPETUAL.instrument_id)
    return (D(0) if exposure is None else exposure.buys, desk.orders.open_count)


def told(
    world: World, order: Order, status: OrderStatus, source: str = "stream", venue_id: str = "v"
) -> None:
    """The word of venue or reconciliation on an order."""
    event = update(order, status, world.clock.now_ns())
    world.send(msgspec.structs.replace(event, source=source, venue_order_id=venue_id or None))


def test_a_close_of_what_is_not_bought_yet_meets_the_limits() -> None:
    """Short 4 with buys of 8 in flight: a sale would make it short 4.1 if they never fill."""
    world = World(with_limits(straddles_max=4.0)).start()
    world.hold(CALL, "-4")
    sent(world, world.order(CALL, "8"))
    assert world.ask(CALL, "-0.1", purpose=CLOSE) == "position"


def test_a_close_of_what_is_held_passes_beside_buys_in_flight() -> None:
    """Long 3 and buying 1: the 3 can be sold, a sale of the fourth is an opening."""
    world = World(with_limits(straddles_max=4.0, drawdown_pct_max=1e-9)).start()
    world.hold(CALL, "3")
    world.service.desks[ACCOUNT.account_id].count_order(world.order(CALL, "1"), 0)
    world.market(80_000.0)
    assert world.ask(CALL, "-3.1", price=D("0.0105"), purpose=CLOSE) == "drawdown"
    assert world.ask(CALL, "-3", price=D("0.0105"), purpose=CLOSE) == "approved"


@pytest.mark.parametrize(
    "final", [OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.EXPIRED, OrderStatus.REJECTED]
)
@pytest.mark.parametrize("late", [OrderStatus.UNKNOWN, OrderStatus.SENT, OrderStatus.ACCEPTED])
def test_a_late_word_reopens_no_finished_order(final: OrderStatus, late: OrderStatus) -> None:
    """A time-out or an acknowledgement that comes after the end counts for nothing."""
    world = World(with_limits()).start()
    order = sent(world, world.order(PERPETUAL, "1000"))
    if final is OrderStatus.FILLED:
        now_ns = world.clock.now_ns()
        world.send(fill(PERPETUAL, "1000", D(90000), now_ns, trade_id="x", order=order))
    else:
        told(world, order, final)
    told(world, order, late)
    assert in_flight(world) == (D(0), 0)


def test_an_order_reported_working_counts_again() -> None:
    """Reconciliation shows a cancelled order to be open; a filled one stays filled."""
    world = World(with_limits()).start()
    order = sent(world, world.order(PERPETUAL, "1000"))
    told(world, order, OrderStatus.CANCELLED)
    told(world, order, OrderStatus.UNKNOWN, source="reconciliation")
    assert in_flight(world) == (D(0), 0)
    told(world, order, OrderStatus.ACCEPTED, source="reconciliation")
    assert in_flight(world) == (D(1000), 1)
    now_ns = world.clock.now_ns()
    world.send(fill(PERPETUAL, "1000", D(90000), now_ns, trade_id="x", order=order))
    told(world, order, OrderStatus.ACCEPTED, source="reconciliation")
    assert in_flight(world) == (D(0), 0)


def test_an_order_presumed_never_accepted_counts_again_when_it_is_seen() -> None:
    """Our own conclusion gives way to the stream's word, and to a fill."""
    world = World(with_limits()).start()
    first, second = (sent(world, world.order(PERPETUAL, "1000")) for _ in range(2))
    for order in (first, second):
        told(world, order, OrderStatus.EXPIRED, source="reconciliation", venue_id="")
    assert in_flight(world) == (D(0), 0)
    told(world, first, OrderStatus.ACCEPTED)
    assert in_flight(world) == (D(1000), 1)
    now_ns = world.clock.now_ns()
    world.send(fill(PERPETUAL, "400", D(90000), now_ns, trade_id="x", order=second))
    assert in_flight(world) == (D(1600), 2)


def over_margin() -> World:
    """Long a perpetual beside short calls that need more margin than is allowed."""
    world = World(with_limits(margin_used_pct_max=0.05)).start()
    world.hold(CALL, "-4")
    world.hold(PERPETUAL, "900000")
    return world


def test_a_hedge_that_frees_margin_passes_when_margin_is_used_up() -> None:
    """Selling the perpetual needs nothing more; buying it does."""
    world = over_margin()
    assert world.ask(PERPETUAL, "-1000", purpose=HEDGE) == "approved"
    assert world.ask(PERPETUAL, "1000") == "margin"


def test_selling_through_zero_needs_the_margin_of_the_short() -> None:
    """Long 3, selling 6: no larger position, but three short calls that nothing was held for."""
    world = World(with_limits(margin_used_pct_max=0.01)).start()
    world.hold(CALL, "3")
    assert world.ask(CALL, "-6") == "margin"
    assert world.ask(CALL, "-3") == "approved"


def test_a_hedge_is_not_counted_against_orders_in_flight() -> None:
    """With as many orders in flight as allowed, a hedge still goes out."""
    world = World(with_limits(open_orders_max=1)).start()
    world.hold(PERPETUAL, "90000")
    sent(world, world.order(CALL, "0.1"))
    assert world.ask(CALL, "0.1") == "open_orders"
    assert world.ask(PERPETUAL, "-1000", purpose=HEDGE) == "approved"
