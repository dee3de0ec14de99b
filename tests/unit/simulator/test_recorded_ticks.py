"""The perpetual from recorded ticks: holes, refused rows, sizes in either unit."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from glmtrader.domain.instruments import DAY_NS, MINUTE_NS, SECOND_NS
from glmtrader.errors import DataError
from glmtrader.simulator.market_model import CandleColumns
from glmtrader.simulator.recorded_perpetual import TickPerpetual
from glmtrader.simulator.recorded_ticks import read_ticks

FIRST_NS = 20_600 * DAY_NS
SYMBOL = "BTC-PERPETUAL"


def row(at_ns: int, **changes: Any) -> dict[str, Any]:
    """A good tick."""
    good = {
        "ts_ns": at_ns,
        "instrument_name": SYMBOL,
        "bid": 100.0,
        "ask": 101.0,
        "bid_size": 50.0,
        "ask_size": 20.0,
        "mark": 100.5,
        "index_price": 100.25,
    }
    return good | changes


def write(folder: Path, rows: list[dict[str, Any]]) -> None:
    """One day's ticks."""
    path = folder / "ticks" / "2026-05-27" / "deribit_000001.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), path)


def bars() -> CandleColumns:
    """An hour of bars around the first tick."""
    opens = FIRST_NS + 5 * MINUTE_NS * np.arange(-6, 6)
    ones = np.ones(12)
    return CandleColumns(open_ns=opens, open=ones, high=ones, low=ones, close=ones, volume=ones)


def perpetual(folder: Path) -> TickPerpetual:
    """The source of what was written to `folder`."""
    ticks, _ = read_ticks(folder, "ticks/*/*.parquet", SYMBOL, is_inverse=True)
    return TickPerpetual(ticks, bars(), None, trade_window_ns=60 * SECOND_NS)


def test_a_quote_does_not_outlive_a_hole(tmp_path: Path) -> None:
    """After the trade window nobody quotes, while mark and index stay."""
    write(tmp_path, [row(FIRST_NS), row(FIRST_NS + 10 * MINUTE_NS, bid=200.0, ask=201.0)])
    source = perpetual(tmp_path)
    assert source.quote(FIRST_NS + 60 * SECOND_NS).bid == 100.0
    quote = source.quote(FIRST_NS + 60 * SECOND_NS + 1)
    assert math.isnan(quote.bid)
    assert math.isnan(quote.ask)
    assert (quote.mark, source.index_usd(FIRST_NS + 5 * MINUTE_NS)) == (100.5, 100.25)
    assert source.quote(FIRST_NS + 10 * MINUTE_NS).bid == 200.0


def test_bad_ticks_are_counted(tmp_path: Path) -> None:
    """No mark, no index and a crossed book are refused; an empty side is not."""
    write(
        tmp_path,
        [
            row(FIRST_NS, mark=None),
            row(FIRST_NS, index_price=0.0),
            row(FIRST_NS, bid=101.0),
            row(FIRST_NS, bid=None, bid_size=None),
        ],
    )
    ticks, refused = read_ticks(tmp_path, "ticks/*/*.parquet", SYMBOL, is_inverse=True)
    assert refused == {"tick_not_a_number": 2, "tick_crossed": 1}
    assert np.isnan(ticks.bid[0])
    assert (ticks.bid_size_usd[0], ticks.ask_size_usd[0]) == (0.0, 20.0)


def test_coin_sizes_become_notional(tmp_path: Path) -> None:
    """A linear perpetual's sizes are in coin; the model's are in USD."""
    write(tmp_path, [row(FIRST_NS)])
    ticks, _ = read_ticks(tmp_path, "ticks/*/*.parquet", SYMBOL, is_inverse=False)
    assert (ticks.bid_size_usd[0], ticks.ask_size_usd[0]) == (5_000.0, 2_020.0)


def test_ticks_of_other_books_are_left_out(tmp_path: Path) -> None:
    """Only the perpetual's own book counts; without it the error says so."""
    write(tmp_path, [row(FIRST_NS, instrument_name="BTC-30MAY26-90000-C")])
    with pytest.raises(DataError, match=f"no tick of {SYMBOL}"):
        perpetual(tmp_path)


def test_it_ends_before_a_bar_that_is_missing(tmp_path: Path) -> None:
    """The span ends with the ticks, or before the close of the first bar not recorded."""
    write(tmp_path, [row(FIRST_NS), row(FIRST_NS + 40 * MINUTE_NS)])
    first_ns, last_ns = perpetual(tmp_path).span_ns(0)
    assert (first_ns, last_ns) == (FIRST_NS, FIRST_NS + 35 * MINUTE_NS - 1)
