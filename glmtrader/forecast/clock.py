"""The variance clock: how much of a week's variance each of its 168 hours usually brings.

Calendar time weighted by this profile is the clock in which windows are compared with each other.
The profile is estimated from the candles that a model is trained on and travels in its artefact.
"""

import numpy as np

from glmtrader.domain.arrays import FloatArray, IntArray
from glmtrader.domain.instruments import HOUR_NS, WEEK_NS
from glmtrader.forecast.candles import CandleArrays
from glmtrader.forecast.errors import TooFewRowsError
from glmtrader.forecast.spec import HOURS_A_WEEK

_MONDAY_NS = 4 * 24 * HOUR_NS  # 1970-01-05, the first Monday
_WEEKS_MIN = 8
_GAP_SHARE_MAX = 0.01
_WORKDAYS = 5


def hour_of_week(stamps_ns: IntArray) -> IntArray:
    """Return the hour of the week, 0 at Monday 00:00 UTC, of each time."""
    return np.asarray((stamps_ns - _MONDAY_NS) // HOUR_NS % HOURS_A_WEEK, dtype=np.int64)


def mean_weight(starts_ns: IntArray, length_ns: int, clock: FloatArray) -> FloatArray:
    """Return the mean clock weight of the windows [start, start + length)."""
    spent = _elapsed(starts_ns + length_ns, clock) - _elapsed(starts_ns, clock)
    return np.asarray(spent * (HOUR_NS / length_ns), dtype=np.float64)


def _elapsed(stamps_ns: IntArray, clock: FloatArray) -> FloatArray:
    """Weighted hours since the first Monday; the weights have mean 1, so a week is 168."""
    since = stamps_ns - _MONDAY_NS
    weeks, rest = since // WEEK_NS, since % WEEK_NS
    hours = rest // HOUR_NS
    before = np.concatenate(([0.0], np.cumsum(clock)))
    part = (rest % HOUR_NS) / HOUR_NS
    return np.asarray(weeks * before[-1] + before[hours] + part * clock[hours], dtype=np.float64)


def estimate_clock(series: list[CandleArrays], until_ns: int) -> FloatArray:
    """Estimate the 168 weights from the whole weeks of candles closed by `until_ns`.

    Every week counts alike (its hours are divided by its own mean), so that a crash does not become
    the profile. A weight is the weekday's factor times the hour's, the latter apart for weekends:
    55 means instead of 168 noisy cells.

    Raises:
        TooFewRowsError: Fewer than eight whole weeks without outages.
    """
    weeks = np.concatenate([_week_table(candles, until_ns) for candles in series])
    if len(weeks) < _WEEKS_MIN:
        raise TooFewRowsError(
            f"{len(weeks)} whole weeks of candles; the hour-of-week profile needs {_WEEKS_MIN}"
        )
    table = np.mean(weeks, axis=0).reshape(7, 24)
    days = table.mean(axis=1, keepdims=True)
    shape = table / days
    work = np.broadcast_to(shape[:_WORKDAYS].mean(axis=0), (_WORKDAYS, 24))
    rest = np.broadcast_to(shape[_WORKDAYS:].mean(axis=0), (7 - _WORKDAYS, 24))
    weights = (days * np.concatenate([work, rest])).ravel()
    return np.asarray(weights / weights.mean(), dtype=np.float64)


def _week_table(candles: CandleArrays, until_ns: int) -> FloatArray:
    """Hourly variance of each whole week over that week's mean, float64[weeks, 168]."""
    used = candles.between(0, candles.closed_before(until_ns))
    first = int(-(-(int(candles.open_ns[0]) - _MONDAY_NS) // WEEK_NS)) * WEEK_NS + _MONDAY_NS
    skip = (first - int(candles.open_ns[0])) // candles.interval_ns
    bars = WEEK_NS // candles.interval_ns
    count = max(0, (len(used) - skip) // bars)
    if count == 0:
        return np.empty((0, HOURS_A_WEEK))
    cut = slice(skip, skip + count * bars)
    squares = np.square(np.diff(np.log(used.close), prepend=np.log(used.open[0])))[cut]
    hours = squares.reshape(count, HOURS_A_WEEK, -1).sum(axis=2)
    whole = used.gap[cut].reshape(count, -1).mean(axis=1) <= _GAP_SHARE_MAX
    level = hours.mean(axis=1)
    kept = whole & (level > 0.0)
    return np.asarray(hours[kept] / level[kept, None], dtype=np.float64)
