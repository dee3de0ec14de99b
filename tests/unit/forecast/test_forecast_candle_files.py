"""Candles are read from Parquet and CSV, and a file that is neither says so."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from glmtrader.forecast.candle_files import read_candles
from glmtrader.forecast.errors import CandleError

_ROWS = [(3_600_000 * i, 100.0 + i, 102.0 + i, 99.0 + i, 101.0 + i, 5.0) for i in (1, 2, 4)]
_HEADER = "ts,open,high,low,close,volume\n"


def _csv(path: Path, rows: Sequence[tuple[float, ...]], header: str = _HEADER) -> Path:
    path.write_text(header + "".join(",".join(map(str, row)) + "\n" for row in rows))
    return path


def _parquet(path: Path, names: list[str]) -> Path:
    columns = dict(zip(_HEADER.strip().split(","), zip(*_ROWS, strict=True), strict=True))
    parquet.write_table(pa.table({name: list(columns[name]) for name in names}), path)
    return path


def test_parquet_and_csv_of_the_same_rows_give_the_same_candles(tmp_path: Path) -> None:
    names = _HEADER.strip().split(",")
    ours = read_candles(_csv(tmp_path / "a.csv", _ROWS))
    theirs = read_candles(_parquet(tmp_path / "a.parquet", names))
    assert ours.gap_count == theirs.gap_count == 1
    assert np.array_equal(ours.close, theirs.close)
    assert np.array_equal(ours.open_ns, theirs.open_ns)


def test_a_refused_row_names_the_file_too(tmp_path: Path) -> None:
    path = _csv(tmp_path / "bad.csv", [*_ROWS, _ROWS[-1]])
    with pytest.raises(CandleError, match=r"bad\.csv: candle row 3 .* duplicate"):
        read_candles(path)


def test_a_cell_that_is_no_number_is_refused_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "text.csv"
    path.write_text(_HEADER + "0,1,1,1,1,1\n3600000,1,1,1,one,1\n")
    with pytest.raises(CandleError, match="line 3"):
        read_candles(path)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = _csv(tmp_path / "short.csv", [], "ts,open,high,low,close\n")
    with pytest.raises(CandleError, match="no column volume"):
        read_candles(path)
    with pytest.raises(CandleError, match="volume"):
        read_candles(_parquet(tmp_path / "short.parquet", ["ts", "open", "high", "low", "close"]))


@pytest.mark.parametrize("name", ["none.csv", "none.parquet", "none.xlsx"])
def test_a_file_that_cannot_be_read_is_a_candle_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(CandleError, match="none"):
        read_candles(tmp_path / name)


def test_a_file_that_is_no_parquet_is_a_candle_error(tmp_path: Path) -> None:
    path = tmp_path / "fake.parquet"
    path.write_bytes(b"not parquet at all")
    with pytest.raises(CandleError, match="fake"):
        read_candles(path)
