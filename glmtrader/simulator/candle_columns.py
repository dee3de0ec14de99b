"""Five-minute bars and what is made of them: longer bars, and the part that is complete.

Pure functions on `CandleColumns`. A longer bar stands at its own clock boundary and is returned
only when its whole span is recorded and over.
"""

from typing import Final

import numpy as np

from glmtrader.domain.instruments import MINUTE_NS
from glmtrader.errors import DataError
from glmtrader.simulator.market_model import CandleColumns

BASE_INTERVAL_NS: Final = 5 * MINUTE_NS
"""All longer bars are made of these."""


def select(bars: CandleColumns, first: int, last: int) -> CandleColumns:
    """Rows from `first` up to, not including, `last`."""
    return CandleColumns(
        open_ns=bars.open_ns[first:last],
        open=bars.open[first:last],
        high=bars.high[first:last],
        low=bars.low[first:last],
        close=bars.close[first:last],
        volume=bars.volume[first:last],
    )


def last_bars(bars: CandleColumns, interval_ns: int, until_ns: int, count: int) -> CandleColumns:
    """The last `count` bars of `interval_ns` that were complete at `until_ns`.

    Raises:
        DataError: the interval is no multiple of five minutes.
    """
    if interval_ns <= 0 or interval_ns % BASE_INTERVAL_NS:
        raise DataError(f"candles of {interval_ns} ns: ask for a multiple of five minutes")
    if count <= 0:
        return select(bars, 0, 0)
    until_ns -= until_ns % interval_ns
    end = int(np.searchsorted(bars.open_ns, until_ns))
    if interval_ns == BASE_INTERVAL_NS:
        return select(bars, max(end - count, 0), end)
    wanted_ns = until_ns - count * interval_ns
    known_ns = int(bars.open_ns[0]) if len(bars.open_ns) else until_ns
    known_ns += -known_ns % interval_ns
    begin = int(np.searchsorted(bars.open_ns, max(wanted_ns, known_ns)))
    return _aggregate(select(bars, begin, max(begin, end)), interval_ns)


def _aggregate(bars: CandleColumns, interval_ns: int) -> CandleColumns:
    if not len(bars.open_ns):
        return bars
    bucket = bars.open_ns // interval_ns
    first = np.flatnonzero(np.concatenate(([True], np.diff(bucket) > 0)))
    last = np.append(first[1:], len(bucket)) - 1
    return CandleColumns(
        open_ns=bucket[first] * interval_ns,
        open=bars.open[first],
        high=np.maximum.reduceat(bars.high, first),
        low=np.minimum.reduceat(bars.low, first),
        close=bars.close[last],
        volume=np.add.reduceat(bars.volume, first),
    )
