"""Candles enter the forecast on a grid, or not at all."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glmtrader.domain.instruments import DAY_NS, HOUR_NS, MINUTE_NS
from glmtrader.forecast.candles import CandleArrays, regularise
from glmtrader.forecast.errors import CandleError


def _columns(count: int = 5) -> dict[str, Any]:
    close = 100.0 + np.arange(count)
    return {
        "open_ns": HOUR_NS * np.arange(10, 10 + count, dtype=np.int64),
        "open": close - 0.5,
        "high": close + 1.0,
        "low": close - 1.0,
        "close": close,
        "volume": np.ones(count),
    }


def _with(row: int, **cells: float) -> dict[str, Any]:
    columns = _columns()
    for name, value in cells.items():
        columns[name] = columns[name].copy()
        columns[name][row] = value
    return columns


def test_an_outage_becomes_counted_bars_without_a_return() -> None:
    columns: dict[str, Any] = {name: np.delete(col, [2, 3]) for name, col in _columns(6).items()}
    candles = regularise(**columns)
    assert len(candles) == 6
    assert candles.gap_count == 2
    assert candles.gap.tolist() == [False, False, True, True, False, False]
    assert candles.close[2] == candles.close[3] == candles.open[3] == candles.close[1]
    assert candles.volume[2] == 0.0


@given(st.sets(st.integers(1, 48), min_size=0, max_size=40))
def test_regularising_keeps_every_row_and_fills_the_rest(missing: set[int]) -> None:
    """Rows that were there stay as they were; the grid has no hole left."""
    whole = _columns(50)
    kept = np.array([i for i in range(50) if i not in missing])
    rows: dict[str, Any] = {name: column[kept] for name, column in whole.items()}
    candles = regularise(**rows, interval_ns=HOUR_NS)
    assert np.all(np.diff(candles.open_ns) == HOUR_NS)
    assert candles.gap_count == len(missing)
    assert np.array_equal(candles.close[~candles.gap], whole["close"][kept])


def test_a_bar_of_zero_volume_is_kept_as_a_fact() -> None:
    assert regularise(**_with(2, volume=0.0)).gap_count == 0


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        (_with(3, open_ns=12 * HOUR_NS), "row 3 .* duplicate"),
        (_with(3, open_ns=11 * HOUR_NS), "row 3 .* out of order"),
        (_with(3, open_ns=13 * HOUR_NS + 7), "row 3 .* off the grid"),
        (_with(4, open_ns=60 * DAY_NS), "row 4 .* outage of over 30 days"),
        (_with(1, close=float("nan")), "row 1 .* close = nan"),
        (_with(0, low=0.0), "row 0 .* low = 0.0"),
        (_with(2, open=-1.0), "row 2 .* open = -1.0"),
        (_with(2, volume=-1.0), "row 2 .* volume = -1.0"),
        (_with(2, high=101.0), "row 2 .* outside low..high"),
        (_columns(1), "at least two"),
    ],
)
def test_a_row_that_cannot_be_true_is_refused_by_its_number(
    columns: dict[str, Any], fault: str
) -> None:
    with pytest.raises(CandleError, match=fault):
        regularise(**columns, interval_ns=HOUR_NS)


def test_columns_of_different_length_are_refused() -> None:
    columns = _columns() | {"volume": np.ones(4)}
    with pytest.raises(CandleError, match="column volume has 4 rows, ts has 5"):
        regularise(**columns)


def test_an_interval_that_does_not_divide_an_hour_is_refused() -> None:
    columns = _columns()
    columns["open_ns"] = 7 * MINUTE_NS * np.arange(5, dtype=np.int64)
    with pytest.raises(CandleError, match="does not divide an hour"):
        regularise(**columns)


def test_only_bars_closed_at_the_origin_count() -> None:
    candles: CandleArrays = regularise(**_columns())
    assert candles.closed_before(12 * HOUR_NS) == 2
    assert candles.closed_before(12 * HOUR_NS - 1) == 1
    assert candles.closed_before(0) == 0
    assert candles.closed_before(DAY_NS) == 5
