"""What a strategy sees and says: MarketState in, Decision out.

`decide(state, params) -> Decision` is a pure function; these are its two ends. A strategy's memory
is a frozen struct of its own, carried in the state and returned with the decision, encoded by the
strategy as canonical JSON so that the journal holds it and nothing hides in attributes.
"""

from decimal import Decimal
from enum import StrEnum

import msgspec

from glmtrader.domain.ids import AccountId, InstrumentId, StrategyId
from glmtrader.domain.instruments import Instrument


class IntentType(StrEnum):
    """What a strategy wants, in words a person can check."""

    INCREASE_LONG_GAMMA = "increase_long_gamma"
    INCREASE_SHORT_GAMMA = "increase_short_gamma"
    REDUCE_LONG_GAMMA = "reduce_long_gamma"
    REDUCE_SHORT_GAMMA = "reduce_short_gamma"
    HEDGE_DELTA = "hedge_delta"
    HOLD = "hold"

    @property
    def is_reduction(self) -> bool:
        """Whether it takes risk off."""
        return self in (IntentType.REDUCE_LONG_GAMMA, IntentType.REDUCE_SHORT_GAMMA)


class Action(StrEnum):
    """How an intent is carried out."""

    BUY_STRADDLE = "buy_straddle"
    SELL_STRADDLE = "sell_straddle"
    BUY_STRANGLE = "buy_strangle"
    SELL_STRANGLE = "sell_strangle"
    BUY = "buy"
    SELL = "sell"
    NONE = "none"


class Staleness(msgspec.Struct, frozen=True, kw_only=True):
    """Age of each input at decision time in ns; None where the input never came."""

    surface_ns: int | None
    forecast_ns: int | None
    macro_ns: int | None
    portfolio_ns: int | None


class StraddlePosition(msgspec.Struct, frozen=True, kw_only=True):
    """One straddle-like holding of a strategy, or a leg that stands alone.

    Attributes:
        strike_usd: of the straddle (the put's for a strangle).
        call_id, put_id: the legs; one is None where the other stands alone.
        quantity: signed number of straddles: the smaller of the two legs' absolute quantities.
        opened_ns: first fill that made it non-zero.
        p_vol_bid, p_vol_ask: of the straddle at the forward of its expiry; None where a leg lacks
            a side.
        q_straddle: the forecast at this expiry; None without a forecast.
    """

    expiry_ns: int
    strike_usd: float
    call_id: InstrumentId | None
    put_id: InstrumentId | None
    quantity: Decimal
    opened_ns: int
    p_vol_bid: float | None
    p_vol_ask: float | None
    q_straddle: float | None

    @property
    def is_whole(self) -> bool:
        """Whether both legs are there."""
        return self.call_id is not None and self.put_id is not None


class MarketState(msgspec.Struct, frozen=True, kw_only=True):
    """The one object a decision sees. Missing is None, never a neutral default.

    P, Q and the straddle share the horizon `expiry_ns - now_ns` and one annualisation
    (ACT/365); volatilities are fractions (0.65 is 65 %).

    Attributes:
        p_vol: mid implied volatility at the traded expiry; p_vol_bid, p_vol_ask: of the straddle
            that would be traded.
        q_vol, q_vol_low, q_vol_high, q_var, q_straddle: the forecast at the same horizon.
        pq_spread: q_vol - p_vol. cost_vol: fees and expected hedging cost in volatility.
        net_edge_long: q_straddle - p_vol_ask - cost_vol;
        net_edge_short: p_vol_bid - q_straddle - cost_vol.
        total_delta, total_gamma, total_vega: of the underlying's whole book; delta in coin,
            gamma per 1 USD, vega per 1.00 of volatility.
        position: signed number of straddles this strategy holds on this underlying.
        inflight: signed straddles in intents that are not finished.
        hedge_instrument: the perpetual that hedges this underlying, for strategies that hedge.
        legs_inflight_ns: age of the oldest unfinished intent of other strategies on this
            underlying; None when there is none.
        trading_halted: the reason, where the risk service stopped new risk.
        memory: the strategy's own frozen memory, as canonical JSON.
    """

    strategy_id: StrategyId
    account_id: AccountId
    underlying: str
    now_ns: int
    horizon_ns: int | None
    expiry_ns: int | None
    spot_usd: float | None
    strike_usd: float | None
    p_vol: float | None
    p_vol_bid: float | None
    p_vol_ask: float | None
    q_var: float | None
    q_vol: float | None
    q_vol_low: float | None
    q_vol_high: float | None
    q_straddle: float | None
    confidence: float | None
    model_id: str | None
    pq_spread: float | None
    cost_vol: float | None
    net_edge_long: float | None
    net_edge_short: float | None
    macro_regime: str | None
    regime_score: float | None
    sentiment_score: float | None
    fomo_score: float | None
    total_delta: float | None
    total_gamma: float | None
    total_vega: float | None
    leverage: float | None
    drawdown_pct: float | None
    position: Decimal
    inflight: Decimal
    straddles: tuple[StraddlePosition, ...]
    hedge_instrument: Instrument | None
    legs_inflight_ns: int | None
    trading_halted: str | None
    staleness: Staleness
    memory: str


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """What a strategy wants and why.

    Attributes:
        quantity: straddles, or units of the hedge instrument; zero for a hold.
        reason: the first rule that decided, in snake_case.
        distance_to_action_vol: how much the net edge lacks, in volatility; None where no edge
            could be computed.
        metadata: numbers a person needs to follow the reason; strings, sorted by key.
    """

    intent_type: IntentType
    action: Action
    direction: int
    quantity: Decimal
    confidence: float
    reason: str
    expiry_ns: int | None
    strike_usd: float | None
    instrument_id: InstrumentId | None
    distance_to_action_vol: float | None
    metadata: dict[str, str]


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """A strategy's answer to one state: an intent (a hold too) and its next memory."""

    intent: Intent
    memory: str
