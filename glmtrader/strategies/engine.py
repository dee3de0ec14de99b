"""The strategy engine: a core component that hosts instances, builds states, and records decisions.

It knows only events: the time of a decision is that of the event that triggered it, so the same
events give the same states, decisions and ids, live, in backtest and in replay.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import ClassVar, Final

import msgspec

from glmtrader.domain.decisions import Decision, Intent, IntentType, MarketState
from glmtrader.domain.event import Event
from glmtrader.domain.ids import IntentId, StrategyId
from glmtrader.domain.instruments import MINUTE_NS
from glmtrader.domain.market_events import (
    InstrumentsListed,
    MacroState,
    VolatilityForecast,
    VolatilitySurface,
)
from glmtrader.domain.order_events import Fill, IntentCompleted, OptionDelivered
from glmtrader.domain.risk_events import PortfolioRisk, RiskVeto, TradingModeChanged
from glmtrader.domain.strategy_events import DecisionMade, StrategyIntent, StrategySnapshot
from glmtrader.kernel.ids import IntentIds
from glmtrader.kernel.inbox import Inbox
from glmtrader.quant.trading_clock import TradingClock
from glmtrader.strategies.holdings import without_expiry
from glmtrader.strategies.registry import KINDS, StrategyInstance, StrategyKind
from glmtrader.strategies.state_builder import build_state
from glmtrader.strategies.views import MarketViews, StrategyBook, belongs_to

HOLD_RECORD_INTERVAL_NS: Final = 10 * MINUTE_NS
SNAPSHOT_INTERVAL_NS: Final = 60 * MINUTE_NS

_encoder = msgspec.json.Encoder(order="deterministic")


class _Hosted:
    """One running instance: its kind, parameters, book and ids."""

    def __init__(self, instance: StrategyInstance, epoch: int) -> None:
        self.instance = instance
        self.kind: StrategyKind = KINDS[instance.kind]
        self.window = self.kind.expiry_window(instance.params)
        self.params_json = _encoder.encode(instance.params).decode()
        self.book = StrategyBook(self.kind.initial_memory())
        self.ids = IntentIds(instance.strategy_id, epoch)

    def decides_on(self, event: Event) -> bool:
        if not isinstance(event, self.kind.triggers):
            return False
        if isinstance(event, PortfolioRisk):
            return event.account_id == self.instance.account_id
        if isinstance(event, IntentCompleted):
            return event.strategy_id != self.instance.strategy_id
        underlying: object = getattr(event, "underlying", None)
        return underlying == self.instance.underlying


class StrategyEngine:
    """Hosts strategy instances; publishes every decision, and an intent for those that act.

    Args:
        instances: what to host, in order of decision.
        epoch: the start's number, part of every intent id.
        publish: the bus's publish.
        clock: the trading clock that brings P and Q to one horizon.
    """

    EVENTS: ClassVar[tuple[type[Event], ...]] = (
        InstrumentsListed,
        VolatilitySurface,
        VolatilityForecast,
        MacroState,
        PortfolioRisk,
        TradingModeChanged,
        Fill,
        OptionDelivered,
        RiskVeto,
        IntentCompleted,
    )

    FOLDS: ClassVar[tuple[type[Event], ...]] = (
        InstrumentsListed,
        Fill,
        OptionDelivered,
        DecisionMade,
        StrategySnapshot,
    )
    """Events of earlier runs that books are restored from."""

    def __init__(
        self,
        instances: Iterable[StrategyInstance],
        *,
        epoch: int,
        publish: Callable[[Event], None],
        clock: TradingClock,
    ) -> None:
        self._hosted = [_Hosted(instance, epoch) for instance in instances]
        names = [host.instance.strategy_id for host in self._hosted]
        assert len(names) == len(set(names)), f"strategy ids {names} repeat"
        self._publish = publish
        self._clock = clock
        self._snapshot_ns: int | None = None
        self.views = MarketViews()

    async def run(self, inbox: Inbox) -> None:
        """Take events for ever; awaits nothing but its inbox."""
        async for event in inbox:
            self.handle(event)

    def handle(self, event: Event) -> None:
        """Update what is known, then let every instance that this event triggers decide."""
        self.views.apply(event)
        self._update_books(event)
        for host in self._hosted:
            if host.decides_on(event):
                self._decide(host, event)
        self._snapshot_if_due(event.ts_init)

    def restore(self, event: Event) -> None:
        """Fold one journaled event of an earlier run into the books, without deciding."""
        self.views.apply(event)
        if isinstance(event, StrategySnapshot):
            for host in self._hosted:
                if host.instance.strategy_id == event.strategy_id:
                    host.book.restore(event)
            return
        if isinstance(event, DecisionMade):
            for host in self._hosted:
                if host.instance.strategy_id == event.strategy_id:
                    host.book.memory = event.decision.memory
            return
        self._update_books(event)

    def forget_inputs(self) -> None:
        """After a restore: what markets said before the restart is not what they say now."""
        instruments = self.views.instruments
        self.views = MarketViews()
        self.views.instruments = instruments
        for host in self._hosted:
            host.book.inflight.clear()
            host.book.inflight_since_ns = None

    def snapshot(self, now_ns: int) -> None:
        """Publish what every instance holds and remembers."""
        self._snapshot_ns = now_ns
        for host in self._hosted:
            holdings = tuple(host.book.holdings[key] for key in sorted(host.book.holdings))
            self._publish(
                StrategySnapshot(
                    ts_event=now_ns,
                    ts_init=now_ns,
                    strategy_id=host.instance.strategy_id,
                    holdings=holdings,
                    booked=host.book.booked,
                    memory=host.book.memory,
                )
            )

    def _update_books(self, event: Event) -> None:
        match event:
            case Fill():
                for host in self._hosted:
                    if belongs_to(host.instance.strategy_id, event.client_order_id):
                        host.book.take_fill(event)
            case OptionDelivered():
                for host in self._hosted:
                    if host.instance.underlying == event.underlying:
                        host.book.holdings = without_expiry(
                            host.book.holdings, self.views.instruments, event.expiry_ns
                        )
                self.views.forget_expiry(event.underlying, event.expiry_ns)
            case IntentCompleted():
                self._finish(event.strategy_id, event.intent_id)
            case RiskVeto() if event.client_order_id is None:
                self._finish(event.strategy_id, event.intent_id)
            case _:
                pass

    def _finish(self, strategy_id: StrategyId, intent_id: IntentId) -> None:
        for host in self._hosted:
            if host.instance.strategy_id == strategy_id:
                host.book.inflight.pop(intent_id, None)
                if not host.book.inflight:
                    host.book.inflight_since_ns = None

    def _decide(self, host: _Hosted, event: Event) -> None:
        state = build_state(
            host.instance,
            host.window,
            self.views,
            host.book,
            now_ns=event.ts_init,
            clock=self._clock,
            legs_inflight_ns=self._legs_inflight_ns(host, event.ts_init),
        )
        decision = host.kind.decide(state, host.instance.params)
        if self._is_quiet_hold(host, decision.intent, event.ts_init):
            host.book.memory = decision.memory
            return
        self._record(host, state, decision)

    def _legs_inflight_ns(self, asking: _Hosted, now_ns: int) -> int | None:
        """Age of the oldest unfinished intent of the other strategies on the same underlying."""
        mine = asking.instance
        since = [
            host.book.inflight_since_ns
            for host in self._hosted
            if host is not asking
            and host.instance.account_id == mine.account_id
            and host.instance.underlying == mine.underlying
            and host.book.inflight_since_ns is not None
        ]
        return now_ns - min(since) if since else None

    def _is_quiet_hold(self, host: _Hosted, intent: Intent, now_ns: int) -> bool:
        """Whether a hold says nothing new; keeps the journal readable under a moving price."""
        if intent.intent_type is not IntentType.HOLD:
            host.book.hold_reason = None
            return False
        if host.kind.records_every_hold:
            return False
        recent = now_ns - host.book.hold_recorded_ns < HOLD_RECORD_INTERVAL_NS
        if recent and intent.reason == host.book.hold_reason:
            return True
        host.book.hold_reason = intent.reason
        host.book.hold_recorded_ns = now_ns
        return False

    def _record(self, host: _Hosted, state: MarketState, decision: Decision) -> None:
        instance = host.instance
        intent_id = host.ids.next()
        host.book.memory = decision.memory
        self._publish(
            DecisionMade(
                ts_event=state.now_ns,
                ts_init=state.now_ns,
                intent_id=intent_id,
                strategy=host.kind.name,
                strategy_id=instance.strategy_id,
                state=state,
                params=host.params_json,
                decision=decision,
            )
        )
        if decision.intent.intent_type is IntentType.HOLD:
            return
        signed = decision.intent.quantity * Decimal(decision.intent.direction)
        if host.book.inflight_since_ns is None:
            host.book.inflight_since_ns = state.now_ns
        host.book.inflight[intent_id] = signed
        self._publish(
            StrategyIntent(
                ts_event=state.now_ns,
                ts_init=state.now_ns,
                intent_id=intent_id,
                strategy_id=instance.strategy_id,
                account_id=instance.account_id,
                underlying=instance.underlying,
                intent=decision.intent,
            )
        )

    def _snapshot_if_due(self, now_ns: int) -> None:
        if self._snapshot_ns is None:
            self._snapshot_ns = now_ns
        if now_ns - self._snapshot_ns >= SNAPSHOT_INTERVAL_NS:
            self.snapshot(now_ns)
