"""What a run says on the terminal: events become lines for people, or objects for programs; pure.

Every line has a `type`: decision, veto, order, fill, outcome (of an intent that was not filled
whole), hedge, equity, alert, mode or summary.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from glmtrader.cli.summary import block
from glmtrader.domain.decisions import IntentType
from glmtrader.domain.event import Event
from glmtrader.domain.ids import IntentId
from glmtrader.domain.instruments import DAY_NS, SECOND_NS
from glmtrader.domain.order_events import Fill, IntentCompleted, OrderCommand
from glmtrader.domain.risk_events import PortfolioRisk, RiskAlert, RiskVeto, TradingModeChanged
from glmtrader.domain.strategy_events import DecisionMade

Line = dict[str, Any]
"""One line as an object; `type` and `time` are always there."""

EQUITY_INTERVAL_NS = 300 * SECOND_NS
"""Process time between equity lines that no fill caused."""


class Narrator:
    """Turns events into lines, remembering only what the next line compares with."""

    def __init__(self, equity_interval_ns: int = EQUITY_INTERVAL_NS) -> None:
        self._equity_interval_ns = equity_interval_ns
        self._hedges: dict[IntentId, DecisionMade] = {}
        self._portfolio: PortfolioRisk | None = None
        self._equity_said_ns: int | None = None
        self._filled = False

    def lines(self, event: Event) -> list[Line]:
        """The lines that an event is worth; often none."""
        match event:
            case DecisionMade():
                said = self._decision(event)
            case IntentCompleted():
                said = self._completed(event)
            case PortfolioRisk():
                said = self._equity(event)
            case Fill():
                self._filled = True
                said = [_fill(event)]
            case _:
                said = _simple(event)
        return said

    def _decision(self, event: DecisionMade) -> list[Line]:
        if event.decision.intent.intent_type is IntentType.HEDGE_DELTA:
            self._hedges[event.intent_id] = event
            return []
        return [] if event.strategy == "delta_hedger" else [_decision(event)]

    def _completed(self, event: IntentCompleted) -> list[Line]:
        asked = self._hedges.pop(event.intent_id, None)
        if asked is not None:
            return [_hedge(asked, event, self._portfolio)]
        return [] if event.outcome == "filled" else [_outcome(event)]

    def _equity(self, event: PortfolioRisk) -> list[Line]:
        self._portfolio = event
        said_ns = self._equity_said_ns
        due = said_ns is None or event.ts_init - said_ns >= self._equity_interval_ns
        if not (due or self._filled):
            return []
        self._equity_said_ns = event.ts_init
        self._filled = False
        return [equity(event)]


def _simple(event: Event) -> list[Line]:
    """Lines that need nothing but the event itself."""
    match event:
        case RiskVeto():
            return [_veto(event)]
        case OrderCommand():
            return [_order(event)]
        case RiskAlert():
            return [_alert(event)]
        case TradingModeChanged():
            return [_mode(event)]
        case _:
            return []


def _decision(event: DecisionMade) -> Line:
    state, intent = event.state, event.decision.intent
    return {
        "type": "decision",
        "time": clock_time(event.ts_event),
        "intent_id": event.intent_id,
        "strategy": event.strategy_id,
        "underlying": state.underlying,
        "p_vol": state.p_vol,
        "p_vol_bid": state.p_vol_bid,
        "p_vol_ask": state.p_vol_ask,
        "q_vol": state.q_vol,
        "q_straddle": state.q_straddle,
        "cost_vol": state.cost_vol,
        "net_edge_long": state.net_edge_long,
        "net_edge_short": state.net_edge_short,
        "days": None if state.horizon_ns is None else state.horizon_ns / DAY_NS,
        "intent": intent.intent_type.value,
        "quantity": str(intent.quantity),
        "reason": intent.reason,
        "distance_to_action_vol": intent.distance_to_action_vol,
    }


def _veto(event: RiskVeto) -> Line:
    return {
        "type": "veto",
        "time": clock_time(event.ts_event),
        "intent_id": event.intent_id,
        "order": event.client_order_id,
        "rule": event.rule,
        "reason": event.reason,
        "details": event.details,
    }


def _order(event: OrderCommand) -> Line:
    order = event.order
    return {
        "type": "order",
        "time": clock_time(event.ts_event),
        "order": order.client_order_id,
        "instrument": order.instrument_id,
        "side": order.side.value,
        "quantity": str(order.quantity),
        "price": None if order.price is None else str(order.price),
        "purpose": order.purpose.value,
        "approval": event.approval_id,
    }


def _fill(event: Fill) -> Line:
    return {
        "type": "fill",
        "time": clock_time(event.ts_event),
        "order": event.client_order_id,
        "trade": event.trade_id,
        "instrument": event.instrument_id,
        "side": event.side.value,
        "quantity": str(event.quantity),
        "price": str(event.price),
        "fee": str(event.fee),
        "fee_currency": event.fee_currency,
    }


def _hedge(asked: DecisionMade, done: IntentCompleted, after: PortfolioRisk | None) -> Line:
    risks = () if after is None else after.by_underlying
    delta_after = next(
        (item.delta_coin for item in risks if item.underlying == asked.state.underlying), None
    )
    return {
        "type": "hedge",
        "time": clock_time(done.ts_event),
        "intent_id": done.intent_id,
        "underlying": asked.state.underlying,
        "delta_before": asked.state.total_delta,
        "delta_after": delta_after,
        "quantity": str(done.quantity_done),
        "outcome": done.outcome,
        "band": asked.decision.intent.metadata.get("band"),
    }


def _outcome(event: IntentCompleted) -> Line:
    """Why an intent came to less than it asked for; a filled one is told by its fills."""
    return {
        "type": "outcome",
        "time": clock_time(event.ts_event),
        "intent_id": event.intent_id,
        "outcome": event.outcome,
        "quantity": str(event.quantity_done),
        "detail": event.detail,
    }


def _alert(event: RiskAlert) -> Line:
    return {
        "type": "alert",
        "time": clock_time(event.ts_event),
        "severity": event.severity.value,
        "message": event.message,
        "clears_by": event.clears_by,
    }


def _mode(event: TradingModeChanged) -> Line:
    return {
        "type": "mode",
        "time": clock_time(event.ts_event),
        "mode": event.mode.value,
        "reason": event.reason,
    }


def equity(event: PortfolioRisk) -> Line:
    """The account at one moment."""
    return {
        "type": "equity",
        "time": clock_time(event.ts_event),
        "equity": event.equity,
        "numeraire": event.numeraire,
        "equity_usd": event.equity_usd,
        "delta_usd": event.total_delta_usd,
        "gamma_usd": event.total_gamma_usd,
        "vega_usd": event.total_vega_usd,
        "theta_usd": event.total_theta_usd,
        "leverage": event.leverage,
        "drawdown_pct": event.drawdown_pct,
        "delta_coin": {item.underlying: item.delta_coin for item in event.by_underlying},
    }


def clock_time(ts_ns: int) -> str:
    """UTC time to the second, RFC 3339."""
    return datetime.fromtimestamp(ts_ns / SECOND_NS, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def spoken(line: Line) -> str:
    """A line for people; the summary is a block of lines."""
    if line["type"] == "summary":
        return block(line)
    text = _SPEAKERS.get(line["type"], _plain)(line)
    return f"{line['time'][5:10]} {line['time'][11:19]} {line['type']:<8} {text}"


def _say_decision(line: Line) -> str:
    edges = f"{points(line['net_edge_long'])}/{points(line['net_edge_short'])}"
    away = line["distance_to_action_vol"]
    tail = f" ({points(away)} to go)" if away else ""
    quantity = "" if line["intent"] == "hold" else f" {line['quantity']}"
    days = "" if line["days"] is None else f" {line['days']:.1f}d"
    return (
        f"{line['strategy']} {line['underlying']}{days}"
        f"  P {points(line['p_vol'])} ({points(line['p_vol_bid'])}-{points(line['p_vol_ask'])})"
        f"  Q {points(line['q_vol'])} (straddle {points(line['q_straddle'])})"
        f"  net edge long/short {edges}"
        f"  -> {line['intent']}{quantity}: {line['reason']}{tail}"
    )


def _say_veto(line: Line) -> str:
    return f"{line['order'] or line['intent_id']}  {line['rule']}: {line['reason']}"


def _say_order(line: Line) -> str:
    return (
        f"{line['order']}  {line['side']} {line['quantity']} {line['instrument']}"
        f" at {line['price']} ({line['purpose']})"
    )


def _say_fill(line: Line) -> str:
    return (
        f"{line['order']}  {line['side']} {line['quantity']} {line['instrument']}"
        f" at {line['price']}  fee {line['fee']} {line['fee_currency']}"
    )


def _say_hedge(line: Line) -> str:
    after = "unknown" if line["delta_after"] is None else f"{line['delta_after']:+.4f}"
    return (
        f"{line['underlying']}  delta {line['delta_before']:+.4f} -> {after}"
        f"  (band {line['band']}, {line['outcome']} {line['quantity']})"
    )


def _say_outcome(line: Line) -> str:
    return f"{line['intent_id']}  {line['outcome']} {line['quantity']}: {line['detail']}"


def _say_equity(line: Line) -> str:
    coin = line["numeraire"]
    in_coin = "" if coin == "USD" else f"{line['equity']:.6f} {coin}, "
    return (
        f"{in_coin}{line['equity_usd']:,.2f} USD  delta {line['delta_usd']:+,.0f}"
        f"  gamma {line['gamma_usd']:+,.4f}  vega {line['vega_usd'] / 100:+,.1f}/pt"
        f"  theta {line['theta_usd'] / 365:+,.1f}/day  leverage {line['leverage']:.2f}"
        f"  drawdown {line['drawdown_pct']:.2%}"
    )


def _plain(line: Line) -> str:
    return "  ".join(f"{key} {value}" for key, value in line.items() if key not in ("type", "time"))


_SPEAKERS: dict[str, Callable[[Line], str]] = {
    "decision": _say_decision,
    "veto": _say_veto,
    "order": _say_order,
    "fill": _say_fill,
    "outcome": _say_outcome,
    "hedge": _say_hedge,
    "equity": _say_equity,
}


def points(vol: float | None) -> str:
    """A volatility in points (0.523 is 52.3); a dash where there is none."""
    return "-" if vol is None else f"{100 * vol:.1f}"
