"""Market events as rows: the schema's columns, nulls, days, and volatilities nobody said."""

import numpy as np
import pytest
from msgspec import structs
from recorder_samples import DAY_START_NS, VOL, candle, chain, tick

from glmtrader.domain.instruments import DAY_NS, MINUTE_NS
from glmtrader.domain.recorded_schema import (
    CANDLE_COLUMNS,
    CHAIN_COLUMNS,
    CHAIN_OPTIONAL_COLUMNS,
    TICK_COLUMNS,
)
from glmtrader.market.recorded_rows import Stream, day_of, mark_vols, stream_of, table_of

AT_NS = DAY_START_NS + 90 * MINUTE_NS


def test_columns_and_types_are_the_schemas() -> None:
    """What is written is what the recorded market reads."""
    for kind, event, columns in (
        ("options", chain(AT_NS), CHAIN_COLUMNS | CHAIN_OPTIONAL_COLUMNS),
        ("ticks", tick(AT_NS), TICK_COLUMNS),
        ("klines", candle(AT_NS), CANDLE_COLUMNS),
    ):
        schema = table_of(kind, [event]).schema
        assert {field.name: str(field.type) for field in schema} == columns


def test_a_missing_quote_is_null() -> None:
    """NaN and None become the schema's word for nobody quoting."""
    assert table_of("options", [chain(AT_NS)])["bid"].null_count == 1
    assert table_of("ticks", [tick(AT_NS, bid=None)])["bid"].to_pylist() == [None]


def test_chains_follow_one_another() -> None:
    """The rows of several chains stand in the order of the events, each with its own time."""
    table = table_of("options", [chain(AT_NS), chain(AT_NS + MINUTE_NS, rows=2)])
    first, second = AT_NS // 1_000_000, (AT_NS + MINUTE_NS) // 1_000_000
    assert table["snapshot_ts"].to_pylist() == [first] * 4 + [second] * 2
    assert table["instrument_name"].to_pylist()[3:5] == [
        "BTC-30MAY26-93000-C",
        "BTC-30MAY26-90000-C",
    ]


def test_a_volatility_that_is_not_said_is_that_of_the_mark() -> None:
    """Without the venue's mark volatility the one implied by the mark price is recorded."""
    assert mark_vols(chain(AT_NS, says_vol=False)) == pytest.approx(VOL, abs=1e-9)


def test_a_volatility_that_is_said_is_kept() -> None:
    """Only the rows that lack one are filled in."""
    partly = structs.replace(chain(AT_NS), mark_vol=np.array([0.7, np.nan, 0.7, np.nan]))
    assert mark_vols(partly) == pytest.approx([0.7, VOL, 0.7, VOL], abs=1e-9)


def test_a_mark_without_a_volatility_is_null() -> None:
    """A mark below intrinsic value implies nothing, and nothing is made up."""
    absurd = structs.replace(chain(AT_NS, says_vol=False), mark=np.full(4, 1e-9))
    assert table_of("options", [absurd])["mark_iv"].to_pylist()[0] is None


def test_a_bar_belongs_to_the_day_it_opened() -> None:
    """The last bar of a day closes at midnight and stays in its day."""
    last = candle(DAY_START_NS + DAY_NS - 5 * MINUTE_NS)
    assert day_of(last) == "2026-05-27"
    assert day_of(tick(last.ts_event)) == "2026-05-28"


def test_streams_are_kept_apart() -> None:
    """Venue and coin, venue, coin and interval name the files; a linear chain has no place."""
    assert stream_of(chain(AT_NS)) == Stream("options", "deribit_BTC")
    assert stream_of(tick(AT_NS)) == Stream("ticks", "deribit")
    assert stream_of(candle(AT_NS, minutes=60)) == Stream("klines", "BTC_3600s")
    assert stream_of(chain(AT_NS, inverse=False)) is None
