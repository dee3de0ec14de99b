"""DeltaHedger: keeps the delta of one underlying inside a no-trade band, with its perpetual.

It is driven by `portfolio.risk`, so by moves of the price as well as by fills, and by the end of
other strategies' intents: between two legs of a straddle it waits. The band is
Whalley and Wilmott's (trade to the edge of the band, not to its middle), or a fixed one; inside it
hedging costs more than the risk it takes off. Delta is in the account's numeraire: `PortfolioRisk`
says so, and the target is zero.
"""

import math
from decimal import Decimal
from enum import StrEnum

import msgspec

from glmtrader.domain.decisions import Action, Decision, Intent, IntentType, MarketState
from glmtrader.domain.instruments import SECOND_NS
from glmtrader.domain.validation import require
from glmtrader.quant.hedging import whalley_wilmott_band

NAME = "delta_hedger"


class BandKind(StrEnum):
    """How wide the no-trade band is."""

    FIXED = "fixed"
    WHALLEY_WILMOTT = "whalley_wilmott"


class DeltaHedgerParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of the hedger.

    Attributes:
        band: which rule gives the half-width.
        band_delta_coin: half-width of the fixed band, and the floor of the other, in coin.
        band_delta_coin_max: ceiling of the half-width, in coin.
        trade_delta_coin_min: an excess over the band below this is left alone; at the band's edge
            a moving price would otherwise cause an order a tick.
        risk_aversion_per_usd: absolute risk aversion of the Whalley-Wilmott band, in 1/USD.
        cost_rate: what trading one USD of the perpetual costs, as a fraction.
        cooldown_s: between two hedges. portfolio_age_s_max: staleness budget.
        legs_wait_s: while another strategy's legs are under way, their delta is not hedged for so
            long; a leg that stands alone for longer is.
    """

    band: BandKind = BandKind.WHALLEY_WILMOTT
    band_delta_coin: float = 0.005
    band_delta_coin_max: float = 0.5
    trade_delta_coin_min: float = 0.001
    risk_aversion_per_usd: float = 1e-3
    cost_rate: float = 0.0006
    cooldown_s: float = 1.0
    portfolio_age_s_max: float = 90.0
    legs_wait_s: float = 5.0

    def __post_init__(self) -> None:
        require(
            (self.band_delta_coin > 0, f"band_delta_coin {self.band_delta_coin} is not positive"),
            (
                self.band_delta_coin_max >= self.band_delta_coin,
                f"band_delta_coin_max {self.band_delta_coin_max} is below band_delta_coin",
            ),
            (self.trade_delta_coin_min >= 0, "trade_delta_coin_min is negative"),
            (self.risk_aversion_per_usd > 0, "risk_aversion_per_usd is not positive"),
            (0 <= self.cost_rate < 1, f"cost_rate {self.cost_rate} is not in [0, 1)"),
            (self.cooldown_s >= 0, f"cooldown_s {self.cooldown_s} is negative"),
            (self.legs_wait_s >= 0, f"legs_wait_s {self.legs_wait_s} is negative"),
            (
                self.portfolio_age_s_max > 0,
                f"portfolio_age_s_max {self.portfolio_age_s_max} is not positive",
            ),
        )


class DeltaHedgerMemory(msgspec.Struct, frozen=True, kw_only=True):
    """When the last hedge was asked for."""

    hedged_ns: int | None = None


_memory_decoder = msgspec.json.Decoder(DeltaHedgerMemory)
_memory_encoder = msgspec.json.Encoder(order="deterministic")


def initial_memory() -> str:
    """Memory of a hedger that has never decided."""
    return _memory_encoder.encode(DeltaHedgerMemory()).decode()


def decide(state: MarketState, params: DeltaHedgerParams) -> Decision:
    """Hedge to the band's edge when delta has left the band; pure."""
    memory = _memory_decoder.decode(state.memory)
    reason = _obstacle(state, params, memory)
    if reason is not None:
        return Decision(intent=_hold(reason, {}), memory=state.memory)
    half_width = band_half_width(state, params)
    assert state.total_delta is not None, "the obstacle check comes first"
    excess = abs(state.total_delta) - half_width
    metadata = {"band": f"{half_width:.6f}", "delta": f"{state.total_delta:.6f}"}
    if excess <= 0:
        return Decision(intent=_hold("inside_band", metadata), memory=state.memory)
    if excess < params.trade_delta_coin_min:
        return Decision(intent=_hold("at_the_edge", metadata), memory=state.memory)
    intent = _hedge(state, excess, metadata)
    if intent.intent_type is IntentType.HOLD:
        return Decision(intent=intent, memory=state.memory)
    after = DeltaHedgerMemory(hedged_ns=state.now_ns)
    return Decision(intent=intent, memory=_memory_encoder.encode(after).decode())


