"""The book: price-time priority, the crowd's place in it, and what never goes negative."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from glmtrader.domain.orders import Side
from glmtrader.simulator.matching import CrowdTop, InstrumentBook, RestingOrder

D = Decimal


def top(bid: str | None, ask: str | None, size: str = "10", stamp: int = 0) -> CrowdTop:
    return CrowdTop(
        bid=None if bid is None else D(bid),
        ask=None if ask is None else D(ask),
        bid_amount=D(size),
        ask_amount=D(size),
        stamp=stamp,
    )


def resting(name: str, side: Side, price: str, amount: str, priority: int) -> RestingOrder:
    return RestingOrder(
        order_id=name,
        owner=f"owner-{name}",
        side=side,
        price=D(price),
        remaining=D(amount),
        priority=priority,
    )


def test_a_taker_meets_the_better_price_first_and_the_earlier_order_at_one_price() -> None:
    """Price, then time."""
    book = InstrumentBook()
    book.rest(resting("late", Side.SELL, "101", "1", 3))
    book.rest(resting("early", Side.SELL, "101", "1", 1))
    book.rest(resting("best", Side.SELL, "100", "1", 2))
    makers = []
    while (execution := book.take(Side.BUY, D(5), D(101))) is not None:
        makers.append((execution.maker_order_id, execution.price))
    assert makers == [("best", D(100)), ("early", D(101)), ("late", D(101))]


def test_the_crowd_stands_before_accounts_at_the_same_price() -> None:
    """No luck in the queue is assumed for accounts."""
    book = InstrumentBook()
    book.move_crowd(top("99", "101", "2"))
    book.rest(resting("mine", Side.SELL, "101", "1", 1))
    first = book.take(Side.BUY, D(5), D(101))
    second = book.take(Side.BUY, D(3), D(101))
    assert first is not None
    assert second is not None
    assert (first.maker_order_id, first.amount) == (None, D(2))
    assert (second.maker_order_id, second.amount) == ("mine", D(1))


def test_consumed_crowd_size_returns_only_when_the_crowd_moves() -> None:
    """The same quote again is not new liquidity; another size, price or stamp is."""
    book = InstrumentBook()
    book.move_crowd(top("99", "101", "2"))
    assert book.take(Side.BUY, D(2), None) is not None
    book.move_crowd(top("99", "101", "2"))
    assert book.take(Side.BUY, D(1), None) is None
    book.move_crowd(top("98", "101", "2"))
    assert book.take(Side.BUY, D(1), None) is None, "the other side's move brings nothing"
    book.move_crowd(top("98", "101", "2", stamp=1))
    assert book.take(Side.BUY, D(1), None) is not None


def test_the_crowd_fills_a_resting_order_it_touches_up_to_its_size() -> None:
    """A touched order fills at its own price, for no more than the crowd has."""
    book = InstrumentBook()
    book.move_crowd(top("99", "101", "2"))
    book.rest(resting("mine", Side.BUY, "100", "5", 1))
    assert book.crowd_takes() is None
    book.move_crowd(top("98", "99", "2"))
    execution = book.crowd_takes()
    assert execution is not None
    assert (execution.price, execution.amount) == (D(100), D(2))
    assert book.crowd_takes() is None
    left = book.get("mine")
    assert left is not None
    assert left.remaining == D(3)


def test_the_crowds_own_bid_at_our_bid_does_not_fill_us() -> None:
    """Only the opposite side trades with a resting order."""
    book = InstrumentBook()
    book.move_crowd(top("99", "101"))
    book.rest(resting("mine", Side.BUY, "99", "1", 1))
    book.move_crowd(top("99", "100"))
    assert book.crowd_takes() is None


def test_a_limit_is_never_traded_through() -> None:
    """A taker stops at its limit."""
    book = InstrumentBook()
    book.move_crowd(top("99", "101"))
    assert book.take(Side.BUY, D(1), D("100.5")) is None
    assert book.take(Side.SELL, D(1), D("99.5")) is None


def test_levels_add_crowd_and_accounts() -> None:
    """What is shown is what can be met."""
    book = InstrumentBook()
    book.move_crowd(top("99", "101", "2"))
    book.rest(resting("one", Side.BUY, "99", "1", 1))
    book.rest(resting("two", Side.BUY, "98", "4", 2))
    assert list(book.levels(Side.BUY)) == [(D(99), D(3)), (D(98), D(4))]
    assert list(book.levels(Side.SELL)) == [(D(101), D(2))]


ACTION = st.one_of(
    st.tuples(st.just("rest"), st.sampled_from(Side), st.integers(95, 105), st.integers(1, 5)),
    st.tuples(st.just("take"), st.sampled_from(Side), st.integers(95, 105), st.integers(1, 9)),
    st.tuples(st.just("move"), st.just(Side.BUY), st.integers(95, 104), st.integers(0, 3)),
)


@given(st.lists(ACTION, max_size=40))
def test_no_order_is_overfilled_and_makers_come_in_price_time_order(
    actions: list[tuple[str, Side, int, int]],
) -> None:
    """Whatever happens, resting amounts stay positive and a taker's prices only get worse."""
    book = InstrumentBook()
    placed: dict[str, RestingOrder] = {}
    for number, (kind, side, price, amount) in enumerate(actions):
        if kind == "move":
            book.move_crowd(top(str(price), str(price + 1), str(amount), number))
            while book.crowd_takes() is not None:
                pass
        elif kind == "take" or book.crosses(side, D(price)):
            _take_all(book, placed, side, D(price), D(amount))
        else:
            order = resting(str(number), side, str(price), str(amount), number)
            book.rest(order)
            placed[order.order_id] = order
        assert all(order.remaining >= 0 for order in placed.values())
        resting_now = [order for order in placed.values() if book.get(order.order_id)]
        assert all(order.remaining > 0 for order in resting_now)
        bid, ask = book.best(Side.BUY), book.best(Side.SELL)
        assert bid is None or ask is None or bid < ask


def _take_all(
    book: InstrumentBook, placed: dict[str, RestingOrder], side: Side, limit: Decimal, left: Decimal
) -> None:
    seen: list[tuple[Decimal, int]] = []
    while left > 0 and (execution := book.take(side, left, limit)) is not None:
        left -= execution.amount
        maker = execution.maker_order_id
        priority = -1 if maker is None else placed[maker].priority
        seen.append((side.sign * execution.price, priority))
    assert left >= 0
    assert seen == sorted(seen)
