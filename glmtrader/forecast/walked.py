"""Forecasts made out of sample, in columns, and how such tables are cut and joined."""

from typing import NamedTuple

import numpy as np

from glmtrader.domain.arrays import BoolArray, FloatArray, IntArray
from glmtrader.domain.instruments import DAY_NS
from glmtrader.forecast.calibrate import Calibrated, Outcomes
from glmtrader.forecast.errors import TooFewRowsError


class Walked(NamedTuple):
    """All forecasts out of sample; calibrated columns are NaN before the first calibration.

    Attributes:
        series: Index of the panel, int64[n].
        outcomes: Forecasts and what came of them.
        calibrated: The forecasts as they would have been published.
        rivals: Variance of HAR-log and of the last window, float64[n, 2].
        rivals_calibrated: The same, recalibrated by the rule of the model.
    """

    series: IntArray
    outcomes: Outcomes
    calibrated: Calibrated
    rivals: FloatArray
    rivals_calibrated: FloatArray


def select(walked: Walked, keep: BoolArray) -> Walked:
    """Return the kept rows."""
    return Walked(
        walked.series[keep],
        Outcomes._make(column[keep] for column in walked.outcomes),
        Calibrated._make(column[keep] for column in walked.calibrated),
        walked.rivals[keep],
        walked.rivals_calibrated[keep],
    )


def remembered(known: Walked, memory_days: int) -> Walked:
    """Return the forecasts young enough to calibrate on."""
    origins = known.outcomes.origins_ns
    return select(known, origins > int(origins.max()) - memory_days * DAY_NS)


def concatenate(folds: list[Walked]) -> Walked:
    """Join the folds into one table.

    Raises:
        TooFewRowsError: There is no fold.
    """
    if not folds:
        raise TooFewRowsError("no origin left to forecast out of sample; give more history")
    return Walked(
        np.concatenate([f.series for f in folds]),
        Outcomes._make(map(np.concatenate, zip(*(f.outcomes for f in folds), strict=True))),
        Calibrated._make(map(np.concatenate, zip(*(f.calibrated for f in folds), strict=True))),
        np.concatenate([f.rivals for f in folds]),
        np.concatenate([f.rivals_calibrated for f in folds]),
    )
