"""Candles on a regular grid: the one form in which price history enters the forecast.

Outages become bars of zero return and zero volume, marked and counted. Anything that cannot be true
(duplicates, disorder, NaN, prices that are not positive) is refused with the row named.
"""

import msgspec
import numpy as np

from glmtrader.domain.arrays import BoolArray, FloatArray, IntArray
from glmtrader.domain.instruments import DAY_NS, HOUR_NS
from glmtrader.forecast.errors import CandleError

_GAP_DAYS_MAX = 30


class CandleArrays(msgspec.Struct, frozen=True, eq=False):
    """Candles of one instrument, one bar every `interval_ns`, oldest first.

    Attributes:
        open_ns: Bar opening times, int64[n], exactly `interval_ns` apart.
        open: Opening prices, float64[n].
        high: Highest prices, float64[n].
        low: Lowest prices, float64[n].
        close: Closing prices, float64[n].
        volume: Traded quantity, float64[n]; zero is a fact, not a gap.
        gap: True where the source had no bar and the last close was held, bool[n].
        interval_ns: Length of a bar; it divides an hour.
    """

    open_ns: IntArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    gap: BoolArray
    interval_ns: int

    def __len__(self) -> int:
        """Return the number of bars, gaps included."""
        return len(self.open_ns)

    @property
    def gap_count(self) -> int:
        """Bars that the source did not have."""
        return int(np.count_nonzero(self.gap))

    def closed_before(self, origin_ns: int) -> int:
        """Count the bars closed at or before `origin_ns`."""
        count = (origin_ns - int(self.open_ns[0])) // self.interval_ns
        return max(0, min(len(self), count))

    def between(self, first: int, last: int) -> "CandleArrays":
        """Return the bars of index `first` up to, not including, `last`; the arrays are views."""
        cut = slice(first, last)
        return CandleArrays(
            self.open_ns[cut],
            self.open[cut],
            self.high[cut],
            self.low[cut],
            self.close[cut],
            self.volume[cut],
            self.gap[cut],
            self.interval_ns,
        )


def regularise(
    open_ns: IntArray,
    open: FloatArray,  # noqa: A002 - the field's own name, as in every candle
    high: FloatArray,
    low: FloatArray,
    close: FloatArray,
    volume: FloatArray,
    interval_ns: int | None = None,
) -> CandleArrays:
    """Put candles on their grid, filling outages and refusing what cannot be true.

    Args:
        open_ns: Bar opening times, strictly increasing, whole intervals apart.
        open: Opening prices.
        high: Highest prices.
        low: Lowest prices.
        close: Closing prices.
        volume: Traded quantity.
        interval_ns: Length of a bar; the smallest step between rows when None.

    Raises:
        CandleError: A row is out of order, twice there, off the grid, NaN, not positive or
            contradicts itself, or an outage is longer than thirty days.
    """
    columns = {"open": open, "high": high, "low": low, "close": close, "volume": volume}
    stamps = np.asarray(open_ns, dtype=np.int64)
    values = {name: np.asarray(column, dtype=np.float64) for name, column in columns.items()}
    _check_shapes(stamps, values)
    interval = _interval(stamps, interval_ns)
    _check_stamps(stamps, interval)
    _check_values(stamps, values)
    return _fill(stamps, values, interval)


def _check_shapes(stamps: IntArray, values: dict[str, FloatArray]) -> None:
    if len(stamps) < 2:  # a grid needs two points
        raise CandleError(f"{len(stamps)} candles make no series; give at least two")
    for name, column in values.items():
        if column.shape != stamps.shape:
            raise CandleError(f"column {name} has {column.shape[0]} rows, ts has {len(stamps)}")


def _interval(stamps: IntArray, interval_ns: int | None) -> int:
    interval = int(np.min(np.diff(stamps))) if interval_ns is None else interval_ns
    if interval <= 0:
        row = int(np.argmax(np.diff(stamps) <= 0)) + 1
        _refuse(stamps, row, "comes at or before the row above it; sort and remove duplicates")
    if HOUR_NS % interval:
        raise CandleError(
            f"an interval of {interval} ns does not divide an hour; use 1m to 1h bars"
        )
    return interval


def _check_stamps(stamps: IntArray, interval: int) -> None:
    steps = np.diff(stamps)
    if np.any(steps <= 0):
        row = int(np.argmax(steps <= 0)) + 1
        fault = "is a duplicate" if steps[row - 1] == 0 else "is out of order"
        _refuse(stamps, row, f"{fault}; sort by ts and remove duplicates")
    off_grid = stamps % interval != 0
    if np.any(off_grid):
        _refuse(stamps, int(np.argmax(off_grid)), f"is off the grid of {interval} ns")
    if np.any(steps > _GAP_DAYS_MAX * DAY_NS):
        row = int(np.argmax(steps > _GAP_DAYS_MAX * DAY_NS)) + 1
        _refuse(stamps, row, f"follows an outage of over {_GAP_DAYS_MAX} days; split the series")


def _check_values(stamps: IntArray, values: dict[str, FloatArray]) -> None:
    for name, column in values.items():
        bad = ~np.isfinite(column) | ((column < 0.0) if name == "volume" else (column <= 0.0))
        if np.any(bad):
            row = int(np.argmax(bad))
            _refuse(stamps, row, f"has {name} = {column[row]}; repair or drop it")
    torn = (values["low"] > np.minimum(values["open"], values["close"])) | (
        values["high"] < np.maximum(values["open"], values["close"])
    )
    if np.any(torn):
        _refuse(stamps, int(np.argmax(torn)), "has open or close outside low..high")


def _refuse(stamps: IntArray, row: int, fault: str) -> None:
    raise CandleError(f"candle row {row} (ts {int(stamps[row])} ns) {fault}")


def _fill(stamps: IntArray, values: dict[str, FloatArray], interval: int) -> CandleArrays:
    place = (stamps - stamps[0]) // interval
    count = int(place[-1]) + 1
    gap = np.ones(count, dtype=np.bool_)
    gap[place] = False
    source = np.cumsum(~gap) - 1
    held = values["close"][source]
    prices = {name: np.where(gap, held, values[name][source]) for name in ("open", "high", "low")}
    return CandleArrays(
        open_ns=stamps[0] + interval * np.arange(count, dtype=np.int64),
        open=prices["open"],
        high=prices["high"],
        low=prices["low"],
        close=held,
        volume=np.where(gap, 0.0, values["volume"][source]),
        gap=gap,
        interval_ns=interval,
    )
