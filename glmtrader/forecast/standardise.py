"""Features put on one footing before a penalised fit, and its result taken back to raw units."""

from typing import NamedTuple

import numpy as np

from glmtrader.domain.arrays import FloatArray


class Standardised(NamedTuple):
    """Features clipped to a range and scaled to mean 0 and deviation 1.

    Attributes:
        design: A column of ones, then the features, float64[n, k + 1].
        low: Lower end of each feature's range, float64[k].
        high: Upper end of each feature's range, float64[k].
        back: Matrix that takes (intercept, weights) of the design to raw feature units.
    """

    design: FloatArray
    low: FloatArray
    high: FloatArray
    back: FloatArray


def standardise(rows: FloatArray, tail: float) -> Standardised:
    """Clip each feature to its quantiles `tail` and 1 - `tail` and standardise it."""
    low, high = np.quantile(rows, [tail, 1.0 - tail], axis=0)
    clipped = np.clip(rows, low, high)
    centre, width = clipped.mean(axis=0), clipped.std(axis=0)
    back = np.diag(np.concatenate(([1.0], 1.0 / width)))
    back[0, 1:] = -centre / width
    design = np.column_stack([np.ones(len(rows)), (clipped - centre) / width])
    return Standardised(design, low, high, back)
