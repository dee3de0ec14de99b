"""What the forecast refuses: bad candles, rows that cannot be fitted, artefacts not to trust."""

from glmtrader.errors import GlmtraderError


class ForecastError(GlmtraderError):
    """The root of what `glmtrader.forecast` raises."""


class CandleError(ForecastError):
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


class ArtefactError(ForecastError):
    """A model file that is missing, damaged, altered or of another version."""
