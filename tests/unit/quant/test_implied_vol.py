"""Implied volatility is exact to rounding and never invents a number."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference_black76 import reference_implied_vol, reference_price

from glmtrader.quant import black76
from glmtrader.quant.black76 import InvalidReason

FORWARD = 100_000.0


def hard_grid(rows: int, seed: int) -> tuple[np.ndarray, ...]:
    """Out-of-the-money options whose price is below 0.9 and above 1e-289 of the forward."""
    draw = np.random.default_rng(seed)
    sigma = draw.uniform(0.05, 4.0, rows)
    years = np.exp(draw.uniform(np.log(1 / 525_600), np.log(3.0), rows))
    deviations = draw.uniform(0.0, 37.0, rows) * draw.choice([-1.0, 1.0], rows)
    strike = FORWARD * np.exp(np.clip(sigma * np.sqrt(years) * deviations, -30.0, 30.0))
    call = strike > FORWARD
    value = black76.price(FORWARD, strike, years, sigma, call)
    keep = (value > 1e-289 * FORWARD) & (value < 0.9 * FORWARD)
    return strike[keep], years[keep], sigma[keep], call[keep]


def test_agrees_with_the_reference_to_rounding() -> None:
    """Relative error below 1e-14 against the exact volatility of the double price."""
    strike, years, sigma, call = hard_grid(130, seed=5)
    quoted, exact = np.empty(len(strike)), np.empty(len(strike))
    for row, (k, t, v, c) in enumerate(zip(strike, years, sigma, call, strict=True)):
        quoted[row] = reference_price(FORWARD, k, t, v, is_call=bool(c))
        exact[row] = reference_implied_vol(quoted[row], FORWARD, k, t, is_call=bool(c))
    found = black76.implied_vol(quoted, FORWARD, strike, years, call)
    assert len(found) > 80
    assert np.max(np.abs(found / exact - 1.0)) < 1e-14


def test_inverts_the_price_on_a_million_random_options() -> None:
    """No NaN and no wrong root anywhere in the domain, the bracketed corner included."""
    strike, years, sigma, call = hard_grid(1_000_000, seed=6)
    value = black76.price(FORWARD, strike, years, sigma, call)
    found = black76.implied_vol(value, FORWARD, strike, years, call)
    vega = black76.greeks(FORWARD, strike, years, sigma, call).vega
    attainable = 1e-14 + 1e-12 * value / (vega * sigma)
    assert np.count_nonzero(~(np.abs(found / sigma - 1.0) < attainable)) == 0


@given(
    x=st.floats(-1.0, 1.0),
    years=st.floats(1e-4, 3.0),
    sigma=st.floats(0.05, 3.0),
    is_call=st.booleans(),
)
def test_round_trip_from_either_side(
    *, x: float, years: float, sigma: float, is_call: bool
) -> None:
    """A price between its bounds gives back its volatility within what its digits allow."""
    strike = FORWARD * np.exp(x * sigma * np.sqrt(years))
    value, at = black76.price_and_greeks(FORWARD, strike, years, sigma, is_call)
    found = black76.implied_vol(value, FORWARD, strike, years, is_call)
    assert found == pytest.approx(sigma, abs=1e-14 + 4e-16 * (value + FORWARD + strike) / at.vega)


@given(st.floats(1.1, 2.0), st.floats(0.5, 3.0))
def test_rises_with_the_price(factor: float, years: float) -> None:
    """A dearer option of the same terms has the higher volatility."""
    cheap, dear = black76.implied_vol(
        [500.0, 500.0 * factor], FORWARD, 120_000.0, years, is_call=True
    )
    assert cheap < dear


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ((np.nan, 100.0, 110.0, 1.0), InvalidReason.NOT_FINITE),
        ((5.0, np.inf, 110.0, 1.0), InvalidReason.NOT_FINITE),
        ((5.0, -100.0, 110.0, 1.0), InvalidReason.FORWARD_NOT_POSITIVE),
        ((5.0, 100.0, 0.0, 1.0), InvalidReason.STRIKE_NOT_POSITIVE),
        ((5.0, 100.0, 110.0, -1.0), InvalidReason.YEARS_NEGATIVE),
        ((5.0, 100.0, 110.0, 0.0), InvalidReason.EXPIRED),
        ((-1.0, 100.0, 110.0, 1.0), InvalidReason.PRICE_NEGATIVE),
        ((5.0, 100.0, 90.0, 1.0), InvalidReason.BELOW_INTRINSIC),
        ((10.0, 100.0, 90.0, 1.0), InvalidReason.AT_INTRINSIC),
        ((0.0, 100.0, 110.0, 1.0), InvalidReason.AT_INTRINSIC),
        ((100.0, 100.0, 110.0, 1.0), InvalidReason.ABOVE_MAXIMUM),
    ],
)
def test_a_bad_quote_is_nan_with_its_reason_and_spoils_no_other(
    row: tuple[float, float, float, float], reason: InvalidReason
) -> None:
    """NaN in that element alone, and the mask says why."""
    good = (8.0, 100.0, 105.0, 0.5)
    columns = [np.array(pair) for pair in zip(good, row, strict=True)]
    price, forward, strike, years = columns
    found = black76.implied_vol(price, forward, strike, years, is_call=True)
    assert np.isfinite(found[0])
    assert np.isnan(found[1])
    codes = black76.invalid_reason(price, forward, strike, years, is_call=True)
    assert codes.tolist() == [InvalidReason.VALID, reason]


def test_mask_and_nan_name_the_same_rows() -> None:
    """On random garbage exactly the rows with a reason are NaN."""
    draw = np.random.default_rng(8)
    values = [-1.0, 0.0, 1e-3, 0.5, 1.0, 60.0, np.nan, np.inf]
    price, forward, strike, years = draw.choice(values, (4, 4000))
    call = draw.random(4000) < 0.5
    found = black76.implied_vol(price, forward, strike, years, call)
    codes = black76.invalid_reason(price, forward, strike, years, call)
    np.testing.assert_array_equal(np.isnan(found), codes > 0)
