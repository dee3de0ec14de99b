"""Features look back only, mean the same at every bar length, and are refused by name."""

from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from glmtrader.domain.instruments import DAY_NS, HOUR_NS, MINUTE_NS
from glmtrader.errors import ForecastError
from glmtrader.forecast.candles import CandleArrays
from glmtrader.forecast.features import feature_matrix, gap_share, lookback_bars
from glmtrader.forecast.spec import KINDS, FeatureSpec, default_spec
from glmtrader.forecast.windows import window_max

CandleMaker = Callable[..., CandleArrays]

_EVERY = tuple(f"{kind}_{hours}h" for kind in KINDS for hours in (1, 6, 24, 192))
_ALL = FeatureSpec(names=(*_EVERY, "target_clock"), horizon_ns=DAY_NS)


def _column(candles: CandleArrays, name: str, origins: list[int]) -> np.ndarray:
    spec = FeatureSpec(names=(name,), horizon_ns=DAY_NS)
    return feature_matrix(candles, np.array(origins, dtype=np.int64), spec)[:, 0]


@pytest.mark.parametrize("interval_ns", [5 * MINUTE_NS, 15 * MINUTE_NS, HOUR_NS])
def test_the_future_deleted_or_garbled_changes_no_bit(
    make_candles: CandleMaker, interval_ns: int
) -> None:
    candles = make_candles(12.0, interval_ns=interval_ns)
    for hours in (200, 233, 250):
        origin = int(candles.open_ns[0]) + hours * HOUR_NS + 17 * MINUTE_NS
        origins = np.array([origin], dtype=np.int64)
        closed = candles.closed_before(origin)
        rng = np.random.default_rng(hours)
        garbled = {
            name: np.concatenate([column[:closed], rng.uniform(1.0, 9.0, len(candles) - closed)])
            for name in ("open", "high", "low", "close", "volume")
            for column in [getattr(candles, name)]
        }
        known = feature_matrix(candles, origins, _ALL)
        assert np.array_equal(known, feature_matrix(candles.between(0, closed), origins, _ALL))
        other = msgspec.structs.replace(candles, **garbled)
        assert np.array_equal(known, feature_matrix(other, origins, _ALL))


def test_each_feature_moves_with_the_past(make_candles: CandleMaker) -> None:
    """The leak test would pass for constants too; these are none."""
    candles = make_candles(20.0, interval_ns=15 * MINUTE_NS)
    origins = candles.open_ns[0] + HOUR_NS * np.arange(200, 470, dtype=np.int64)
    spread = feature_matrix(candles, origins, _ALL)[:, :-1].std(axis=0)
    moving = [name != "volume_192h" for name in _EVERY]
    assert np.all(spread[moving] > 1e-3)


def test_scale_of_price_and_volume_does_not_matter(make_candles: CandleMaker) -> None:
    candles = make_candles(10.0)
    scaled = msgspec.structs.replace(
        candles,
        **{
            name: getattr(candles, name) * 64.0
            for name in ("open", "high", "low", "close", "volume")
        },
    )
    origins = candles.open_ns[-5:] + HOUR_NS
    assert feature_matrix(scaled, origins, _ALL) == pytest.approx(
        feature_matrix(candles, origins, _ALL), abs=1e-9
    )


def test_bars_of_5m_15m_and_1h_tell_nearly_the_same_of_long_windows(
    make_candles: CandleMaker,
) -> None:
    origins = make_candles(30.0).open_ns[0] + HOUR_NS * np.arange(200, 700, dtype=np.int64)
    names = ("rv_192h", "range_192h", "down_72h", "up_72h", "spread_192h")
    spec = FeatureSpec(names=names, horizon_ns=DAY_NS)
    means = [
        feature_matrix(make_candles(30.0, interval_ns=step), origins, spec).mean(axis=0)
        for step in (5 * MINUTE_NS, 15 * MINUTE_NS, HOUR_NS)
    ]
    assert np.ptp(np.array(means), axis=0) == pytest.approx(np.zeros(len(names)), abs=0.12)


