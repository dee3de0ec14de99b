"""Reading recordings: Parquet and CSV into plain columns, refusing what is not what it claims.

The one place of the simulated market that touches files. pyarrow is imported on first use.
"""

import csv
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from glmtrader.domain.arrays import BoolArray, FloatArray, IntArray
from glmtrader.domain.instruments import MILLISECOND_NS
from glmtrader.domain.recorded_schema import (
    CANDLE_COLUMNS,
    CHAIN_COLUMNS,
    CHAIN_OPTIONAL_COLUMNS,
    FUNDING_COLUMNS,
    TICK_COLUMNS,
)
from glmtrader.errors import DataError
from glmtrader.simulator.market_model import CandleColumns


class ChainRows(msgspec.Struct, frozen=True, kw_only=True):
    """All recorded option rows of one underlying, by snapshot; columns of equal length.

    Prices in coin, NaN where null. `bid_size` and `ask_size` are None where not recorded.
    """

    snapshot_ns: IntArray
    symbol: npt.NDArray[np.object_]
    expiry_ns: IntArray
    strike: FloatArray
    is_call: BoolArray
    bid: FloatArray
    ask: FloatArray
    mark_vol: FloatArray
    forward: FloatArray
    bid_size: FloatArray | None
    ask_size: FloatArray | None


class FundingRates(msgspec.Struct, frozen=True, kw_only=True):
    """Settlement times (ns, ascending) and the rate of the eight hours before each."""

    ts_ns: IntArray
    rate: FloatArray


def existing_folder(folder: str) -> Path:
    """The folder of the recordings.

    Raises:
        DataError: it does not exist.
    """
    path = Path(folder).expanduser()
    if not path.is_dir():
        raise DataError(
            f"no folder {str(path)!r} with recorded market data: set `folder` to where the"
            " recordings are, or use a generated market"
        )
    return path


def read_chains(folder: Path, pattern: str, underlying: str) -> ChainRows:
    """All rows of one underlying from all files that match, ordered by snapshot.

    Raises:
        DataError: no file matches, a column is missing, or the underlying never appears.
    """
    names = sorted(folder.glob(pattern))
    if not names:
        raise DataError(f"no file matches {pattern!r} in {str(folder)!r}: check `chain_pattern`")
    tables = [read_table(name, CHAIN_COLUMNS, CHAIN_OPTIONAL_COLUMNS) for name in names]
    tables = [table.filter(equals(table["currency"], underlying)) for table in tables]
    columns = {
        name: np.concatenate([column_of(table, name) for table in tables])
        for name in CHAIN_COLUMNS
        if name != "currency"
    }
    if not len(columns["strike"]):
        raise DataError(f"no option of {underlying} in {pattern!r} of {str(folder)!r}")
    sized = all(name in table.column_names for table in tables for name in CHAIN_OPTIONAL_COLUMNS)
    sizes = {
        name: np.concatenate([column_of(table, name) for table in tables]) if sized else None
        for name in CHAIN_OPTIONAL_COLUMNS
    }
    order = np.argsort(columns["snapshot_ts"], kind="stable")
    columns = {name: values[order] for name, values in columns.items()}
    return ChainRows(
        snapshot_ns=columns["snapshot_ts"] * MILLISECOND_NS,
        symbol=columns["instrument_name"],
        expiry_ns=columns["expiry_ts"] * MILLISECOND_NS,
        strike=columns["strike"],
        is_call=columns["is_call"],
        bid=columns["bid"],
        ask=columns["ask"],
        mark_vol=columns["mark_iv"],
        forward=columns["underlying_price"],
        **{name: None if size is None else size[order] for name, size in sizes.items()},
    )


