"""A surface fitted to quotes around a known smile gives that smile back, and says what it lacks."""

from typing import TypeVar

import numpy as np
import pytest
from chain_samples import FORWARD, NOW_NS, chain, expiry_after, flat, only, skewed, with_rows
from hypothesis import given
from hypothesis import strategies as st

from glmtrader.quant import black76
from glmtrader.quant.chain_quotes import ChainQuotes, QuoteRefusal
from glmtrader.quant.surface import fit_surface
from glmtrader.quant.trading_clock import BTC_CLOCK
from glmtrader.quant.unavailable import Unavailable, UnavailableReason

WEEK = expiry_after(7.0)


Result = TypeVar("Result")


def available(value: Result | Unavailable) -> Result:
    """Assert that a result is there and give it."""
    assert not isinstance(value, Unavailable), value
    return value


def reason(value: object) -> UnavailableReason:
    """Assert that a result is not there and give the reason."""
    assert isinstance(value, Unavailable)
    return value.reason


@pytest.mark.parametrize("inverse", [True, False])
def test_quoted_strikes_give_back_bid_mid_and_ask_volatility(*, inverse: bool) -> None:
    """In coin or USD, at a quoted strike the volatility is the quoted one, to rounding."""
    quotes = chain(skewed, inverse=inverse)
    fit = fit_surface(quotes)
    (fitted,) = fit.slices
    vol = skewed(np.log(fitted.strikes / FORWARD))
    np.testing.assert_allclose(fitted.bid_vol, vol - 0.01, rtol=1e-9)
    np.testing.assert_allclose(fitted.ask_vol, vol + 0.01, rtol=1e-9)
    np.testing.assert_allclose(fitted.mid_vol, vol, atol=2e-3)
    assert fitted.forward == pytest.approx(FORWARD, rel=1e-12)
    assert fit.refusals == {}


def test_atm_is_read_at_the_forward() -> None:
    """Between strikes the at-the-money volatility is interpolated to the forward."""
    fit = fit_surface(chain(skewed, forward=90_123.0))
    assert fit.atm_vol(WEEK) == pytest.approx(0.5, abs=5e-4)


def test_total_variance_is_linear_between_strikes_and_flat_beyond() -> None:
    """Halfway in log-moneyness the variance is the mean; past the wings it stays, flagged."""
    fit = fit_surface(chain(skewed))
    (fitted,) = fit.slices
    halfway = float(np.sqrt(fitted.strikes[3] * fitted.strikes[4]))
    point = available(fit.vol_at(WEEK, halfway))
    assert point.mid_vol**2 == pytest.approx(np.mean(fitted.mid_vol[3:5] ** 2), rel=1e-12)
    assert not point.extrapolated
    beyond = available(fit.vol_at(WEEK, 3.0 * FORWARD))
    assert beyond.mid_vol == pytest.approx(fitted.mid_vol[-1])
    assert beyond.extrapolated


def test_many_instruments_at_once_agree_with_one_at_a_time() -> None:
    """``mid_vols`` is ``vol_at`` row by row, and NaN for an expiry that is not fitted."""
    fit = fit_surface(chain(skewed, days=(2.0, 7.0)))
    vols = fit.mid_vols([WEEK, expiry_after(2.0), 5], [80_000.0, 91_000.0, 91_000.0])
    assert vols[0] == available(fit.vol_at(WEEK, 80_000.0)).mid_vol
    assert vols[1] == available(fit.vol_at(expiry_after(2.0), 91_000.0)).mid_vol
    assert np.isnan(vols[2])


