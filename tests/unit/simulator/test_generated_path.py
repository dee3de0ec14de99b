"""The generated underlying: determinism, stylised facts, bars and delivery."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glmtrader.domain.instruments import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS
from glmtrader.errors import DataError
from glmtrader.kernel.ids import generator
from glmtrader.simulator.dynamics import CoinDynamics, draw_hour
from glmtrader.simulator.generated import GeneratedMarket
from glmtrader.simulator.generated_config import (
    BITCOIN,
    ETHER,
    GeneratedMarketConfig,
    VarianceConfig,
)
from glmtrader.simulator.variance import VarianceModel, relax

START_NS = 1_774_353_600 * SECOND_NS + 17 * MINUTE_NS  # 24 March 2026, 12:17 UTC
COARSE = GeneratedMarketConfig(step_s=60)


def market(seed: int = 7, config: GeneratedMarketConfig = COARSE) -> GeneratedMarket:
    return GeneratedMarket(config, rng=generator(seed, "market"), start_ns=START_NS)


@settings(max_examples=5, deadline=None)
@given(pauses_s=st.lists(st.integers(1, 9000), min_size=1, max_size=12))
def test_the_path_does_not_depend_on_how_time_is_advanced(pauses_s: list[int]) -> None:
    one, other = market(), market()
    end_ns = START_NS + 30 * HOUR_NS
    one.advance(end_ns)
    now_ns = START_NS
    for pause_s in pauses_s:
        now_ns = min(now_ns + pause_s * SECOND_NS, end_ns)
        other.advance(now_ns)
        other.chain("BTC")
    other.advance(end_ns)
    assert one.index_usd("BTC") == other.index_usd("BTC")
    assert one.instruments() == other.instruments()
    for column in ("bid", "ask", "bid_size", "mark", "mark_vol"):
        a, b = getattr(one.chain("BTC"), column), getattr(other.chain("BTC"), column)
        assert np.array_equal(a, b, equal_nan=True), column


def test_another_seed_is_another_market() -> None:
    one, other = market(1), market(2)
    one.advance(START_NS + HOUR_NS)
    other.advance(START_NS + HOUR_NS)
    assert one.index_usd("BTC") != other.index_usd("BTC")


def test_the_index_starts_at_the_configured_price() -> None:
    assert market().index_usd("BTC") == pytest.approx(BITCOIN.spot_usd, abs=0.02)


def test_the_market_never_goes_backwards() -> None:
    with pytest.raises(DataError, match="cannot go back"):
        market().advance(START_NS - 1)


def test_an_unknown_coin_is_named() -> None:
    with pytest.raises(DataError, match="'DOGE'"):
        market().index_usd("DOGE")


def test_every_fault_of_the_settings_is_listed_at_once() -> None:
    with pytest.raises(ValueError, match=r"step_s 7.*twice.*correlation 2"):
        GeneratedMarketConfig(step_s=7, coins=(BITCOIN, BITCOIN), correlation=2.0)
    with pytest.raises(ValueError, match=r"same length.*at least 600.*jump_share"):
        VarianceConfig(half_lives_s=(1.0,), jump_share=1.0)


def test_a_coin_that_cannot_be_traded_is_refused() -> None:
    """Prices, sizes and steps of a coin must be positive numbers, all faults at once."""
    with pytest.raises(ValueError, match=r"spot_usd 0.*option_lot 'much'.*perpetual_tick_usd '-1'"):
        msgspec.structs.replace(BITCOIN, spot_usd=0.0, option_lot="much", perpetual_tick_usd="-1")


def daily_returns(years: float) -> np.ndarray:
    config = GeneratedMarketConfig(step_s=60)
    model = VarianceModel(config.variance)
    coin = CoinDynamics(BITCOIN, config, model, generator(11, "coin"))
    shared = generator(11, "shared")
    hours = int(years * 365) * 24
    monday_ns = 1_767_571_200 * SECOND_NS
    paths = [
        coin.next_hour(monday_ns + i * HOUR_NS, draw_hour(shared, config)).index_usd[:-1:15]
        for i in range(hours)
    ]
    logs = np.log(np.concatenate(paths))
    return np.diff(logs, append=logs[-1]).reshape(-1, 96)


def kurtosis(x: np.ndarray) -> float:
    return float(np.mean((x - x.mean()) ** 4) / x.var() ** 2)


def autocorrelation(x: np.ndarray, lag: int) -> float:
    return float(np.corrcoef(x[:-lag], x[lag:])[0, 1])


def test_the_path_has_the_stylised_facts_of_bitcoin() -> None:
    """Measured targets: kurtosis 41 a bar and 8.5 a day, ACF|r| .33 and .13, sd of log RV .97."""
    returns = daily_returns(years=2)
    bars, days, variance = returns.ravel(), returns.sum(axis=1), (returns**2).sum(axis=1)
    size, log_variance = np.abs(bars), np.log(variance)
    assert 0.38 < np.sqrt(variance.mean() * 365) < 0.65
    assert kurtosis(bars) > 12
    assert kurtosis(days) > 3.8
    assert 0.2 < autocorrelation(size, 1) < 0.4
    assert 0.06 < autocorrelation(size, 96) < 0.25
    assert 0.75 < log_variance.std() < 1.2
    assert 0.4 < autocorrelation(log_variance, 1) < 0.75
    change = np.diff(log_variance)
    assert abs(np.corrcoef(days[1:], change)[0, 1]) < 0.15
    assert np.corrcoef(np.abs(days[1:]), change)[0, 1] > 0.1
    far = np.abs(bars[96:]) > 5 * np.sqrt(np.repeat(variance[:-1] / 96, 96))
    assert 60 < far.sum() / 2 < 350
    assert 0.38 < np.mean(bars[96:][far] > 0) < 0.62


def test_weekends_are_quieter_than_weekdays() -> None:
    variance = (daily_returns(years=0.96) ** 2).sum(axis=1)[: 50 * 7].reshape(-1, 7)
    typical = np.median(variance, axis=0)
    assert typical[5:].max() < 0.8 * typical[:5].min()


@given(
    rate=st.floats(0.0, 1e-3),
    start=st.floats(-2.0, 2.0),
    shocks=st.lists(st.floats(-1.0, 1.0), min_size=1, max_size=40),
)
def test_relaxation_equals_its_recursion(rate: float, start: float, shocks: list[float]) -> None:
    path = relax(np.array([start]), np.array([rate]), 10.0, np.array([shocks]))[0]
    x = start
    for i, shock in enumerate(shocks):
        x = x * np.exp(-rate * 10.0) + shock
        assert path[i + 1] == pytest.approx(x, abs=1e-9)


def simulated_variance(
    model: VarianceModel, config: VarianceConfig, state: np.ndarray, horizon_s: float, paths: int
) -> np.ndarray:
    """Integrated variance along independent paths of the factors, trading seconds."""
    rng = generator(3, "check")
    steps = 192
    step_s = horizon_s / steps
    factors = np.repeat(state[:-1, None], paths, axis=1)
    echo = np.full(paths, state[-1])
    decay = np.exp(-model.rates * step_s)[:, None]
    scale = model.sds[:, None] * np.sqrt(1 - decay**2)
    total = np.zeros(paths)
    before = np.exp(factors.sum(axis=0) + echo - model.log_mean)
    for _ in range(steps):
        factors = decay * factors + scale * rng.standard_normal(factors.shape)
        jumps = rng.poisson(model.jumps_per_s * step_s, paths)
        echo = echo * np.exp(-model.jump_rate * step_s) + config.jump_log_variance * jumps
        after = np.exp(factors.sum(axis=0) + echo - model.log_mean)
        total += 0.5 * (before + after) * step_s
        before = after
    return total


@pytest.mark.parametrize("state", [(0.0, 0.0, 0.0, 0.25), (0.8, -0.5, 0.9, 1.0)])
def test_expected_variance_and_volatility_are_what_paths_bring(state: tuple[float, ...]) -> None:
    config = VarianceConfig()
    model = VarianceModel(config)
    horizon_s, start = 3 * 86_400.0, np.array(state)
    totals = simulated_variance(model, config, start, horizon_s, paths=6000)
    expected = float(model.mean_variance(start, np.array([horizon_s]))[0])
    error = totals.std() / np.sqrt(len(totals))
    assert abs(totals.mean() - expected) < 4 * error + 0.003 * expected
    shrink = np.mean(np.sqrt(totals)) / np.sqrt(totals.mean())
    assert float(model.volatility_shrink(np.array([horizon_s]))[0]) == pytest.approx(
        shrink, abs=0.012
    )


def test_delivery_is_the_mean_of_the_index_over_the_last_half_hour() -> None:
    one = market()
    expiry_ns = (START_NS // DAY_NS + 1) * DAY_NS + 8 * HOUR_NS
    seen = []
    for i in range(30):
        one.advance(expiry_ns - (29 - i) * MINUTE_NS)
        seen.append(one.index_usd("BTC"))
    assert one.delivery_price("BTC", expiry_ns) == pytest.approx(np.mean(seen), abs=0.02)


def test_a_delivery_ahead_is_refused() -> None:
    one = market()
    expiry_ns = (START_NS // DAY_NS + 1) * DAY_NS + 8 * HOUR_NS
    one.advance(expiry_ns - SECOND_NS)  # the hour is already made, yet the price must stay unknown
    with pytest.raises(DataError, match="has been reached"):
        one.delivery_price("BTC", expiry_ns)


def test_nine_days_of_bars_exist_at_the_start_and_none_of_the_future() -> None:
    bars = market().candles("BTC", 5 * MINUTE_NS, START_NS + DAY_NS, 9 * 288)
    assert len(bars.open_ns) == 9 * 288
    assert np.all(np.diff(bars.open_ns) == 5 * MINUTE_NS)
    assert bars.open_ns[-1] + 5 * MINUTE_NS == START_NS - START_NS % (5 * MINUTE_NS)
    assert np.all(bars.low <= np.minimum(bars.open, bars.close))
    assert np.all(bars.high >= np.maximum(bars.open, bars.close))
    assert np.all(bars.volume > 0)


def test_a_bar_closes_at_the_index() -> None:
    one = market()
    close_ns = START_NS + 3 * MINUTE_NS + 2 * HOUR_NS
    one.advance(close_ns)
    bars = one.candles("BTC", 5 * MINUTE_NS, close_ns, 1)
    assert bars.close[0] == pytest.approx(one.index_usd("BTC"), abs=0.011)


def test_an_hourly_bar_is_made_of_its_twelve() -> None:
    one = market()
    short = one.candles("BTC", 5 * MINUTE_NS, START_NS - 17 * MINUTE_NS, 24)
    long = one.candles("BTC", HOUR_NS, START_NS, 2)
    assert long.open_ns.tolist() == short.open_ns[::12].tolist()
    assert long.high.tolist() == short.high.reshape(2, 12).max(axis=1).tolist()
    assert long.low.tolist() == short.low.reshape(2, 12).min(axis=1).tolist()
    assert long.open.tolist() == short.open[::12].tolist()
    assert long.close.tolist() == short.close[11::12].tolist()
    assert long.volume == pytest.approx(short.volume.reshape(2, 12).sum(axis=1))


def test_two_coins_move_together_but_not_alike() -> None:
    one = market(config=GeneratedMarketConfig(step_s=60, coins=(BITCOIN, ETHER)))
    btc, eth = (
        np.diff(np.log(one.candles(coin, 5 * MINUTE_NS, START_NS, 2500).close))
        for coin in one.underlyings
    )
    assert 0.4 < np.corrcoef(btc, eth)[0, 1] < 0.95
