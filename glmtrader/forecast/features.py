"""Features of the volatility model: what the last eight days of candles say, bars closed only.

Everything is free of scale (variances a day, ratios, shares), so that 5m, 15m and 1h bars and any
underlying can feed one artefact. Deleting or garbling what comes after an origin changes no bit.
"""

import numpy as np

from glmtrader.domain.arrays import FloatArray, IntArray
from glmtrader.domain.instruments import DAY_NS, HOUR_NS
from glmtrader.errors import ForecastError
from glmtrader.forecast.candles import CandleArrays
from glmtrader.forecast.clock import hour_of_week, mean_weight
from glmtrader.forecast.spec import FEATURE_VERSION, LOOKBACK_HOURS, FeatureSpec, parse_name
from glmtrader.forecast.windows import prefix_sum, window_max, window_sum

_GARMAN_KLASS_BODY = 2.0 * np.log(2.0) - 1.0
_PARKINSON = 4.0 * np.log(2.0)
_FLOOR_SHARE = 0.05
"""Part of the eight-day variance added to short windows before the log: one quiet hour of 1h bars
is a single return near zero, whose log would run off without telling anything."""


def lookback_bars(interval_ns: int) -> int:
    """Return how many closed bars an origin needs: eight days, and one whose close starts them."""
    return LOOKBACK_HOURS * HOUR_NS // interval_ns + 1


def gap_share(candles: CandleArrays, origins_ns: IntArray) -> FloatArray:
    """Return the share of the lookback's bars that the source did not have."""
    width = lookback_bars(candles.interval_ns)
    prefix = prefix_sum(candles.gap.astype(np.float64))
    return window_sum(prefix, _ends(candles, origins_ns), width) / width


def feature_matrix(candles: CandleArrays, origins_ns: IntArray, spec: FeatureSpec) -> FloatArray:
    """Compute the features at each origin from the bars closed at or before it.

    Args:
        candles: Regular candles; bars after an origin are not looked at.
        origins_ns: Times of forecast, int64[n]; each needs `lookback_bars` closed bars.
        spec: Which features, over which horizon, with which hour-of-week weights.

    Returns:
        float64[n, k] in the order of `spec.names`; not finite where a window has no price change
        or no volume, which the caller must refuse.

    Raises:
        ForecastError: An unknown feature, another feature version, or too short a history.
    """
    if spec.version != FEATURE_VERSION:
        raise ForecastError(
            f"features of version {spec.version}, this program computes version"
            f" {FEATURE_VERSION}; train the model again"
        )
    kinds = [parse_name(name) for name in spec.names]
    origins = np.asarray(origins_ns, dtype=np.int64)
    windows = _Windows(candles, _ends(candles, origins), np.asarray(spec.clock))
    matrix = np.empty((len(origins), len(kinds)))
    with np.errstate(divide="ignore", invalid="ignore"):
        for column, (kind, hours) in enumerate(kinds):
            if kind == "target_clock":
                clock = np.asarray(spec.clock)
                matrix[:, column] = np.log(mean_weight(origins, spec.horizon_ns, clock))
            else:
                matrix[:, column] = windows.feature(kind, hours)
    return matrix


def _ends(candles: CandleArrays, origins_ns: IntArray) -> IntArray:
    ends = (np.asarray(origins_ns) - candles.open_ns[0]) // candles.interval_ns
    ends = np.minimum(ends, len(candles))
    need = lookback_bars(candles.interval_ns)
    if len(ends) and int(ends.min()) < need:
        raise ForecastError(
            f"{int(ends.min())} bars closed at the first origin, features need {need}"
            f" ({LOOKBACK_HOURS // 24} days); load more history or start later"
        )
    return np.asarray(ends, dtype=np.int64)


