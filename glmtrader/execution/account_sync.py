"""Keeps our picture of an account equal to the venue's: fence, ask, compare, unfence or halt.

At start, after every reconnection, on a timer and whenever an order's outcome is unknown, the
venue is asked for a report. Facts that we lack are published; once they have passed through the
bus (so that the books hold them) positions and cash are compared. A difference is looked at again
before trading halts, because a trade may fall between a report and its arrival. A halted account
is compared like any other: what it may still close depends on it.
"""

from collections.abc import Sequence
from typing import Final

import structlog

from glmtrader.domain.event import Event
from glmtrader.domain.instruments import SECOND_NS
from glmtrader.domain.order_events import VenueReport
from glmtrader.domain.risk_events import RiskAlert, Severity, TradingMode, TradingModeChanged
from glmtrader.domain.system_events import VenueStatusChanged
from glmtrader.execution.facts import FactLog
from glmtrader.execution.order_records import OrderRecords
from glmtrader.execution.policy import ExecutionPolicy
from glmtrader.execution.ports import ADAPTER_ERRORS, Books
from glmtrader.execution.reconcile import (
    Grace,
    Mismatch,
    OrdersCompared,
    compare_books,
    compare_orders,
    deferred_instruments,
)
from glmtrader.kernel.clock import TimerHandle, Timers
from glmtrader.market.quote_book import Catalogue
from glmtrader.venues.port import Publish, Venue

_log = structlog.get_logger("glmtrader.execution")

TIMER_KEY: Final = "sync"
RESOLVE_MAX = 64
"""Client ids asked for in one report; the rest are asked in the next."""
REQUESTS_MAX = 4
"""Unanswered requests at a time; no more are made until one is answered or given up."""
RACES_MAX = 5
"""Comparisons excused in a row because a trade arrived while the report was on its way."""
UNCOMPARED_INTERVALS_MAX = 3
"""Report intervals without a comparison after which nobody knows whether the books are right."""

_UP: Final = frozenset({"connected", "open"})


