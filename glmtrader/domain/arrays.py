"""Array types that cross rooms; the analytic side of the border to exact decimals.

NumPy alone may enter. `quant` imports nothing of ours and keeps its own.
"""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
"""Prices, volatilities, greeks; NaN marks what is missing."""

IntArray = npt.NDArray[np.int64]
"""Times in nanoseconds UTC, counts, and positions in other columns."""

BoolArray = npt.NDArray[np.bool_]
"""A mark on each row."""
