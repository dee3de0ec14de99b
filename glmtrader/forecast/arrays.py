"""Array types and units that the forecast's numeric modules share; nothing else enters."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
HOUR_NS = 3_600 * SECOND_NS
DAY_NS = 24 * HOUR_NS
WEEK_NS = 7 * DAY_NS
YEAR_NS = 365 * DAY_NS
