"""Training walks forward without look-ahead and says when it cannot."""

from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from glmtrader.domain.instruments import DAY_NS, HOUR_NS
from glmtrader.errors import ForecastError
from glmtrader.forecast.artefact import VolatilityModel
from glmtrader.forecast.candles import CandleArrays
from glmtrader.forecast.errors import ConstantDataError, TooFewRowsError
from glmtrader.forecast.panel import build_panel
from glmtrader.forecast.scores import fit_har_log, har_forecast, qlike
from glmtrader.forecast.spec import default_spec
from glmtrader.forecast.train import train_model
from glmtrader.forecast.walkforward import TrainSettings, walk_forward

CandleMaker = Callable[..., CandleArrays]


def test_a_model_scores_better_than_the_last_value(day_model: VolatilityModel) -> None:
    scores = day_model.scores
    assert 0.0 < scores["qlike"] < scores["qlike_last"]
    assert 0.8 < scores["coverage90"] < 0.98
    assert scores["rows"] > 1000


def test_jensen_and_haircut_are_measured(day_model: VolatilityModel) -> None:
    assert 0.8 < day_model.calibration.jensen < 1.0
    assert 0.7 < day_model.calibration.straddle < 1.1
    assert 0.0 < day_model.calibration.straddle_error < 0.1


def test_the_artefact_tells_what_it_was_trained_on(day_model: VolatilityModel) -> None:
    (told,) = day_model.training
    assert told.underlying == "BTC"
    assert told.bars == 420 * 24
    assert day_model.trained_until_ns == told.last_ns
    assert {"statsmodels", "numpy", "scipy", "python"} == set(day_model.libraries)


def test_training_again_gives_the_same_model(
    day_model: VolatilityModel, make_candles: CandleMaker, small_settings: TrainSettings
) -> None:
    again = train_model([("BTC", make_candles(420.0))], DAY_NS, settings=small_settings)
    assert again.content_sha256 == day_model.content_sha256


def test_forecasts_out_of_sample_do_not_see_the_future(
    make_candles: CandleMaker, small_settings: TrainSettings
) -> None:
    """With all prices after a time garbled, what was published before it keeps every bit."""
    candles = make_candles(330.0)
    cut = 300 * 24
    rng = np.random.default_rng(9)
    after = 20_000.0 * np.exp(np.cumsum(rng.normal(0.0, 0.03, len(candles) - cut)))
    prices = {
        name: np.concatenate([getattr(candles, name)[:cut], after])
        for name in ("open", "high", "low", "close")
    }
    spec = default_spec(DAY_NS)
    now = int(candles.open_ns[cut])
    published = []
    for version in (candles, msgspec.structs.replace(candles, **prices)):
        panel = build_panel("BTC", version, DAY_NS, small_settings.step_ns)
        walked = walk_forward([panel], spec, small_settings)
        before = walked.outcomes.origins_ns <= now
        published.append([column[before] for column in walked.calibrated])
    assert np.isfinite(published[0][0]).any()
    for honest, garbled in zip(*published, strict=True):
        assert np.array_equal(honest, garbled, equal_nan=True)


def test_the_target_is_the_variance_that_follows(make_candles: CandleMaker) -> None:
    candles = make_candles(60.0)
    panel = build_panel("BTC", candles, DAY_NS)
    closed = candles.closed_before(int(panel.origins_ns[7]))
    returns = np.diff(np.log(candles.close))
    ahead, past = returns[closed - 1 : closed + 23], returns[closed - 25 : closed - 1]
    assert panel.target[7] == pytest.approx(365.0 * np.sum(ahead**2), rel=1e-9)
    assert panel.last[7] == pytest.approx(365.0 * np.sum(past**2), rel=1e-9)


def test_origins_near_outages_are_left_out(make_candles: CandleMaker) -> None:
    candles = make_candles(60.0)
    gap = candles.gap.copy()
    gap[1000:1040] = True
    holed = build_panel("BTC", msgspec.structs.replace(candles, gap=gap), DAY_NS)
    near = int(candles.open_ns[1020])
    assert near not in holed.origins_ns
    assert near in build_panel("BTC", candles, DAY_NS).origins_ns


def test_a_short_series_is_refused(
    make_candles: CandleMaker, small_settings: TrainSettings
) -> None:
    with pytest.raises(TooFewRowsError, match=r"BTC: 20\.0 days of candles"):
        train_model([("BTC", make_candles(20.0))], DAY_NS, settings=small_settings)
    with pytest.raises(TooFewRowsError, match="less than 120 days"):
        train_model([("BTC", make_candles(90.0))], DAY_NS, settings=small_settings)
    with pytest.raises(TooFewRowsError, match="no candles"):
        train_model([], DAY_NS)


def test_constant_prices_are_refused_in_training(make_candles: CandleMaker) -> None:
    candles = make_candles(60.0)
    flat = np.full(len(candles), 100.0)
    still = msgspec.structs.replace(candles, open=flat, high=flat, low=flat, close=flat)
    with pytest.raises(ConstantDataError, match="BTC"):
        train_model([("BTC", still)], DAY_NS)


def test_a_half_life_lets_recent_rows_speak(
    day_model: VolatilityModel, make_candles: CandleMaker, small_settings: TrainSettings
) -> None:
    settings = msgspec.structs.replace(small_settings, half_life_days=60.0)
    recent = train_model([("BTC", make_candles(420.0))], DAY_NS, settings=settings)
    assert recent.coefficients.weights != day_model.coefficients.weights


def test_a_spec_of_another_horizon_is_refused(make_candles: CandleMaker) -> None:
    with pytest.raises(ForecastError, match="horizon"):
        train_model([("BTC", make_candles(60.0))], DAY_NS, default_spec(6 * HOUR_NS))


def test_qlike_is_zero_only_for_the_truth() -> None:
    truth = np.array([0.1, 0.4, 2.0])
    assert qlike(truth, truth).tolist() == [0.0, 0.0, 0.0]
    assert np.all(qlike(truth, truth * 1.1) > 0.0)
    assert np.all(qlike(truth, truth * 0.9) > qlike(truth, truth * 1.1))


def test_har_in_logs_finds_its_own_coefficients() -> None:
    rng = np.random.default_rng(4)
    har = rng.normal(size=(5000, 3))
    noise = rng.normal(0.0, 0.5, 5000)
    target = np.exp(-1.0 + har @ [0.3, 0.4, 0.2] + noise)
    weights = fit_har_log(har, target)
    assert weights[1:] == pytest.approx([0.3, 0.4, 0.2], abs=0.03)
    assert np.mean(target / har_forecast(weights, har)) == pytest.approx(1.0, abs=0.02)