def band_half_width(state: MarketState, params: DeltaHedgerParams) -> float:
    """Half-width of the no-trade band around zero delta, in coin.

    Whalley and Wilmott's half-width grows with the two-thirds power of gamma; without gamma (no
    options, or no surface yet) it falls to the floor, and what is left of the delta is hedged.
    """
    gamma = state.total_gamma
    if params.band is BandKind.FIXED or not gamma or not state.spot_usd:
        return params.band_delta_coin
    if not math.isfinite(gamma):
        return params.band_delta_coin
    width = float(
        whalley_wilmott_band(gamma, state.spot_usd, params.cost_rate, params.risk_aversion_per_usd)
    )
    return min(max(width, params.band_delta_coin), params.band_delta_coin_max)


def _obstacle(
    state: MarketState, params: DeltaHedgerParams, memory: DeltaHedgerMemory
) -> str | None:
    return _input_fault(state, params) or _wait(state, params, memory)


def _input_fault(state: MarketState, params: DeltaHedgerParams) -> str | None:
    """What is missing, stale or wrong; a number that is no number is as good as missing."""
    age_ns = state.staleness.portfolio_ns
    known = (state.total_delta, state.spot_usd, age_ns)
    if not all(value is not None and math.isfinite(value) for value in known):
        return "missing_portfolio"
    if state.hedge_instrument is None:
        return "missing_hedge_instrument"
    if state.hedge_instrument.underlying != state.underlying:
        return "hedge_instrument_of_another_underlying"
    assert age_ns is not None, "it is among what is known"
    return "stale_portfolio" if age_ns > params.portfolio_age_s_max * SECOND_NS else None


def _wait(state: MarketState, params: DeltaHedgerParams, memory: DeltaHedgerMemory) -> str | None:
    """Why a hedge, though possible, should not be asked for at this moment."""
    if state.inflight != 0:
        return "hedge_in_flight"
    if _younger(state.legs_inflight_ns, params.legs_wait_s):
        return "legs_in_flight"
    since_ns = None if memory.hedged_ns is None else state.now_ns - memory.hedged_ns
    return "cooldown" if _younger(since_ns, params.cooldown_s) else None


def _younger(age_ns: int | None, seconds: float) -> bool:
    return age_ns is not None and age_ns < seconds * SECOND_NS


def _hedge(state: MarketState, excess_coin: float, metadata: dict[str, str]) -> Intent:
    """An intent over the excess, in the perpetual's own unit, rounded down to its lot."""
    instrument = state.hedge_instrument
    assert instrument is not None, "the obstacle check comes first"
    assert state.spot_usd is not None, "the obstacle check comes first"
    assert state.total_delta is not None, "the obstacle check comes first"
    spot = Decimal(repr(state.spot_usd))
    wanted = instrument.quantity_of_coins(Decimal(repr(excess_coin)), spot)
    quantity = instrument.quantity_down(wanted)
    if quantity == 0:
        return _hold("below_minimum_quantity", metadata)
    sells = state.total_delta > 0
    return Intent(
        intent_type=IntentType.HEDGE_DELTA,
        action=Action.SELL if sells else Action.BUY,
        direction=-1 if sells else 1,
        quantity=quantity,
        confidence=1.0,
        reason="delta_left_band",
        expiry_ns=None,
        strike_usd=None,
        instrument_id=instrument.instrument_id,
        distance_to_action_vol=None,
        metadata=metadata,
    )


def _hold(reason: str, metadata: dict[str, str]) -> Intent:
    return Intent(
        intent_type=IntentType.HOLD,
        action=Action.NONE,
        direction=0,
        quantity=Decimal(0),
        confidence=0.0,
        reason=reason,
        expiry_ns=None,
        strike_usd=None,
        instrument_id=None,
        distance_to_action_vol=None,
        metadata=metadata,
    )
