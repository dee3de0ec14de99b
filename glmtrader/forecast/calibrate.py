"""What forecasts made out of sample teach: bias, Jensen's gap, straddle's haircut, interval.

Only forecasts whose horizon had ended by the time of calibration may enter; the caller sees to it.
"""

from typing import NamedTuple

import numpy as np

from glmtrader.domain.arrays import FloatArray, IntArray
from glmtrader.domain.instruments import WEEK_NS
from glmtrader.forecast.artefact import Calibration
from glmtrader.forecast.fit import fit_gamma
from glmtrader.forecast.haircut import fit_haircut
from glmtrader.forecast.infer import linear_predictor, straddle_ratio

_NOISE_RIDGE = 0.05
_NOISE_FLOOR = 1e-4
_TAIL = 0.05


class Outcomes(NamedTuple):
    """Forecasts beside what came of them, rows in any order.

    Attributes:
        origins_ns: Times of forecast, int64[n].
        rows: Features, float64[n, k].
        predicted: Raw predicted variance, float64[n].
        target: Realised variance, float64[n].
        break_even: Break-even volatility of the synthetic straddle, NaN where none was made.
    """

    origins_ns: IntArray
    rows: FloatArray
    predicted: FloatArray
    target: FloatArray
    break_even: FloatArray


class Calibrated(NamedTuple):
    """Forecasts after calibration, float64[n] each: see `ForecastValues`."""

    q_var: FloatArray
    q_vol: FloatArray
    low: FloatArray
    high: FloatArray
    q_straddle: FloatArray


def calibrate(names: tuple[str, ...], past: Outcomes) -> Calibration:
    """Measure the corrections on past forecasts.

    Bias is the mean of realised over predicted variance, the correction that QLIKE asks for.
    Jensen's ratio is the mean of realised over predicted volatility after it. The noise model is a
    Gamma-GLM of squared log errors on the same features, so that the interval widens where errors
    were wider.

    Raises:
        FitError: Too few past forecasts or straddles.
    """
    bias = float(np.mean(past.target / past.predicted))
    deviation = np.sqrt(past.target / (past.predicted * bias))
    jensen = float(np.mean(deviation))
    error = np.log(deviation / jensen)
    noise = fit_gamma(
        names,
        past.rows,
        np.square(error) + _NOISE_FLOOR,
        past.origins_ns // WEEK_NS,
        ridge=_NOISE_RIDGE,
        library=False,
    )
    standardised = error / np.exp(0.5 * linear_predictor(noise, past.rows))
    low, high = np.quantile(standardised, [_TAIL, 1.0 - _TAIL])
    ratio = past.break_even / (np.sqrt(past.predicted * bias) * jensen)
    made = np.isfinite(ratio)
    return Calibration(
        bias=bias,
        jensen=jensen,
        haircut=fit_haircut(past.rows[made], ratio[made]),
        straddle=float(np.mean(ratio[made])),
        straddle_error=block_error(ratio[made], past.origins_ns[made]),
        noise=noise,
        quantile_low=float(low),
        quantile_high=float(high),
        rows=len(error),
        straddles=int(np.count_nonzero(made)),
    )


def apply(calibration: Calibration, rows: FloatArray, predicted: FloatArray) -> Calibrated:
    """Turn raw predicted variances into calibrated forecasts."""
    q_var = predicted * calibration.bias
    q_vol = np.sqrt(q_var) * calibration.jensen
    error = np.exp(0.5 * linear_predictor(calibration.noise, rows))
    return Calibrated(
        q_var=q_var,
        q_vol=q_vol,
        low=q_vol * np.exp(calibration.quantile_low * error),
        high=q_vol * np.exp(calibration.quantile_high * error),
        q_straddle=q_vol * straddle_ratio(calibration.haircut, rows),
    )


def block_error(values: FloatArray, origins_ns: IntArray, block_ns: int = 4 * WEEK_NS) -> float:
    """Return the standard error of a mean of values that hang together within blocks of time."""
    _, block = np.unique(origins_ns // block_ns, return_inverse=True)
    sums = np.bincount(block, weights=values - values.mean())
    return float(np.sqrt(np.sum(np.square(sums))) / len(values))
