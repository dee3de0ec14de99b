"""What strategies say: every decision, the intents among them, and the older signals."""

from decimal import Decimal
from typing import ClassVar

import msgspec

from glmtrader.domain.decisions import Decision, Intent, MarketState
from glmtrader.domain.event import Event
from glmtrader.domain.ids import AccountId, InstrumentId, IntentId, StrategyId, TradeId


class DecisionMade(Event, frozen=True, kw_only=True):
    """A strategy looked at a state and decided, a hold included.

    Attributes:
        params: the parameters in force, canonical JSON, so that replay needs nothing else.
    """

    topic: ClassVar[str] = "strategy.decision"

    intent_id: IntentId
    strategy: str
    strategy_id: StrategyId
    state: MarketState
    params: str
    decision: Decision


class StrategyIntent(Event, frozen=True, kw_only=True):
    """A decision that asks for a trade; the risk service answers with a command or a veto."""

    topic: ClassVar[str] = "strategy.intent"

    intent_id: IntentId
    strategy_id: StrategyId
    account_id: AccountId
    underlying: str
    intent: Intent


class StrategySignal(Event, frozen=True, kw_only=True):
    """The older form of an intent, still accepted and put through the same veto."""

    topic: ClassVar[str] = "strategy.signal"

    strategy_id: StrategyId
    account_id: AccountId
    instrument_id: InstrumentId
    signal_type: str
    quantity: Decimal
    confidence: float


class LegHolding(msgspec.Struct, frozen=True, kw_only=True):
    """What one strategy holds of one option."""

    instrument_id: InstrumentId
    quantity: Decimal
    opened_ns: int


class StrategySnapshot(Event, frozen=True, kw_only=True):
    """A strategy's holdings and memory at one point of the journal: a restart folds from here.

    `booked` names the last trades that the holdings contain, so that none is counted twice.
    """

    topic: ClassVar[str] = "state.strategy"

    strategy_id: StrategyId
    holdings: tuple[LegHolding, ...]
    booked: tuple[TradeId, ...] = ()
    memory: str
