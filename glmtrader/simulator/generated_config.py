"""Settings of a generated market: every number of the process, with its unit and its source.

Frozen structs only. The defaults meet the stylised facts of Bitcoin that were measured on 15-minute
bars of 2023 to 2026: annual volatility 48 %, kurtosis about 40 a bar and 9 a day, standard
deviation of log daily variance about 1, jumps as often up as down.
"""

from typing import Final

import msgspec

from glmtrader.domain.validation import is_positive_decimal, require

HALF_LIFE_S_MIN: Final = 600.0
"""Shorter half-lives would lose precision within the one-hour blocks the path is made of."""


class CoinConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One underlying: its level, its long-run volatility and its contract terms.

    Attributes:
        spot_usd: the index at the start.
        annual_vol: root of the long-run mean variance, jumps included.
        strike_step_usd: the finest distance of strikes; wider ones are its multiples.
        option_lot: in coin. perpetual_tick_usd: of the inverse perpetual.
        option_size: typical quantity quoted near the money, in coin.
        volume_5m: typical volume of a five-minute bar, in coin.
    """

    underlying: str
    spot_usd: float
    annual_vol: float
    strike_step_usd: float
    option_lot: str
    perpetual_tick_usd: str
    option_size: float
    volume_5m: float

    def __post_init__(self) -> None:
        numbers = ("spot_usd", "annual_vol", "strike_step_usd", "option_size", "volume_5m")
        require(
            (bool(self.underlying), "underlying is empty"),
            *(
                (getattr(self, name) > 0, f"{name} {getattr(self, name)} must be positive")
                for name in numbers
            ),
            *(
                (
                    is_positive_decimal(getattr(self, name)),
                    f"{name} {getattr(self, name)!r} is not a positive decimal number",
                )
                for name in ("option_lot", "perpetual_tick_usd")
            ),
        )


BITCOIN: Final = CoinConfig(
    underlying="BTC",
    spot_usd=90_000.0,
    annual_vol=0.50,
    strike_step_usd=1000.0,
    option_lot="0.1",
    perpetual_tick_usd="0.5",
    option_size=15.0,
    volume_5m=60.0,
)
ETHER: Final = CoinConfig(
    underlying="ETH",
    spot_usd=3_000.0,
    annual_vol=0.65,
    strike_step_usd=25.0,
    option_lot="1",
    perpetual_tick_usd="0.05",
    option_size=150.0,
    volume_5m=900.0,
)


class VarianceConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Log-variance factors and jumps, all in the trading clock.

    Attributes:
        half_lives_s, sds: of the Gaussian Ornstein-Uhlenbeck factors of log variance.
        jumps_per_year: price jumps, in both directions alike.
        jump_share: part of total variance that comes in jumps.
        jump_log_variance: what one jump of either sign adds to log variance, so that volatility
            rises when spot moves far in any direction.
        jump_half_life_s: how fast that addition fades.
    """

    half_lives_s: tuple[float, ...] = (1_800.0, 43_200.0, 864_000.0)
    sds: tuple[float, ...] = (0.5, 0.55, 0.6)
    jumps_per_year: float = 250.0
    jump_share: float = 0.10
    jump_log_variance: float = 0.5
    jump_half_life_s: float = 43_200.0

    def __post_init__(self) -> None:
        shortest = min(*self.half_lives_s, self.jump_half_life_s)
        require(
            (
                len(self.half_lives_s) == len(self.sds) > 0,
                "half_lives_s and sds must have the same length, not 0",
            ),
            (shortest >= HALF_LIFE_S_MIN, f"half-lives must be at least {HALF_LIFE_S_MIN:g} s"),
            (min(self.sds, default=0.0) >= 0, "sds must not be negative"),
            (0 <= self.jump_share < 1, f"jump_share {self.jump_share} must be in [0, 1)"),
            (self.jumps_per_year > 0, f"jumps_per_year {self.jumps_per_year} must be positive"),
        )


class GeneratedMarketConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A seeded market of inverse options and perpetuals, as Deribit lists them.

    The volatility premium (implied minus true expected volatility at the money, in fractions a
    year) is an Ornstein-Uhlenbeck process in calendar time: an honest forecast finds net edges of
    either sign, and the mean is what sellers of volatility earn in the long run. Expiries far away
    carry the mean, near ones the process: the deviation fades by 1/e at `premium_fade_days`.

    Attributes:
        venue: the prefix of instrument ids.
        step_s: the path's grid; divides 300.
        history_days: candles that exist before the start.
        correlation: of returns and of variance factors between underlyings.
        premium_mean_vol, premium_sd_vol, premium_half_life_s: the volatility premium.
        skew, wing_slope, wing_width: the smile, see `smile.variance_ratio`.
        basis_mean, basis_sd: annualised forward premium over the index.
        funding_mean_8h, funding_sd_8h: fractions; perpetual_premium_sd: of the index.
    """

    venue: str = "deribit"
    coins: tuple[CoinConfig, ...] = (BITCOIN,)
    variance: VarianceConfig = VarianceConfig()
    step_s: int = 10
    history_days: int = 10
    correlation: float = 0.8
    premium_mean_vol: float = 0.01
    premium_sd_vol: float = 0.04
    premium_half_life_s: float = 21_600.0
    premium_fade_days: float = 60.0
    skew: float = -0.2
    wing_slope: float = 0.55
    wing_width: float = 1.0
    basis_mean: float = 0.05
    basis_sd: float = 0.015
    funding_mean_8h: float = 0.71e-4
    funding_sd_8h: float = 0.8e-4
    perpetual_premium_sd: float = 1.5e-4

    def __post_init__(self) -> None:
        names = [coin.underlying for coin in self.coins]
        positive = ("premium_fade_days", "wing_slope", "wing_width")
        deviations = ("premium_sd_vol", "basis_sd", "funding_sd_8h", "perpetual_premium_sd")
        require(
            (
                self.step_s > 0 and 300 % self.step_s == 0,
                f"step_s {self.step_s} must divide 300",
            ),
            (bool(names), "coins is empty: name at least one underlying"),
            (len(set(names)) == len(names), "coins names an underlying twice"),
            (
                10 <= self.history_days <= 60,
                f"history_days {self.history_days} must be 10 to 60",
            ),
            (0 <= self.correlation <= 1, f"correlation {self.correlation} must be 0 to 1"),
            (-1 < self.skew < 1, f"skew {self.skew} must be between -1 and 1"),
            (
                self.premium_half_life_s >= HALF_LIFE_S_MIN,
                f"premium_half_life_s must be at least {HALF_LIFE_S_MIN:g}",
            ),
            *(
                (getattr(self, name) > 0, f"{name} {getattr(self, name)} must be positive")
                for name in positive
            ),
            *(
                (getattr(self, name) >= 0, f"{name} {getattr(self, name)} must not be negative")
                for name in deviations
            ),
        )
