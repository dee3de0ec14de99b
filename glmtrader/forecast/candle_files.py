"""Candles read from Parquet and CSV files.

Columns: ts (bar open, ms UTC), open, high, low, close, volume; others are not looked at.
"""

import csv
from pathlib import Path

import numpy as np

from glmtrader.domain.instruments import MILLISECOND_NS
from glmtrader.forecast.candles import CandleArrays, regularise
from glmtrader.forecast.errors import CandleError

COLUMNS = ("ts", "open", "high", "low", "close", "volume")
_ROWS_MAX = 5_000_000


def read_parquet(path: Path, interval_ns: int | None = None) -> CandleArrays:
    """Read candles from a Parquet file.

    Raises:
        CandleError: The file is missing, is no Parquet, lacks a column, or a row is refused.
    """
    import pyarrow as pa  # noqa: PLC0415 - 80 ms and 40 MB, only where Parquet is read
    from pyarrow import parquet  # noqa: PLC0415 - as above

    try:
        table = parquet.read_table(path, columns=list(COLUMNS))
    except (OSError, pa.ArrowInvalid) as error:
        raise CandleError(f"{path}: cannot be read as Parquet candles: {error}") from error
    missing = [name for name in COLUMNS if name not in table.column_names]
    if missing:
        raise CandleError(f"{path}: no column {', '.join(missing)}; needed: {', '.join(COLUMNS)}")
    columns = [table[name].to_numpy() for name in COLUMNS]
    return _from_columns(path, columns, interval_ns)


def read_csv(path: Path, interval_ns: int | None = None) -> CandleArrays:
    """Read candles from a CSV file with a header line.

    Raises:
        CandleError: The file is missing, lacks a column, has a cell that is no number, is longer
            than five million rows, or a row is refused.
    """
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            rows = _csv_rows(path, csv.DictReader(lines))
    except OSError as error:
        raise CandleError(f"{path}: cannot be read: {error}") from error
    table = np.array(rows, dtype=np.float64).reshape(-1, len(COLUMNS))
    columns = [table[:, i] for i in range(len(COLUMNS))]
    return _from_columns(path, columns, interval_ns)


def read_candles(path: Path, interval_ns: int | None = None) -> CandleArrays:
    """Read candles from a file, by its suffix: .parquet or .csv."""
    readers = {".parquet": read_parquet, ".csv": read_csv}
    if path.suffix not in readers:
        raise CandleError(f"{path}: unknown candle format {path.suffix!r}; use .parquet or .csv")
    return readers[path.suffix](path, interval_ns)


def _csv_rows(path: Path, reader: "csv.DictReader[str]") -> list[list[float]]:
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise CandleError(f"{path}: no column {', '.join(missing)}; needed: {', '.join(COLUMNS)}")
    rows: list[list[float]] = []
    for row in reader:
        if len(rows) == _ROWS_MAX:
            raise CandleError(f"{path}: more than {_ROWS_MAX} rows; split the file")
        try:
            rows.append([float(row[name]) for name in COLUMNS])
        except (TypeError, ValueError) as error:
            raise CandleError(f"{path}: line {reader.line_num}: {error}") from error
    return rows


def _from_columns(path: Path, columns: list[np.ndarray], interval_ns: int | None) -> CandleArrays:
    stamps, opened, high, low, close, volume = columns
    known = np.isfinite(stamps)
    if not np.all(known):
        raise CandleError(
            f"{path}: candle row {int(np.argmin(known))} has no ts; repair or drop it"
        )
    stamps_ns = stamps.astype(np.int64) * MILLISECOND_NS
    try:
        return regularise(stamps_ns, opened, high, low, close, volume, interval_ns)
    except CandleError as error:
        raise CandleError(f"{path}: {error}") from error
