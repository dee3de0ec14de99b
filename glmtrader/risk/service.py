"""The veto: applies the rules to every intent and order, keeps the books, broadcasts the risk.

A core component: `run` awaits nothing but its inbox, and `review_order` answers at once. The
trading mode of an account comes from reconciliation; a fatal failure of any core component halts
every account until the next start, and the kill switch stays on until a person clears it.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar, Final

import structlog

from glmtrader.domain import ledger as books
from glmtrader.domain.event import Event
from glmtrader.domain.ids import AccountId
from glmtrader.domain.instruments import HOUR_NS, MINUTE_NS
from glmtrader.domain.ledger import Ledger, LedgerChange
from glmtrader.domain.market_events import (
    InstrumentsListed,
    MacroState,
    MarketTick,
    VolatilitySurface,
)
from glmtrader.domain.order_events import (
    ExecutionCommand,
    Fill,
    FundingPaid,
    IntentCompleted,
    OptionDelivered,
    OrderCommand,
    OrderUpdate,
    SessionSettled,
    VenueReport,
)
from glmtrader.domain.orders import Account, Order
from glmtrader.domain.pnl import ZERO
from glmtrader.domain.risk_events import (
    KillSwitchSet,
    PortfolioRisk,
    RiskVeto,
    Severity,
    TradingMode,
    TradingModeChanged,
)
from glmtrader.domain.strategy_events import StrategyIntent, StrategySignal
from glmtrader.domain.system_events import ComponentFailed, TimerFired, VenueStatusChanged
from glmtrader.errors import LedgerError
from glmtrader.kernel.clock import Clock, Timers
from glmtrader.kernel.inbox import Inbox
from glmtrader.market.quote_book import Catalogue, QuoteBook
from glmtrader.risk import announce, collar, restoring, rules, signals
from glmtrader.risk.account_desk import AccountDesk
from glmtrader.risk.alerts import AlertBoard
from glmtrader.risk.approval import APPROVAL_TTL_NS, ApprovalDesk, Approved
from glmtrader.risk.facts import GateState, IntentFacts
from glmtrader.risk.inflight import is_straddle
from glmtrader.risk.intent_rules import review_intent
from glmtrader.risk.limits import RiskLimits
from glmtrader.risk.market_inputs import MarketInputs
from glmtrader.risk.opening import known
from glmtrader.risk.reduces import Reduction
from glmtrader.risk.verdicts import APPROVE, Resize, Veto

COMPONENT: Final = "risk"
HEARTBEAT_NS: Final = MINUTE_NS
"""Between full valuations, ledger snapshots and the clearing of unused approvals."""

QUIET_NS: Final = 5 * MINUTE_NS
"""Without a new price a valuation is good for this long: only time has passed."""

PUBLISH_MOVE: Final = 0.0005
"""Relative move of an underlying after which `PortfolioRisk` is sent again."""

REPRICE_MOVE: Final = 0.005
"""Relative move after which delta and gamma no longer follow well enough."""

_log = structlog.get_logger("glmtrader.risk")


class RiskService:
    """Risk of every account; the gateway's gate and the books of reconciliation.

    Args:
        accounts: to keep; events of others are an error.
        limits: by account.
        catalogue: instruments, written by the market service, which is stepped before.
        quotes: top of books, likewise.
        approvals: the desk; the gateway redeems what it issues.
        clock: the process clock.
        timers: for the heartbeat.
        publish: the bus's.
    """

    EVENTS: ClassVar[tuple[type[Event], ...]] = (
        ComponentFailed,
        Fill,
        FundingPaid,
        InstrumentsListed,
        IntentCompleted,
        KillSwitchSet,
        MacroState,
        MarketTick,
        OptionDelivered,
        OrderCommand,
        OrderUpdate,
        SessionSettled,
        StrategyIntent,
        StrategySignal,
        TimerFired,
        TradingModeChanged,
        VenueReport,
        VenueStatusChanged,
        VolatilitySurface,
    )
    """What to register for."""

    def __init__(
        self,
        *,
        accounts: Sequence[Account],
        limits: dict[AccountId, RiskLimits],
        catalogue: Catalogue,
        quotes: QuoteBook,
        approvals: ApprovalDesk,
        clock: Clock,
        timers: Timers,
        publish: Callable[[Event], None],
    ) -> None:
        self.inputs = MarketInputs(catalogue, quotes)
        self.desks = {
            account.account_id: AccountDesk(account, limits[account.account_id], self.inputs)
            for account in accounts
        }
        self.gate = GateState()
        self._approvals = approvals
        self._clock = clock
        self._timers = timers
        self._publish = publish
        self._alerts = AlertBoard(publish)
        self._sent_prices: dict[str, float] = {}
        self._priced_at: dict[str, float] = {}
        self._valued_ns: int | None = None
        self._snapshots: dict[AccountId, tuple[Ledger, float | None, int]] = {}
        self._handlers: dict[type[Event], Callable[..., None]] = {
            ComponentFailed: self._on_failure,
            Fill: self._on_fill,
            FundingPaid: self._on_cashflow,
            InstrumentsListed: self._on_listed,
            IntentCompleted: self._on_completed,
            KillSwitchSet: self._on_kill,
            MacroState: self._on_macro,
            MarketTick: self._on_tick,
            OptionDelivered: self._on_cashflow,
            OrderCommand: self._on_order_command,
            OrderUpdate: self._on_order_update,
            SessionSettled: self._on_cashflow,
            StrategyIntent: self._on_intent,
            StrategySignal: self._on_signal,
            TimerFired: self._on_timer,
            TradingModeChanged: self._on_mode,
            VenueReport: self._on_report,
            VenueStatusChanged: self._on_status,
            VolatilitySurface: self._on_surface,
        }

    def books(self, account_id: AccountId) -> AccountDesk:
        """The books of one account: `cursor`, `positions()` and `cash()`."""
        return self.desks[account_id]

    def restore(self, events: Iterable[Event]) -> None:
        """Fold the journal of earlier runs; before `run`."""
        restored = restoring.fold(events, self.desks, self.inputs)
        self.gate = GateState(kill_engaged=restored.engaged, kill_flatten=restored.flatten)

    async def run(self, inbox: Inbox) -> None:
        """Keep the books and the veto until the bus is closed."""
        self._write_snapshots()
        self._arm()
        async for event in inbox:
            self._handlers[type(event)](event)
        self._write_snapshots()

    # The gate.

    def review_order(self, order: Order, *, now_ns: int) -> Approved | RiskVeto:
        """Approve one order as it stands, or say which rule refuses it.

        An approved order counts as in flight from here on.
        """
        desk = self.desks.get(order.account_id)
        if desk is None:
            unknown = Veto("tradable", f"account {order.account_id} is not configured", {})
            return announce.order_veto(order, unknown, now_ns)
        facts = desk.facts(order, now_ns)
        underlying = "" if facts.instrument is None else facts.instrument.underlying
        view = desk.view(underlying, now_ns, gate=self.gate)
        verdict = rules.review(facts, view, desk.limits)
        if verdict is not APPROVE:
            return announce.order_veto(order, verdict, now_ns)
        is_reducing = facts.reduction is not Reduction.NONE
        degraded = is_reducing and (
            view.missing is not None
            or facts.unit is None
            or collar.is_stale(facts, view, desk.limits)
        )
        desk.count_order(order, now_ns)
        if not is_reducing:
            desk.note_approval(now_ns)
        return self._approvals.issue(order, now_ns=now_ns, degraded=degraded)

    def _on_intent(self, event: StrategyIntent) -> None:
        now_ns = self._clock.now_ns()
        desk = self.desks.get(event.account_id)
        if desk is None:
            unknown = Veto("intent", f"account {event.account_id} is not configured", {})
            self._publish(announce.intent_veto(event, unknown, now_ns))
            return
        view = desk.view(event.underlying, now_ns, gate=self.gate)
        facts = IntentFacts(
            intent=event.intent,
            price_usd=self.inputs.prices.get(event.underlying),
            is_straddle=is_straddle(event.intent),
        )
        verdict = review_intent(facts, view, desk.limits)
        if isinstance(verdict, Veto):
            self._publish(announce.intent_veto(event, verdict, now_ns))
            return
        quantity = verdict.quantity if isinstance(verdict, Resize) else event.intent.quantity
        command: ExecutionCommand = announce.command(event, quantity, now_ns)
        desk.intents.add(command)
        desk.note_intent(now_ns)
        self._publish(command)

    def _on_signal(self, event: StrategySignal) -> None:
        now_ns = self._clock.now_ns()
        desk = self.desks.get(event.account_id)
        instrument = self.inputs.instrument(event.instrument_id)
        held = ZERO if desk is None else desk.ledger.position(event.instrument_id).quantity
        made = signals.to_intent(event, instrument, held)
        if isinstance(made, Veto):
            self._publish(announce.signal_veto(event, made, now_ns))
        elif made is not None:
            self._on_intent(made)

    # Books.

    def _on_fill(self, event: Fill) -> None:
        desk = self._desk(event.account_id)
        instrument = known(event.instrument_id, self.inputs.instrument)
        desk.ledger, change = books.apply_fill(desk.ledger, event, instrument)
        if change is None:
            return
        now_ns = self._clock.now_ns()
        order = desk.take_fill(event, instrument, now_ns)
        strategy_id = order.order.strategy_id if order else None
        self._publish(announce.position(desk.account, change, instrument, strategy_id, now_ns))
        self._broadcast(desk, desk.revalue_filled(now_ns))

    def _on_cashflow(self, event: FundingPaid | SessionSettled | OptionDelivered) -> None:
        desk = self._desk(event.account_id)
        changes = self._book_cashflow(desk, event)
        if changes:
            self._after_cashflow(desk, changes)

    def _book_cashflow(
        self, desk: AccountDesk, event: FundingPaid | SessionSettled | OptionDelivered
    ) -> tuple[LedgerChange, ...]:
        if isinstance(event, OptionDelivered):
            desk.ledger, delivered = books.apply_delivery(
                desk.ledger, event, self.inputs.instrument
            )
            return delivered
        if isinstance(event, FundingPaid):
            desk.ledger, change = books.apply_funding(desk.ledger, event)
        else:
            instrument = known(event.instrument_id, self.inputs.instrument)
            desk.ledger, change = books.apply_session_settlement(desk.ledger, event, instrument)
        return () if change is None else (change,)

    def _after_cashflow(self, desk: AccountDesk, changes: Sequence[LedgerChange]) -> None:
        now_ns = self._clock.now_ns()
        for change in changes:
            instrument = known(change.instrument_id, self.inputs.instrument)
            self._publish(announce.position(desk.account, change, instrument, None, now_ns))
        desk.reprice(now_ns)
        self._broadcast(desk, desk.revalue("cashflow", now_ns))

    def _on_report(self, event: VenueReport) -> None:
        desk = self._desk(event.account_id)
        try:
            opened = desk.take_report(event)
        except LedgerError as error:
            _log.error("books_not_opened", account=event.account_id, why=str(error))
            self._alerts.raise_alert(
                "books",
                Severity.CRITICAL,
                str(error),
                "closed",
                "open",
                "a report that fits",
                self._clock.now_ns(),
            )
            return
        if opened:
            now_ns = self._clock.now_ns()
            self._alerts.clear("books")
            self._publish(books.to_snapshot(desk.ledger, ts_ns=now_ns, equity_peak=None))
            desk.reprice(now_ns)
            self._broadcast(desk, desk.revalue("opened", now_ns))

    # Orders.

    def _on_order_command(self, event: OrderCommand) -> None:
        self._desk(event.order.account_id).take_command(event, event.ts_init)

    def _on_order_update(self, event: OrderUpdate) -> None:
        desk = self._desk(event.account_id)
        desk.take_update(event)
        # Here and not at approval: an order that goes out must not wait for sums it has passed.
        desk.book.settle()

    def _on_completed(self, event: IntentCompleted) -> None:
        for desk in self.desks.values():
            desk.intents.complete(event.intent_id)

    # Markets.

    def _on_tick(self, event: MarketTick) -> None:
        underlying = self.inputs.apply_tick(event)
        if underlying is None:
            return
        self._valued_ns = None
        price, sent = self.inputs.prices[underlying], self._sent_prices.get(underlying)
        if sent is not None and abs(price - sent) < PUBLISH_MOVE * sent:
            return
        self._sent_prices[underlying] = price
        priced = self._priced_at.get(underlying)
        if priced is None or abs(price - priced) >= REPRICE_MOVE * priced:
            self._reprice_all("price")
            return
        now_ns = self._clock.now_ns()
        for desk in self.desks.values():
            self._broadcast(desk, desk.follow("price", now_ns))

    def _on_surface(self, event: VolatilitySurface) -> None:
        self.inputs.apply_surface(event)
        if event.slices:
            self._reprice_all("surface")

    def _on_macro(self, event: MacroState) -> None:
        self.inputs.apply_macro(event)

    def _on_status(self, event: VenueStatusChanged) -> None:
        self.inputs.apply_status(event)

    def _on_listed(self, event: InstrumentsListed) -> None:
        del event  # the catalogue has it; a desk may have waited for these instruments
        for desk in self.desks.values():
            if desk.missing is not None:
                desk.reprice(self._clock.now_ns())

    def _reprice_all(self, trigger: str) -> None:
        now_ns = self._clock.now_ns()
        self._priced_at = dict(self.inputs.prices)
        self._valued_ns = now_ns
        for desk in self.desks.values():
            desk.reprice(now_ns)
            self._broadcast(desk, desk.revalue(trigger, now_ns))

    def _broadcast(self, desk: AccountDesk, risk: PortfolioRisk | None) -> None:
        now_ns = self._clock.now_ns()
        if risk is not None:
            for row in risk.by_underlying:
                self._sent_prices[row.underlying] = row.price_usd
            self._publish(risk)
        self._alerts.check(desk, risk, now_ns)

    # Safety.

    def _on_mode(self, event: TradingModeChanged) -> None:
        self._desk(event.account_id).mode = event.mode

    def _on_kill(self, event: KillSwitchSet) -> None:
        self.gate = GateState(
            halted=self.gate.halted,
            kill_engaged=event.engaged,
            kill_flatten=event.engaged and event.flatten,
        )
        self._alerts.kill_switch(event, self._clock.now_ns())

    def _on_failure(self, event: ComponentFailed) -> None:
        if not event.fatal:
            return
        reason = f"{event.component} failed: {event.error}"
        self.gate = GateState(
            halted=reason,
            kill_engaged=self.gate.kill_engaged,
            kill_flatten=self.gate.kill_flatten,
        )
        now_ns = self._clock.now_ns()
        self._alerts.raise_alert(
            "halted", Severity.CRITICAL, reason, "halted", "open", "a restart", now_ns
        )
        for account_id in self.desks:
            self._publish(announce.mode(account_id, TradingMode.HALTED, reason, now_ns))

    def _on_timer(self, event: TimerFired) -> None:
        if event.component != COMPONENT:
            return
        now_ns = self._clock.now_ns()
        for desk in self.desks.values():
            desk.drop_unsent(now_ns - APPROVAL_TTL_NS)
        if self._valued_ns is None or now_ns - self._valued_ns >= QUIET_NS:
            self._reprice_all("timer")
        self._write_snapshots()
        self._arm()

    def _arm(self) -> None:
        self._timers.at(COMPONENT, "heartbeat", self._clock.now_ns() + HEARTBEAT_NS)

    def _write_snapshots(self) -> None:
        """Write down books that changed since, and all once an hour: a restart folds from here."""
        now_ns = self._clock.now_ns()
        for name, desk in self.desks.items():
            written = (desk.ledger, desk.equity_peak, now_ns // HOUR_NS)
            if desk.is_opened and written != self._snapshots.get(name):
                self._snapshots[name] = written
                peak = desk.equity_peak
                self._publish(books.to_snapshot(desk.ledger, ts_ns=now_ns, equity_peak=peak))

    def write_restart_set(self) -> None:
        """Write every book down, changed or not, and the kill switch while it is engaged.

        What a restart needs of older records is then found after this point.
        """
        self._snapshots.clear()
        self._write_snapshots()
        if self.gate.kill_engaged:
            now_ns = self._clock.now_ns()
            self._publish(
                KillSwitchSet(
                    ts_event=now_ns,
                    ts_init=now_ns,
                    engaged=True,
                    flatten=self.gate.kill_flatten,
                    source="still engaged: written again before old records are dropped",
                )
            )

    def _desk(self, account_id: AccountId) -> AccountDesk:
        desk = self.desks.get(account_id)
        if desk is None:
            raise LedgerError(f"account {account_id} is not configured: its events have no books")
        return desk