def read_candles(folder: Path, pattern: str) -> CandleColumns:
    """Five-minute bars of all files that match, in the order of their names.

    Raises:
        DataError: no file matches, a column is missing, times do not ascend, or a price is no
            positive number.
    """
    path = folder / pattern
    names = sorted(folder.glob(pattern)) or [path]  # a name that nothing matches is reported
    tables = [read_table(name, CANDLE_COLUMNS, {}) for name in names]
    columns = {
        column: np.concatenate([column_of(table, column) for table in tables])
        for column in CANDLE_COLUMNS
    }
    open_ns = columns["ts"] * MILLISECOND_NS
    if not len(open_ns):
        raise DataError(f"{path}: no bars")
    if (np.diff(open_ns) <= 0).any():
        row = int(np.argmax(np.diff(open_ns) <= 0)) + 1
        raise DataError(f"{path}: bar {row} does not come after the bar before it; sort the file")
    for column in ("open", "high", "low", "close"):
        bad = ~(columns[column] > 0) | np.isinf(columns[column])
        if bad.any():
            row = int(np.argmax(bad))
            raise DataError(f"{path}: {column} {columns[column][row]} of bar {row} is no price")
    prices = {column: columns[column] for column in CANDLE_COLUMNS if column != "ts"}
    return CandleColumns(open_ns=open_ns, **prices)


def read_funding(folder: Path, name: str) -> FundingRates:
    """Funding settlements of one file.

    Raises:
        DataError: the file is missing, empty, out of order, or holds something else than numbers.
    """
    path = folder / name
    if not path.is_file():
        raise DataError(_missing(path))
    with path.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    try:
        ts, rate = ([float(row[column]) for row in rows] for column in FUNDING_COLUMNS)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: columns {FUNDING_COLUMNS} must hold numbers: {error}") from error
    ts_ns = np.array(ts, np.int64) * MILLISECOND_NS
    if not len(ts_ns) or (np.diff(ts_ns) <= 0).any() or not np.isfinite(rate).all():
        raise DataError(f"{path}: funding times must ascend and rates be finite numbers")
    return FundingRates(ts_ns=ts_ns, rate=np.array(rate, np.float64))


def read_table(path: Path, required: dict[str, str], optional: dict[str, str]) -> Any:
    """The pyarrow table of one file, of these columns alone.

    Raises:
        DataError: it does not exist, is no Parquet, or lacks a required column.
    """
    import pyarrow as pa  # noqa: PLC0415  # a tenth of a second that only recordings need
    import pyarrow.parquet as pq  # noqa: PLC0415  # as above

    if not path.is_file():
        raise DataError(_missing(path))
    try:
        names = pq.read_schema(path).names
        missing = [name for name in required if name not in names]
        if missing:
            raise DataError(f"{path}: no column {', '.join(missing)}; see recorded_schema")
        return pq.read_table(
            path, columns=[*required, *(name for name in optional if name in names)]
        )
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} cannot be read as Parquet: {error}") from error


def _missing(path: Path) -> str:
    return (
        f"no file {str(path)!r}: put the recording there, or correct its name in the settings"
        " of the recorded market"
    )


def equals(column: Any, value: str) -> Any:
    """Which rows of a pyarrow column hold `value`."""
    import pyarrow.compute as pc  # noqa: PLC0415  # as above

    return pc.equal(column, value)


_TYPES = {**CHAIN_COLUMNS, **CHAIN_OPTIONAL_COLUMNS, **CANDLE_COLUMNS, **TICK_COLUMNS}
_NUMPY_KINDS = {"int64": np.int64, "double": np.float64, "bool": np.bool_, "large_string": object}


def column_of(table: Any, name: str) -> npt.NDArray[Any]:
    """One column as NumPy's, nulls of doubles as NaN.

    Raises:
        DataError: nulls where every row needs a value.
    """
    kind = _NUMPY_KINDS[_TYPES[name]]
    values = table[name].to_numpy()
    if kind in (np.int64, np.bool_) and table[name].null_count:
        raise DataError(f"column {name} holds nulls: a row needs its time and terms")
    return np.asarray(values, dtype=kind)