class _Windows:
    """The trailing windows of one candle series at given origins; prefix sums are made once."""

    def __init__(self, candles: CandleArrays, ends: IntArray, clock: FloatArray) -> None:
        self._ends = ends
        self._log_close = np.log(candles.close)
        self._log_high = np.log(candles.high)
        self._log_low = np.log(candles.low)
        self._bars_an_hour = HOUR_NS // candles.interval_ns
        self._bars_a_day = DAY_NS // candles.interval_ns
        returns = np.diff(self._log_close, prepend=np.log(candles.open[0]))
        squares = np.square(returns)
        self._squares = prefix_sum(squares)
        self._falls = prefix_sum(np.where(returns < 0.0, squares, 0.0))
        self._ranges = prefix_sum(self._hourly_ranges(np.log(candles.open)))
        self._volume = prefix_sum(candles.volume)
        self._clock = prefix_sum(clock[hour_of_week(candles.open_ns)])
        self._level = self._a_day(self._squares, LOOKBACK_HOURS)

    def feature(self, kind: str, hours: int) -> FloatArray:
        """Return one feature at every origin."""
        named = {
            "rv": self._rv,
            "range": self._range,
            "spread": self._spread,
            "down": self._down,
            "up": self._up,
            "downside": self._downside,
            "volume": self._volume_ratio,
        }
        return named[kind](hours)

    def _sum(self, prefix: FloatArray, hours: int) -> FloatArray:
        return window_sum(prefix, self._ends, hours * self._bars_an_hour)

    def _a_day(self, prefix: FloatArray, hours: int) -> FloatArray:
        """Variance a day of the clock, so that a Sunday night compares with a Monday afternoon."""
        return self._sum(prefix, hours) / self._sum(self._clock, hours) * self._bars_a_day

    def _rv(self, hours: int) -> FloatArray:
        return np.asarray(np.log(self._a_day(self._squares, hours) + _FLOOR_SHARE * self._level))

    def _hourly_ranges(self, log_open: FloatArray) -> FloatArray:
        """Garman-Klass variance of the hour that ends with each bar (0 where there is none yet).

        Hours, not bars: the span of a short bar misses more of the path, and 5m bars must tell the
        same as 1h bars.
        """
        width = self._bars_an_hour
        ends = np.arange(width, len(log_open) + 1)
        top = window_max(self._log_high, ends, width)
        bottom = -window_max(-self._log_low, ends, width)
        body = self._log_close[ends - 1] - log_open[ends - width]
        hourly = 0.5 * np.square(top - bottom) - _GARMAN_KLASS_BODY * np.square(body)
        return np.concatenate([np.zeros(width - 1), hourly])

    def _range(self, hours: int) -> FloatArray:
        floor = _FLOOR_SHARE * self._level
        width = (hours - 1) * self._bars_an_hour + 1
        daily = window_sum(self._ranges, self._ends, width) * (24.0 / width)
        squares = self._sum(self._squares, hours) * (24.0 / hours)
        return np.asarray(np.log((daily + floor) / (squares + floor)))

    def _spread(self, hours: int) -> FloatArray:
        width = hours * self._bars_an_hour
        top = window_max(self._log_high, self._ends, width)
        bottom = -window_max(-self._log_low, self._ends, width)
        span = np.square(top - bottom) / _PARKINSON * (24.0 / hours)
        floor = _FLOOR_SHARE * self._level
        squares = self._sum(self._squares, hours) * (24.0 / hours)
        return np.asarray(np.log((span + floor) / (squares + floor)))

    def _move(self, hours: int) -> FloatArray:
        start = self._ends - 1 - hours * self._bars_an_hour
        moved = self._log_close[self._ends - 1] - self._log_close[start]
        return np.asarray(moved / np.sqrt(self._level * (hours / 24.0)))

    def _down(self, hours: int) -> FloatArray:
        return np.maximum(-self._move(hours), 0.0)

    def _up(self, hours: int) -> FloatArray:
        return np.maximum(self._move(hours), 0.0)

    def _downside(self, hours: int) -> FloatArray:
        return self._sum(self._falls, hours) / self._sum(self._squares, hours) - 0.5

    def _volume_ratio(self, hours: int) -> FloatArray:
        usual = self._sum(self._volume, LOOKBACK_HOURS) * (hours / LOOKBACK_HOURS)
        return np.asarray(np.log(self._sum(self._volume, hours) / usual + _FLOOR_SHARE))
