"""PQVolTrader: buys or sells ATM straddles when forecast and implied volatility disagree.

The order of the rules is the strategy: reductions first (nothing may stop them but missing
prices), then brakes, then what must be known, then the net edge, costs included. The first rule
that says no is the reason of the hold.
"""

import math
from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum

import msgspec

from glmtrader.domain.decisions import (
    Action,
    Decision,
    Intent,
    IntentType,
    MarketState,
    StraddlePosition,
)
from glmtrader.domain.instruments import DAY_NS, SECOND_NS
from glmtrader.domain.validation import require

NAME = "pq_vol"


class ExpiryPolicy(StrEnum):
    """What happens to a straddle that comes close to its expiry."""

    HOLD = "hold"
    """It is left to be delivered; the hedger takes the delta off as it fades."""

    CLOSE = "close"
    """It is closed when `expiry_days_min` is reached."""

    ROLL = "roll"
    """It is closed then too, and the cooldown does not delay its successor."""


class PQVolParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of the strategy; volatilities in fractions a year (0.02 is 2 vol points).

    Attributes:
        vol_threshold: net edge, beyond all-in cost, from which a position is opened.
        exit_edge_vol: a long is closed when q_straddle - bid falls to this, a short when
            ask - q_straddle does.
        size_straddles: of one intent. position_straddles_max: of the whole position.
        confidence_min: of the forecast. cooldown_s: between opening intents.
        expiry_days_target, expiry_days_min, expiry_days_max: which expiry is opened; a window of
            seven days always holds one weekly expiry.
        close_days: when the expiry policy acts.
        fomo_score_max, drawdown_pct_max: brakes on new risk.
        surface_age_s_max, forecast_age_s_max, portfolio_age_s_max: staleness budgets.
        short_allowed: whether short gamma may be opened at all.
    """

    vol_threshold: float = 0.02
    exit_edge_vol: float = 0.0
    size_straddles: Decimal = Decimal("0.1")
    position_straddles_max: Decimal = Decimal(1)
    confidence_min: float = 0.1
    cooldown_s: float = 3600.0
    expiry_days_target: float = 7.0
    expiry_days_min: float = 4.0
    expiry_days_max: float = 11.0
    expiry_policy: ExpiryPolicy = ExpiryPolicy.CLOSE
    close_days: float = 1.5
    fomo_score_max: float = 0.7
    drawdown_pct_max: float = 0.20
    surface_age_s_max: float = 120.0
    forecast_age_s_max: float = 3900.0
    portfolio_age_s_max: float = 600.0
    short_allowed: bool = True

    def __post_init__(self) -> None:
        days = (self.close_days, self.expiry_days_min, self.expiry_days_target)
        ages = ("surface_age_s_max", "forecast_age_s_max", "portfolio_age_s_max")
        require(
            (0 < self.vol_threshold < 1, f"vol_threshold {self.vol_threshold} is not in (0, 1)"),
            (
                -1 < self.exit_edge_vol < self.vol_threshold,
                f"exit_edge_vol {self.exit_edge_vol} is not in (-1, vol_threshold)",
            ),
            (self.size_straddles > 0, f"size_straddles {self.size_straddles} is not positive"),
            (
                self.position_straddles_max >= self.size_straddles,
                f"position_straddles_max {self.position_straddles_max} is below size_straddles",
            ),
            (0 <= self.confidence_min <= 1, f"confidence_min {self.confidence_min} not in [0, 1]"),
            (self.cooldown_s >= 0, f"cooldown_s {self.cooldown_s} is negative"),
            (
                0 <= days[0] < days[1] <= days[2] <= self.expiry_days_max,
                "close_days < expiry_days_min <= expiry_days_target <= expiry_days_max must hold",
            ),
            (0 < self.drawdown_pct_max <= 1, "drawdown_pct_max is not in (0, 1]"),
            (0 < self.fomo_score_max <= 1, "fomo_score_max is not in (0, 1]"),
            *(
                (getattr(self, name) > 0, f"{name} {getattr(self, name)} is not positive")
                for name in ages
            ),
        )


class PQVolMemory(msgspec.Struct, frozen=True, kw_only=True):
    """What the strategy remembers: when it last asked to open or to close."""

    opened_ns: int | None = None
    reduced_ns: int | None = None


_memory_decoder = msgspec.json.Decoder(PQVolMemory)
_memory_encoder = msgspec.json.Encoder(order="deterministic")

REDUCE_RETRY_S = 30.0
"""A reduction that was not carried out is asked for again after this long."""


def initial_memory() -> str:
    """Memory of a strategy that has never decided."""
    return _memory_encoder.encode(PQVolMemory()).decode()


def decide(state: MarketState, params: PQVolParams) -> Decision:
    """Decide on one state; pure: the same state and parameters give the same bytes."""
    memory = _memory_decoder.decode(state.memory)
    reduction = _reduction(state, params, memory)
    if reduction is not None:
        if reduction.intent_type is IntentType.HOLD:
            return Decision(intent=reduction, memory=state.memory)
        rolls = params.expiry_policy is ExpiryPolicy.ROLL and reduction.reason == "expiry_near"
        opened_ns = None if rolls else memory.opened_ns
        after = PQVolMemory(opened_ns=opened_ns, reduced_ns=state.now_ns)
        return Decision(intent=reduction, memory=_memory_encoder.encode(after).decode())
    for brake in _BRAKES:
        reason = brake(state, params, memory)
        if reason is not None:
            return Decision(intent=_hold(state, params, reason), memory=state.memory)
    intent = _opening(state, params)
    if intent.intent_type is IntentType.HOLD:
        return Decision(intent=intent, memory=state.memory)
    after = PQVolMemory(opened_ns=state.now_ns, reduced_ns=memory.reduced_ns)
    return Decision(intent=intent, memory=_memory_encoder.encode(after).decode())


def _reduction(state: MarketState, params: PQVolParams, memory: PQVolMemory) -> Intent | None:
    """The first held straddle that should go, by expiry; None if all may stay."""
    for held in state.straddles:
        reason = _reduction_reason(held, state, params)
        if reason is None:
            continue
        if state.inflight != 0:
            return _hold(state, params, "reduction_waits_for_intent_in_flight")
        if _within(memory.reduced_ns, REDUCE_RETRY_S, state.now_ns):
            return _hold(state, params, "reduction_just_asked")
        return _reduce(held, reason, state)
    return None


def _reduction_reason(
    held: StraddlePosition, state: MarketState, params: PQVolParams
) -> str | None:
    days_left = (held.expiry_ns - state.now_ns) / DAY_NS
    is_long = held.quantity > 0
    if not held.is_whole:
        return "leg_stands_alone"
    if params.expiry_policy is not ExpiryPolicy.HOLD and days_left <= params.close_days:
        return "expiry_near"
    if state.macro_regime == "panic" and not is_long:
        return "panic_buys_back_short_gamma"
    return "edge_converged" if _has_converged(held, params) else None


def _has_converged(held: StraddlePosition, params: PQVolParams) -> bool:
    """Whether the price at which it could be closed has reached the forecast; unknown is no."""
    price = held.p_vol_bid if held.quantity > 0 else held.p_vol_ask
    if held.q_straddle is None or price is None:
        return False
    edge = held.q_straddle - price if held.quantity > 0 else price - held.q_straddle
    return edge <= params.exit_edge_vol


def _reduce(held: StraddlePosition, reason: str, state: MarketState) -> Intent:
    is_long = held.quantity > 0
    metadata = {
        "days_left": f"{(held.expiry_ns - state.now_ns) / DAY_NS:.3f}",
        "p_vol_ask": _text(held.p_vol_ask),
        "p_vol_bid": _text(held.p_vol_bid),
        "q_straddle": _text(held.q_straddle),
    }
    return Intent(
        intent_type=IntentType.REDUCE_LONG_GAMMA if is_long else IntentType.REDUCE_SHORT_GAMMA,
        action=Action.SELL_STRADDLE if is_long else Action.BUY_STRADDLE,
        direction=-1 if is_long else 1,
        quantity=abs(held.quantity),
        confidence=1.0,
        reason=reason,
        expiry_ns=held.expiry_ns,
        strike_usd=held.strike_usd,
        instrument_id=None,
        distance_to_action_vol=0.0,
        metadata=metadata,
    )


def _brake_halted(state: MarketState, _: PQVolParams, __: PQVolMemory) -> str | None:
    return None if state.trading_halted is None else "trading_halted"


def _brake_missing(state: MarketState, _: PQVolParams, __: PQVolMemory) -> str | None:
    """What an opening needs; a number that is no number is as good as missing."""
    no_surface = state.staleness.surface_ns is None
    required = {
        "surface" if no_surface else "expiry_in_window": (
            state.p_vol,
            state.expiry_ns,
            state.strike_usd,
        ),
        "straddle_quote": (state.p_vol_bid, state.p_vol_ask),
        "forecast": (state.q_straddle, state.confidence),
        "cost": (state.cost_vol,),
        "net_edge": (state.net_edge_long, state.net_edge_short),
        "portfolio": (state.leverage, state.drawdown_pct),
    }
    for name, values in required.items():
        if not all(value is not None and math.isfinite(value) for value in values):
            return f"missing_{name}"
    return None


def _brake_stale(state: MarketState, params: PQVolParams, _: PQVolMemory) -> str | None:
    ages = (
        ("surface", state.staleness.surface_ns, params.surface_age_s_max),
        ("forecast", state.staleness.forecast_ns, params.forecast_age_s_max),
        ("portfolio", state.staleness.portfolio_ns, params.portfolio_age_s_max),
    )
    for name, age_ns, age_s_max in ages:
        if age_ns is None or age_ns > age_s_max * SECOND_NS:
            return f"stale_{name}"
    return None


def _brake_fomo(state: MarketState, params: PQVolParams, _: PQVolMemory) -> str | None:
    calm = state.fomo_score is None or state.fomo_score <= params.fomo_score_max
    return None if calm else "high_fomo_risk"


def _brake_panic(state: MarketState, _: PQVolParams, __: PQVolMemory) -> str | None:
    return "panic_regime" if state.macro_regime == "panic" else None


def _brake_drawdown(state: MarketState, params: PQVolParams, _: PQVolMemory) -> str | None:
    assert state.drawdown_pct is not None, "the missing-input brake comes first"
    return "drawdown" if state.drawdown_pct > params.drawdown_pct_max else None


def _brake_inflight(state: MarketState, _: PQVolParams, __: PQVolMemory) -> str | None:
    return "intent_in_flight" if state.inflight != 0 else None


def _brake_confidence(state: MarketState, params: PQVolParams, _: PQVolMemory) -> str | None:
    assert state.confidence is not None, "the missing-input brake comes first"
    return "low_confidence" if state.confidence < params.confidence_min else None


def _brake_cooldown(state: MarketState, params: PQVolParams, memory: PQVolMemory) -> str | None:
    return "cooldown" if _within(memory.opened_ns, params.cooldown_s, state.now_ns) else None


_BRAKES: tuple[Callable[[MarketState, PQVolParams, PQVolMemory], str | None], ...] = (
    _brake_halted,
    _brake_missing,
    _brake_stale,
    _brake_fomo,
    _brake_panic,
    _brake_drawdown,
    _brake_inflight,
    _brake_confidence,
    _brake_cooldown,
)


def _opening(state: MarketState, params: PQVolParams) -> Intent:
    """The net edge against the threshold; every required input is known here."""
    assert state.net_edge_long is not None, "the missing-input brake comes first"
    assert state.net_edge_short is not None, "the missing-input brake comes first"
    if state.net_edge_long > params.vol_threshold:
        return _open(state, params, direction=1)
    if state.net_edge_short > params.vol_threshold:
        if not params.short_allowed:
            return _hold(state, params, "short_not_allowed")
        return _open(state, params, direction=-1)
    return _hold(state, params, "threshold_not_met")


def _open(state: MarketState, params: PQVolParams, *, direction: int) -> Intent:
    room = params.position_straddles_max - direction * state.position
    quantity = min(params.size_straddles, room)
    if quantity <= 0:
        return _hold(state, params, "position_limit")
    edge = state.net_edge_long if direction > 0 else state.net_edge_short
    assert edge is not None, "an opening needs an edge"
    assert state.confidence is not None, "the confidence brake comes first"
    is_long = direction > 0
    return Intent(
        intent_type=IntentType.INCREASE_LONG_GAMMA if is_long else IntentType.INCREASE_SHORT_GAMMA,
        action=Action.BUY_STRADDLE if is_long else Action.SELL_STRADDLE,
        direction=direction,
        quantity=quantity,
        confidence=state.confidence,
        reason="market_underpricing_volatility" if is_long else "market_overpricing_volatility",
        expiry_ns=state.expiry_ns,
        strike_usd=state.strike_usd,
        instrument_id=None,
        distance_to_action_vol=0.0,
        metadata={"net_edge": _text(edge), "threshold": _text(params.vol_threshold)},
    )


def _hold(state: MarketState, params: PQVolParams, reason: str) -> Intent:
    both = (state.net_edge_long, state.net_edge_short)
    edges = [edge for edge in both if edge is not None and math.isfinite(edge)]
    distance = max(0.0, params.vol_threshold - max(edges)) if edges else None
    return Intent(
        intent_type=IntentType.HOLD,
        action=Action.NONE,
        direction=0,
        quantity=Decimal(0),
        confidence=state.confidence if state.confidence is not None else 0.0,
        reason=reason,
        expiry_ns=state.expiry_ns,
        strike_usd=state.strike_usd,
        instrument_id=None,
        distance_to_action_vol=distance,
        metadata={},
    )


def _within(since_ns: int | None, seconds: float, now_ns: int) -> bool:
    return since_ns is not None and now_ns - since_ns < seconds * SECOND_NS


def _text(value: float | None) -> str:
    return "absent" if value is None else f"{value:.6f}"
