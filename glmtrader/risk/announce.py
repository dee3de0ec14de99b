"""Events that the risk service sends, made from what it decided. Pure."""

from decimal import Decimal

import msgspec

from glmtrader.domain.ids import AccountId, IntentId, StrategyId
from glmtrader.domain.instruments import Instrument
from glmtrader.domain.ledger import LedgerChange
from glmtrader.domain.order_events import ExecutionCommand
from glmtrader.domain.orders import Account, Order
from glmtrader.domain.pnl import average_price
from glmtrader.domain.risk_events import (
    PositionUpdate,
    RiskVeto,
    TradingMode,
    TradingModeChanged,
)
from glmtrader.domain.strategy_events import StrategyIntent, StrategySignal
from glmtrader.risk.verdicts import Resize, Verdict, Veto

APPROVER = "risk"
"""Recorded as the approver of every command."""


def order_veto(order: Order, verdict: Verdict, now_ns: int) -> RiskVeto:
    """An order is refused; one that is too large too, because a hash is bound to its quantity."""
    assert isinstance(verdict, Veto | Resize), f"{verdict} refuses nothing"
    details = dict(verdict.details)
    if isinstance(verdict, Resize):
        details["quantity_allowed"] = str(verdict.quantity)
        reason = f"quantity {order.quantity} is more than the {verdict.quantity} there is room for"
    else:
        reason = verdict.reason
    return RiskVeto(
        ts_event=now_ns,
        ts_init=now_ns,
        intent_id=order.intent_id,
        strategy_id=order.strategy_id,
        client_order_id=order.client_order_id,
        rule=verdict.rule,
        reason=reason,
        details=details,
    )


def intent_veto(event: StrategyIntent, verdict: Veto, now_ns: int) -> RiskVeto:
    """An intent is refused."""
    return RiskVeto(
        ts_event=now_ns,
        ts_init=now_ns,
        intent_id=event.intent_id,
        strategy_id=event.strategy_id,
        client_order_id=None,
        rule=verdict.rule,
        reason=verdict.reason,
        details=verdict.details,
    )


def signal_veto(event: StrategySignal, verdict: Veto, now_ns: int) -> RiskVeto:
    """A signal is refused before it became an intent."""
    return RiskVeto(
        ts_event=now_ns,
        ts_init=now_ns,
        intent_id=IntentId(f"{event.strategy_id}-signal"),
        strategy_id=event.strategy_id,
        client_order_id=None,
        rule=verdict.rule,
        reason=verdict.reason,
        details=verdict.details,
    )


def command(event: StrategyIntent, quantity: Decimal, now_ns: int) -> ExecutionCommand:
    """An intent is approved, for `quantity`."""
    return ExecutionCommand(
        ts_event=now_ns,
        ts_init=now_ns,
        intent_id=event.intent_id,
        strategy_id=event.strategy_id,
        account_id=event.account_id,
        underlying=event.underlying,
        intent=msgspec.structs.replace(event.intent, quantity=quantity),
        approved_by=APPROVER,
        quantity_asked=event.intent.quantity,
    )


def position(
    account: Account,
    change: LedgerChange,
    instrument: Instrument,
    strategy_id: StrategyId | None,
    now_ns: int,
) -> PositionUpdate:
    """A position after a booking."""
    return PositionUpdate(
        ts_event=now_ns,
        ts_init=now_ns,
        account_id=account.account_id,
        strategy_id=strategy_id,
        instrument_id=change.instrument_id,
        quantity=change.position.quantity,
        average_price=average_price(instrument, change.position),
        realized_pnl=change.position.realized_pnl,
        settlement_currency=instrument.settlement_currency,
    )


def halt(
    account_id: AccountId, reason: str, now_ns: int, *, books_in_doubt: bool
) -> TradingModeChanged:
    """An account is halted."""
    return TradingModeChanged(
        ts_event=now_ns,
        ts_init=now_ns,
        account_id=account_id,
        mode=TradingMode.HALTED,
        reason=reason,
        books_in_doubt=books_in_doubt,
    )