def test_horizon_volatility_follows_the_trading_clock() -> None:
    """Over a weekend less variance accrues than calendar interpolation would say."""
    fit = fit_surface(chain(flat(0.5), days=(4.0, 7.0)))
    horizon = available(fit.atm_vol_at(expiry_after(6.0)))
    share = BTC_CLOCK.years(expiry_after(4.0), expiry_after(6.0)) / BTC_CLOCK.years(
        expiry_after(4.0), expiry_after(7.0)
    )
    total = 0.25 * (4.0 + share * 3.0) / 365.0
    assert horizon.vol == pytest.approx(np.sqrt(total / (6.0 / 365.0)), abs=1e-4)
    assert not horizon.extrapolated
    assert available(fit.atm_vol_at(WEEK)).vol == pytest.approx(available(fit.atm_vol(WEEK)))


def test_horizon_outside_the_expiries_is_flagged_or_refused() -> None:
    """Beyond the last expiry the volatility is extrapolated and says so; the past has none."""
    fit = fit_surface(chain(flat(0.5)))
    assert available(fit.atm_vol_at(expiry_after(14.0))).extrapolated
    assert available(fit.atm_vol_at(expiry_after(14.0))).vol == pytest.approx(0.5, abs=1e-3)
    assert reason(fit.atm_vol_at(NOW_NS)) is UnavailableReason.HORIZON_PASSED


@pytest.mark.parametrize("inverse", [True, False])
def test_straddle_volatility_prices_the_sum_of_its_legs(*, inverse: bool) -> None:
    """Black-76 at the bid (ask) volatility gives the sum of the legs' bids (asks)."""
    fit = fit_surface(chain(skewed, inverse=inverse, forward=90_123.0))
    quote = available(fit.straddle_quote(WEEK))
    listed = fit.slices[0].legs.strikes
    assert quote.strike == listed[np.argmin(np.abs(listed - 90_123.0))]
    for vol, usd in ((quote.bid_vol, quote.bid_usd), (quote.ask_vol, quote.ask_usd)):
        legs = black76.price(quote.forward, quote.strike, quote.years, vol, [True, False])
        assert legs.sum() == pytest.approx(usd, rel=1e-12)
    assert quote.bid_vol < quote.mid_vol < quote.ask_vol


def test_straddle_needs_both_legs_quoted_on_both_sides() -> None:
    """With a put's bid gone there is no straddle quote, and no other strike stands in for it."""
    quotes = chain(flat(0.5))
    strike = quotes.strike[np.argmin(np.abs(quotes.strike - FORWARD))]
    put = (quotes.strike == strike) & ~quotes.is_call
    fit = fit_surface(with_rows(quotes, put, bid=np.nan))
    assert reason(fit.straddle_quote(WEEK)) is UnavailableReason.LEG_NOT_QUOTED
    assert reason(fit.straddle_quote(WEEK, 12_345.0)) is UnavailableReason.STRIKE_NOT_LISTED
    assert reason(fit.straddle_quote(WEEK + 1)) is UnavailableReason.NO_SUCH_EXPIRY


@pytest.mark.parametrize(
    ("columns", "refusal"),
    [
        ({"bid": 0.5, "ask": 0.4}, QuoteRefusal.CROSSED),
        ({"bid": -0.1}, QuoteRefusal.NEGATIVE),
        ({"bid": np.nan}, QuoteRefusal.ONE_SIDED),
        ({"ask": 0.0}, QuoteRefusal.ONE_SIDED),
        ({"bid": np.nan, "ask": np.nan}, QuoteRefusal.NO_QUOTE),
        ({"ask": np.inf}, QuoteRefusal.NOT_FINITE),
        ({"strike": np.nan}, QuoteRefusal.BAD_TERMS),
        ({"forward": 0.0}, QuoteRefusal.BAD_TERMS),
        ({"expiry_ns": NOW_NS}, QuoteRefusal.EXPIRED),
        ({"ask": 1.5}, QuoteRefusal.NOT_INVERTIBLE),
    ],
)
def test_a_bad_quote_is_refused_and_counted(
    columns: dict[str, float], refusal: QuoteRefusal
) -> None:
    """One bad out-of-the-money row costs that row alone, under its own name."""
    quotes = chain(flat(0.5))
    row = np.flatnonzero(quotes.is_call & (quotes.strike > 1.05 * FORWARD))[2:3]
    fit = fit_surface(with_rows(quotes, row, **columns))
    assert fit.refusals == {refusal: 1}
    assert len(fit.slices[0].strikes) == len(fit_surface(quotes).slices[0].strikes) - 1


