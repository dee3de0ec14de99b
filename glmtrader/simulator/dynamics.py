"""One underlying's path: index, variance factors, volatility premium, basis, funding.

The path is made in blocks of one clock hour, each from a fixed number of random draws, so what
happens does not depend on how time is advanced. Within an hour the trading clock runs at one
speed. Pure: the generators are handed in.
"""

import math
from typing import Final

import msgspec
import numpy as np

from glmtrader.domain.arrays import BoolArray, FloatArray, IntArray
from glmtrader.domain.instruments import HOUR_NS, SECOND_NS
from glmtrader.quant.trading_clock import BTC_CLOCK
from glmtrader.simulator.generated_config import CoinConfig, GeneratedMarketConfig
from glmtrader.simulator.variance import YEAR_S, VarianceModel, decay_rates, relax

_BASIS_HALF_LIFE_S: Final = 5 * 86_400.0
_FUNDING_HALF_LIFE_S: Final = 85_000.0  # eight-hourly autocorrelation 0.79
_PERPETUAL_HALF_LIFE_S: Final = 900.0
_SLOW_ROWS: Final = 4  # premium, basis, funding, perpetual premium
_SIZE_ROWS: Final = 2


class CoinState(msgspec.Struct, frozen=True, kw_only=True):
    """Everything random about one underlying at one moment.

    Attributes:
        factors: of log variance, the jump echo last.
        premium_vol: implied minus expected volatility, fraction a year. basis: annualised.
        perpetual_premium: of the index. size_noise: two standard normals for displayed sizes.
    """

    ts_ns: int
    index_usd: float
    factors: FloatArray
    premium_vol: float
    basis: float
    funding_rate_8h: float
    perpetual_premium: float
    size_noise: tuple[float, float]


class HourPath(msgspec.Struct, frozen=True, kw_only=True):
    """One hour on the grid of `step_s`: columns of n + 1 moments, the hour's two ends included."""

    open_ns: int
    index_usd: FloatArray
    factors: FloatArray
    slow: FloatArray
    size_noise: FloatArray
    volume: FloatArray


class HourNoise(msgspec.Struct, frozen=True, kw_only=True):
    """Standard normals of an hour: (1 + factors, n), returns first."""

    normals: FloatArray

    def mixed_with(self, own: FloatArray, correlation: float) -> FloatArray:
        """These shared normals and an underlying's own ones, with that correlation."""
        shared = math.sqrt(correlation) * self.normals
        return np.asarray(shared + math.sqrt(1.0 - correlation) * own, np.float64)


def trading_seconds(start_ns: int, end_ns: IntArray | int) -> FloatArray:
    """Seconds of average variance from one moment to others."""
    return np.asarray(BTC_CLOCK.years(start_ns, end_ns) * YEAR_S, np.float64)


