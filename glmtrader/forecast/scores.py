"""Losses of variance forecasts and the rivals they are compared with; plain NumPy."""

import numpy as np

from glmtrader.domain.arrays import FloatArray


def qlike(target: FloatArray, forecast: FloatArray) -> FloatArray:
    """Return y/f - ln(y/f) - 1 of each row (Patton 2011), half the Gamma deviance; 0 when exact."""
    ratio = target / forecast
    return np.asarray(ratio - np.log(ratio) - 1.0, dtype=np.float64)


def fit_har_log(har: FloatArray, target: FloatArray) -> FloatArray:
    """Fit HAR in logs (Corsi 2009) by least squares.

    Returns:
        Intercept with the smearing correction (Duan 1983) folded in, then one weight a horizon.
    """
    design = np.column_stack([np.ones(len(har)), har])
    weights = np.linalg.lstsq(design, np.log(target), rcond=None)[0]
    smear = np.mean(np.exp(np.log(target) - design @ weights))
    weights[0] += np.log(smear)
    return np.asarray(weights, dtype=np.float64)


def har_forecast(weights: FloatArray, har: FloatArray) -> FloatArray:
    """Return the variance that a fitted HAR in logs predicts for each row."""
    return np.asarray(np.exp(weights[0] + har @ weights[1:]), dtype=np.float64)
