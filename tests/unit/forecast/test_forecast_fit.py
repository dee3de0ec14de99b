"""The Gamma-GLM fit: right where it can be, refused where it cannot."""

import warnings

import numpy as np
import pytest
from statsmodels.genmod import families
from statsmodels.genmod.generalized_linear_model import GLM

from glmtrader.forecast.artefact import Coefficients
from glmtrader.forecast.errors import (
    ConstantDataError,
    ExplodingCoefficientError,
    NoConvergenceError,
    NotFiniteError,
    TooFewRowsError,
)
from glmtrader.forecast.fit import fit_gamma
from glmtrader.forecast.infer import linear_predictor

_NAMES = ("a", "b", "c")


def _rows(count: int = 4000, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = rng.uniform(-1.0, 1.0, size=(count, 3)) * [1.0, 10.0, 0.1]
    mean = np.exp(-3.0 + rows @ [0.8, -0.05, 4.0])
    return rows, mean * rng.gamma(2.0, 0.5, count), np.arange(count) // 20


def _fit(
    rows: np.ndarray, target: np.ndarray, ridge: float = 0.0, *, library: bool = True
) -> Coefficients:
    blocks = np.arange(len(target)) // 20
    return fit_gamma(_NAMES, rows, target, blocks, ridge=ridge, library=library)


def test_without_ridge_it_is_the_fit_of_statsmodels() -> None:
    rows, target, _ = _rows()
    ours = _fit(rows, target)
    clipped = np.clip(rows, ours.low, ours.high)
    design = np.column_stack([np.ones(len(rows)), clipped])
    family = families.Gamma(families.links.Log())
    theirs = GLM(target, design, family=family).fit().params
    assert [ours.intercept, *ours.weights] == pytest.approx(theirs.tolist(), rel=1e-6)


def test_the_score_of_the_penalised_likelihood_is_zero_at_the_fit() -> None:
    rows, target, _ = _rows()
    ours = _fit(rows, target, ridge=0.2)
    clipped = np.clip(rows, ours.low, ours.high)
    error = target / np.exp(linear_predictor(ours, rows)) - 1.0
    width = clipped.std(axis=0)
    score = (clipped - clipped.mean(axis=0)).T @ error / len(rows) / width
    assert score == pytest.approx(0.2 * np.asarray(ours.weights) * width, abs=1e-6)
    assert abs(error.mean()) < 1e-6


def test_starting_from_statsmodels_or_from_the_mean_ends_alike() -> None:
    rows, target, _ = _rows()
    ours, plain = _fit(rows, target, 0.05), _fit(rows, target, 0.05, library=False)
    assert ours.weights == pytest.approx(plain.weights, rel=1e-5)


def test_a_ridge_pulls_the_weights_towards_zero() -> None:
    rows, target, _ = _rows()
    free, held = np.abs(_fit(rows, target).weights), np.abs(_fit(rows, target, 1.0).weights)
    assert np.all(held < 0.7 * free)


def test_the_covariance_matches_the_spread_of_repeated_fits() -> None:
    fits = [_fit(*_rows(1000, seed)[:2], library=False) for seed in range(200)]
    spread = np.std([fit.weights[0] for fit in fits])
    told = np.mean([np.sqrt(fit.covariance[2]) for fit in fits])
    assert told == pytest.approx(spread, rel=0.2)


def test_heavier_rows_pull_the_fit_to_themselves() -> None:
    rows, target, blocks = _rows()
    target[2000:] *= 4.0
    weights = np.where(np.arange(4000) < 2000, 1e-6, 1.0)
    heavy = fit_gamma(_NAMES, rows, target, blocks, ridge=0.0, row_weights=weights)
    late = _fit(rows[2000:], target[2000:])
    assert heavy.intercept == pytest.approx(late.intercept, abs=0.01)


def test_features_beyond_training_are_clipped() -> None:
    rows, target, _ = _rows()
    fit = _fit(rows, target)
    far = np.array([[1e6, 1e6, 1e6]])
    assert linear_predictor(fit, far) == pytest.approx(
        linear_predictor(fit, np.array([fit.high])), rel=1e-12
    )


def test_too_few_rows_are_refused() -> None:
    rows, target, _ = _rows(79)
    with pytest.raises(TooFewRowsError, match="79 rows for 4 coefficients; give 80"):
        _fit(rows, target)


def test_a_nan_is_refused_by_feature_and_row() -> None:
    rows, target, _ = _rows()
    rows[17, 1] = np.nan
    with pytest.raises(NotFiniteError, match="feature b is nan in row 17"):
        _fit(rows, target)


def test_a_target_that_is_not_finite_is_refused() -> None:
    rows, target, _ = _rows()
    target[3] = np.inf
    with pytest.raises(NotFiniteError, match="row 3"):
        _fit(rows, target)


def test_a_constant_feature_or_target_is_refused() -> None:
    rows, target, _ = _rows()
    with pytest.raises(ConstantDataError, match="prices constant"):
        _fit(rows, np.zeros_like(target))
    rows[:, 2] = 0.3
    with pytest.raises(ConstantDataError, match="feature c"):
        _fit(rows, target)


def test_an_exploding_coefficient_is_refused() -> None:
    rows, _, _ = _rows()
    with pytest.raises(ExplodingCoefficientError, match="feature a"):
        _fit(rows, np.exp(12.0 * rows[:, 0]), library=False)


def test_a_fit_that_does_not_converge_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glmtrader.forecast.fit._STEPS_MAX", 1)
    rows, target, _ = _rows()
    with pytest.raises(NoConvergenceError, match="raise the ridge"):
        _fit(rows, target, 0.1, library=False)


def test_statsmodels_without_convergence_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, target, _ = _rows()
    original = GLM.fit
    monkeypatch.setattr(GLM, "fit", lambda self: original(self, maxiter=1))
    warnings.simplefilter("ignore")  # its own warning of what is tested here; pytest restores
    with pytest.raises(NoConvergenceError, match="IRLS"):
        _fit(rows, target)
