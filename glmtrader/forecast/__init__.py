"""Q: the forecast of realised volatility over a coming horizon.

Pure but for `service`, which waits on its inbox: candles and fitted models come in, numbers or a
reasoned refusal go out. Nothing here reads a clock or draws a random number; statsmodels and scipy
are imported inside the functions that fit.
"""

from glmtrader.forecast.artefact import VolatilityModel, load_model, save_model
from glmtrader.forecast.candles import CandleArrays, regularise
from glmtrader.forecast.features import feature_matrix
from glmtrader.forecast.infer import ForecastUnavailable, ForecastValues, predict
from glmtrader.forecast.spec import FeatureSpec, default_spec
from glmtrader.forecast.train import TrainSettings, train_model

__all__ = [
    "CandleArrays",
    "FeatureSpec",
    "ForecastUnavailable",
    "ForecastValues",
    "TrainSettings",
    "VolatilityModel",
    "default_spec",
    "feature_matrix",
    "load_model",
    "predict",
    "regularise",
    "save_model",
    "train_model",
]
