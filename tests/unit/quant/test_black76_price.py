"""The fast Black-76 is held to the slow one, to its limits and to the identities of theory."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_black76 import reference_greeks, reference_price

from glmtrader.quant import black76
from glmtrader.quant.black76 import InvalidReason
from glmtrader.quant.black76_scalar import greeks_one, price_one

FORWARD = 87_000.0
MONEYNESS = st.floats(-1.0, 1.0)
YEARS = st.floats(1e-5, 3.0)
SIGMA = st.floats(0.05, 4.0)


def out_of_the_money_grid(rows: int, seed: int) -> tuple[np.ndarray, ...]:
    """Volatility .05-4, one minute to three years, up to 37 deviations out."""
    draw = np.random.default_rng(seed)
    sigma = draw.uniform(0.05, 4.0, rows)
    years = np.exp(draw.uniform(np.log(1 / 525_600), np.log(3.0), rows))
    deviations = draw.uniform(0.0, 37.0, rows) * draw.choice([-1.0, 1.0], rows)
    exponent = np.clip(sigma * np.sqrt(years) * deviations, -20.0, 20.0)
    strike = FORWARD * np.exp(exponent)
    return strike, years, sigma, strike > FORWARD


def test_price_agrees_with_the_reference_far_out_of_the_money() -> None:
    """Relative price error stays below 1e-12 down to 1e-289 of the forward."""
    strike, years, sigma, call = out_of_the_money_grid(400, seed=11)
    fast = black76.price(FORWARD, strike, years, sigma, call)
    rows = zip(strike, years, sigma, call, strict=True)
    slow = np.array([reference_price(FORWARD, k, t, v, is_call=bool(c)) for k, t, v, c in rows])
    counted = slow > 1e-289 * FORWARD
    assert counted.sum() > 300
    assert np.max(np.abs(fast[counted] / slow[counted] - 1.0)) < 1e-12


@pytest.mark.parametrize("is_call", [True, False])
def test_greeks_agree_with_the_reference(*, is_call: bool) -> None:
    """Sensitivities hold to 1e-12 relative in and out of the money, rho to 1e-15 of the forward."""
    strike, years, sigma, _ = out_of_the_money_grid(150, seed=12)
    fast = black76.greeks(FORWARD, strike, years, sigma, is_call)
    for row in range(150):
        slow = reference_greeks(FORWARD, strike[row], years[row], sigma[row], is_call=is_call)
        for name, exact in slow._asdict().items():
            allowed = 3e-15 * FORWARD if name == "rho" else 1e-200
            assert getattr(fast, name)[row] == pytest.approx(exact, rel=1e-12, abs=allowed), name


def test_price_and_greeks_in_one_pass_equal_the_single_calls() -> None:
    """The combined pass gives the price that ``price`` gives, to 1e-15 of the forward."""
    strike, years, sigma, call = out_of_the_money_grid(500, seed=13)
    value, _ = black76.price_and_greeks(FORWARD, strike, years, sigma, call)
    np.testing.assert_allclose(
        value, black76.price(FORWARD, strike, years, sigma, call), rtol=1e-13, atol=1e-15 * FORWARD
    )


@given(MONEYNESS, YEARS, SIGMA)
def test_put_call_parity(x: float, years: float, sigma: float) -> None:
    """Call minus put is forward minus strike; their deltas differ by one."""
    strike = FORWARD * np.exp(x)
    call, call_greeks = black76.price_and_greeks(FORWARD, strike, years, sigma, is_call=True)
    put, put_greeks = black76.price_and_greeks(FORWARD, strike, years, sigma, is_call=False)
    assert call - put == pytest.approx(FORWARD - strike, abs=1e-9)
    assert call_greeks.delta - put_greeks.delta == pytest.approx(1.0, abs=1e-12)


@given(x=MONEYNESS, years=st.floats(0.01, 2.0), sigma=st.floats(0.1, 2.0), is_call=st.booleans())
def test_greeks_are_the_derivatives_of_the_price(
    *, x: float, years: float, sigma: float, is_call: bool
) -> None:
    """Central differences of the price give delta, vega and theta; of the greeks the rest."""
    strike = FORWARD * np.exp(x * sigma * np.sqrt(years))
    at = black76.greeks(FORWARD, strike, years, sigma, is_call)

    def slope(up: np.ndarray, down: np.ndarray, width: float) -> float:
        return float((up - down) / (2.0 * width))

    df, dv, dt = FORWARD * 1e-5, sigma * 1e-5, years * 1e-5
    up, g_up = black76.price_and_greeks(FORWARD + df, strike, years, sigma, is_call)
    down, g_down = black76.price_and_greeks(FORWARD - df, strike, years, sigma, is_call)
    assert slope(up, down, df) == pytest.approx(at.delta, abs=1e-7)
    assert slope(g_up.delta, g_down.delta, df) == pytest.approx(at.gamma, rel=1e-5)
    up, g_up = black76.price_and_greeks(FORWARD, strike, years, sigma + dv, is_call)
    down, g_down = black76.price_and_greeks(FORWARD, strike, years, sigma - dv, is_call)
    assert slope(up, down, dv) == pytest.approx(at.vega, rel=1e-5)
    assert slope(g_up.delta, g_down.delta, dv) == pytest.approx(at.vanna, abs=1e-5)
    assert slope(g_up.vega, g_down.vega, dv) == pytest.approx(at.volga, abs=1e-4 * float(at.vega))
    later = black76.price(FORWARD, strike, years - dt, sigma, is_call)
    sooner = black76.price(FORWARD, strike, years + dt, sigma, is_call)
    assert slope(later, sooner, dt) == pytest.approx(at.theta, rel=1e-5)


@given(x=MONEYNESS, years=YEARS, sigma=SIGMA, is_call=st.booleans())
def test_price_rises_with_volatility_and_stays_in_its_bounds(
    *, x: float, years: float, sigma: float, is_call: bool
) -> None:
    """Monotone in volatility, between intrinsic value and forward (call) or strike (put)."""
    strike = float(FORWARD * np.exp(x))
    low, high = black76.price(FORWARD, strike, years, [sigma, sigma * 1.01], is_call)
    intrinsic = max(FORWARD - strike, 0.0) if is_call else max(strike - FORWARD, 0.0)
    assert intrinsic <= low <= high <= (FORWARD if is_call else strike) * (1 + 1e-15)


@settings(max_examples=200)
@given(
    x=MONEYNESS,
    years=st.just(0.0) | st.floats(1e-7, 3.0),
    sigma=st.just(0.0) | st.floats(1e-3, 4.0),
    is_call=st.booleans(),
)
def test_scalar_path_agrees_with_the_array_path(
    *, x: float, years: float, sigma: float, is_call: bool
) -> None:
    """One option re-priced in plain floats is the option priced in an array."""
    strike = float(FORWARD * np.exp(x))
    value, at = black76.price_and_greeks(FORWARD, strike, years, sigma, is_call)
    assert price_one(FORWARD, strike, years, sigma, is_call) == pytest.approx(
        value, abs=1e-13 * FORWARD
    )
    for exact, one in zip(at, greeks_one(FORWARD, strike, years, sigma, is_call), strict=True):
        assert one == pytest.approx(exact, rel=1e-9, abs=1e-9, nan_ok=True)


def test_no_variance_left_gives_intrinsic_value_and_limits() -> None:
    """At expiry off the money delta is a step and the rest is zero."""
    value, at = black76.price_and_greeks(100.0, [90.0, 110.0], 0.0, 0.5, [True, True])
    np.testing.assert_array_equal(value, [10.0, 0.0])
    np.testing.assert_array_equal(at.delta, [1.0, 0.0])
    for name in ("gamma", "vega", "theta", "vanna", "volga"):
        np.testing.assert_array_equal(getattr(at, name), [0.0, 0.0])


def test_at_the_kink_the_price_is_known_and_the_greeks_are_not() -> None:
    """At the money with no time the price is zero, the greeks NaN, the reason named."""
    value, at = black76.price_and_greeks(100.0, 100.0, 0.0, 0.5, is_call=True)
    assert value == 0.0
    assert np.isnan(at.delta)
    assert black76.invalid_input_reason(100.0, 100.0, 0.0, 0.5) == InvalidReason.AT_THE_KINK


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ((np.nan, 100.0, 1.0, 0.5), InvalidReason.NOT_FINITE),
        ((100.0, np.inf, 1.0, 0.5), InvalidReason.NOT_FINITE),
        ((-100.0, 100.0, 1.0, 0.5), InvalidReason.FORWARD_NOT_POSITIVE),
        ((100.0, 0.0, 1.0, 0.5), InvalidReason.STRIKE_NOT_POSITIVE),
        ((100.0, 110.0, -1.0, 0.5), InvalidReason.YEARS_NEGATIVE),
        ((100.0, 110.0, 1.0, -0.5), InvalidReason.SIGMA_NEGATIVE),
        ((100.0, 110.0, 0.0, -0.5), InvalidReason.SIGMA_NEGATIVE),
    ],
)
def test_a_bad_row_is_nan_with_its_reason_and_spoils_no_other(
    row: tuple[float, float, float, float], reason: InvalidReason
) -> None:
    """NaN in that element alone; the mask says why; the scalar path agrees."""
    columns = [
        np.array([good, bad]) for good, bad in zip((100.0, 90.0, 1.0, 0.5), row, strict=True)
    ]
    forward, strike, years, sigma = columns
    value, at = black76.price_and_greeks(forward, strike, years, sigma, is_call=True)
    assert np.isfinite(value[0])
    assert np.isnan(value[1])
    assert all(np.isnan(greek[1]) and np.isfinite(greek[0]) for greek in at)
    assert black76.invalid_input_reason(forward, strike, years, sigma).tolist() == [
        InvalidReason.VALID,
        reason,
    ]
    assert np.isnan(price_one(*row, is_call=True))
    assert np.isnan(greeks_one(*row, is_call=True).delta)


def test_arguments_broadcast() -> None:
    """A column of expiries against a row of strikes gives the table."""
    strikes = np.linspace(50.0, 150.0, 7)
    years = np.array([[0.1], [0.5]])
    table = black76.price(100.0, strikes, years, 0.6, is_call=True)
    assert table.shape == (2, 7)
    assert table[1, 3] == black76.price(100.0, strikes[3], 0.5, 0.6, is_call=True)


def test_coin_price_divides_by_the_forward_and_delta_subtracts_the_mark() -> None:
    """Deribit's coin price and net transaction delta, by example."""
    usd = black76.price(80_000.0, 80_000.0, 0.1, 0.5, is_call=True)
    assert black76.coin_price(usd, 80_000.0) == pytest.approx(usd / 80_000.0)
    assert np.isnan(black76.coin_price(usd, 0.0))
    assert black76.net_transaction_delta(0.53, 0.063) == pytest.approx(0.467)
