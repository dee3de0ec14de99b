"""Fitting: a Gamma-GLM with log link and a light ridge.

The Gamma deviance is twice QLIKE, so the fit minimises the loss that forecasts are scored with. With
this family and link the Fisher information does not depend on the coefficients: penalised IRLS is a
Newton iteration with one constant matrix. statsmodels' `GLM.fit_regularized` (pure ridge) starts it; it
reports neither convergence nor a covariance, so a few Fisher steps certify the optimum and a
week-clustered sandwich gives the covariance (hourly origins share almost all of their target).
"""

import numpy as np

from glmtrader.forecast.arrays import FloatArray, IntArray
from glmtrader.forecast.artefact import Coefficients
from glmtrader.forecast.errors import (
    ConstantDataError,
    ExplodingCoefficientError,
    NoConvergenceError,
    NotFiniteError,
    TooFewRowsError,
)

ROWS_PER_COEFFICIENT_MIN = 20
_CLIP_TAIL = 0.001
_STEPS_MAX = 50
_HALVINGS_MAX = 20
_STEP_TOLERANCE = 1e-9
_WEIGHT_MAX = 5.0
"""Largest believable effect of one standard deviation of a feature, in log variance (a factor 148)."""


def fit_gamma(
    names: tuple[str, ...],
    rows: FloatArray,
    target: FloatArray,
    blocks: IntArray,
    *,
    ridge: float,
    start: Coefficients | None = None,
) -> Coefficients:
    """Fit E[target] = exp(intercept + weights . features) by penalised maximum likelihood.

    Args:
        names: Feature names, for messages.
        rows: Features, float64[n, k].
        target: Positive targets, float64[n].
        blocks: Cluster of each row (calendar week) for the covariance, int64[n].
        ridge: Penalty on squared standardised weights, a row; the intercept is free.
        start: An earlier fit of the same features to start from instead of statsmodels.

    Raises:
        FitError: Too few rows, not finite, constant, not converging or exploding.
    """
    check_rows(names, rows, target)
    low, high = np.quantile(rows, [_CLIP_TAIL, 1.0 - _CLIP_TAIL], axis=0)
    clipped = np.clip(rows, low, high)
    centre, width = clipped.mean(axis=0), clipped.std(axis=0)
    design = np.column_stack([np.ones(len(rows)), (clipped - centre) / width])
    penalty = np.concatenate(([0.0], np.full(len(names), ridge)))
    scale = float(target.mean())
    if start is None:
        first = _library_fit(design, target / scale, penalty)
    else:
        first = _standardised(start, centre, width, scale)
    weights = _polish(design, target / scale, penalty, first)
    _check_weights(names, weights[1:])
    ratio = target / scale / np.exp(design @ weights)
    covariance = _sandwich(design, ratio - 1.0, penalty, blocks)
    dispersion = float(np.mean(np.square(ratio - 1.0)))
    back = _to_raw(centre, width)
    raw = back @ weights
    return Coefficients(
        intercept=float(raw[0] + np.log(scale)),
        weights=tuple(raw[1:].tolist()),
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
        covariance=tuple((back @ covariance @ back.T)[np.tril_indices(len(raw))].tolist()),
        dispersion=dispersion,
        ridge=ridge,
    )


def check_rows(names: tuple[str, ...], rows: FloatArray, target: FloatArray) -> None:
    """Refuse rows that no fit can be trusted on.

    Raises:
        FitError: Too few rows, not finite, not positive, or constant.
    """
    need = ROWS_PER_COEFFICIENT_MIN * (len(names) + 1)
    if len(target) < need:
        raise TooFewRowsError(f"{len(target)} rows for {len(names) + 1} coefficients; give {need}")
    if not np.all(np.isfinite(target)):
        raise NotFiniteError(f"target of row {int(np.argmin(np.isfinite(target)))} is not finite")
    for column, name in enumerate(names):
        finite = np.isfinite(rows[:, column])
        if not np.all(finite):
            row = int(np.argmin(finite))
            raise NotFiniteError(f"feature {name} is {rows[row, column]} in row {row}; drop it")
        if np.ptp(rows[:, column]) <= 1e-12 * (1.0 + abs(rows[0, column])):
            raise ConstantDataError(f"feature {name} never moves; switch it off in the spec")
    if np.any(target <= 0.0) or np.ptp(target) == 0.0:
        raise ConstantDataError("the target is zero or never moves; are the prices constant?")


