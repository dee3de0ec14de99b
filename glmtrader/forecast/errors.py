"""What fitting and candles may refuse, as branches of the project's one tree of errors."""

from glmtrader.errors import DataError, ForecastError


class CandleError(DataError):
    """Candles that cannot be put on their grid; the message names the row."""


class FitError(ForecastError):
    """A model that cannot be fitted to the rows given."""


class TooFewRowsError(FitError):
    """Fewer rows than the model has use for."""


class ConstantDataError(FitError):
    """A target or a feature that never moves, such as candles of a constant price."""


class NotFiniteError(FitError):
    """A NaN or an infinity among the rows to fit."""


class NoConvergenceError(FitError):
    """The fit did not reach a stationary point."""


class ExplodingCoefficientError(FitError):
    """A coefficient beyond what volatility data can mean."""
