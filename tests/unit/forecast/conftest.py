"""Candles that the forecast's tests make themselves, and the recorded ones where they are there."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from glmtrader.domain.instruments import DAY_NS, HOUR_NS, MINUTE_NS
from glmtrader.forecast.artefact import VolatilityModel
from glmtrader.forecast.candles import CandleArrays, regularise
from glmtrader.forecast.train import train_model
from glmtrader.forecast.walkforward import TrainSettings

START_NS = 1_704_067_200 * 1_000_000_000  # Monday 2024-01-01 00:00 UTC

CandleMaker = Callable[..., CandleArrays]


def synthetic_candles(days: float, seed: int = 7, interval_ns: int = HOUR_NS) -> CandleArrays:
    """Candles of a price whose log volatility reverts to its mean within days, from 5m steps."""
    rng = np.random.default_rng(seed)
    step_ns = 5 * MINUTE_NS
    count = int(days * DAY_NS // step_ns)
    shocks = rng.normal(0.0, 0.04, count)
    level = np.empty(count)
    level[0] = 0.0
    for i in range(1, count):
        level[i] = 0.997 * level[i - 1] + shocks[i]
    moves = rng.normal(size=count) * 0.6 * np.sqrt(1 / (365 * 288)) * np.exp(level)
    path = 30_000.0 * np.exp(np.cumsum(moves))
    width = interval_ns // step_ns
    bars = path[: count // width * width].reshape(-1, width)
    close = bars[:, -1]
    opened = np.concatenate(([30_000.0], close[:-1]))
    return regularise(
        START_NS + interval_ns * np.arange(len(close), dtype=np.int64),
        opened,
        np.maximum(bars.max(axis=1), opened),
        np.minimum(bars.min(axis=1), opened),
        close,
        rng.gamma(2.0, 10.0, len(close)),
        interval_ns,
    )


@pytest.fixture(scope="session")
def make_candles() -> CandleMaker:
    return synthetic_candles


@pytest.fixture(scope="session")
def small_settings() -> TrainSettings:
    return TrainSettings(
        step_ns=3 * HOUR_NS, first_days=120, refit_days=60, calibration_days=60, ridge=0.03
    )


@pytest.fixture(scope="session")
def day_model(small_settings: TrainSettings) -> VolatilityModel:
    """A 1-day model of a synthetic BTC, trained in a second."""
    candles = synthetic_candles(420.0)
    return train_model([("BTC", candles)], DAY_NS, settings=small_settings)


@pytest.fixture(scope="session")
def klines() -> Path:
    """The folder of recorded klines; the test is skipped where there is none."""
    root = os.environ.get("GLMTRADER_DATA", "../shared/data")
    folder = Path(root) / "klines"
    if not folder.is_dir():
        pytest.skip(f"no recorded klines at {folder}; set GLMTRADER_DATA")
    return folder
