"""What is read off one expiry's smile by delta: risk reversal, butterfly, strikes.

Deltas are plain forward deltas, N(d1) for calls. NumPy and ``scipy.special`` alone may enter.
"""

from math import sqrt
from typing import NamedTuple

import numpy as np

from glmtrader.quant._arrays import FloatArray
from glmtrader.quant._slice import VolSlice
from glmtrader.quant.special_functions import ndtri
from glmtrader.quant.unavailable import Unavailable, UnavailableReason


class RiskReversal(NamedTuple):
    """Skew of one expiry at one delta, in volatility (fractions per year)."""

    risk_reversal: float
    """Call volatility minus put volatility."""
    butterfly: float
    """Mean of the two minus at-the-money volatility."""
    call_vol: float
    put_vol: float
    call_strike: float
    put_strike: float


def strike_of_delta(fitted: VolSlice, delta: float, *, is_call: bool) -> float | Unavailable:
    """Strike whose option has the absolute delta, by interpolation of d1 between quoted strikes."""
    at = _log_moneyness_of(fitted, delta, is_call=is_call)
    return at if isinstance(at, Unavailable) else fitted.forward * float(np.exp(at))


def risk_reversal(fitted: VolSlice, delta: float) -> RiskReversal | Unavailable:
    """Call minus put volatility at the absolute delta; unavailable beyond the quoted strikes."""
    call = _log_moneyness_of(fitted, delta, is_call=True)
    put = _log_moneyness_of(fitted, delta, is_call=False)
    if isinstance(call, Unavailable):
        return call
    if isinstance(put, Unavailable):
        return put
    call_vol, put_vol = (float(vol) for vol in fitted.mid_vol_at(np.array([call, put])))
    return RiskReversal(
        risk_reversal=call_vol - put_vol,
        butterfly=0.5 * (call_vol + put_vol) - fitted.atm_vol(),
        call_vol=call_vol,
        put_vol=put_vol,
        call_strike=fitted.forward * float(np.exp(call)),
        put_strike=fitted.forward * float(np.exp(put)),
    )


def d1(fitted: VolSlice) -> FloatArray:
    """d1 = -ln(K/F)/s + s/2 at the quoted strikes' mid volatilities."""
    s = fitted.mid_vol * sqrt(fitted.years)
    return 0.5 * s - fitted.log_moneyness / s


def _log_moneyness_of(fitted: VolSlice, delta: float, *, is_call: bool) -> float | Unavailable:
    """ln(K/F) at which N(d1) is ``delta`` (call) or 1 - ``delta`` (put)."""
    if not 0.0 < delta < 1.0:
        raise ValueError(f"an absolute delta lies between 0 and 1, got {delta}")
    wanted = float(ndtri(delta if is_call else 1.0 - delta))
    # Steep noise in the wings can break monotony; the running minimum keeps the search defined.
    falling = np.minimum.accumulate(d1(fitted))
    if not falling[-1] <= wanted <= falling[0]:
        return Unavailable(
            UnavailableReason.BEYOND_QUOTES, f"delta {delta} lies beyond the quoted strikes"
        )
    return float(np.interp(-wanted, -falling, fitted.log_moneyness))
