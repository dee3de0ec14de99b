"""Trading time averages to calendar time and bends within the week as variance does."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glmtrader.quant.trading_clock import (
    BTC_CLOCK,
    CALENDAR_CLOCK,
    NANOSECONDS_PER_HOUR,
    TradingClock,
    calendar_years,
    interpolate_total_variance,
)

DATA = Path(os.environ.get("GLMTRADER_DATA", Path(__file__).parents[3] / ".." / "shared" / "data"))
HOUR = NANOSECONDS_PER_HOUR
WEEK = 168 * HOUR
MONDAY = 1_767_571_200_000_000_000
"""2026-01-05 00:00 UTC."""
INSTANT = st.integers(0, 4_000_000_000_000_000_000)


@given(INSTANT, st.integers(1, 52))
def test_a_whole_number_of_weeks_takes_calendar_time(start_ns: int, weeks: int) -> None:
    """Whatever its start, a week of trading time is a week."""
    end_ns = start_ns + weeks * WEEK
    assert BTC_CLOCK.years(start_ns, end_ns) == pytest.approx(
        float(calendar_years(start_ns, end_ns)), rel=1e-13
    )


@given(INSTANT, st.integers(0, WEEK), st.integers(0, WEEK))
def test_intervals_add_up(start_ns: int, first: int, second: int) -> None:
    """Time from a to c is time from a to b and from b to c, over partial hours too."""
    middle, end = start_ns + first, start_ns + first + second
    whole = BTC_CLOCK.years(start_ns, end)
    parts = BTC_CLOCK.years(start_ns, middle) + BTC_CLOCK.years(middle, end)
    assert whole == pytest.approx(float(parts), abs=1e-15)


@given(INSTANT, st.integers(0, 10 * WEEK))
def test_uniform_weights_are_calendar_time(start_ns: int, length: int) -> None:
    """Without a profile the clock is ACT/365."""
    assert CALENDAR_CLOCK.years(start_ns, start_ns + length) == pytest.approx(
        float(calendar_years(start_ns, start_ns + length)), abs=1e-15
    )


def test_a_partial_hour_counts_by_its_weight() -> None:
    """Half of Monday 14 h brings half of that hour's weight."""
    start = MONDAY + 14 * HOUR
    weight = BTC_CLOCK.weights[14]
    assert weight > 2.0
    assert BTC_CLOCK.years(start, start + HOUR // 2) == pytest.approx(0.5 * weight / 8760)


def test_ends_may_be_arrays() -> None:
    """One start against many ends gives each, and time runs backwards with a sign."""
    ends = MONDAY + np.array([-24, 0, 24]) * HOUR
    years = BTC_CLOCK.years(MONDAY, ends)
    assert years[0] < 0.0 == years[1] < years[2]


@pytest.mark.parametrize(
    ("hours", "weekdays"),
    [((1.0,) * 23, (1.0,) * 7), ((1.0,) * 24, (1.0,) * 6), ((0.0,) * 24, (1.0,) * 7)],
)
def test_a_wrong_profile_is_refused(hours: tuple[float, ...], weekdays: tuple[float, ...]) -> None:
    """A profile of the wrong length, or with a weight of zero, never becomes a clock."""
    with pytest.raises(ValueError, match="positive numbers"):
        TradingClock(hours, weekdays)


def test_total_variance_is_linear_in_trading_time() -> None:
    """At the nodes it is the node's; a weekend between them brings little."""
    friday, saturday, monday = (MONDAY + (day * 24 + 8) * HOUR for day in (4, 5, 7))
    nodes, values = [friday, monday], [0.004, 0.006]
    at = interpolate_total_variance(BTC_CLOCK, MONDAY, nodes, values, [friday, saturday, monday])
    assert at[0] == pytest.approx(0.004)
    assert at[2] == pytest.approx(0.006)
    share = (at[1] - at[0]) / 0.002
    assert share == pytest.approx(
        float(BTC_CLOCK.years(friday, saturday) / BTC_CLOCK.years(friday, monday))
    )
    assert share > 0.43, "a third of the calendar time"


def test_beyond_the_nodes_the_rate_of_trading_time_is_kept() -> None:
    """Before the first and after the last expiry variance accrues at that expiry's rate."""
    end = MONDAY + 2 * WEEK
    at = interpolate_total_variance(
        BTC_CLOCK, MONDAY, [end], [0.02], [MONDAY + WEEK, MONDAY + 4 * WEEK, MONDAY]
    )
    np.testing.assert_allclose(at[:2], [0.01, 0.04])
    assert np.isnan(at[2])


def test_the_profile_multiplies_variance_not_volatility() -> None:
    """BTC candles: squared returns follow the profile closely, their roots do not."""
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    file = DATA / "klines" / "BTCUSDT_15m_2023_2024.parquet"
    if not file.exists():
        pytest.skip(f"no recorded candles at {file}")
    table = parquet.read_table(file)
    opened_ms = table["ts"].to_numpy()[1:]
    squared = np.diff(np.log(table["close"].to_numpy())) ** 2
    hour = opened_ms // 3_600_000 % 24
    measured = np.array([squared[hour == at].mean() for at in range(24)])
    measured /= measured.mean()
    profile = np.array(BTC_CLOCK.hour_weights)
    distance_of_variance = np.abs(np.log(measured / profile)).mean()
    distance_of_volatility = np.abs(np.log(np.sqrt(measured) / profile)).mean()
    assert distance_of_variance < 0.1
    assert distance_of_volatility > 0.18
