"""Reading the recorded ticks of one perpetual: rows checked and counted, sizes as notional."""

from pathlib import Path

import numpy as np

from glmtrader.domain.arrays import FloatArray, IntArray
from glmtrader.domain.recorded_schema import TICK_COLUMNS
from glmtrader.errors import DataError
from glmtrader.simulator.recorded_files import column_of, equals, read_table
from glmtrader.simulator.recorded_perpetual import TickColumns


def read_ticks(
    folder: Path, pattern: str, symbol: str, *, is_inverse: bool
) -> tuple[TickColumns, dict[str, int]]:
    """All ticks of one instrument by time, and how many were refused for each reason.

    Reasons: `tick_not_a_number` (no mark or no index) and `tick_crossed`. A tick without a bid or
    an ask is no fault: nobody quoted.

    Raises:
        DataError: no file matches, a column is missing, or the instrument never appears.
    """
    names = sorted(folder.glob(pattern))
    if not names:
        raise DataError(f"no file matches {pattern!r} in {str(folder)!r}: check `tick_pattern`")
    tables = [read_table(name, TICK_COLUMNS, {}) for name in names]
    tables = [table.filter(equals(table["instrument_name"], symbol)) for table in tables]
    columns = {
        name: np.concatenate([column_of(table, name) for table in tables])
        for name in TICK_COLUMNS
        if name != "instrument_name"
    }
    refused, good = _checked(columns)
    if not len(good):
        raise DataError(f"no tick of {symbol} in {pattern!r} of {str(folder)!r}")
    good = good[np.argsort(columns["ts_ns"][good], kind="stable")]
    return _arranged({name: values[good] for name, values in columns.items()}, is_inverse), refused


def _checked(
    columns: dict[str, FloatArray],
) -> tuple[dict[str, int], IntArray]:
    known = (columns["mark"] > 0) & (columns["index_price"] > 0)
    crossed = known & (columns["bid"] >= columns["ask"])
    refused = {"tick_not_a_number": int(np.sum(~known)), "tick_crossed": int(np.sum(crossed))}
    good = np.flatnonzero(known & ~crossed)
    return {name: count for name, count in refused.items() if count}, good


def _arranged(columns: dict[str, FloatArray], is_inverse: bool) -> TickColumns:  # noqa: FBT001  private
    bid, ask = (np.where(columns[name] > 0, columns[name], np.nan) for name in ("bid", "ask"))
    sizes = [np.nan_to_num(columns[name]) for name in ("bid_size", "ask_size")]
    if not is_inverse:
        sizes = [np.nan_to_num(size * price) for size, price in zip(sizes, (bid, ask), strict=True)]
    return TickColumns(
        ts_ns=columns["ts_ns"].astype(np.int64),
        bid=bid,
        ask=ask,
        bid_size_usd=sizes[0],
        ask_size_usd=sizes[1],
        mark=columns["mark"],
        index_usd=columns["index_price"],
    )
