"""Model-free implied variance of one expiry, the counterpart of the forecast ``q_var``.

    variance T = 2 [ sum dK/K^2 Q(K) ] - (F/K0 - 1)^2

Source: CBOE, "VIX white paper" (2019), formula 1; the strip approximates Carr and Madan's
replication of the log contract. Two departures: the ends of the strip have half a step, and beyond
the last quoted strike prices at its volatility complete the integral (their share is reported).
The strip is valued without interest. NumPy and this room's Black-76 alone may enter.
"""

from math import sqrt
from typing import NamedTuple

import numpy as np

from glmtrader.quant._arrays import FloatArray
from glmtrader.quant._slice import VolSlice
from glmtrader.quant.black76 import price
from glmtrader.quant.unavailable import Unavailable, UnavailableReason

_WING_DEVIATIONS = 8.0
_WING_POINTS = 65
WING_SHARE_MAX = 0.25
"""With more of the variance beyond the quotes the number would be an assumption."""


class ModelFreeVariance(NamedTuple):
    """Variance per calendar year and what it rests on."""

    variance: float
    strikes: int
    """Quoted strikes in the strip."""
    wing_share: float
    """Part of the variance that lies beyond the quoted strikes, assumed rather than quoted."""


def model_free_variance(fitted: VolSlice) -> ModelFreeVariance | Unavailable:
    """VIX strip over the quoted out-of-the-money mids, completed in the wings.

    Unavailable where more than ``WING_SHARE_MAX`` of it would rest on the completion.
    """
    strikes, forward, years = fitted.strikes, fitted.forward, fitted.years
    value = price(forward, strikes, years, fitted.mid_vol, strikes >= forward)
    below = int(np.searchsorted(strikes, forward, side="right")) - 1
    anchor = strikes[below]
    # The strip takes the mean of put and call at K0; by parity the call is dearer by F - K0.
    value[below] += 0.5 * (forward - anchor) if anchor < forward else 0.0
    strip = 2.0 * float(np.trapezoid(value / strikes**2, strikes)) - (forward / anchor - 1.0) ** 2
    reach = _WING_DEVIATIONS * fitted.atm_vol() * sqrt(years)
    wings = _wing(fitted, 0, -reach) + _wing(fitted, -1, reach)
    total = strip + wings
    if not wings <= WING_SHARE_MAX * total:
        return Unavailable(
            UnavailableReason.BEYOND_QUOTES,
            f"{wings:.3g} of a total variance of {total:.3g} lies beyond {len(strikes)} strikes",
        )
    return ModelFreeVariance(total / years, len(strikes), wings / total)


def _wing(fitted: VolSlice, end: int, reach: float) -> float:
    """Twice the integral of Q(K)/K^2 dK = Q/K dk from the last quoted strike to ``reach``."""
    start = float(fitted.log_moneyness[end])
    if abs(reach) <= abs(start):
        return 0.0
    k: FloatArray = np.linspace(start, reach, _WING_POINTS)
    strikes = fitted.forward * np.exp(k)
    value = price(fitted.forward, strikes, fitted.years, fitted.mid_vol[end], reach > 0.0)
    return 2.0 * abs(float(np.trapezoid(value / strikes, k)))
