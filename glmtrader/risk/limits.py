"""The limits that the rules hold orders to. Only numbers enter here, each with its unit."""

import math
from typing import Final

import msgspec

from glmtrader.domain.instruments import MINUTE_NS, SECOND_NS
from glmtrader.domain.validation import require


class RiskLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one account may do. Fractions are of equity unless said; 0.2 is 20 %.

    Attributes:
        leverage_max: gross delta-notional over equity, everything in flight at its worst.
        premium_pct_max: value of long options over equity.
        order_notional_usd_max: underlying notional of a single order.
        position_notional_usd_max: underlying notional in one instrument.
        straddles_max: calls or puts on one underlying, in coins, whichever are more.
        drawdown_pct_max: below the peak of mark-to-market equity; beyond it nothing increases.
        margin_used_pct_max: estimated initial margin over what counts as collateral.
        scenario_loss_pct_max: worst loss of the spot x volatility grid over equity.
        collar_vol, collar_reducing_vol: how far an option's price may be on the losing side of
            the mark, and beyond the far touch, as volatility.
        collar_pct, collar_reducing_pct: the same for everything else, as a fraction of the price.
        collar_degraded_factor: how much wider both are for a reducing order on stale input.
        fomo_score_max: above this nothing increases.
        orders_per_minute_max, intents_per_hour_max: approvals, hedges and closes apart.
        open_orders_max: orders in flight, unknown ones included.
        quote_age_ns_max, surface_age_ns_max: staleness budgets of prices and of greeks.
        clock_offset_ns_max: between the venue's clock and ours.
    """

    leverage_max: float = 3.0
    premium_pct_max: float = 0.30
    order_notional_usd_max: float = 250_000.0
    position_notional_usd_max: float = 1_000_000.0
    straddles_max: float = 10.0
    drawdown_pct_max: float = 0.20
    margin_used_pct_max: float = 0.80
    scenario_loss_pct_max: float = 0.50
    collar_vol: float = 0.10
    collar_reducing_vol: float = 0.15
    collar_pct: float = 0.01
    collar_reducing_pct: float = 0.02
    collar_degraded_factor: float = 2.0
    fomo_score_max: float = 0.85
    orders_per_minute_max: int = 120
    intents_per_hour_max: int = 240
    open_orders_max: int = 50
    quote_age_ns_max: int = MINUTE_NS
    surface_age_ns_max: int = 5 * MINUTE_NS
    clock_offset_ns_max: int = SECOND_NS

    def __post_init__(self) -> None:
        require(*((False, fault) for fault in limit_faults(self)))


_FRACTIONS: Final = (
    "premium_pct_max",
    "drawdown_pct_max",
    "margin_used_pct_max",
    "scenario_loss_pct_max",
    "collar_pct",
    "collar_reducing_pct",
    "fomo_score_max",
)


def limit_faults(limits: RiskLimits) -> list[str]:
    """Everything wrong with the limits, one sentence each; empty when they can be used."""
    faults = []
    for name in limits.__struct_fields__:
        value = getattr(limits, name)
        if not math.isfinite(value) or value <= 0:
            faults.append(f"{name} = {value} must be positive and finite")
        elif name in _FRACTIONS and value > 1:
            faults.append(f"{name} = {value} is a fraction and must not exceed 1")
    if limits.collar_reducing_vol < limits.collar_vol:
        faults.append("collar_reducing_vol must not be narrower than collar_vol")
    if limits.collar_reducing_pct < limits.collar_pct:
        faults.append("collar_reducing_pct must not be narrower than collar_pct")
    if limits.collar_degraded_factor < 1:
        faults.append("collar_degraded_factor must be at least 1")
    return faults
