"""The shipped models: whole, honest about their span, and sane on prices they have never seen."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from glmtrader.domain.instruments import DAY_NS, HOUR_NS, MINUTE_NS
from glmtrader.forecast.artefact import VolatilityModel, load_model
from glmtrader.forecast.candle_files import read_candles
from glmtrader.forecast.candles import CandleArrays
from glmtrader.forecast.infer import ForecastValues, predict
from glmtrader.forecast.panel import build_panel
from glmtrader.forecast.scores import qlike

_MODELS = Path(__file__).parents[3] / "models"
_END_2024_NS = 1_735_689_600 * 1_000_000_000


@pytest.fixture(params=[1, 7])
def shipped(request: pytest.FixtureRequest) -> VolatilityModel:
    return load_model(_MODELS / f"q-gamma-glm-{request.param}d.json")


def test_nothing_after_2024_was_seen(shipped: VolatilityModel) -> None:
    assert shipped.trained_until_ns <= _END_2024_NS
    assert shipped.underlyings == ("BTC", "ETH")


def test_its_scores_out_of_sample_are_better_than_its_rivals(shipped: VolatilityModel) -> None:
    assert shipped.scores["gain_har_log"] > 0.0
    assert shipped.scores["gain_last"] > 0.2
    assert 0.86 <= shipped.scores["coverage90"] <= 0.94


def test_it_speaks_from_nine_days_of_made_up_candles(
    shipped: VolatilityModel, make_candles: Callable[..., CandleArrays]
) -> None:
    candles = make_candles(9.0, interval_ns=5 * MINUTE_NS)
    now = int(candles.open_ns[-1]) + candles.interval_ns
    found = predict(shipped, candles, now, underlying="ETH")
    assert isinstance(found, ForecastValues)
    assert 0.1 < found.q_straddle < 1.1 * found.q_vol < 2.0


@pytest.mark.parametrize("underlying", ["BTC", "ETH"])
def test_on_the_unseen_winter_of_2026_it_beats_the_last_value(
    shipped: VolatilityModel, klines: Path, underlying: str
) -> None:
    """5-minute bars a year after training: level within a quarter, a lower QLIKE."""
    candles = read_candles(klines / f"{underlying}USDT_5m_20251220_20260218.parquet")
    panel = build_panel(underlying, candles, shipped.horizon_ns, 6 * HOUR_NS)
    said = [predict(shipped, candles, int(at), underlying=underlying) for at in panel.origins_ns]
    q_var = np.array([found.q_var for found in said if isinstance(found, ForecastValues)])
    assert len(q_var) == len(said) > 4 * (30 - shipped.horizon_ns / DAY_NS)
    assert np.mean(qlike(panel.target, q_var)) < np.mean(qlike(panel.target, panel.last))
    assert np.mean(np.sqrt(q_var)) == pytest.approx(np.mean(np.sqrt(panel.target)), rel=0.25)
