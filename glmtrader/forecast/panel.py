"""Rows to fit and to score: for every origin of a series its target and what rivals know.

Targets look forward by definition; everything else on a row is known at its origin.
"""

from typing import NamedTuple

import numpy as np

from glmtrader.domain.arrays import FloatArray, IntArray
from glmtrader.domain.instruments import DAY_NS, HOUR_NS, YEAR_NS
from glmtrader.forecast.candles import CandleArrays
from glmtrader.forecast.errors import ConstantDataError, TooFewRowsError
from glmtrader.forecast.features import gap_share
from glmtrader.forecast.infer import GAP_SHARE_MAX
from glmtrader.forecast.windows import prefix_sum, window_sum

HAR_DAYS = (1, 7, 30)


class Panel(NamedTuple):
    """The rows of one series.

    Attributes:
        underlying: Name of the underlying.
        candles: Its candles.
        origins_ns: Times of forecast, int64[n].
        target: Annualised realised variance over the horizon, float64[n].
        last: The same over the window just past, float64[n].
        har: Log annualised variance over 1, 7 and 30 days, float64[n, 3].
    """

    underlying: str
    candles: CandleArrays
    origins_ns: IntArray
    target: FloatArray
    last: FloatArray
    har: FloatArray


def build_panel(
    underlying: str, candles: CandleArrays, horizon_ns: int, step_ns: int = HOUR_NS
) -> Panel:
    """Make the rows of a series: origins every `step_ns` with full history and a full horizon.

    Raises:
        TooFewRowsError: The series is shorter than 30 days and a horizon.
        ConstantDataError: The price never moves.
    """
    interval = candles.interval_ns
    start = int(candles.open_ns[0]) + max(max(HAR_DAYS) * DAY_NS, horizon_ns) + interval
    first = -(-start // step_ns) * step_ns
    last = int(candles.open_ns[-1]) + interval - horizon_ns
    origins = np.arange(first, last + 1, step_ns, dtype=np.int64)
    if len(origins) == 0:
        days = len(candles) * interval / DAY_NS
        raise TooFewRowsError(
            f"{underlying}: {days:.1f} days of candles; training needs {max(HAR_DAYS)} days and"
            " a horizon"
        )
    squares = prefix_sum(np.square(np.diff(np.log(candles.close))))
    ends = (origins - candles.open_ns[0]) // interval - 1
    width = horizon_ns // interval
    target = window_sum(squares, ends + width, width) * (YEAR_NS / horizon_ns)
    past = window_sum(squares, ends, width) * (YEAR_NS / horizon_ns)
    har = [
        window_sum(squares, ends, days * DAY_NS // interval) * (365.0 / days) for days in HAR_DAYS
    ]
    usable = _usable(candles, origins, horizon_ns, np.column_stack([target, past, *har]))
    if not np.any(usable):
        raise ConstantDataError(f"{underlying}: no origin with moving prices; check the candles")
    return Panel(
        underlying,
        candles,
        origins[usable],
        target[usable],
        past[usable],
        np.log(np.column_stack(har)[usable]),
    )


def _usable(
    candles: CandleArrays, origins: IntArray, horizon_ns: int, variances: FloatArray
) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Origins with moving prices and few gaps on either side."""
    ends = (origins - candles.open_ns[0]) // candles.interval_ns
    width = horizon_ns // candles.interval_ns
    ahead = window_sum(prefix_sum(candles.gap.astype(np.float64)), ends + width, width) / width
    moving = np.all(variances > 0.0, axis=1)
    kept = moving & (ahead <= GAP_SHARE_MAX) & (gap_share(candles, origins) <= GAP_SHARE_MAX)
    return np.asarray(kept, dtype=np.bool_)


def price_paths(panel: Panel, origins_ns: IntArray, horizon_ns: int) -> FloatArray:
    """Return closes from each origin to its horizon, float64[n, bars + 1]."""
    candles = panel.candles
    first = (origins_ns - candles.open_ns[0]) // candles.interval_ns - 1
    steps = np.arange(horizon_ns // candles.interval_ns + 1)
    return np.asarray(candles.close[first[:, None] + steps], dtype=np.float64)
