"""The execution service of one account: a core component that routes events to its parts.

It awaits its inbox alone. What it decides stands in the leg machine, the order states and the
reconciliation, all pure; what leaves goes through the gateway. To be registered with the bus after
the risk service, so that the books hold a fact before it is compared here.

Start: `restore` what the journal holds, register, and it fences the account, asks the venue for
its truth, compares and unfences; the same after every reconnection and on a timer.
"""

from collections.abc import Iterable
from typing import ClassVar

import structlog

from glmtrader.domain.event import Event
from glmtrader.domain.market_events import VolatilitySurface
from glmtrader.domain.order_events import (
    CancelCommand,
    CashTransferred,
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
from glmtrader.domain.orders import OrderPurpose, OrderStatus
from glmtrader.domain.risk_events import KillSwitchSet, TradingMode, TradingModeChanged
from glmtrader.domain.system_events import ComponentFailed, TimerFired, VenueStatusChanged
from glmtrader.errors import ApprovalError, IllegalTransitionError, JournalError, VenueError
from glmtrader.execution.account_sync import TIMER_KEY, AccountSync
from glmtrader.execution.facts import FACT_TYPES, FactLog
from glmtrader.execution.gateway import Gateway
from glmtrader.execution.intent_desk import IntentDesk
from glmtrader.execution.order_records import OrderRecords
from glmtrader.execution.order_state import FROM_HERE, OrderEvent, OrderRecord
from glmtrader.execution.policy import ExecutionPolicy
from glmtrader.execution.ports import Books, Committer, Redeemer, RiskGate
from glmtrader.kernel.clock import Clock, Timers
from glmtrader.kernel.inbox import Inbox
from glmtrader.market.quote_book import Catalogue, QuoteBook
from glmtrader.venues.port import Publish, Venue

_log = structlog.get_logger("glmtrader.execution")


class ExecutionService:
    """Turns approved intents of one account into orders and owns their lives.

    Args:
        venue: the account's connection; its order methods are called by the gateway alone.
        gate: reviews every order. approvals: redeems what the gate issued.
        journal: committed before an order leaves.
        books: the account's ledger, stepped before this service.
    """

    EVENTS: ClassVar[tuple[type[Event], ...]] = (
        CancelCommand,
        CashTransferred,
        ComponentFailed,
        ExecutionCommand,
        Fill,
        FundingPaid,
        KillSwitchSet,
        OptionDelivered,
        OrderCommand,
        OrderUpdate,
        SessionSettled,
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
        venue: Venue,
        gate: RiskGate,
        approvals: Redeemer,
        journal: Committer,
        books: Books,
        catalogue: Catalogue,
        quotes: QuoteBook,
        clock: Clock,
        timers: Timers,
        publish: Publish,
        policy: ExecutionPolicy,
    ) -> None:
        self.name = f"execution.{venue.account_id}"
        self.records = OrderRecords(policy)
        self._venue = venue
        self._clock = clock
        self._books = books
        self._publish = publish
        self._policy = policy
        self._killed: KillSwitchSet | None = None
        self._failed: str | None = None
        self._agreed = False
        self._facts = FactLog()
        self._gateway = Gateway(venue, approvals, journal, publish)
        self._sync = AccountSync(
            component=self.name,
            venue=venue,
            records=self.records,
            facts=self._facts,
            books=books,
            catalogue=catalogue,
            timers=timers,
            publish=publish,
            policy=policy,
        )
        self._desk = IntentDesk(
            component=self.name,
            gate=gate,
            gateway=self._gateway,
            records=self.records,
            books=books,
            catalogue=catalogue,
            quotes=quotes,
            timers=timers,
            publish=publish,
            policy=policy,
            forbids=self._forbidden,
        )

    @property
    def mode(self) -> TradingMode:
        """The account's trading mode, as last changed by anyone."""
        return self._sync.mode

    @property
    def is_killed(self) -> bool:
        """Whether the kill switch is engaged."""
        return self._killed is not None

    def has_work(self) -> bool:
        """Whether an order or an intent is unfinished."""
        return bool(self._desk.active or self.records.working())

    def restore(self, events: Iterable[Event]) -> None:
        """Fold what earlier runs journaled, in order; to be called before the bus steps `run`."""
        for event in events:
            try:
                self._fold(event)
            except IllegalTransitionError as error:
                _log.warning("restored_event_contradicts", event=type(event).__name__, why=error)

    async def run(self, inbox: Inbox) -> None:
        """Fence, then react to one event after the other until the bus closes."""
        self._start(self._clock.now_ns())
        async for event in inbox:
            self._react(event, self._clock.now_ns())

    def _fold(self, event: Event) -> None:
        match event:
            case KillSwitchSet():
                self._killed = event if event.engaged else None
            case IntentCompleted():
                self._desk.forget(event.intent_id)
            case OrderCommand() if event.order.account_id == self._venue.account_id:
                self.records.command(event)
                self.records.note(event.order.client_order_id, OrderEvent.SEND, event.ts_init)
            case _ if getattr(event, "account_id", None) == self._venue.account_id:
                self._fold_of_account(event)
            case _:
                pass

    def _fold_of_account(self, event: Event) -> None:
        match event:
            case ExecutionCommand():
                self._desk.remember(event)
            case OrderUpdate():
                self.records.update(event)
            case VenueReport():
                self._facts.report(event, self._books.has_booked)
            case Fill() | FundingPaid() | SessionSettled() | OptionDelivered() | CashTransferred():
                self._facts.see(event)
                if isinstance(event, Fill):
                    self.records.fill(event)
            case _:
                pass

    def _start(self, now_ns: int) -> None:
        self._sync.start(now_ns)
        for fact in self._facts.missing:
            self._publish(fact)
        for record in self.records.working():
            if record.status is OrderStatus.SENT:
                self._conclude(record, OrderStatus.UNKNOWN, "restart: may have been sent", now_ns)
        if self._killed:
            self._gateway.cancel_all()

    def _react(self, event: Event, now_ns: int) -> None:
        match event:
            case VolatilitySurface():
                self._desk.on_surface(event)
            case OrderCommand() if event.order.account_id == self._venue.account_id:
                self._on_order_command(event, now_ns)
            case TimerFired() if event.component == self.name:
                self._on_timer(event.key, now_ns)
            case VenueStatusChanged() if event.venue == self._venue.name:
                self._sync.on_status(event, now_ns)
            case KillSwitchSet():
                self._on_kill(event, now_ns)
            case ComponentFailed() if event.fatal:
                self._failed = f"{event.component} crashed: {event.error}"
                self._emergency(self._failed, now_ns)
            case _ if getattr(event, "account_id", None) == self._venue.account_id:
                self._react_of_account(event, now_ns)
            case _:
                pass

    def _react_of_account(self, event: Event, now_ns: int) -> None:
        match event:
            case OrderUpdate():
                self._on_order_news(event, now_ns)
            case Fill():
                self._on_order_news(event, now_ns)
                self._sync.on_fact(event, now_ns)
            case ExecutionCommand():
                self._desk.take(event, now_ns)
            case CancelCommand():
                self._on_cancel(event, now_ns)
            case TradingModeChanged():
                self._on_mode(event, now_ns)
            case VenueReport():
                self._guarded_report(event, now_ns)
            case _ if isinstance(event, FACT_TYPES):
                self._sync.on_fact(event, now_ns)
            case _:
                pass
        was_agreed, self._agreed = self._agreed, self._sync.agrees
        if self._agreed and not was_agreed and self.mode is TradingMode.HALTED:
            self._go_on(now_ns)

    def _on_order_command(self, command: OrderCommand, now_ns: int) -> None:
        record = self.records.command(command)
        forbidden = self._forbidden(command.order.purpose)
        if forbidden is not None:
            self._gateway.drop(command)
            self._conclude(record, OrderStatus.REJECTED, f"not sent: {forbidden}", now_ns)
            return
        name = command.order.client_order_id
        try:
            sent = self._gateway.carry_out(command, now_ns=now_ns)
        except JournalError as error:
            self._conclude(record, OrderStatus.REJECTED, f"not sent: {error}", now_ns)
            self._emergency(f"journal: {error}", now_ns)
        except ApprovalError as error:
            self._conclude(record, OrderStatus.REJECTED, f"not sent: {error}", now_ns)
        except VenueError as error:
            self.records.note(name, OrderEvent.SEND, now_ns)
            self._conclude(record, OrderStatus.UNKNOWN, f"while sending: {error}", now_ns)
        else:
            if not sent:
                self._conclude(record, OrderStatus.REJECTED, "not sent: no approval", now_ns)
                return
            self.records.note(name, OrderEvent.SEND, now_ns)
            overdue_ns = command.order.valid_until_ns + self._policy.grace_slack_ns
            self._sync.hasten(overdue_ns + 1, now_ns)

    def _forbidden(self, purpose: OrderPurpose) -> str | None:
        """Why no order of this purpose may leave now; asked before the gate, and after it.

        A halted account may close, and hedge while its books are the venue's; how much it may
        close on books in doubt is the gate's business. After a crash of the core, nothing.
        """
        if self._failed is not None:
            return self._failed
        if self.mode is TradingMode.FENCED:
            return "trading is fenced"
        if self._killed is not None:
            closes = self._killed.flatten and purpose is OrderPurpose.CLOSE
            return None if closes else "the kill switch is engaged"
        if self.mode is TradingMode.HALTED and purpose is OrderPurpose.OPEN:
            return "trading is halted"
        hedges = purpose is OrderPurpose.HEDGE
        if self.mode is TradingMode.HALTED and hedges and not self._sync.agrees:
            return "trading is halted and the books are not known to equal the venue's"
        return None

    def _on_order_news(self, event: OrderUpdate | Fill, now_ns: int) -> None:
        try:
            if isinstance(event, Fill):
                record = self.records.fill(event)
            else:
                record = self.records.update(event)
        except IllegalTransitionError as error:
            _log.error("order_contradicts", why=str(error))
            self._sync.halt(str(error), now_ns, books_in_doubt=True)
            return
        if record is None:
            return
        in_doubt = record.status is OrderStatus.UNKNOWN
        if in_doubt or (record.status.is_final and not record.is_settled):
            self._sync.hasten(now_ns + self._policy.report_retry_ns, now_ns)
        self._desk.on_order(record, now_ns)

    def _guarded_report(self, event: VenueReport, now_ns: int) -> None:
        try:
            self._sync.on_report(event, now_ns)
        except IllegalTransitionError as error:
            _log.error("report_contradicts", why=str(error))
            self._sync.halt(str(error), now_ns, books_in_doubt=True)

    def _on_cancel(self, event: CancelCommand, now_ns: int) -> None:
        record = self.records.get(event.client_order_id)
        if record is not None and record.status is OrderStatus.CREATED:
            return
        if record is not None:
            self.records.note(event.client_order_id, OrderEvent.ASK_CANCEL, now_ns)
        self._gateway.carry_out_cancel(event)

    def _on_mode(self, event: TradingModeChanged, now_ns: int) -> None:
        self._sync.on_mode(event)
        if event.mode is TradingMode.HALTED:
            self._desk.halt(f"halted: {event.reason}", now_ns)
            for record in self.records.working():
                name = record.order.client_order_id
                self._gateway.ask_cancel(name, f"halted: {event.reason}", now_ns=now_ns)
        self._go_on(now_ns)

    def _on_kill(self, event: KillSwitchSet, now_ns: int) -> None:
        self._killed = event if event.engaged else None
        if event.engaged:
            self._gateway.cancel_all()
            self._desk.stop_all(f"kill switch: {event.source}", now_ns)
            self._sync.hasten(now_ns + self._policy.report_retry_ns, now_ns)
        else:
            self._desk.flatten_no_more(f"kill switch cleared: {event.source}", now_ns)
        self._go_on(now_ns)

    def _go_on(self, now_ns: int) -> None:
        """Work on where something may be sent again; a close may wherever anything may."""
        if self._forbidden(OrderPurpose.CLOSE) is None:
            self._desk.unfenced(now_ns)
            self._flatten(now_ns)

    def _flatten(self, now_ns: int) -> None:
        """Close what is held while the switch asks for it; round by round, until flat."""
        if self._killed is None or self._forbidden(OrderPurpose.CLOSE) is not None:
            return
        if self._desk.flatten(self._killed.source, now_ns):
            self._sync.hasten(now_ns + self._policy.report_retry_ns, now_ns)

    def _on_timer(self, key: str, now_ns: int) -> None:
        if key != TIMER_KEY:
            self._desk.on_timer(key, now_ns)
            return
        self.records.forget(keep=self._desk.active.keys(), now_ns=now_ns)
        if self._killed and any(
            self._forbidden(record.order.purpose) for record in self.records.working()
        ):
            self._gateway.cancel_all()
        for record in self.records.overstaying(now_ns):
            name = record.order.client_order_id
            self._gateway.ask_cancel(name, "rests past its valid_until", now_ns=now_ns)
        self._sync.on_timer(now_ns)
        self._flatten(now_ns)

    def _emergency(self, reason: str, now_ns: int) -> None:
        self._gateway.cancel_all()
        self._sync.halt(reason, now_ns, books_in_doubt=False)
        self._desk.stop_all(reason, now_ns)

    def _conclude(self, record: OrderRecord, status: OrderStatus, reason: str, now_ns: int) -> None:
        """Publish what this process concludes about an order by itself."""
        order = record.order
        self._publish(
            OrderUpdate(
                ts_event=now_ns,
                ts_init=now_ns,
                account_id=order.account_id,
                client_order_id=order.client_order_id,
                venue_order_id=record.venue_order_id,
                instrument_id=order.instrument_id,
                status=status,
                quantity_filled=None,
                source=FROM_HERE,
                reason=reason,
            )
        )
