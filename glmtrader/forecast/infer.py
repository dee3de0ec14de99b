"""A forecast from a fitted model and recent candles: NumPy only, below a millisecond an origin.

A forecast that cannot be made is a reasoned `ForecastUnavailable`, never a neutral number.
"""

import math
from enum import Enum

import msgspec
import numpy as np

from glmtrader.domain.arrays import FloatArray
from glmtrader.forecast.artefact import Coefficients, Haircut, VolatilityModel
from glmtrader.forecast.candles import CandleArrays
from glmtrader.forecast.features import feature_matrix, lookback_bars

GAP_SHARE_MAX = 0.05
"""Bars of the lookback that may be missing; more zero-return gaps would understate volatility."""

_STALE_BARS = 2


class UnavailableReason(Enum):
    """Why there is no forecast."""

    UNDERLYING = "underlying"
    HISTORY = "history"
    STALE = "stale"
    GAPS = "gaps"
    NOT_FINITE = "not_finite"
    CONSTANT = "constant"


class ForecastUnavailable(msgspec.Struct, frozen=True):
    """No forecast, and why.

    Attributes:
        reason: The kind of refusal.
        detail: The thing, its value and the way out.
    """

    reason: UnavailableReason
    detail: str


class ForecastValues(msgspec.Struct, frozen=True):
    """Q over the coming horizon; volatilities are fractions a year, variances their squares.

    Attributes:
        q_var: E[realised variance], to compare with model-free implied variance.
        q_vol: E[realised volatility], the Q shown beside P.
        q_vol_low: Lower end of the 90 % predictive interval of realised volatility.
        q_vol_high: Its upper end.
        q_straddle: Expected break-even volatility of a delta-hedged at-the-money straddle.
        confidence: sqrt(low / high): 1 for a point, towards 0 as the interval widens.
        model_id: The artefact that spoke.
        horizon_ns: Length of the window forecast.
        origin_ns: Closing time of the last bar used.
        features: Feature values used, by name, in the order of the model.
        clipped: Names of features that lay outside what training saw.
    """

    q_var: float
    q_vol: float
    q_vol_low: float
    q_vol_high: float
    q_straddle: float
    confidence: float
    model_id: str
    horizon_ns: int
    origin_ns: int
    features: dict[str, float]
    clipped: tuple[str, ...]


def predict(
    model: VolatilityModel,
    candles: CandleArrays,
    now_ns: int,
    *,
    underlying: str,
    staleness_ns_max: int | None = None,
) -> ForecastValues | ForecastUnavailable:
    """Forecast volatility over [now, now + horizon) from the bars closed by `now_ns`.

    Only the lookback enters, so a longer history gives the same bits.

    Args:
        model: A loaded model.
        candles: Recent candles of the underlying.
        now_ns: Time of the forecast.
        underlying: Whose candles these are; must be one the model was trained on.
        staleness_ns_max: Largest age of the last closed bar; two bars when None.
    """
    budget = _STALE_BARS * candles.interval_ns if staleness_ns_max is None else staleness_ns_max
    recent = _recent(model, candles, now_ns, underlying, budget)
    if isinstance(recent, ForecastUnavailable):
        return recent
    row = feature_matrix(recent, np.array([now_ns], dtype=np.int64), model.spec)[0]
    if not np.all(np.isfinite(row)):
        return _no_features(recent, underlying)
    return _values(model, row, int(recent.open_ns[-1]) + recent.interval_ns)


def straddle_ratio(haircut: Haircut, rows: FloatArray) -> FloatArray:
    """Return the expected break-even volatility over q_vol for each row, float64[n]."""
    return np.clip(linear_predictor(haircut, rows), haircut.floor, haircut.ceiling)


def linear_predictor(part: Coefficients | Haircut, rows: FloatArray) -> FloatArray:
    """Return intercept + weights . clipped features for each row, float64[n]."""
    clipped = np.clip(rows, np.asarray(part.low), np.asarray(part.high))
    return np.asarray(part.intercept + clipped @ np.asarray(part.weights), dtype=np.float64)


def _recent(
    model: VolatilityModel, candles: CandleArrays, now_ns: int, underlying: str, budget_ns: int
) -> CandleArrays | ForecastUnavailable:
    if underlying not in model.underlyings:
        return ForecastUnavailable(
            UnavailableReason.UNDERLYING,
            f"model {model.model_id} was trained on {', '.join(model.underlyings)}, not on"
            f" {underlying}; train one that includes it",
        )
    closed = candles.closed_before(now_ns)
    need = lookback_bars(candles.interval_ns)
    if closed < need:
        return ForecastUnavailable(
            UnavailableReason.HISTORY, f"{underlying}: {closed} closed bars, the model needs {need}"
        )
    recent = candles.between(closed - need, closed)
    age_ns = now_ns - int(recent.open_ns[-1]) - recent.interval_ns
    if age_ns > budget_ns:
        return ForecastUnavailable(
            UnavailableReason.STALE,
            f"{underlying}: the last bar closed {age_ns / 1e9:.0f} s ago, the budget is"
            f" {budget_ns / 1e9:.0f} s; restart the candle feed",
        )
    missing = recent.gap_count / need
    if missing > GAP_SHARE_MAX:
        return ForecastUnavailable(
            UnavailableReason.GAPS,
            f"{underlying}: {missing:.1%} of the lookback's bars are missing, at most"
            f" {GAP_SHARE_MAX:.0%}; backfill the candles",
        )
    return recent


def _no_features(recent: CandleArrays, underlying: str) -> ForecastUnavailable:
    bars = (recent.open, recent.high, recent.low, recent.close, recent.volume)
    if not all(np.all(np.isfinite(column)) for column in bars):
        return ForecastUnavailable(
            UnavailableReason.NOT_FINITE,
            f"{underlying}: a candle of the lookback is not finite; put candles through regularise",
        )
    return ForecastUnavailable(
        UnavailableReason.CONSTANT,
        f"{underlying}: prices or volume stood still over the lookback; check the feed",
    )


def _values(model: VolatilityModel, row: FloatArray, origin_ns: int) -> ForecastValues:
    fit, calibration = model.coefficients, model.calibration
    q_var = math.exp(float(linear_predictor(fit, row[None])[0])) * calibration.bias
    q_vol = math.sqrt(q_var) * calibration.jensen
    error = math.exp(0.5 * float(linear_predictor(calibration.noise, row[None])[0]))
    low = q_vol * math.exp(calibration.quantile_low * error)
    high = q_vol * math.exp(calibration.quantile_high * error)
    outside = (row < np.asarray(fit.low)) | (row > np.asarray(fit.high))
    names = model.spec.names
    return ForecastValues(
        q_var=q_var,
        q_vol=q_vol,
        q_vol_low=low,
        q_vol_high=high,
        q_straddle=q_vol * float(straddle_ratio(calibration.haircut, row[None])[0]),
        confidence=math.sqrt(low / high),
        model_id=model.model_id,
        horizon_ns=model.horizon_ns,
        origin_ns=origin_ns,
        features=dict(zip(names, row.tolist(), strict=True)),
        clipped=tuple(name for name, out in zip(names, outside, strict=True) if out),
    )
