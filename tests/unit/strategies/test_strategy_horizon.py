"""P and Q at one horizon, and what a straddle costs beside its price."""

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategy_cases import DAY_NS, HOUR_NS, NOW_NS, forecast, surface, surface_slice

from glmtrader.quant.trading_clock import BTC_CLOCK, CALENDAR_CLOCK
from glmtrader.strategies.costs import CostAssumptions, cost_vol
from glmtrader.strategies.horizon import forecast_at, traded_slice

FRIDAY_NS = NOW_NS + 4 * DAY_NS  # Friday 2026-01-09 08:00 UTC
FIELDS = ("q_var", "q_vol", "q_vol_low", "q_vol_high", "q_straddle")


@settings(max_examples=60, deadline=None)
@given(weeks=st.integers(1, 8), start_h=st.integers(0, 167))
def test_over_whole_weeks_the_forecast_is_itself(weeks: int, start_h: int) -> None:
    """A week has every hour once, so nothing is weighted."""
    now_ns = NOW_NS + start_h * HOUR_NS
    made = forecast(now_ns=now_ns)
    ahead = forecast_at(made, now_ns=now_ns, expiry_ns=now_ns + 7 * weeks * DAY_NS, clock=BTC_CLOCK)
    for name in FIELDS:
        assert getattr(ahead, name) == pytest.approx(getattr(made, name), rel=1e-12)


def test_a_horizon_with_more_weekend_is_calmer() -> None:
    """From Friday morning, three days are mostly weekend; from Monday, none of it."""
    friday, monday = forecast(now_ns=FRIDAY_NS), forecast(now_ns=NOW_NS)
    calm = forecast_at(friday, now_ns=FRIDAY_NS, expiry_ns=FRIDAY_NS + 3 * DAY_NS, clock=BTC_CLOCK)
    busy = forecast_at(monday, now_ns=NOW_NS, expiry_ns=NOW_NS + 3 * DAY_NS, clock=BTC_CLOCK)
    assert calm.q_straddle < 0.9 * friday.q_straddle
    assert busy.q_straddle > 1.05 * monday.q_straddle


