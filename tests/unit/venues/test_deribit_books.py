"""The order book from snapshots and changes."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glmtrader.errors import ProtocolError
from glmtrader.venues.deribit.books import BookStep, OrderBook
from glmtrader.venues.deribit.frames import BookData, BookLevel

NAME = "BTC-PERPETUAL"


def level(action: str, price: int, amount: int) -> BookLevel:
    return BookLevel(action, Decimal(price), Decimal(amount))


def frame(
    change_id: int,
    *,
    prev: int | None = None,
    bids: tuple[BookLevel, ...] = (),
    asks: tuple[BookLevel, ...] = (),
) -> BookData:
    return BookData(
        instrument_name=NAME,
        timestamp=change_id,
        change_id=change_id,
        bids=bids,
        asks=asks,
        type="snapshot" if prev is None else "change",
        prev_change_id=prev,
    )


def test_changes_follow_the_snapshot() -> None:
    """New, changed and deleted levels move the top of the book."""
    book = OrderBook(NAME)
    book.apply(frame(1, bids=(level("new", 99, 5),), asks=(level("new", 101, 5),)))
    step = book.apply(
        frame(2, prev=1, bids=(level("new", 100, 1),), asks=(level("delete", 101, 0),))
    )
    assert step is BookStep.APPLIED
    assert book.best_bid() == (Decimal(100), Decimal(1))
    assert book.best_ask() is None


def test_a_gap_empties_the_book_until_a_snapshot() -> None:
    """After a break in the chain nothing is said, and nothing is merged."""
    book = OrderBook(NAME)
    book.apply(frame(1, bids=(level("new", 99, 5),)))
    assert book.apply(frame(3, prev=2, bids=(level("new", 98, 1),))) is BookStep.GAP
    assert (book.ready, book.best_bid(), book.gaps) == (False, None, 1)
    assert book.apply(frame(4, prev=3)) is BookStep.IGNORED
    book.apply(frame(9, bids=(level("new", 97, 2),)))
    assert book.best_bid() == (Decimal(97), Decimal(2))


def test_a_new_snapshot_replaces_everything() -> None:
    """Levels of an earlier connection do not survive as ghosts."""
    book = OrderBook(NAME)
    book.apply(frame(1, bids=(level("new", 105, 5),)))
    book.apply(frame(7, bids=(level("new", 99, 1),), asks=(level("new", 101, 1),)))
    assert book.best_bid() == (Decimal(99), Decimal(1))


def test_an_unknown_action_is_an_error() -> None:
    """An action that nobody described is not applied."""
    with pytest.raises(ProtocolError, match="replace"):
        OrderBook(NAME).apply(frame(1, bids=(level("replace", 1, 1),)))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["new", "change", "delete"]), st.integers(1, 20), st.integers(1, 9)
        ),
        max_size=60,
    ),
    st.integers(0, 59),
)
def test_a_lost_change_is_always_noticed(changes: list[tuple[str, int, int]], lost: int) -> None:
    """Whatever change is lost, the next one is a gap; without loss there is none."""
    book = OrderBook(NAME)
    book.apply(frame(0))
    expected: dict[Decimal, Decimal] = {}
    for number, (action, price, amount) in enumerate(changes, start=1):
        if number - 1 == lost:
            continue
        change = level(action, price, amount)
        step = book.apply(frame(number, prev=number - 1, bids=(change,)))
        if number - 1 == lost + 1:
            assert step is BookStep.GAP
            return
        assert step is BookStep.APPLIED
        if action == "delete":
            expected.pop(change.price, None)
        else:
            expected[change.price] = change.amount
    assert dict(book.depth()[0]) == expected