def test_realised_variance_is_the_log_of_squared_returns_a_day(make_candles: CandleMaker) -> None:
    candles = make_candles(9.0)
    origin = int(candles.open_ns[-1]) + HOUR_NS
    returns = np.diff(np.log(candles.close))
    level = np.sum(returns[-192:] ** 2) / 8.0
    expected = np.log(np.sum(returns[-24:] ** 2) + 0.05 * level)
    assert _column(candles, "rv_24h", [origin])[0] == pytest.approx(expected, rel=1e-12)


def test_a_fall_shows_in_down_and_not_in_up(make_candles: CandleMaker) -> None:
    candles = make_candles(9.0)
    fallen = candles.close.copy()
    fallen[-1] *= 0.9
    crash = msgspec.structs.replace(candles, close=fallen, low=np.minimum(candles.low, fallen))
    origin = int(candles.open_ns[-1]) + HOUR_NS
    assert _column(crash, "down_24h", [origin])[0] > 1.0
    assert _column(crash, "up_24h", [origin])[0] == 0.0
    assert _column(crash, "downside_24h", [origin])[0] > 0.4


def test_the_calendar_feature_weighs_the_target_window() -> None:
    """A day that is all weekend weighs less than one that is all Monday."""
    weights = np.ones(168)
    weights[5 * 24 :] = 0.4
    clock = tuple((weights / weights.mean()).tolist())
    spec = FeatureSpec(names=("target_clock",), horizon_ns=DAY_NS, clock=clock)
    close = np.full(24 * 14, 100.0)
    stamps = 4 * DAY_NS + HOUR_NS * np.arange(len(close), dtype=np.int64)
    bars = CandleArrays(
        stamps, close, close, close, close, close, np.zeros(len(close), dtype=np.bool_), HOUR_NS
    )
    origins = 4 * DAY_NS + DAY_NS * np.array([12, 13, 14], dtype=np.int64)  # Sat, Sun, Mon
    found = np.exp(feature_matrix(bars, origins, spec)[:, 0])
    assert found == pytest.approx([clock[-1], clock[-1], clock[0]], rel=1e-12)


def test_window_max_is_the_largest_of_each_window() -> None:
    values = np.random.default_rng(3).normal(size=300)
    for width in (1, 2, 7, 64, 100):
        ends = np.arange(width, 301)
        expected = [values[end - width : end].max() for end in ends]
        assert window_max(values, ends, width).tolist() == expected


def test_gaps_of_the_lookback_are_counted(make_candles: CandleMaker) -> None:
    candles = make_candles(9.0)
    gap = candles.gap.copy()
    gap[-19:] = True
    holed = msgspec.structs.replace(candles, gap=gap)
    share = gap_share(holed, np.array([int(candles.open_ns[-1]) + HOUR_NS]))
    assert share[0] == pytest.approx(19 / lookback_bars(HOUR_NS))


@pytest.mark.parametrize("name", ["rv_0h", "rv_193h", "rv_24", "smile_24h", "rv", "rv_-1h"])
def test_an_unknown_feature_is_refused_by_name(make_candles: CandleMaker, name: str) -> None:
    with pytest.raises(ForecastError, match=name):
        _column(make_candles(9.0), name, [10])


def test_too_short_a_history_is_refused(make_candles: CandleMaker) -> None:
    candles = make_candles(9.0)
    with pytest.raises(
        ForecastError, match="192 bars closed at the first origin, features need 193"
    ):
        _column(candles, "rv_24h", [int(candles.open_ns[0]) + 192 * HOUR_NS])


def test_another_feature_version_is_refused(make_candles: CandleMaker) -> None:
    spec = msgspec.structs.replace(default_spec(DAY_NS), version=99)
    with pytest.raises(ForecastError, match="version 99"):
        feature_matrix(make_candles(9.0), np.array([10]), spec)


def test_whole_weeks_have_no_calendar_feature() -> None:
    assert "target_clock" not in default_spec(7 * DAY_NS).names
    assert "target_clock" in default_spec(DAY_NS).names
    with pytest.raises(ForecastError, match="horizon"):
        default_spec(MINUTE_NS)