class AccountSync:
    """The trading mode of one account, as far as it depends on agreeing with the venue.

    Args:
        component: the timer's owner.
        facts: restored from the journal.
    """

    def __init__(
        self,
        *,
        component: str,
        venue: Venue,
        records: OrderRecords,
        facts: FactLog,
        books: Books,
        catalogue: Catalogue,
        timers: Timers,
        publish: Publish,
        policy: ExecutionPolicy,
    ) -> None:
        self.mode = TradingMode.FENCED
        self._component = component
        self._venue = venue
        self._records = records
        self._facts = facts
        self._books = books
        self._catalogue = catalogue
        self._timers = timers
        self._publish = publish
        self._policy = policy
        self._mode_after_fence = TradingMode.OPEN
        self._agrees = False
        self._differs_since_ns = 0
        self._compared_ns = 0
        self._is_overdue = False
        self._halt_reason = ""
        self._in_doubt = False
        self._queued: list[TradingModeChanged] = []
        self._up: bool | None = None
        self._asked_ns: dict[str, int] = {}
        self._requests = 0
        self._timer: tuple[int, TimerHandle] | None = None
        self._held: tuple[VenueReport, OrdersCompared] | None = None
        self._report_next_ns = 0
        self._disturbed = False
        self._races = 0
        self._mismatches = 0

    @property
    def agrees(self) -> bool:
        """Whether the last comparison found no difference; a halt asks for a new one."""
        return self._agrees

    def start(self, now_ns: int) -> None:
        """Fence; the request follows when the fence has been journaled."""
        self._facts.begin(self._books.cursor)
        self._compared_ns = now_ns
        self._change(TradingMode.FENCED, "start: not yet reconciled", now_ns)
        self.hasten(now_ns + self._policy.report_retry_ns, now_ns)

    def on_mode(self, event: TradingModeChanged) -> None:
        """Follow the mode, whoever changed it; a fence is an order to reconcile.

        A halt is latched: a change that was on its way when trading halted does not undo it, and
        is answered by saying the halt again. Only a person's fence releases it, or a start.
        """
        self._queued = [item for item in self._queued if item is not event]
        if self.mode is TradingMode.HALTED and event.mode is not TradingMode.HALTED:
            is_said = all(item.mode is not TradingMode.HALTED for item in self._queued)
            releases = bool(event.released_by) and event.mode is TradingMode.FENCED
            if not is_said or not releases:
                if is_said:
                    self._change(TradingMode.HALTED, self._halt_reason, event.ts_init)
                return
        self._in_doubt = False
        if event.mode is TradingMode.HALTED:
            self._halt_reason, self._in_doubt = event.reason, event.books_in_doubt
            self._agrees = False
        self.mode = event.mode
        if event.mode in (TradingMode.FENCED, TradingMode.HALTED):
            self.ask(event.reason, event.ts_init)

    def on_status(self, event: VenueStatusChanged, now_ns: int) -> None:
        """Fence when the venue is lost; reconcile when it is back."""
        was_up, self._up = self._up, event.status in _UP
        if self._up is was_up:
            return
        if not self._up:
            self._asked_ns.clear()
            self._held = None
        if self.mode in (TradingMode.FENCED, TradingMode.HALTED):
            self.ask(f"venue {event.status}", now_ns)
        else:
            self._fence(f"venue {event.status}: {event.detail}", now_ns)

    def ask(self, reason: str, now_ns: int) -> None:
        """Ask for a report, with every order that is not final, one by one."""
        self._report_next_ns = now_ns + self._policy.report_interval_ns
        self.hasten(now_ns + self._policy.report_retry_ns, now_ns)
        if self._up is False:
            return
        lost_ns = now_ns - self._policy.report_lost_ns
        self._asked_ns = {name: at for name, at in self._asked_ns.items() if at > lost_ns}
        if len(self._asked_ns) >= REQUESTS_MAX:
            return
        if not self._asked_ns:
            self._disturbed = False
        self._requests += 1
        name = f"{reason} #{self._requests}"
        self._asked_ns[name] = now_ns
        names = [record.order.client_order_id for record in self._records.working()]
        try:
            self._venue.request_report(
                name, since_cursor=self._facts.cursor, resolve=tuple(names[:RESOLVE_MAX])
            )
        except ADAPTER_ERRORS as error:
            # The timer is armed and asks again; without any answer the account is fenced.
            del self._asked_ns[name]
            _log.error("report_not_asked", account=self._venue.account_id, why=str(error))

    def hasten(self, when_ns: int, now_ns: int) -> None:
        """Look again no later than `when_ns`; a timer that is due already is on its way."""
        if self._timer is not None and self._timer[0] <= max(when_ns, now_ns):
            return
        if self._timer is not None:
            self._timer[1].cancel()
        self._arm(when_ns)

    def on_timer(self, now_ns: int) -> None:
        """Ask again where something is open, and periodically in any case."""
        if self._timer is not None and now_ns < self._timer[0]:
            # Fired a moment early, or the wall clock stepped back: nothing else would wake us.
            self._timer[1].cancel()
            self._arm(self._timer[0])
            return
        self._timer = None
        self._check_age(now_ns)
        open_questions = self._records.open_questions(now_ns)
        due = now_ns >= self._report_next_ns
        differs = self._mismatches > 0 and self.mode is not TradingMode.HALTED
        doubtful = differs or self._races > 0 or self.mode is TradingMode.FENCED
        if open_questions or due or doubtful:
            self.ask("periodic" if due else "unresolved", now_ns)
        else:
            self.hasten(self._report_next_ns, now_ns)

    def on_fact(self, fact: Event, now_ns: int) -> None:
        """A fact passed through the bus; a report that waited for it is compared now."""
        expected = bool(self._facts.missing)
        if self._facts.see(fact) and not expected:
            self._disturbed = True
        if self._held is not None and self._facts.is_complete:
            self._compare(*self._held, now_ns)

    def on_report(self, report: VenueReport, now_ns: int) -> None:
        """Publish what follows for orders and facts, then compare the books."""
        grace = Grace(
            asked_ns=self._asked_ns.pop(report.reason, 0),
            accept_delay_max_ns=self._venue.accept_delay_max_ns,
            slack_ns=self._policy.grace_slack_ns,
        )
        if report.complete and not self._books.is_opened:
            self._disagree((Mismatch("books", "not opened", "reported"),), now_ns)
            return
        compared = compare_orders(self._records.all, report, grace, self._policy.external_orders)
        for event in (*self._facts.report(report, self._books.has_booked), *compared.updates):
            self._publish(event)
        if report.complete:
            self._held = (report, compared)
        if report.complete and self._facts.is_complete:
            self._compare(report, compared, now_ns)

    def halt(self, reason: str, now_ns: int, *, books_in_doubt: bool) -> None:
        """Stop trading until a person fences the account again (which reconciles it)."""
        if self.mode is not TradingMode.HALTED:
            self._in_doubt = books_in_doubt
            self._change(TradingMode.HALTED, reason, now_ns)

    def _compare(self, report: VenueReport, compared: OrdersCompared, now_ns: int) -> None:
        self._held = None
        differing = (*compared.mismatches, *self._differing_books(report, now_ns))
        if not differing:
            self._compared_ns, self._is_overdue = now_ns, False
            self._mismatches = self._races = 0
            self._agrees = True
            if not compared.unresolved or self.mode is not TradingMode.FENCED:
                self._agree(now_ns)
        elif self._disturbed and self._races < RACES_MAX:
            self._races += 1
        else:
            self._disagree(differing, now_ns)

    def _check_age(self, now_ns: int) -> None:
        """Fence, and say so, when reports have not come or not been complete for too long."""
        age_ns = now_ns - self._compared_ns
        age_ns_max = UNCOMPARED_INTERVALS_MAX * self._policy.report_interval_ns
        if self._is_overdue or age_ns <= age_ns_max:
            return
        self._is_overdue, self._agrees = True, False
        account_id, age_s = self._venue.account_id, age_ns / SECOND_NS
        message = f"{account_id}: books not compared with the venue for {age_s:.0f} s"
        self._publish(
            RiskAlert(
                ts_event=now_ns,
                ts_init=now_ns,
                alert_type="reconciliation",
                severity=Severity.CRITICAL,
                message=message,
                current_value=f"{age_s:.0f} s",
                threshold_value=f"{age_ns_max / SECOND_NS:.0f} s",
                clears_by="a complete report from the venue",
            )
        )
        if self.mode is not TradingMode.FENCED:
            self._fence(message, now_ns)

    def _differing_books(self, report: VenueReport, now_ns: int) -> Sequence[Mismatch]:
        positions = self._books.positions()
        listed = {
            name: instrument
            for name in {*positions, *report.positions}
            if (instrument := self._catalogue.get(name)) is not None
        }
        deferred = deferred_instruments(
            {name: item.expiry_ns for name, item in listed.items() if item.expiry_ns is not None},
            now_ns=now_ns,
            grace_ns=self._policy.expiry_grace_ns,
        )
        currencies = {listed[name].settlement_currency for name in deferred}
        return compare_books(
            positions,
            self._books.cash(),
            report,
            deferred=deferred,
            deferred_currencies=currencies,
        )

    def _agree(self, now_ns: int) -> None:
        if self.mode is TradingMode.FENCED and self._up is not False:
            self._change(self._mode_after_fence, "reconciled: equal to the venue", now_ns)
            self._mode_after_fence = TradingMode.OPEN
        self.hasten(self._report_next_ns, now_ns)

    def _disagree(self, differing: Sequence[Mismatch], now_ns: int) -> None:
        self._agrees = False
        self._compared_ns, self._is_overdue = now_ns, False
        self._races = 0
        if self._mismatches == 0:
            self._differs_since_ns = now_ns
        self._mismatches += 1
        reason = "; ".join(str(item) for item in differing[:8])
        lasts = now_ns - self._differs_since_ns >= self._policy.mismatch_window_ns
        if self._mismatches >= self._policy.mismatches_max and lasts:
            self._mismatches = 0
            self.halt(f"books differ from the venue: {reason}", now_ns, books_in_doubt=True)
        elif self.mode is not TradingMode.FENCED:
            self._fence(f"checking a difference: {reason}", now_ns)

    def _arm(self, when_ns: int) -> None:
        self._timer = (when_ns, self._timers.at(self._component, TIMER_KEY, when_ns))

    def _fence(self, reason: str, now_ns: int) -> None:
        if self.mode is TradingMode.HALTED:
            return
        self._mode_after_fence = self.mode
        self._change(TradingMode.FENCED, reason, now_ns)

    def _change(self, mode: TradingMode, reason: str, now_ns: int) -> None:
        self.mode = mode
        if mode is TradingMode.HALTED:
            self._halt_reason = reason
        changed = TradingModeChanged(
            ts_event=now_ns,
            ts_init=now_ns,
            account_id=self._venue.account_id,
            mode=mode,
            reason=reason,
            books_in_doubt=mode is TradingMode.HALTED and self._in_doubt,
        )
        self._queued.append(changed)
        self._publish(changed)
