"""What each running strategy decided last, and on what. Pure."""

from typing import Any

import msgspec

from glmtrader.domain.decisions import StraddlePosition
from glmtrader.domain.strategy_events import DecisionMade
from glmtrader.strategies import delta_hedger, pq_vol
from glmtrader.web.errors import NotKnownYetError
from glmtrader.web.hedge import underlying_hedge
from glmtrader.web.holdings import option_positions
from glmtrader.web.responses import (
    CompletedIntent,
    DeltaHedger,
    DeltaHedgerState,
    HeldStraddle,
    OptionPosition,
    PqTrader,
    PqTraderState,
    utc_text,
)
from glmtrader.web.views import ViewCache


def pq_trader_state(views: ViewCache, now_ns: int) -> PqTraderState:
    """Every instance of the P/Q volatility trader.

    Raises:
        NotKnownYetError: none has decided since the start.
    """
    positions = option_positions(views, now_ns).positions
    instances = [_pq(views, event, positions) for event in _newest(views, pq_vol.NAME)]
    return PqTraderState(instances=instances, timestamp=utc_text(now_ns))


def delta_hedger_state(views: ViewCache, now_ns: int) -> DeltaHedgerState:
    """Every instance of the delta hedger.

    Raises:
        NotKnownYetError: none has decided since the start.
    """
    instances = [_hedger(views, event) for event in _newest(views, delta_hedger.NAME)]
    return DeltaHedgerState(instances=instances, timestamp=utc_text(now_ns))


def _newest(views: ViewCache, kind: str) -> list[DecisionMade]:
    found = [item for _, item in sorted(views.decisions.items()) if item.strategy == kind]
    if not found:
        raise NotKnownYetError(f"no strategy of kind {kind} has decided since the start")
    return found


def _pq(views: ViewCache, event: DecisionMade, positions: list[OptionPosition]) -> PqTrader:
    state = event.state
    profits = [
        item.unrealized_pnl_usd for item in positions if item.strategy_id == event.strategy_id
    ]
    known = [profit for profit in profits if profit is not None]
    return PqTrader(
        **_common(views, event),
        position=state.position,
        p_vol=state.p_vol,
        q_vol=state.q_vol,
        pq_spread=state.pq_spread,
        net_edge_long=state.net_edge_long,
        net_edge_short=state.net_edge_short,
        cost_vol=state.cost_vol,
        distance_to_action_vol=event.decision.intent.distance_to_action_vol,
        straddles=[_straddle(item) for item in state.straddles],
        unrealized_pnl_usd=sum(known) if len(known) == len(profits) else None,
    )


def _hedger(views: ViewCache, event: DecisionMade) -> DeltaHedger:
    state = event.state
    rows = () if views.portfolio is None else views.portfolio.by_underlying
    row = next((item for item in rows if item.underlying == state.underlying), None)
    return DeltaHedger(
        **_common(views, event),
        total_delta=state.total_delta,
        total_gamma=state.total_gamma,
        hedge=None if row is None else underlying_hedge(views, row),
    )


def _common(views: ViewCache, event: DecisionMade) -> dict[str, Any]:
    """The fields of `StrategyDecision`."""
    intent, state = event.decision.intent, event.state
    return {
        "strategy_id": event.strategy_id,
        "underlying": state.underlying,
        "account_id": state.account_id,
        "intent_id": event.intent_id,
        "intent_type": intent.intent_type.value,
        "action": intent.action.value,
        "direction": intent.direction,
        "quantity": intent.quantity,
        "confidence": intent.confidence,
        "reason": intent.reason,
        "metadata": intent.metadata,
        "trading_halted": state.trading_halted,
        "inflight": state.inflight,
        "params": msgspec.json.decode(event.params),
        "memory": msgspec.json.decode(event.decision.memory),
        "last_completed": _completed(views, event),
        "timestamp": utc_text(event.ts_event),
    }


def _completed(views: ViewCache, event: DecisionMade) -> CompletedIntent | None:
    done = views.completed.get(event.strategy_id)
    if done is None:
        return None
    return CompletedIntent(
        intent_id=done.intent_id,
        outcome=done.outcome,
        quantity_done=done.quantity_done,
        detail=done.detail,
        timestamp=utc_text(done.ts_event),
    )


def _straddle(item: StraddlePosition) -> HeldStraddle:
    return HeldStraddle(
        expiry=utc_text(item.expiry_ns),
        strike=item.strike_usd,
        quantity=item.quantity,
        p_vol_bid=item.p_vol_bid,
        p_vol_ask=item.p_vol_ask,
        q_straddle=item.q_straddle,
        opened=utc_text(item.opened_ns),
    )