def test_in_calendar_time_a_weekend_is_like_any_day() -> None:
    made = forecast(now_ns=FRIDAY_NS)
    ahead = forecast_at(
        made, now_ns=FRIDAY_NS, expiry_ns=FRIDAY_NS + 2 * DAY_NS, clock=CALENDAR_CLOCK
    )
    assert ahead.q_straddle == pytest.approx(made.q_straddle, rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(hours=st.integers(2, 24 * 30), start_h=st.integers(0, 167))
def test_volatilities_scale_with_the_root_of_variance(hours: int, start_h: int) -> None:
    """All four volatilities move by one ratio, whose square moves the variance."""
    now_ns = NOW_NS + start_h * HOUR_NS
    made = forecast(now_ns=now_ns)
    ahead = forecast_at(made, now_ns=now_ns, expiry_ns=now_ns + hours * HOUR_NS, clock=BTC_CLOCK)
    ratios = [getattr(ahead, name) / getattr(made, name) for name in FIELDS[1:]]
    assert max(ratios) == pytest.approx(min(ratios), rel=1e-12)
    assert ahead.q_var / made.q_var == pytest.approx(ratios[0] ** 2, rel=1e-12)
    assert ahead.q_vol_low < ahead.q_vol < ahead.q_vol_high


@settings(max_examples=60, deadline=None)
@given(split_h=st.integers(1, 24 * 10 - 1), start_h=st.integers(0, 167))
def test_total_variance_adds_up_over_parts(split_h: int, start_h: int) -> None:
    """Variance until the end is variance until any moment between, plus that from it on."""
    now_ns, end_h = NOW_NS + start_h * HOUR_NS, 24 * 10
    made = forecast(now_ns=now_ns)

    def total(from_h: int, until_h: int) -> float:
        ahead = forecast_at(
            made,
            now_ns=now_ns + from_h * HOUR_NS,
            expiry_ns=now_ns + until_h * HOUR_NS,
            clock=BTC_CLOCK,
        )
        return ahead.q_var * (until_h - from_h)

    assert total(0, split_h) + total(split_h, end_h) == pytest.approx(total(0, end_h), rel=1e-9)


def test_a_forecast_ages_on_its_own_calendar() -> None:
    """Made on Monday for a whole week, it says the same of a whole week that begins on Friday."""
    made = forecast(now_ns=NOW_NS)
    ahead = forecast_at(made, now_ns=FRIDAY_NS, expiry_ns=FRIDAY_NS + 7 * DAY_NS, clock=BTC_CLOCK)
    assert ahead.q_straddle == pytest.approx(made.q_straddle, rel=1e-12)


@pytest.mark.parametrize(
    ("days", "chosen"),
    [
        ((1.0, 6.0, 9.0), 6.0),
        ((1.0, 3.0, 5.5, 9.5), 5.5),
        ((4.5,), 4.5),
        ((10.0,), 10.0),
        ((1.0, 4.4, 10.1, 30.0), None),
        ((), None),
    ],
)
def test_the_traded_expiry_is_the_eligible_one_nearest_the_target(
    days: tuple[float, ...], chosen: float | None
) -> None:
    """Only expiries within the window count, its ends included; without one there is none."""
    found = traded_slice(
        msgspec.structs.replace(surface(), slices=tuple(surface_slice(item) for item in days)),
        now_ns=NOW_NS,
        days_min=4.5,
        days_target=7.0,
        days_max=10.0,
    )
    assert (None if found is None else (found.expiry_ns - NOW_NS) / DAY_NS) == chosen


@pytest.mark.parametrize("missing", [{"bid": None}, {"ask": None}, {"vol": None}])
def test_an_expiry_without_both_sides_is_passed_over(missing: dict[str, Any]) -> None:
    both = surface(surface_slice(7.0, **missing), surface_slice(9.0))
    found = traded_slice(both, now_ns=NOW_NS, days_min=4.5, days_target=7.0, days_max=10.0)
    assert found is not None
    assert found.expiry_ns == NOW_NS + 9 * DAY_NS


def cost(
    days: float = 7.0, sigma: float = 0.55, *, strike: float = 90_000.0, **assumptions: float
) -> float:
    """Cost in vol points."""
    return 100 * cost_vol(
        forward=90_000.0,
        strike=strike,
        years=days / 365,
        sigma=sigma,
        assumptions=CostAssumptions(**assumptions),
    )


def test_costs_have_the_measured_size() -> None:
    """At 5 to 9 days fees were measured at about .5 points and hedging at 1.3; at 1 day 1.5."""
    fees = cost(hedge_cost_rate=0.0)
    assert fees == pytest.approx(0.5, abs=0.1)
    assert cost() - fees == pytest.approx(1.3, abs=0.2)
    assert cost(1.0, hedge_cost_rate=0.0) == pytest.approx(1.5, abs=0.15)


def test_fees_by_hand() -> None:
    """Two legs of 0.0003 of the price over the straddle's vega, 2 F phi(d1) sqrt(T)."""
    years, sigma = 7.0 / 365, 0.55
    d1 = 0.5 * sigma * math.sqrt(years)
    phi = math.exp(-d1 * d1 / 2) / math.sqrt(2 * math.pi)
    vega = 2 * 90_000.0 * phi * math.sqrt(years)
    fees = 2 * 0.0003 * 90_000.0 / vega
    assert cost(hedge_cost_rate=0.0) == pytest.approx(100 * fees, rel=1e-9)


def test_without_vega_no_price_is_worth_its_cost() -> None:
    """A straddle far from the money has no volatility to trade: its cost is infinite."""
    assert cost(1.0, 0.1, strike=500.0) == math.inf


def test_the_fee_is_capped_by_the_premium() -> None:
    """An option worth little pays no more than the cap's fraction of it."""
    capped = cost(0.01, 0.3, hedge_cost_rate=0.0)
    assert capped < cost(0.01, 0.3, hedge_cost_rate=0.0, option_fee_cap=1.0)


@settings(max_examples=60, deadline=None)
@given(days=st.floats(1.0, 30.0), sigma=st.floats(0.2, 1.5))
def test_costs_fall_with_time_and_rise_with_every_price(days: float, sigma: float) -> None:
    """More time dilutes the fees; dearer hedging, dearer fees and more risk aversion cost more."""
    base = cost(days, sigma)
    assert base > cost(days * 1.5, sigma) > 0
    assert cost(days, sigma, hedge_cost_rate=0.0012) > base
    assert cost(days, sigma, option_fee_rate=0.0006) > base
    assert cost(days, sigma, risk_aversion_per_usd=1e-2) > base
    assert cost(days, sigma, straddles_typical=5.0) > base


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("option_fee_rate", -0.1),
        ("option_fee_cap", 1.1),
        ("hedge_cost_rate", 1.0),
        ("risk_aversion_per_usd", 0.0),
        ("straddles_typical", 0.0),
    ],
)
def test_impossible_assumptions_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        CostAssumptions(**{name: value})
