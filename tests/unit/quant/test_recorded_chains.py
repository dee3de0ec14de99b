"""On recorded Deribit chains the numerics agree with what the venue itself published."""

import numpy as np
import pytest
from recorded_data import snapshots

from glmtrader.quant import black76
from glmtrader.quant.surface import StraddleQuote, fit_surface
from glmtrader.quant.trading_clock import calendar_years

MONTHS = ("202512", "202601", "202602")


@pytest.mark.parametrize("month", MONTHS)
def test_marks_give_back_their_quoted_volatility(month: str) -> None:
    """Re-implied from the mark: within 0.005 points median and 0.06 at the 95th percentile."""
    errors = []
    for quotes, chain in snapshots(month, every=2):
        forward = np.full(len(quotes.strike), np.nan)
        for fitted in fit_surface(quotes).slices:
            forward[quotes.expiry_ns == fitted.expiry_ns] = fitted.forward
        rows = np.isfinite(forward) & (np.abs(chain["delta"]) > 0.01)
        rows &= quotes.is_call == (quotes.strike >= forward)
        found = black76.implied_vol(
            chain["mark"] * forward,
            forward,
            quotes.strike,
            calendar_years(quotes.now_ns, quotes.expiry_ns),
            quotes.is_call,
        )
        errors.append(np.abs(found - chain["mark_iv"])[rows] * 100.0)
    error = np.concatenate(errors)
    assert len(error) > 1000
    assert np.median(error) < 0.005
    assert np.quantile(error, 0.95) < 0.06


@pytest.mark.parametrize("month", MONTHS)
def test_chains_give_surfaces_and_straddles(month: str) -> None:
    """Nearly every expiry fits, its mid lies by the mark, its straddle is quoted in order."""
    distances = []
    straddles = expiries = 0
    for quotes, chain in snapshots(month, every=4):
        fit = fit_surface(quotes)
        expiries += len(fit.slices) + len(fit.unavailable)
        for fitted in fit.slices:
            quote = fit.straddle_quote(fitted.expiry_ns)
            if isinstance(quote, StraddleQuote):
                straddles += 1
                assert quote.bid_vol <= quote.mid_vol <= quote.ask_vol
            listed = quotes.expiry_ns == fitted.expiry_ns
            row = np.argmin(np.abs(quotes.strike[listed] - fitted.forward))
            distances.append(abs(fitted.atm_vol() - chain["mark_iv"][listed][row]))
    assert straddles > 0.95 * expiries
    assert np.median(distances) < 0.005
