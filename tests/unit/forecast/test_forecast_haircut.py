"""The straddle's haircut: found where the state matters, bounded, refused without data."""

import numpy as np
import pytest

from glmtrader.forecast.errors import TooFewRowsError
from glmtrader.forecast.haircut import fit_haircut
from glmtrader.forecast.infer import straddle_ratio


def _straddles(count: int, slope: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(6)
    rows = rng.normal(size=(count, 3))
    return rows, 0.9 + slope * rows[:, 1] + rng.normal(0.0, 0.3, count)


def test_the_mean_ratio_is_kept() -> None:
    rows, ratio = _straddles(5000, 0.1)
    assert straddle_ratio(fit_haircut(rows, ratio), rows).mean() == pytest.approx(0.9, abs=0.01)


def test_a_state_that_matters_is_found_and_shrunk() -> None:
    rows, ratio = _straddles(20_000, 0.1)
    weights = fit_haircut(rows, ratio).weights
    assert weights[1] == pytest.approx(0.1 / 2.0, abs=0.01)
    assert abs(weights[0]) < 0.01


def test_the_ratio_stays_within_what_was_seen() -> None:
    rows, ratio = _straddles(5000, 0.1)
    haircut = fit_haircut(rows, ratio)
    far = straddle_ratio(haircut, np.array([[0.0, 1e9, 0.0], [0.0, -1e9, 0.0]]))
    assert np.all((far >= haircut.floor) & (far <= haircut.ceiling))
    assert far[0] > 0.9 > far[1]


def test_few_straddles_are_refused() -> None:
    with pytest.raises(TooFewRowsError, match="99 synthetic straddles"):
        fit_haircut(*_straddles(99, 0.0))
