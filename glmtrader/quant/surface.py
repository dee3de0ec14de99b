"""P: the implied-volatility surface of one coherent chain snapshot, and what is read off it.

``fit_surface`` takes a ``ChainQuotes`` and gives a ``VolSurfaceFit``; total variance is linear in
log-moneyness within an expiry and linear in trading time between expiries. Nothing raises for bad
quotes: rows are refused and counted, results may be ``Unavailable``. NumPy alone may enter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from glmtrader.quant._arrays import FloatArray, IntArray
from glmtrader.quant._slice import LegTable, VolSlice
from glmtrader.quant._surface_fit import build_slices
from glmtrader.quant.chain_quotes import ChainQuotes, QuoteRefusal
from glmtrader.quant.model_free import ModelFreeVariance, model_free_variance
from glmtrader.quant.packages import (
    StraddleQuote,
    StrangleQuote,
    straddle_quote,
    strangle_quote,
)
from glmtrader.quant.smile import RiskReversal, risk_reversal, strike_of_delta
from glmtrader.quant.trading_clock import (
    BTC_CLOCK,
    TradingClock,
    calendar_years,
    interpolate_total_variance,
)
from glmtrader.quant.unavailable import Unavailable, UnavailableReason

__all__ = [
    "ChainQuotes",
    "HorizonVariance",
    "HorizonVol",
    "LegTable",
    "ModelFreeVariance",
    "QuoteRefusal",
    "RiskReversal",
    "StraddleQuote",
    "StrangleQuote",
    "TermStructure",
    "Unavailable",
    "UnavailableReason",
    "VolPoint",
    "VolSlice",
    "VolSurfaceFit",
    "fit_surface",
]


class HorizonVol(NamedTuple):
    """At-the-money volatility from now to an instant, annualised in calendar time."""

    vol: float
    years: float
    """Calendar years to the instant."""
    extrapolated: bool
    """True outside the quoted expiries."""


class HorizonVariance(NamedTuple):
    """Variance per calendar year from now to an instant."""

    variance: float
    years: float
    extrapolated: bool
    """True outside the quoted expiries."""


class VolPoint(NamedTuple):
    """Volatility at one strike of one expiry."""

    bid_vol: float
    mid_vol: float
    ask_vol: float
    extrapolated: bool
    """True beyond the quoted strikes, where the last quoted volatility is kept."""


class TermStructure(NamedTuple):
    """At-the-money volatility by expiry; arrays of one length, ascending."""

    expiry_ns: IntArray
    years: FloatArray
    trading_years: FloatArray
    atm_vol: FloatArray


@dataclass(frozen=True, slots=True)
class VolSurfaceFit:
    """The surface of one snapshot. Expiries are addressed by their ``expiry_ns``."""

    now_ns: int
    clock: TradingClock
    slices: tuple[VolSlice, ...]
    """Fitted expiries, ascending."""
    unavailable: Mapping[int, Unavailable]
    """Expiries that could not be fitted, with the reason."""
    refusals: Mapping[QuoteRefusal, int]
    """Count of refused rows by reason; reasons that did not occur are absent."""

    def slice_at(self, expiry_ns: int) -> VolSlice | Unavailable:
        """The fitted expiry, or why there is none."""
        for fitted in self.slices:
            if fitted.expiry_ns == expiry_ns:
                return fitted
        return self.unavailable.get(
            expiry_ns,
            Unavailable(
                UnavailableReason.NO_SUCH_EXPIRY, f"expiry {expiry_ns} is not in the chain"
            ),
        )

    def atm_vol(self, expiry_ns: int) -> float | Unavailable:
        """Mid volatility at the forward of a listed expiry."""
        fitted = self.slice_at(expiry_ns)
        return fitted if isinstance(fitted, Unavailable) else fitted.atm_vol()

    def atm_vol_at(self, end_ns: int) -> HorizonVol | Unavailable:
        """At-the-money volatility from now to the instant ``end_ns`` (not a duration).

        Total variance is interpolated in the trading clock, then annualised in calendar time.
        """
        if not self.slices:
            return Unavailable(UnavailableReason.NO_SLICES, "no expiry could be fitted")
        term = self.term_structure()
        found = self._at_horizon(end_ns, term.expiry_ns, term.atm_vol**2 * term.years)
        if isinstance(found, Unavailable):
            return found
        return HorizonVol(sqrt(found.variance), found.years, found.extrapolated)

    def vol_at(self, expiry_ns: int, strike: float) -> VolPoint | Unavailable:
        """Volatility of a listed expiry at any strike."""
        fitted = self.slice_at(expiry_ns)
        if isinstance(fitted, Unavailable):
            return fitted
        at = np.log(np.array([strike]) / fitted.forward)
        return VolPoint(
            bid_vol=float(fitted.bid_vol_at(at)[0]),
            mid_vol=float(fitted.mid_vol_at(at)[0]),
            ask_vol=float(fitted.ask_vol_at(at)[0]),
            extrapolated=bool(fitted.is_beyond(at)[0]),
        )

    def mid_vols(self, expiry_ns: ArrayLike, strike: ArrayLike) -> FloatArray:
        """Mid volatilities of many instruments at once; NaN where the expiry is not fitted.

        Args:
            expiry_ns: Listed expiries, shape (n,).
            strike: USD, shape (n,).
        """
        expiries = np.asarray(expiry_ns, dtype=np.int64)
        strikes = np.asarray(strike, dtype=np.float64)
        vols = np.full(strikes.shape, np.nan)
        for fitted in self.slices:
            rows = np.flatnonzero(expiries == fitted.expiry_ns)
            if len(rows):
                vols[rows] = fitted.mid_vol_at(np.log(strikes[rows] / fitted.forward))
        return vols

    def straddle_quote(
        self, expiry_ns: int, strike: float | None = None
    ) -> StraddleQuote | Unavailable:
        """The straddle at ``strike``, or at the listed strike nearest the forward.

        Both legs must be quoted on both sides. The volatility is the one at which the Black-76
        straddle price equals the sum of the legs' bids (asks, mids): by parity the out-of-the-money
        leg is then worth (sum - |F - K|) / 2.
        """
        fitted = self.slice_at(expiry_ns)
        if isinstance(fitted, Unavailable):
            return fitted
        return straddle_quote(fitted, strike)

    def strangle_quote(
        self, expiry_ns: int, put_strike: float, call_strike: float
    ) -> StrangleQuote | Unavailable:
        """The strangle of a put and a call at listed strikes, both quoted on both sides.

        The volatility is the one at which both legs together are worth the sum of their quotes.
        """
        fitted = self.slice_at(expiry_ns)
        if isinstance(fitted, Unavailable):
            return fitted
        return strangle_quote(fitted, put_strike, call_strike)

    def skew(self, expiry_ns: int, delta: float = 0.25) -> RiskReversal | Unavailable:
        """Risk reversal and butterfly at the given absolute forward delta."""
        fitted = self.slice_at(expiry_ns)
        return fitted if isinstance(fitted, Unavailable) else risk_reversal(fitted, delta)

    def delta_strike(self, expiry_ns: int, delta: float, *, is_call: bool) -> float | Unavailable:
        """Strike (not rounded to a listed one) whose absolute forward delta is ``delta``."""
        fitted = self.slice_at(expiry_ns)
        if isinstance(fitted, Unavailable):
            return fitted
        return strike_of_delta(fitted, delta, is_call=is_call)

    def term_structure(self) -> TermStructure:
        """At-the-money volatility of every fitted expiry; empty arrays where there is none."""
        return TermStructure(
            np.array([fitted.expiry_ns for fitted in self.slices], dtype=np.int64),
            np.array([fitted.years for fitted in self.slices]),
            np.array([fitted.trading_years for fitted in self.slices]),
            np.array([fitted.atm_vol() for fitted in self.slices]),
        )

    def model_free_variance(self, expiry_ns: int) -> ModelFreeVariance | Unavailable:
        """Variance per calendar year by the VIX method, the counterpart of ``q_var``."""
        fitted = self.slice_at(expiry_ns)
        return fitted if isinstance(fitted, Unavailable) else model_free_variance(fitted)

    def model_free_variance_at(self, end_ns: int) -> HorizonVariance | Unavailable:
        """Model-free variance from now to the instant ``end_ns``, per calendar year.

        Interpolated like ``atm_vol_at``, over the expiries that have one.
        """
        found = [(fitted, model_free_variance(fitted)) for fitted in self.slices]
        known = [(f, m) for f, m in found if not isinstance(m, Unavailable)]
        if not known:
            return Unavailable(UnavailableReason.NO_SLICES, "no expiry has a model-free variance")
        expiries = np.array([fitted.expiry_ns for fitted, _ in known], dtype=np.int64)
        totals = np.array([measured.variance * fitted.years for fitted, measured in known])
        return self._at_horizon(end_ns, expiries, totals)

    def _at_horizon(
        self, end_ns: int, expiry_ns: IntArray, totals: FloatArray
    ) -> HorizonVariance | Unavailable:
        if end_ns <= self.now_ns:
            return Unavailable(
                UnavailableReason.HORIZON_PASSED, f"{end_ns} is not after {self.now_ns}"
            )
        total = interpolate_total_variance(self.clock, self.now_ns, expiry_ns, totals, end_ns)
        years = float(calendar_years(self.now_ns, end_ns))
        inside = bool(expiry_ns[0] <= end_ns <= expiry_ns[-1])
        return HorizonVariance(float(total) / years, years, extrapolated=not inside)


def fit_surface(quotes: ChainQuotes, clock: TradingClock = BTC_CLOCK) -> VolSurfaceFit:
    """Fit every expiry of a snapshot; never raises for bad quotes.

    Args:
        quotes: One coherent snapshot of one underlying.
        clock: Trading time in which total variance is interpolated between expiries.
    """
    slices, unavailable, refusals = build_slices(quotes, clock)
    return VolSurfaceFit(quotes.now_ns, clock, slices, unavailable, refusals)
