"""What a straddle costs beside its price, in volatility: fees and the hedging to come; pure."""

import math

import msgspec

from glmtrader.domain.validation import require
from glmtrader.quant.black76_scalar import greeks_one, price_one
from glmtrader.quant.hedging import whalley_wilmott_band


class CostAssumptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The venue's fees and the hedger's habits, as the edge counts them.

    Attributes:
        option_fee_rate: of the underlying's price, each leg and way.
        option_fee_cap: at most this fraction of the premium.
        hedge_cost_rate: taker fee and half-spread of the perpetual, a fraction of notional.
        risk_aversion_per_usd: of the hedger's band; must equal the hedger's own.
        straddles_typical: size for which the band is computed (a band is wider for a small one).
    """

    option_fee_rate: float = 0.0003
    option_fee_cap: float = 0.125
    hedge_cost_rate: float = 0.0006
    risk_aversion_per_usd: float = 1e-3
    straddles_typical: float = 0.5

    def __post_init__(self) -> None:
        require(
            (0 <= self.option_fee_rate < 1, "option_fee_rate is not in [0, 1)"),
            (0 <= self.option_fee_cap <= 1, "option_fee_cap is not in [0, 1]"),
            (0 <= self.hedge_cost_rate < 1, "hedge_cost_rate is not in [0, 1)"),
            (self.risk_aversion_per_usd > 0, "risk_aversion_per_usd is not positive"),
            (self.straddles_typical > 0, "straddles_typical is not positive"),
        )


def cost_vol(
    *, forward: float, strike: float, years: float, sigma: float, assumptions: CostAssumptions
) -> float:
    """Fees of entry and the expected hedging to expiry, as volatility a year of one straddle.

    Fees are USD over the straddle's vega. Hedging to the edge of a band of half-width H (delta of
    one straddle) pays at rate lambda S v^2 / (2 H) where v = Gamma S sigma is the volatility of
    delta (a reflected Brownian motion's boundary local time, Harrison 1985, section 5.6), against
    gamma income of Gamma S^2 sigma^2 / 2 a year: a share lambda Gamma S / H of variance, so half
    of it of volatility.

    Args:
        forward, strike: USD. years: ACT/365, > 0. sigma: fraction, > 0.

    Returns:
        Volatility, a fraction a year, >= 0; infinite where the straddle has no vega.
    """
    assert years > 0, f"years {years} must be positive"
    assert sigma > 0, f"sigma {sigma} must be positive"
    call = greeks_one(forward, strike, years, sigma, True)  # noqa: FBT003  the public order of arguments
    vega = 2.0 * call.vega
    gamma = 2.0 * call.gamma
    fee_usd = sum(
        min(
            assumptions.option_fee_rate * forward,
            assumptions.option_fee_cap * price_one(forward, strike, years, sigma, is_call),
        )
        for is_call in (True, False)
    )
    if vega == 0.0:
        return math.inf
    return fee_usd / vega + sigma * _hedge_share(gamma, forward, assumptions) / 2.0


def _hedge_share(gamma: float, forward: float, assumptions: CostAssumptions) -> float:
    """Share of variance that hedging costs; none where it is free or there is nothing to hedge."""
    typical = assumptions.straddles_typical
    half_width = float(
        whalley_wilmott_band(
            gamma * typical, forward, assumptions.hedge_cost_rate, assumptions.risk_aversion_per_usd
        )
    )
    if half_width == 0.0:
        return 0.0
    return assumptions.hedge_cost_rate * gamma * typical * forward / half_width
