"""Fitting: a Gamma-GLM with log link and a light ridge.

The Gamma deviance is twice QLIKE, so the fit minimises the loss that forecasts are scored with. It
is convex in the coefficients, with or without the ridge. statsmodels' IRLS gives the unpenalised
fit, a few Newton steps take it to the penalised one; statsmodels' own `fit_regularized` was tried
and stops at gradients of 0.03, without a covariance. The covariance is a sandwich clustered by
week, because hourly origins share almost all of their target.
"""

from typing import NamedTuple

import numpy as np

from glmtrader.domain.arrays import FloatArray, IntArray
from glmtrader.forecast.artefact import Coefficients
from glmtrader.forecast.errors import (
    ConstantDataError,
    ExplodingCoefficientError,
    NoConvergenceError,
    NotFiniteError,
    TooFewRowsError,
)
from glmtrader.forecast.standardise import standardise

ROWS_PER_COEFFICIENT_MIN = 20
_CLIP_TAIL = 0.001
_STEPS_MAX = 50
_HALVINGS_MAX = 20
_STEP_TOLERANCE = 1e-10
_LOSS_SLACK = 1e-14
_WEIGHT_MAX = 5.0
"""Largest believable effect of a feature's standard deviation on log variance (a factor 148)."""


def fit_gamma(
    names: tuple[str, ...],
    rows: FloatArray,
    target: FloatArray,
    blocks: IntArray,
    *,
    ridge: float,
    row_weights: FloatArray | None = None,
    library: bool = True,
) -> Coefficients:
    """Fit E[target] = exp(intercept + weights . features) by penalised maximum likelihood.

    Args:
        names: Feature names, for messages.
        rows: Features, float64[n, k].
        target: Positive targets, float64[n].
        blocks: Cluster of each row (calendar week) for the covariance, int64[n].
        ridge: Penalty on squared standardised weights, a row; the intercept is free.
        row_weights: Weight of each row, such as a half-life; all alike when None.
        library: Start from statsmodels' unpenalised fit; False starts from the mean and, the loss
            being convex, ends at the same point, which the many fits of a walk forward use.

    Raises:
        FitError: Too few rows, not finite, constant, not converging or exploding.
    """
    check_rows(names, rows, target)
    standard = standardise(rows, _CLIP_TAIL)
    design, back = standard.design, standard.back
    penalty = np.concatenate(([0.0], np.full(len(names), ridge)))
    scale = float(target.mean())
    share = np.full(len(rows), 1.0 / len(rows))
    if row_weights is not None:
        share = row_weights / row_weights.sum()
    first = np.zeros(design.shape[1])
    if library:
        first = _library_fit(design, target / scale, share * len(rows))
    problem = _Problem(design, target / scale, share, penalty)
    weights = _newton(problem, first)
    _check_weights(names, weights[1:])
    covariance = _sandwich(problem, weights, blocks)
    dispersion = float(share @ np.square(problem.error(weights)))
    raw = back @ weights
    return Coefficients(
        intercept=float(raw[0] + np.log(scale)),
        weights=tuple(raw[1:].tolist()),
        low=tuple(standard.low.tolist()),
        high=tuple(standard.high.tolist()),
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


class _Problem(NamedTuple):
    """A penalised Gamma likelihood: standardised design, scaled target, row shares of sum 1."""

    design: FloatArray
    target: FloatArray
    share: FloatArray
    penalty: FloatArray

    def error(self, weights: FloatArray) -> FloatArray:
        """Return target over mean, less 1."""
        return np.asarray(self.target * np.exp(-(self.design @ weights)) - 1.0)

    def loss(self, weights: FloatArray) -> float:
        """Return half the deviance, up to a constant, and the penalty; convex in the weights."""
        eta = self.design @ weights
        with np.errstate(over="ignore"):
            loss = self.share @ (self.target * np.exp(-eta) + eta)
        return float(loss + 0.5 * np.sum(self.penalty * np.square(weights)))

    def curvature(self, weights: FloatArray) -> FloatArray:
        """Return the second derivative of the loss, positive definite where features differ."""
        relevance = self.share * (self.error(weights) + 1.0)
        weighted = self.design * relevance[:, None]
        return np.asarray(weighted.T @ self.design + np.diag(self.penalty))


def _library_fit(design: FloatArray, target: FloatArray, weights: FloatArray) -> FloatArray:
    """Fit with statsmodels' IRLS, without penalty."""
    from statsmodels.genmod import families  # noqa: PLC0415 - 3.7 s and 170 MB, only to fit
    from statsmodels.genmod.generalized_linear_model import GLM  # noqa: PLC0415 - as above

    family = families.Gamma(families.links.Log())
    result = GLM(target, design, family=family, var_weights=weights).fit()
    if not result.converged or not np.all(np.isfinite(result.params)):
        raise NoConvergenceError(
            "statsmodels' IRLS did not converge; drop features that repeat each other"
        )
    return np.asarray(result.params, dtype=np.float64)


def _newton(problem: _Problem, start: FloatArray) -> FloatArray:
    """Minimise the penalised loss by Newton's method with halved steps."""
    weights, loss, size = start, problem.loss(start), np.inf
    for _ in range(_STEPS_MAX):
        score = (problem.share * problem.error(weights)) @ problem.design
        full = _solve(problem.curvature(weights), score - problem.penalty * weights)
        step, loss = _shortened(problem, weights, full, loss)
        weights = weights + step
        size = float(np.max(np.abs(step)))
        if size < _STEP_TOLERANCE:
            return weights
    raise NoConvergenceError(
        f"no convergence in {_STEPS_MAX} steps (last step {size:.2g}); raise the ridge or drop"
        " features that repeat each other"
    )


def _solve(matrix: FloatArray, right: FloatArray) -> FloatArray:
    try:
        return np.asarray(np.linalg.solve(matrix, right), dtype=np.float64)
    except np.linalg.LinAlgError as error:
        raise NoConvergenceError(
            "features repeat each other exactly; drop one of them or raise the ridge"
        ) from error


def _shortened(
    problem: _Problem, weights: FloatArray, step: FloatArray, loss: float
) -> tuple[FloatArray, float]:
    """Halve a step until the loss does not rise."""
    for _ in range(_HALVINGS_MAX):
        moved = problem.loss(weights + step)
        if moved <= loss + _LOSS_SLACK:
            return step, moved
        step = 0.5 * step
    raise NoConvergenceError("no step lowers the loss; the rows are not what a Gamma-GLM can fit")


def _sandwich(problem: _Problem, weights: FloatArray, blocks: IntArray) -> FloatArray:
    """Covariance A^-1 B A^-1 with scores summed by block (Liang and Zeger 1986)."""
    _, block = np.unique(blocks, return_inverse=True)
    weighted = problem.share * problem.error(weights)
    columns = [np.bincount(block, weights=weighted * column) for column in problem.design.T]
    half = _solve(problem.curvature(weights), np.array(columns))
    return np.asarray(half @ half.T, dtype=np.float64)


def _check_weights(names: tuple[str, ...], weights: FloatArray) -> None:
    worst = int(np.argmax(np.abs(weights)))
    if abs(weights[worst]) > _WEIGHT_MAX:
        raise ExplodingCoefficientError(
            f"feature {names[worst]} got {weights[worst]:.3g} a standard deviation, beyond"
            f" {_WEIGHT_MAX:g}; raise the ridge or drop it"
        )
