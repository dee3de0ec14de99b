"""Walking forward through history: refit, forecast the unseen, calibrate on what came true.

Every number of a fold (hour-of-week profile, coefficients, calibration, rivals) is made from rows
whose horizon had ended when the fold starts.
"""

import msgspec
import numpy as np

from glmtrader.domain.arrays import BoolArray, FloatArray, IntArray
from glmtrader.domain.instruments import DAY_NS, HOUR_NS, WEEK_NS, YEAR_NS
from glmtrader.forecast.artefact import Calibration, Coefficients
from glmtrader.forecast.calibrate import Calibrated, Outcomes, apply, calibrate
from glmtrader.forecast.clock import estimate_clock
from glmtrader.forecast.errors import TooFewRowsError
from glmtrader.forecast.features import feature_matrix
from glmtrader.forecast.fit import fit_gamma
from glmtrader.forecast.infer import linear_predictor
from glmtrader.forecast.panel import Panel, price_paths
from glmtrader.forecast.scores import fit_har_log, har_forecast
from glmtrader.forecast.spec import FeatureSpec
from glmtrader.forecast.straddle import break_even_vol
from glmtrader.forecast.walked import Walked, concatenate, remembered, select


class TrainSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a model is trained and walked forward.

    Attributes:
        ridge: Penalty on the squared standardised weights.
        half_life_days: Age at which a row weighs half; None weighs all rows alike.
        step_ns: Distance of the origins.
        straddle_step_ns: Distance of the synthetic straddles.
        first_days: History before the first forecast out of sample.
        refit_days: Length of a fold.
        calibration_days: Forecasts before the first calibration.
        memory_days: Age beyond which a forecast no longer enters the calibration.
    """

    ridge: float = 0.03
    half_life_days: float | None = None
    step_ns: int = HOUR_NS
    straddle_step_ns: int = 6 * HOUR_NS
    first_days: int = 540
    refit_days: int = 91
    calibration_days: int = 365
    memory_days: int = 1460


def stack_rows(
    panels: list[Panel], spec: FeatureSpec, kept: list[BoolArray]
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Return features, targets and calendar weeks of the kept rows of all panels."""
    rows = [
        feature_matrix(panel.candles, panel.origins_ns[keep], spec)
        for panel, keep in zip(panels, kept, strict=True)
    ]
    target = [panel.target[keep] for panel, keep in zip(panels, kept, strict=True)]
    origins = [panel.origins_ns[keep] for panel, keep in zip(panels, kept, strict=True)]
    return np.concatenate(rows), np.concatenate(target), np.concatenate(origins) // WEEK_NS


def fit_rows(
    panels: list[Panel],
    spec: FeatureSpec,
    settings: TrainSettings,
    kept: list[BoolArray],
    *,
    library: bool,
) -> Coefficients:
    """Fit the variance on the kept rows of all panels, older rows weighing less."""
    rows, target, weeks = stack_rows(panels, spec, kept)
    weights = None
    if settings.half_life_days is not None:
        age_days = (weeks.max() - weeks) * (WEEK_NS / DAY_NS)
        weights = np.exp2(-age_days / settings.half_life_days)
    return fit_gamma(
        spec.names,
        rows,
        target,
        weeks,
        ridge=settings.ridge,
        row_weights=weights,
        library=library,
    )


def with_clock(spec: FeatureSpec, panels: list[Panel], until_ns: int) -> FeatureSpec:
    """Return the spec with the hour-of-week profile of the candles closed by `until_ns`."""
    clock = estimate_clock([panel.candles for panel in panels], until_ns)
    return msgspec.structs.replace(spec, clock=tuple(clock.tolist()))


def walk_forward(panels: list[Panel], spec: FeatureSpec, settings: TrainSettings) -> Walked:
    """Forecast every origin after the first training span from what its fold's start knew."""
    begin = min(int(panel.origins_ns[0]) for panel in panels) + settings.first_days * DAY_NS
    end = max(int(panel.origins_ns[-1]) for panel in panels) + 1
    if begin >= end:
        raise TooFewRowsError(
            f"the series span less than {settings.first_days} days and a fold; give more history"
        )
    folds: list[Walked] = []
    for start in range(begin, end, settings.refit_days * DAY_NS):
        stop = min(end, start + settings.refit_days * DAY_NS)
        causal = with_clock(spec, panels, start)
        fitted = _fit_until(panels, causal, settings, start)
        known = _known(folds, start - spec.horizon_ns)
        ahead = [(p.origins_ns >= start) & (p.origins_ns < stop) for p in panels]
        if any(np.any(keep) for keep in ahead):
            folds.append(_fold(panels, causal, settings, fitted, known, ahead, start))
    return concatenate(folds)


