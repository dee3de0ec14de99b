"""Order books on the wire: whole, and as the changes between two of them."""

from decimal import Decimal

from glmtrader.domain.instruments import Instrument
from glmtrader.simulator.deribit.wire import Frame, ms
from glmtrader.simulator.exchange_types import BookView

Levels = tuple[tuple[Decimal, Decimal], ...]
DEPTH_MAX = 1_000
"""Levels of a side that the wire ever shows."""


def snapshot_frame(instrument: Instrument, book: BookView, change_id: int) -> Frame:
    """The first message of a `book` channel."""
    return {
        "type": "snapshot",
        "timestamp": ms(book.ts_ns),
        "instrument_name": instrument.symbol,
        "change_id": change_id,
        "bids": [["new", price, amount] for price, amount in book.bids],
        "asks": [["new", price, amount] for price, amount in book.asks],
    }


def change_frame(
    instrument: Instrument, before: BookView, book: BookView, change_ids: tuple[int, int]
) -> Frame:
    """A later message: what changed between two books, chained by change ids."""
    return {
        "type": "change",
        "timestamp": ms(book.ts_ns),
        "instrument_name": instrument.symbol,
        "prev_change_id": change_ids[0],
        "change_id": change_ids[1],
        "bids": _changes(before.bids, book.bids),
        "asks": _changes(before.asks, book.asks),
    }


def top_frame(instrument: Instrument, book: BookView, change_id: int) -> Frame:
    """A message of `book.{instrument}.none.{depth}.{interval}`: the whole top each time."""
    return {
        "timestamp": ms(book.ts_ns),
        "instrument_name": instrument.symbol,
        "change_id": change_id,
        "bids": [list(level) for level in book.bids],
        "asks": [list(level) for level in book.asks],
    }


def is_same(before: BookView, book: BookView) -> bool:
    """Whether two books show the same levels."""
    return before.bids == book.bids and before.asks == book.asks


def _changes(before: Levels, after: Levels) -> list[list[object]]:
    old, new = dict(before), dict(after)
    rows: list[list[object]] = [["delete", price, 0.0] for price in old if price not in new]
    for price, amount in new.items():
        if price not in old:
            rows.append(["new", price, amount])
        elif old[price] != amount:
            rows.append(["change", price, amount])
    return rows