def draw_hour(rng: np.random.Generator, config: GeneratedMarketConfig) -> HourNoise:
    """The part of an hour's randomness that all underlyings share."""
    rows = 1 + len(config.variance.sds)
    return HourNoise(normals=rng.standard_normal((rows, 3600 // config.step_s)))


class CoinDynamics:
    """Makes the hours of one underlying, one after the other."""

    def __init__(
        self,
        coin: CoinConfig,
        config: GeneratedMarketConfig,
        model: VarianceModel,
        rng: np.random.Generator,
    ) -> None:
        self._coin = coin
        self._config = config
        self._model = model
        self._rng = rng
        self._steps = 3600 // config.step_s
        self._index_usd = coin.spot_usd
        self._slow_mean, self._slow_sd, self._slow_rates = _slow_processes(config)
        draws = rng.standard_normal(len(model.sds) + _SLOW_ROWS)
        echo = model.jumps_per_s / model.jump_rate * config.variance.jump_log_variance
        self._factors = np.append(model.sds * draws[:-_SLOW_ROWS], echo)
        self._slow = self._slow_sd * draws[-_SLOW_ROWS:]

    def rescale(self, factor: float) -> None:
        """Multiply the index reached, as when history is made to end at a given price."""
        self._index_usd *= factor

    def next_hour(self, open_ns: int, noise: HourNoise) -> HourPath:
        """The hour that opens at `open_ns`; hours must follow one another."""
        rows = len(noise.normals)
        own = self._rng.standard_normal((rows + 2 + _SLOW_ROWS + _SIZE_ROWS, self._steps))
        uniforms = self._rng.random(self._steps)
        shared = noise.mixed_with(own[:rows], self._config.correlation)
        step_s = float(trading_seconds(open_ns, open_ns + HOUR_NS)) / self._steps
        jumped = uniforms < 1.0 - math.exp(-self._model.jumps_per_s * step_s)
        factors = self._factor_paths(shared[1:], jumped, step_s)
        variance = self._variance(factors)
        returns = self._returns(variance[:-1], shared[0], jumped * own[rows], step_s)
        path = self._index_usd * np.exp(np.concatenate(([0.0], np.cumsum(returns))))
        slow = self._slow_paths(own[rows + 2 : rows + 2 + _SLOW_ROWS])
        self._index_usd, self._factors = float(path[-1]), factors[:, -1]
        self._slow = slow[:, -1]
        return HourPath(
            open_ns=open_ns,
            index_usd=path,
            factors=factors,
            slow=slow + self._slow_mean[:, None],
            size_noise=own[-_SIZE_ROWS:],
            volume=self._volume(variance, own[rows + 1], step_s),
        )

    def _factor_paths(self, normals: FloatArray, jumped: BoolArray, step_s: float) -> FloatArray:
        model = self._model
        scale = model.sds * np.sqrt(-np.expm1(-2.0 * model.rates * step_s))
        echoes = self._config.variance.jump_log_variance * jumped
        shocks = np.vstack((scale[:, None] * normals, echoes))
        return relax(self._factors, np.append(model.rates, model.jump_rate), step_s, shocks)

    def _variance(self, factors: FloatArray) -> FloatArray:
        log_level = factors.sum(axis=0) - self._model.log_mean
        return np.asarray(self._coin.annual_vol**2 * np.exp(log_level), np.float64)

    def _returns(
        self, variance: FloatArray, normals: FloatArray, jumps: FloatArray, step_s: float
    ) -> FloatArray:
        share = self._config.variance.jump_share
        diffusive = np.sqrt(variance * (1.0 - share) * step_s / YEAR_S) * normals
        jump_sd = np.sqrt(variance * share / self._config.variance.jumps_per_year)
        drift = -0.5 * variance * step_s / YEAR_S
        return np.asarray(drift + diffusive + jump_sd * jumps, np.float64)

    def _slow_paths(self, normals: FloatArray) -> FloatArray:
        step_s = float(self._config.step_s)
        scale = self._slow_sd * np.sqrt(-np.expm1(-2.0 * self._slow_rates * step_s))
        return relax(self._slow, self._slow_rates, step_s, scale[:, None] * normals)

    def _volume(self, variance: FloatArray, normals: FloatArray, step_s: float) -> FloatArray:
        """Coins traded in each step: they grow with volatility, as on every exchange."""
        per_step = self._coin.volume_5m * self._config.step_s / 300.0
        speed = np.sqrt(variance[1:] * step_s / self._config.step_s) / self._coin.annual_vol
        return np.asarray(per_step * speed * np.exp(0.8 * normals - 0.32), np.float64)


def _slow_processes(config: GeneratedMarketConfig) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Means, standard deviations and decay rates of premium, basis, funding, perpetual premium."""
    mean = np.array([config.premium_mean_vol, config.basis_mean, config.funding_mean_8h, 0.0])
    sd = np.array(
        [config.premium_sd_vol, config.basis_sd, config.funding_sd_8h, config.perpetual_premium_sd]
    )
    half_lives_s = (
        config.premium_half_life_s,
        _BASIS_HALF_LIFE_S,
        _FUNDING_HALF_LIFE_S,
        _PERPETUAL_HALF_LIFE_S,
    )
    return mean, sd, decay_rates(half_lives_s)


def state_at(path: HourPath, now_ns: int, step_s: int) -> CoinState:
    """The state at the last grid moment not after `now_ns`, which lies in the path's hour."""
    step = (now_ns - path.open_ns) // (step_s * SECOND_NS)
    assert 0 <= now_ns - path.open_ns < HOUR_NS, "the moment lies in another hour"
    premium, basis, funding, perpetual = path.slow[:, step]
    return CoinState(
        ts_ns=path.open_ns + step * step_s * SECOND_NS,
        index_usd=round(float(path.index_usd[step]), 2),
        factors=path.factors[:, step],
        premium_vol=float(premium),
        basis=float(basis),
        funding_rate_8h=float(funding),
        perpetual_premium=float(perpetual),
        size_noise=(float(path.size_noise[0, step]), float(path.size_noise[1, step])),
    )
