"""Stochastic variance in the trading clock: lognormal factors, jump echoes, and their expectation.

Log variance is a sum of Gaussian Ornstein-Uhlenbeck factors and of the fading echoes of price
jumps; its exponential has unit mean. With x the factors, e the echo, and k the decay rates,

    E[v(t + u)] = V exp( sum_i x_i exp(-k_i u) + sum_i s_i^2 (1 - exp(-2 k_i u)) / 2
                         + e exp(-k u) + (lambda / k) (G(d) - G(d exp(-k u))) - c ),
    G(x) = integral_0^x (exp(y) - 1) / y dy,

with c the log of the unnormalised stationary mean: the moment generating functions of an
Ornstein-Uhlenbeck factor and of Poisson shot noise. Pure numerics; time in trading seconds.
"""

import math
from typing import Final

import numpy as np

from glmtrader.domain.arrays import FloatArray
from glmtrader.domain.instruments import YEAR_NS
from glmtrader.simulator.generated_config import VarianceConfig

YEAR_S: Final = YEAR_NS / 1e9
_HORIZON_S_MAX: Final = 3 * YEAR_S
_NODES: Final = 160
_CONVEXITY_NODES: Final = 48


def decay_rates(half_lives_s: tuple[float, ...]) -> FloatArray:
    """Rates of exponential decay per second."""
    return math.log(2.0) / np.asarray(half_lives_s, np.float64)


def relax(start: FloatArray, rates: FloatArray, step_s: float, shocks: FloatArray) -> FloatArray:
    """Paths of x' = x exp(-rate step) + shock, the start included.

    Args:
        start: (k,) values.
        rates: (k,) per second.
        step_s: seconds of each step.
        shocks: (k, n), added at the end of each step.

    Returns:
        (k, n + 1) values. The sum is scaled by the decay over the whole block, so a block must
        not be longer than some fifty half-lives.
    """
    steps = np.arange(shocks.shape[1] + 1)
    decay = np.exp(-np.outer(rates * step_s, steps))
    grown = np.concatenate((start[:, None], shocks), axis=1) / decay
    return np.asarray(decay * np.cumsum(grown, axis=1), np.float64)


class VarianceModel:
    """The expectation of variance and of volatility over a horizon, from the factors' state."""

    def __init__(self, config: VarianceConfig) -> None:
        self.rates = decay_rates(config.half_lives_s)
        self.sds = np.asarray(config.sds, np.float64)
        self.jump_rate = float(decay_rates((config.jump_half_life_s,))[0])
        self.jumps_per_s = config.jumps_per_year / YEAR_S
        self._jump_echo = config.jump_log_variance
        self._nodes_s = np.concatenate(([0.0], np.geomspace(1.0, _HORIZON_S_MAX, _NODES)))
        self._decay = np.exp(-np.outer(self._nodes_s, np.append(self.rates, self.jump_rate)))
        self.log_mean = self._log_mean_at(math.inf)
        known = np.array([self._log_mean_at(s) for s in self._nodes_s])
        self._constant = known - self.log_mean
        self._convexity = _log_variance_of_average(self._nodes_s, self.rates, self.sds)

    def _log_mean_at(self, horizon_s: float) -> float:
        factors = 0.5 * self.sds**2 * (1.0 - np.exp(-2.0 * self.rates * horizon_s))
        faded = self._jump_echo * math.exp(-self.jump_rate * horizon_s)
        echoes = _echo_integral(self._jump_echo) - _echo_integral(faded)
        return float(factors.sum() + self.jumps_per_s / self.jump_rate * echoes)

    def mean_variance(self, state: FloatArray, horizons_s: FloatArray) -> FloatArray:
        """Integral of expected variance over each horizon, in units of the long-run variance.

        Args:
            state: (k + 1,) factors, the jump echo last.
            horizons_s: (n,) trading seconds.

        Returns:
            (n,) trading seconds: of the horizon where variance is at its long-run mean.
        """
        level = np.exp(self._decay @ state + self._constant)
        pieces = 0.5 * (level[1:] + level[:-1]) * np.diff(self._nodes_s)
        total = np.concatenate(([0.0], np.cumsum(pieces)))
        return np.interp(horizons_s, self._nodes_s, total)

    def volatility_shrink(self, horizons_s: FloatArray) -> FloatArray:
        """E[sqrt(RV)] / sqrt(E[RV]) over each horizon, by a lognormal match of two moments."""
        log_variance = np.interp(horizons_s, self._nodes_s, self._convexity)
        return np.asarray(np.exp(-log_variance / 8.0), np.float64)


def _echo_integral(x: float) -> float:
    terms = np.arange(1, 30)
    factorials = np.cumprod(terms.astype(np.float64))
    return float(np.sum(x**terms / (terms * factorials)))


def _log_variance_of_average(
    horizons_s: FloatArray, rates: FloatArray, sds: FloatArray
) -> FloatArray:
    """ln(1 + Var/E^2) of the average of exp(factors) over each horizon, the state known."""
    middle = (np.arange(_CONVEXITY_NODES) + 0.5) / _CONVEXITY_NODES
    apart = np.abs(middle[:, None] - middle[None, :])
    together = middle[:, None] + middle[None, :]
    out = np.empty(len(horizons_s))
    for i, horizon_s in enumerate(horizons_s):
        covariance = sum(
            s**2 * (np.exp(-k * horizon_s * apart) - np.exp(-k * horizon_s * together))
            for k, s in zip(rates, sds, strict=True)
        )
        out[i] = np.log(np.mean(np.exp(covariance)))
    return out
