"""Explain: the whole way of one intent through the journal, from its inputs to its P&L; pure."""

from decimal import Decimal
from pathlib import Path

import msgspec

from glmtrader.domain.decisions import IntentType
from glmtrader.domain.ids import ClientOrderId, IntentId, intent_of
from glmtrader.domain.order_events import (
    ExecutionCommand,
    Fill,
    IntentCompleted,
    OrderCommand,
    OrderUpdate,
)
from glmtrader.domain.risk_events import PortfolioRisk, RiskVeto
from glmtrader.domain.strategy_events import DecisionMade
from glmtrader.errors import InputError
from glmtrader.kernel.journal import open_for_reading, read_records


class Story(msgspec.Struct, kw_only=True):
    """Everything the journal holds about one decision, each with its record number.

    Attributes:
        equity_before, equity_after: the account's risk before the decision and after its end.
    """

    decision_seq: int
    decision: DecisionMade
    command: tuple[int, ExecutionCommand] | None = None
    vetoes: list[tuple[int, RiskVeto]] = []
    orders: list[tuple[int, OrderCommand]] = []
    updates: list[tuple[int, OrderUpdate]] = []
    fills: list[tuple[int, Fill]] = []
    completed: tuple[int, IntentCompleted] | None = None
    equity_before: PortfolioRisk | None = None
    equity_after: PortfolioRisk | None = None

    def fees(self) -> dict[str, Decimal]:
        """Fees of the fills, by currency."""
        totals: dict[str, Decimal] = {}
        for _, fill in self.fills:
            totals[fill.fee_currency] = totals.get(fill.fee_currency, Decimal(0)) + fill.fee
        return totals


def story_of(path: Path, intent_id: IntentId | None) -> Story:
    """Collect the story of one decision.

    Args:
        path: the journal; it may be in use.
        intent_id: which; None takes the last decision that was no hold, else the last one.

    Raises:
        InputError: there is no such decision in this journal.
        JournalError: the journal cannot be read.
    """
    wanted = intent_id or _last_decision(path)
    story: Story | None = None
    portfolio: PortfolioRisk | None = None
    connection = open_for_reading(path)
    try:
        for record in read_records(connection):
            event = record.event
            if isinstance(event, PortfolioRisk):
                portfolio = event
                _follow_equity(story, event)
            elif isinstance(event, DecisionMade) and event.intent_id == wanted:
                story = Story(decision_seq=record.seq, decision=event, equity_before=portfolio)
            elif story is not None:
                _collect(story, record.seq, event)
    finally:
        connection.close()
    if story is None:
        raise InputError(f"{path} holds no decision {wanted}; `explain --last` shows the last one")
    return story


def _follow_equity(story: Story | None, event: PortfolioRisk) -> None:
    """The first risk report after the intent's end shows what it did."""
    if story is None or story.completed is None or story.equity_after is not None:
        return
    story.equity_after = event


def _collect(story: Story, seq: int, event: object) -> None:
    wanted = story.decision.intent_id
    match event:
        case ExecutionCommand() if event.intent_id == wanted:
            story.command = (seq, event)
        case RiskVeto() if event.intent_id == wanted:
            story.vetoes.append((seq, event))
        case OrderCommand() if event.order.intent_id == wanted:
            story.orders.append((seq, event))
        case OrderUpdate() if _is_of(event.client_order_id, wanted):
            story.updates.append((seq, event))
        case Fill() if _is_of(event.client_order_id, wanted):
            story.fills.append((seq, event))
        case IntentCompleted() if event.intent_id == wanted:
            story.completed = (seq, event)
        case _:
            pass


def _is_of(client_order_id: ClientOrderId | None, intent_id: IntentId) -> bool:
    return client_order_id is not None and intent_of(client_order_id) == intent_id


def _last_decision(path: Path) -> IntentId:
    """The last decision that acted, else the last decision."""
    last_hold: IntentId | None = None
    last_action: IntentId | None = None
    connection = open_for_reading(path)
    try:
        for record in read_records(connection):
            if isinstance(record.event, DecisionMade):
                if record.event.decision.intent.intent_type is IntentType.HOLD:
                    last_hold = record.event.intent_id
                else:
                    last_action = record.event.intent_id
    finally:
        connection.close()
    found = last_action or last_hold
    if found is None:
        raise InputError(f"{path} holds no decision yet")
    return found