def _fit_until(
    panels: list[Panel],
    spec: FeatureSpec,
    settings: TrainSettings,
    until_ns: int,
) -> Coefficients:
    kept = [panel.origins_ns + spec.horizon_ns <= until_ns for panel in panels]
    return fit_rows(panels, spec, settings, kept, library=False)


def _fold(
    panels: list[Panel],
    spec: FeatureSpec,
    settings: TrainSettings,
    fitted: Coefficients,
    known: Walked | None,
    ahead: list[BoolArray],
    start_ns: int,
) -> Walked:
    rows, target, _ = stack_rows(panels, spec, ahead)
    predicted = np.exp(linear_predictor(fitted, rows))
    calibration = _calibration(spec, settings, known)
    if calibration is None:
        calibrated = Calibrated(*(np.full(len(target), np.nan) for _ in Calibrated._fields))
        hedge_vol = np.sqrt(predicted)
    else:
        calibrated = apply(calibration, rows, predicted)
        hedge_vol = calibrated.q_vol
    origins = np.concatenate([p.origins_ns[k] for p, k in zip(panels, ahead, strict=True)])
    series = np.repeat(np.arange(len(panels)), [np.count_nonzero(k) for k in ahead])
    break_even = _straddles(panels, spec, settings, origins, series, hedge_vol)
    past = [p.origins_ns + spec.horizon_ns <= start_ns for p in panels]
    har = fit_har_log(_column(panels, past, "har"), _column(panels, past, "target"))
    rivals = np.column_stack(
        [har_forecast(har, _column(panels, ahead, "har")), _column(panels, ahead, "last")]
    )
    return Walked(
        series=series,
        outcomes=Outcomes(origins, rows, predicted, target, break_even),
        calibrated=calibrated,
        rivals=rivals,
        rivals_calibrated=rivals * _rival_bias(known, settings),
    )


def _calibration(
    spec: FeatureSpec, settings: TrainSettings, known: Walked | None
) -> Calibration | None:
    """Calibrate on what has come true; None in the first year, when too little has."""
    if known is None:
        return None
    span_ns = int(np.ptp(known.outcomes.origins_ns))
    if span_ns < settings.calibration_days * DAY_NS:
        return None
    return calibrate(spec.names, remembered(known, settings.memory_days).outcomes)


def _rival_bias(known: Walked | None, settings: TrainSettings) -> FloatArray:
    """Give the rivals the bias correction that the model gets, from the same forecasts."""
    if known is None:
        return np.full(2, np.nan)
    past = remembered(known, settings.memory_days)
    return np.asarray(np.mean(past.outcomes.target[:, None] / past.rivals, axis=0))


def _straddles(
    panels: list[Panel],
    spec: FeatureSpec,
    settings: TrainSettings,
    origins: IntArray,
    series: IntArray,
    hedge_vol: FloatArray,
) -> FloatArray:
    """Break-even volatilities at every straddle step, NaN between."""
    result = np.full(len(origins), np.nan)
    chosen = origins % settings.straddle_step_ns == 0
    for index, panel in enumerate(panels):
        at = np.flatnonzero(chosen & (series == index))
        if len(at):
            paths = price_paths(panel, origins[at], spec.horizon_ns)
            result[at] = break_even_vol(paths, spec.horizon_ns / YEAR_NS, hedge_vol[at])
    return result


def _column(panels: list[Panel], kept: list[BoolArray], name: str) -> FloatArray:
    parts = [getattr(panel, name)[keep] for panel, keep in zip(panels, kept, strict=True)]
    return np.concatenate(parts)


def _known(folds: list[Walked], until_ns: int) -> Walked | None:
    """Return the rows whose origin lies at or before `until_ns`, or None where there are none."""
    if not folds:
        return None
    walked = concatenate(folds)
    return select(walked, walked.outcomes.origins_ns <= until_ns)