def _library_fit(design: FloatArray, target: FloatArray, penalty: FloatArray) -> FloatArray:
    """Fit with statsmodels, pure ridge, from the intercept of the mean."""
    from statsmodels.genmod import families  # noqa: PLC0415 - 3.7 s and 170 MB, only to fit
    from statsmodels.genmod.generalized_linear_model import GLM  # noqa: PLC0415 - as above

    family = families.Gamma(families.links.Log())
    start = np.zeros(design.shape[1])
    start[0] = np.log(target.mean())
    result = GLM(target, design, family=family).fit_regularized(
        alpha=penalty, L1_wt=0.0, start_params=start
    )
    params = np.asarray(result.params, dtype=np.float64)
    return params if np.all(np.isfinite(params)) else start


def _polish(
    design: FloatArray, target: FloatArray, penalty: FloatArray, start: FloatArray
) -> FloatArray:
    """Newton on the penalised likelihood with its constant Fisher information."""
    information = design.T @ design / len(target) + np.diag(penalty)
    weights = start
    loss = _penalised_loss(design, target, penalty, weights)
    for _ in range(_STEPS_MAX):
        score = design.T @ (target / np.exp(design @ weights) - 1.0) / len(target)
        step = np.linalg.solve(information, score - penalty * weights)
        for _halving in range(_HALVINGS_MAX):
            moved = _penalised_loss(design, target, penalty, weights + step)
            if moved <= loss + 1e-14:
                break
            step = 0.5 * step
        weights, loss = weights + step, moved
        if float(np.max(np.abs(step))) < _STEP_TOLERANCE:
            return weights
    raise NoConvergenceError(
        f"no convergence in {_STEPS_MAX} steps (last step {float(np.max(np.abs(step))):.2g});"
        " raise the ridge or drop features that repeat each other"
    )


def _penalised_loss(
    design: FloatArray, target: FloatArray, penalty: FloatArray, weights: FloatArray
) -> float:
    eta = design @ weights
    with np.errstate(over="ignore"):
        loss = np.mean(target * np.exp(-eta) + eta)
    return float(loss + 0.5 * np.sum(penalty * np.square(weights)))


def _sandwich(
    design: FloatArray, error: FloatArray, penalty: FloatArray, blocks: IntArray
) -> FloatArray:
    """Covariance A^-1 B A^-1 with scores summed by block (Liang and Zeger 1986)."""
    count = len(error)
    _, block = np.unique(blocks, return_inverse=True)
    scores = np.zeros((int(block.max()) + 1, design.shape[1]))
    np.add.at(scores, block, design * error[:, None])
    information = design.T @ design + count * np.diag(penalty)
    half = np.linalg.solve(information, scores.T)
    return np.asarray(half @ half.T, dtype=np.float64)


def _check_weights(names: tuple[str, ...], weights: FloatArray) -> None:
    worst = int(np.argmax(np.abs(weights)))
    if abs(weights[worst]) > _WEIGHT_MAX:
        raise ExplodingCoefficientError(
            f"feature {names[worst]} got {weights[worst]:.3g} a standard deviation, beyond"
            f" {_WEIGHT_MAX:g}; raise the ridge or drop it"
        )


def _to_raw(centre: FloatArray, width: FloatArray) -> FloatArray:
    """Matrix that takes (intercept, standardised weights) to raw feature units."""
    back = np.diag(np.concatenate(([1.0], 1.0 / width)))
    back[0, 1:] = -centre / width
    return back


def _standardised(
    start: Coefficients, centre: FloatArray, width: FloatArray, scale: float
) -> FloatArray:
    weights = np.asarray(start.weights)
    intercept = start.intercept - np.log(scale) + float(weights @ centre)
    return np.concatenate(([intercept], weights * width))
