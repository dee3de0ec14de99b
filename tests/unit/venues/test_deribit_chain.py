"""One call of book summaries as one chain."""

from decimal import Decimal

import msgspec
import numpy as np
from deribit_samples import EXPIRY_MS, NOW_NS, OPTION, option_data, perpetual_data

from glmtrader.domain.market_events import MarketTick
from glmtrader.venues.deribit.chain import chain_of
from glmtrader.venues.deribit.codec import instrument_of
from glmtrader.venues.deribit.frames import BookSummaryData
from glmtrader.venues.deribit.names import id_of

PUT = "BTC-27MAR26-90000-P"
INSTRUMENTS = {
    item.symbol: item
    for data in (option_data(), option_data(PUT), perpetual_data())
    if (item := instrument_of(data)) is not None
}


def row(name: str = OPTION, **more: float | None) -> BookSummaryData:
    body: dict[str, object] = {
        "instrument_name": name,
        "creation_timestamp": 1_774_000_000_000,
        "mark_price": 0.031,
        "bid_price": 0.03,
        "ask_price": 0.032,
        "underlying_price": 90100.0,
        "estimated_delivery_price": 90000.0,
    }
    return msgspec.convert(body | more, BookSummaryData)


def test_columns_are_sorted_and_belong_together() -> None:
    """Puts come before calls of a strike; index and forward come from the same call."""
    result = chain_of("BTC", [row(), row(PUT)], instruments=INSTRUMENTS, ticks={}, now_ns=NOW_NS)
    chain = result.chain
    assert chain is not None
    assert chain.instrument_ids == (id_of(PUT), id_of(OPTION))
    assert chain.is_call.tolist() == [False, True]
    assert chain.expiry_ns.tolist() == [EXPIRY_MS * 1_000_000] * 2
    assert chain.index_usd == 90000.0
    assert chain.forward.tolist() == [90100.0, 90100.0]
    assert chain.inverse


def test_a_missing_quote_is_nan_with_no_quantity() -> None:
    """Null and zero prices are no quotes; a quote has at least the smallest quantity."""
    rows = [row(bid_price=None), row(PUT, bid_price=0.0)]
    chain = chain_of("BTC", rows, instruments=INSTRUMENTS, ticks={}, now_ns=NOW_NS).chain
    assert chain is not None
    assert np.isnan(chain.bid).all()
    assert chain.bid_quantity.tolist() == [0.0, 0.0]
    assert chain.ask_quantity.tolist() == [0.1, 0.1]


def test_a_ticker_knows_the_quantity_of_its_own_price_alone() -> None:
    """A tick's quantity is taken only where its price is the row's."""
    tick = MarketTick(
        ts_event=NOW_NS,
        ts_init=NOW_NS,
        instrument_id=id_of(OPTION),
        bid=Decimal("0.0295"),
        ask=Decimal("0.032"),
        bid_quantity=Decimal(7),
        ask_quantity=Decimal(9),
        mark=None,
        index_usd=None,
    )
    ticks = {id_of(OPTION): tick}
    chain = chain_of("BTC", [row()], instruments=INSTRUMENTS, ticks=ticks, now_ns=NOW_NS).chain
    assert chain is not None
    assert (chain.bid_quantity[0], chain.ask_quantity[0]) == (0.1, 9.0)


def test_unlisted_rows_are_counted_and_expired_ones_left_out() -> None:
    """What the listing does not have (yet) is no row, but is told."""
    rows = [row(), row("BTC-27MAR26-95000-C")]
    result = chain_of("BTC", rows, instruments=INSTRUMENTS, ticks={}, now_ns=NOW_NS)
    assert result.chain is not None
    assert (len(result.chain.instrument_ids), result.unlisted) == (1, 1)
    late = chain_of("BTC", rows, instruments=INSTRUMENTS, ticks={}, now_ns=EXPIRY_MS * 1_000_000)
    assert late.chain is None
    assert "unexpired" in late.unavailable


def test_no_index_no_chain() -> None:
    """Without the index of the same call there is no chain, and the reason is told."""
    rows = [row(estimated_delivery_price=None)]
    result = chain_of("BTC", rows, instruments=INSTRUMENTS, ticks={}, now_ns=NOW_NS)
    assert result.chain is None
    assert "index" in result.unavailable
