"""Training: candles of several underlyings in, one sealed and scored model out."""

import platform
from importlib import metadata

import numpy as np

from glmtrader.domain.instruments import DAY_NS
from glmtrader.errors import ForecastError
from glmtrader.forecast.artefact import TrainingSet, VolatilityModel, seal
from glmtrader.forecast.calibrate import calibrate
from glmtrader.forecast.candles import CandleArrays
from glmtrader.forecast.errors import TooFewRowsError
from glmtrader.forecast.panel import Panel, build_panel
from glmtrader.forecast.scores import qlike
from glmtrader.forecast.spec import FeatureSpec, default_spec
from glmtrader.forecast.walked import Walked, remembered, select
from glmtrader.forecast.walkforward import TrainSettings, fit_rows, walk_forward, with_clock

__all__ = ["TrainSettings", "score", "train_model"]

_NOTE = (
    "Walk-forward: each fold's profile, fit and calibration use only rows whose horizon had ended"
    " when the fold starts. q_straddle is q_vol times a ratio fitted by ridge regression on the"
    " features: break-even volatility over q_vol of synthetic at-the-money straddles bought at"
    " those forecasts and delta-hedged at every bar with q_vol, before costs. Rivals in the scores"
    " are recalibrated by the same causal rule."
)


def train_model(
    series: list[tuple[str, CandleArrays]],
    horizon_ns: int,
    spec: FeatureSpec | None = None,
    settings: TrainSettings | None = None,
) -> VolatilityModel:
    """Fit, calibrate and score a model on the candles given, and seal it.

    Args:
        series: Underlying and candles; one underlying may come at several intervals.
        horizon_ns: Length of the forecast window.
        spec: Features; the default set of the horizon when None. Its clock is estimated anew.
        settings: Folds and ridge; the defaults when None.

    Raises:
        FitError: The rows cannot be fitted; the message says which and why.
        ForecastError: The spec names an unknown feature or another horizon.
    """
    if not series:
        raise TooFewRowsError("no candles to train on; give at least one underlying")
    chosen = default_spec(horizon_ns) if spec is None else spec
    if chosen.horizon_ns != horizon_ns:
        raise ForecastError(
            f"the spec's horizon is {chosen.horizon_ns} ns, the model's {horizon_ns}; make them one"
        )
    used = TrainSettings() if settings is None else settings
    panels = [build_panel(name, candles, horizon_ns, used.step_ns) for name, candles in series]
    walked = walk_forward(panels, chosen, used)
    until = max(int(p.candles.open_ns[-1]) + p.candles.interval_ns for p in panels)
    final = with_clock(chosen, panels, until)
    everything = [np.ones(len(panel.origins_ns), dtype=np.bool_) for panel in panels]
    return seal(
        VolatilityModel(
            name=f"q-gamma-glm-{_span(horizon_ns)}",
            underlyings=tuple(sorted({name for name, _ in series})),
            horizon_ns=horizon_ns,
            spec=final,
            coefficients=fit_rows(panels, final, used, everything, library=True),
            calibration=calibrate(final.names, remembered(walked, used.memory_days).outcomes),
            training=tuple(_training_set(panel) for panel in panels),
            trained_until_ns=until,
            scores=score(walked),
            libraries=_libraries(),
            note=_NOTE,
        )
    )


def score(walked: Walked) -> dict[str, float]:
    """Score the forecasts made after the first calibration.

    Returns:
        QLIKE of the model and its rivals, gains as fractions, coverage of the 90 % interval, mean
        errors of q_vol and q_straddle in fractions a year, and the number of rows.
    """
    known = select(walked, np.isfinite(walked.calibrated.q_var))
    if len(known.series) == 0:
        raise TooFewRowsError("no forecast after the first calibration; give more history")
    target, ours = known.outcomes.target, known.calibrated
    har, last = known.rivals_calibrated.T
    glm_loss = float(np.mean(qlike(target, ours.q_var)))
    har_loss, last_loss = (float(np.mean(qlike(target, f))) for f in (har, last))
    realised = np.sqrt(target)
    made = np.isfinite(known.outcomes.break_even)
    short = known.outcomes.break_even[made] - ours.q_straddle[made]
    return {
        "rows": float(len(target)),
        "qlike": glm_loss,
        "qlike_har_log": har_loss,
        "qlike_last": last_loss,
        "gain_har_log": 1.0 - glm_loss / har_loss,
        "gain_last": 1.0 - glm_loss / last_loss,
        "coverage90": float(np.mean((realised >= ours.low) & (realised <= ours.high))),
        "vol_error_mean": float(np.mean(realised - ours.q_vol)),
        "vol_error_rms": float(np.sqrt(np.mean(np.square(realised - ours.q_vol)))),
        "straddle_error_mean": float(np.mean(short)),
        "straddle_raw_error_mean": float(
            np.mean(known.outcomes.break_even[made] - ours.q_vol[made])
        ),
    }


def _span(horizon_ns: int) -> str:
    hours = horizon_ns * 24 / DAY_NS
    return f"{hours / 24:g}d" if hours % 24 == 0 else f"{hours:g}h"


def _training_set(panel: Panel) -> TrainingSet:
    candles = panel.candles
    return TrainingSet(
        underlying=panel.underlying,
        interval_ns=candles.interval_ns,
        bars=len(candles),
        gaps=candles.gap_count,
        first_ns=int(candles.open_ns[0]),
        last_ns=int(candles.open_ns[-1]) + candles.interval_ns,
        rows=len(panel.origins_ns),
    )


def _libraries() -> dict[str, str]:
    names = ("numpy", "scipy", "statsmodels")
    return {"python": platform.python_version()} | {name: metadata.version(name) for name in names}
