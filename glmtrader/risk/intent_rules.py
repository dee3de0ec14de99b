"""The first gate: what an intent may ask for before it becomes orders. Pure.

A reduction and a hedge pass on the mode alone; their orders meet the second gate. What increases
needs fresh data and room, and is resized to the room there is: an approved intent must not be
one whose first leg the second gate refuses.
"""

from collections.abc import Callable
from decimal import ROUND_FLOOR, Decimal
from typing import Final

from glmtrader.domain.decisions import IntentType
from glmtrader.risk.facts import IntentFacts, RiskView
from glmtrader.risk.limits import RiskLimits
from glmtrader.risk.reduces import Reduction
from glmtrader.risk.rules import drawdown_verdict, fomo_verdict, mode_verdict
from glmtrader.risk.verdicts import APPROVE, Resize, Verdict, Veto, veto

QUANTITY_STEP: Final = Decimal("0.1")
"""Straddles are resized to this: the lot of the options spoken to."""

STRADDLE_DELTA_MAX: Final = 1.0
"""|delta| of call and put at one strike add up to one coin; of a strangle to less."""


def review_intent(facts: IntentFacts, view: RiskView, limits: RiskLimits) -> Verdict:
    """The first refusal, else the smallest size any rule allows, else the approval."""
    intent = facts.intent
    if not intent.quantity.is_finite() or intent.quantity <= 0:
        return veto("intent", f"quantity {intent.quantity} must be positive")
    reduction = _reduction(intent.intent_type)
    verdict = _mode(view, reduction)
    if verdict is not APPROVE or reduction is not Reduction.NONE:
        return verdict
    for check in _INCREASE_CHECKS:
        verdict = check(facts, view, limits)
        if isinstance(verdict, Veto):
            return verdict
    return _resize(facts, view, limits)


def _reduction(intent_type: IntentType) -> Reduction:
    if intent_type is IntentType.HEDGE_DELTA:
        return Reduction.HEDGE
    return Reduction.CLOSE if intent_type.is_reduction else Reduction.NONE


def _mode(view: RiskView, reduction: Reduction) -> Verdict:
    if view.kill_engaged:
        return veto("kill_switch", "the kill switch is engaged; clear it to trade")
    # Whether its orders are reduce-only is for the second gate to see.
    return mode_verdict(view, reduction, is_reduce_only=True)


def _data(facts: IntentFacts, view: RiskView, limits: RiskLimits) -> Verdict:
    del limits
    if view.missing is not None or view.equity_usd is None:
        return veto("data", f"the account cannot be valued: {view.missing}")
    if facts.price_usd is None or facts.price_usd <= 0:
        return veto("data", "the underlying has no fresh price", price_usd=facts.price_usd)
    return APPROVE


def _drawdown(facts: IntentFacts, view: RiskView, limits: RiskLimits) -> Verdict:
    del facts
    return drawdown_verdict(view, limits)


def _fomo(facts: IntentFacts, view: RiskView, limits: RiskLimits) -> Verdict:
    del facts
    return fomo_verdict(view, limits)


def _intent_rate(facts: IntentFacts, view: RiskView, limits: RiskLimits) -> Verdict:
    del facts
    if view.intents_last_hour >= limits.intents_per_hour_max:
        return veto(
            "intent_rate",
            "too many intents in the last hour",
            intents_last_hour=view.intents_last_hour,
            intents_per_hour_max=limits.intents_per_hour_max,
        )
    return APPROVE


_INCREASE_CHECKS: Final[tuple[Callable[[IntentFacts, RiskView, RiskLimits], Verdict], ...]] = (
    _data,
    _drawdown,
    _fomo,
    _intent_rate,
)


def _resize(facts: IntentFacts, view: RiskView, limits: RiskLimits) -> Verdict:
    """Room for straddles by count, order size and leverage; the tightest decides."""
    assert facts.price_usd is not None, "the data rule passed"
    assert view.equity_usd is not None, "the data rule passed"
    rooms = {
        "order_notional": limits.order_notional_usd_max / facts.price_usd,
        "leverage": (limits.leverage_max * view.equity_usd - view.gross_usd)
        / (STRADDLE_DELTA_MAX * facts.price_usd),
    }
    if facts.is_straddle:
        held = max(view.calls, view.puts) + view.pending_straddles
        rooms["position"] = limits.straddles_max - held
    rule, room = min(rooms.items(), key=lambda item: item[1])
    details = {name: f"{value:.6g}" for name, value in rooms.items()}
    if float(facts.intent.quantity) <= room + 1e-9:
        return APPROVE
    steps = (Decimal(repr(round(max(room, 0.0), 9))) / QUANTITY_STEP).to_integral_value(ROUND_FLOOR)
    if steps > 0:
        return Resize(rule, steps * QUANTITY_STEP, details)
    return Veto(rule, f"no room for {QUANTITY_STEP} more", details)