def test_of_a_duplicated_instrument_the_later_row_counts() -> None:
    """A twin row replaces the earlier one and is counted."""
    quotes = chain(flat(0.5))
    rows = np.append(np.arange(len(quotes.strike)), 7)
    fit = fit_surface(only(quotes, rows))
    assert fit.refusals == {QuoteRefusal.DUPLICATE: 1}
    assert fit.atm_vol(WEEK) == fit_surface(quotes).atm_vol(WEEK)


def test_too_few_strikes_make_an_expiry_unavailable() -> None:
    """Two strikes are no smile, three on one side of the forward no at-the-money volatility."""
    quotes = chain(flat(0.5))
    listed = np.unique(quotes.strike)
    two = fit_surface(only(quotes, np.isin(quotes.strike, listed[19:21])))
    assert reason(two.atm_vol(WEEK)) is UnavailableReason.TOO_FEW_STRIKES
    above = fit_surface(only(quotes, quotes.strike > 1.02 * FORWARD))
    assert reason(above.atm_vol(WEEK)) is UnavailableReason.FORWARD_NOT_BRACKETED
    assert reason(above.atm_vol_at(WEEK)) is UnavailableReason.NO_SLICES
    assert len(above.term_structure().atm_vol) == 0


def test_an_empty_chain_has_no_slices() -> None:
    """No rows: nothing is available and nothing raises."""
    quotes = chain(flat(0.5))
    fit = fit_surface(only(quotes, np.zeros(len(quotes.strike), dtype=bool)))
    assert fit.slices == ()
    assert reason(fit.atm_vol(WEEK)) is UnavailableReason.NO_SUCH_EXPIRY


def test_columns_of_different_length_are_refused() -> None:
    """A snapshot whose arrays disagree is a fault of the caller, not of the market."""
    with pytest.raises(ValueError, match="differ in length"):
        ChainQuotes(
            now_ns=NOW_NS,
            expiry_ns=np.array([WEEK]),
            strike=np.array([1.0, 2.0]),
            is_call=np.array([True]),
            bid=np.array([1.0]),
            ask=np.array([1.0]),
            forward=np.array([1.0]),
            mark=None,
            inverse=False,
        )


def test_forward_comes_from_the_marks_where_rows_disagree() -> None:
    """Put-call parity of the marks wins over forwards that moved while rows were collected."""
    quotes = chain(skewed)
    moved = quotes.forward * np.linspace(0.999, 1.003, len(quotes.forward))
    fit = fit_surface(with_rows(quotes, np.arange(len(moved)), forward=moved))
    assert fit.slices[0].forward == pytest.approx(FORWARD, rel=1e-9)


def test_forward_falls_back_to_the_rows_when_marks_are_absurd() -> None:
    """Marks implying a forward more than one per cent away are not believed."""
    quotes = chain(skewed)
    assert quotes.mark is not None
    broken = np.where(quotes.is_call, quotes.mark + 0.03, quotes.mark)
    fit = fit_surface(with_rows(quotes, np.arange(len(broken)), mark=broken))
    assert fit.slices[0].forward == FORWARD


def test_skew_reads_the_smile_at_its_deltas() -> None:
    """The risk reversal is the smile's difference at the strikes whose delta is 0.25."""
    fit = fit_surface(chain(skewed, strikes_per_expiry=161))
    skew = available(fit.skew(WEEK))
    for strike, vol, is_call in (
        (skew.call_strike, skew.call_vol, True),
        (skew.put_strike, skew.put_vol, False),
    ):
        at = black76.greeks(FORWARD, strike, 7.0 / 365.0, vol, is_call)
        assert float(abs(at.delta)) == pytest.approx(0.25, abs=1e-4)
        assert vol == pytest.approx(float(skewed(np.log(strike / FORWARD))), abs=1e-3)
    assert skew.risk_reversal < 0.0 < skew.butterfly
    assert fit.delta_strike(WEEK, 0.25, is_call=True) == pytest.approx(skew.call_strike)
    assert reason(fit.skew(WEEK, 1e-6)) is UnavailableReason.BEYOND_QUOTES


