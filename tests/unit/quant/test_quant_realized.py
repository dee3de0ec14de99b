"""Realised variance is annualised by the time its returns cover, gaps left out."""

import numpy as np
import pytest
from recorded_data import recorded

from glmtrader.quant.realized import RealizedVariance, realized_variance
from glmtrader.quant.trading_clock import BTC_CLOCK, NANOSECONDS_PER_HOUR
from glmtrader.quant.unavailable import Unavailable, UnavailableReason

STEP = NANOSECONDS_PER_HOUR // 4
START = 1_767_571_200_000_000_000


def path(vol: float, steps: int, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Instants and closes of a driftless path."""
    shocks = np.random.default_rng(seed).normal(size=steps) * vol * np.sqrt(0.25 / 8760)
    return START + np.arange(steps + 1) * STEP, 90_000.0 * np.exp(np.cumsum(np.append(0.0, shocks)))


def measured(result: RealizedVariance | Unavailable) -> RealizedVariance:
    assert isinstance(result, RealizedVariance)
    return result


def test_a_path_of_known_volatility_gives_it_back() -> None:
    """Total and bipower variance agree with the truth, semivariances with each other."""
    found = measured(realized_variance(*path(0.6, 35_040), STEP))
    assert found.vol == pytest.approx(0.6, rel=0.02)
    assert found.bipower == pytest.approx(0.36, rel=0.04)
    assert found.downside == pytest.approx(found.upside, rel=0.05)
    assert found.downside + found.upside == pytest.approx(found.variance, rel=1e-12)
    assert found.years == pytest.approx(1.0)


def test_bipower_does_not_see_a_jump_that_variance_sees() -> None:
    """One return of ten per cent raises the variance, hardly its continuous part."""
    at, close = path(0.4, 672)
    jumped = np.where(np.arange(len(close)) > 300, close * 0.9, close)
    before = measured(realized_variance(at, close, STEP))
    after = measured(realized_variance(at, jumped, STEP))
    assert after.variance > 3.0 * before.variance
    assert after.bipower < 1.5 * before.bipower
    assert after.downside > 3.0 * before.downside
    assert after.upside == pytest.approx(before.upside, rel=0.02)


def test_a_gap_costs_its_return_and_its_time() -> None:
    """Removing closes removes their returns and the time between, not the annualisation."""
    at, close = path(0.5, 2000)
    keep = np.ones(len(at), dtype=bool)
    keep[500:700] = False
    found = measured(realized_variance(at[keep], close[keep], STEP))
    assert (found.returns, found.gaps) == (1799, 1)
    assert found.years == pytest.approx(1799 * 0.25 / 8760)
    squares = np.delete(np.diff(np.log(close)) ** 2, np.s_[499:700])
    assert found.variance == pytest.approx(squares.sum() / found.years)


def test_a_price_that_is_no_price_is_left_out() -> None:
    """Zero, negative and NaN closes cost the two returns that touch them."""
    at, close = path(0.5, 100)
    close[[10, 20, 30]] = [0.0, -1.0, np.nan]
    found = measured(realized_variance(at, close, STEP))
    assert (found.returns, found.gaps) == (94, 6)
    assert np.isfinite(found.variance + found.bipower)


def test_too_few_returns_are_unavailable() -> None:
    """One return is no variance."""
    at, close = path(0.5, 1)
    result = realized_variance(at, close, STEP)
    assert isinstance(result, Unavailable)
    assert result.reason is UnavailableReason.TOO_FEW_RETURNS


def test_trading_time_takes_the_weekend_out_of_a_weekend() -> None:
    """On recorded candles Saturdays look as volatile as other days once time is weighted."""
    candles = recorded("klines/BTCUSDT_15m_2023_2024.parquet")
    at_ns, close = candles["ts"] * 1_000_000, candles["close"]
    saturday = (candles["ts"] // 86_400_000 + 3) % 7 == 5
    whole = measured(realized_variance(at_ns, close, STEP)).variance
    plain = measured(realized_variance(at_ns[saturday], close[saturday], STEP)).variance
    fair = measured(realized_variance(at_ns[saturday], close[saturday], STEP, BTC_CLOCK)).variance
    assert plain < 0.55 * whole
    assert fair == pytest.approx(whole, rel=0.2)
