"""The hour-of-week profile is found in candles that have one."""

from collections.abc import Callable

import numpy as np
import pytest

from glmtrader.domain.instruments import DAY_NS, HOUR_NS, WEEK_NS
from glmtrader.forecast.candles import CandleArrays, regularise
from glmtrader.forecast.clock import estimate_clock, hour_of_week, mean_weight
from glmtrader.forecast.errors import TooFewRowsError

_MONDAY_NS = 4 * DAY_NS


def _weekly(weeks: int) -> tuple[CandleArrays, np.ndarray]:
    """Candles whose hourly variance follows a known profile exactly, starting on a Wednesday."""
    hours = np.where(np.arange(24) == 14, 3.0, 1.0)
    days = np.array([1.3, 1.2, 1.1, 1.1, 1.1, 0.5, 0.7])
    profile = np.outer(days, hours / hours.mean()).ravel()
    profile /= profile.mean()
    stamps = _MONDAY_NS + 2 * DAY_NS + HOUR_NS * np.arange(weeks * 168, dtype=np.int64)
    signs = np.where(np.arange(len(stamps)) % 2 == 0, 1.0, -1.0)
    moves = 0.005 * np.sqrt(profile[hour_of_week(stamps)]) * signs
    close = 100.0 * np.exp(np.cumsum(moves))
    opened = np.concatenate(([100.0], close[:-1]))
    high, low = np.maximum(opened, close), np.minimum(opened, close)
    return regularise(stamps, opened, high, low, close, np.ones(len(close))), profile


def test_a_profile_is_recovered_from_its_own_candles() -> None:
    candles, profile = _weekly(12)
    found = estimate_clock([candles], int(candles.open_ns[-1]) + HOUR_NS)
    assert found == pytest.approx(profile, rel=1e-9)


def test_the_profile_does_not_look_beyond_its_time() -> None:
    candles, _ = _weekly(20)
    until = int(candles.open_ns[0]) + 12 * WEEK_NS
    later = candles.between(0, candles.closed_before(until))
    assert np.array_equal(estimate_clock([candles], until), estimate_clock([later], until))


def test_a_profile_of_a_few_weeks_is_refused(make_candles: Callable[..., CandleArrays]) -> None:
    with pytest.raises(TooFewRowsError, match="whole weeks"):
        estimate_clock([make_candles(30.0)], 2**62)


def test_any_whole_week_weighs_one() -> None:
    clock = np.random.default_rng(5).uniform(0.2, 3.0, 168)
    clock /= clock.mean()
    starts = np.array([0, 123_456_789, 10**18 + 1, 3 * HOUR_NS + 7], dtype=np.int64)
    assert mean_weight(starts, WEEK_NS, clock) == pytest.approx(np.ones(4), abs=1e-9)


def test_part_of_an_hour_counts_in_part() -> None:
    clock = np.ones(168)
    clock[1] = 3.0
    start = np.array([_MONDAY_NS + HOUR_NS // 2], dtype=np.int64)
    assert mean_weight(start, HOUR_NS, clock)[0] == pytest.approx(2.0, rel=1e-12)