@given(st.floats(0.2, 1.5), st.floats(1.0, 60.0))
def test_model_free_variance_of_a_flat_smile_is_its_square(vol: float, days: float) -> None:
    """Where every strike has one volatility, the strip gives that variance."""
    quotes = chain(
        flat(vol), days=(days,), deviations=8.0 * vol, strikes_per_expiry=121, half_spread_vol=1e-4
    )
    fit = fit_surface(quotes)
    found = available(fit.model_free_variance(expiry_after(days)))
    assert found.variance == pytest.approx(vol * vol, rel=0.01)
    assert 0.0 <= found.wing_share < 0.05


def test_model_free_variance_exceeds_atm_under_a_smile() -> None:
    """A smile with curvature is worth more variance than its bottom."""
    fit = fit_surface(chain(skewed, days=(30.0,), strikes_per_expiry=81))
    assert available(fit.model_free_variance(expiry_after(30.0))).variance > 0.26


def test_model_free_variance_does_not_rest_on_what_is_not_quoted() -> None:
    """With strikes over half a deviation only, most of the integral would be assumed."""
    fit = fit_surface(chain(flat(0.5), deviations=0.5))
    assert reason(fit.model_free_variance(WEEK)) is UnavailableReason.BEYOND_QUOTES


def test_model_free_variance_at_a_horizon_is_interpolated_like_volatility() -> None:
    """With one flat smile it is that variance at every expiry, and the past has none."""
    quotes = chain(flat(0.5), days=(4.0, 7.0), strikes_per_expiry=121)
    fit = fit_surface(quotes)
    at_expiry = available(fit.model_free_variance_at(WEEK))
    assert at_expiry.variance == pytest.approx(available(fit.model_free_variance(WEEK)).variance)
    ratio = available(fit.model_free_variance_at(expiry_after(5.5))).variance / 0.25
    expected = available(fit.atm_vol_at(expiry_after(5.5))).vol ** 2 / 0.25
    assert ratio == pytest.approx(expected, rel=0.01)
    assert reason(fit.model_free_variance_at(NOW_NS)) is UnavailableReason.HORIZON_PASSED


def test_strangle_volatility_prices_the_sum_of_its_legs() -> None:
    """One volatility between those of the legs gives the sum of their bids (mids, asks)."""
    fit = fit_surface(chain(skewed))
    put, call = fit.slices[0].legs.strikes[[12, 28]]
    quote = available(fit.strangle_quote(WEEK, put, call))
    for vol, usd in ((quote.bid_vol, quote.bid_usd), (quote.ask_vol, quote.ask_usd)):
        legs = black76.price(quote.forward, [put, call], quote.years, vol, [False, True])
        assert legs.sum() == pytest.approx(usd, rel=1e-11)
    wings = [available(fit.vol_at(WEEK, strike)).mid_vol for strike in (put, call)]
    assert min(wings) < quote.mid_vol < max(wings)


def test_strangle_needs_listed_strikes_and_quoted_legs() -> None:
    """A strike that is not listed or a leg without a side makes it unavailable."""
    quotes = chain(flat(0.5))
    put, call = np.unique(quotes.strike)[[12, 28]]
    gone = (quotes.strike == call) & quotes.is_call
    fit = fit_surface(with_rows(quotes, gone, ask=np.nan))
    assert reason(fit.strangle_quote(WEEK, put, call)) is UnavailableReason.LEG_NOT_QUOTED
    assert reason(fit.strangle_quote(WEEK, put, 1.0)) is UnavailableReason.STRIKE_NOT_LISTED
