"""Which of a venue's facts (fills, cash flows) have passed through the bus, and which are missing.

A fact counts once, by trade id or by its place in the venue's ordering. The cursor only moves past
a report when every fact in it has come back through the bus, and so stands in the journal: a crash
in between asks for the same facts again instead of losing them.
"""

from collections.abc import Callable

from glmtrader.domain.event import Event
from glmtrader.domain.ledger import Booking, booking_name
from glmtrader.domain.order_events import (
    CashTransferred,
    Fill,
    FundingPaid,
    OptionDelivered,
    SessionSettled,
    VenueReport,
)

FACT_TYPES = (Fill, FundingPaid, SessionSettled, OptionDelivered, CashTransferred)
FACTS_MAX = 65_536
"""Facts since the last reconciliation; more means that none has succeeded for far too long."""


class FactLog:
    """The facts seen since the cursor, and those of reports that are still on their way."""

    def __init__(self) -> None:
        self.cursor = 0
        self._seen: dict[str, int] = {}
        self._missing: dict[str, Booking] = {}
        self._cursor_next = 0

    @property
    def missing(self) -> tuple[Booking, ...]:
        """Facts of reports that have not yet passed through the bus, in the venue's order."""
        return tuple(self._missing.values())

    @property
    def is_complete(self) -> bool:
        """Whether every reported fact has passed."""
        return not self._missing

    def begin(self, cursor: int) -> None:
        """Start at the books' cursor, unless reports read from the journal say where."""
        if self.cursor == 0:
            self.cursor = cursor

    def see(self, fact: Event) -> bool:
        """Take note of a fact that passed through the bus; False if it had passed before."""
        assert isinstance(fact, FACT_TYPES), f"{type(fact).__name__} is no fact of an account"
        key = booking_name(fact)
        self._missing.pop(key, None)
        known = key in self._seen or fact.cursor < self.cursor
        assert len(self._seen) < FACTS_MAX, "too many facts without a reconciliation"
        if not known:
            self._seen[key] = fact.cursor
        self._advance()
        return not known

    def report(
        self, report: VenueReport, is_booked: Callable[[Booking], bool]
    ) -> tuple[Booking, ...]:
        """Take a report; the facts in it that were never seen, in the venue's order.

        What an earlier report already found missing is on its way and not returned again, nor is
        what the books hold (they open on a report's history). Only a complete report moves the
        cursor.
        """
        facts: list[Booking] = sorted(
            (*report.fills, *report.cashflows), key=lambda fact: fact.cursor
        )
        fresh = []
        for fact in facts:
            key = booking_name(fact)
            if fact.cursor < self.cursor or key in self._seen or key in self._missing:
                continue
            if is_booked(fact):
                self._seen[key] = fact.cursor
            else:
                self._missing[key] = fact
                fresh.append(fact)
        if facts and report.complete:
            self._cursor_next = max(self._cursor_next, facts[-1].cursor)
        self._advance()
        return tuple(fresh)

    def _advance(self) -> None:
        if self._missing or self._cursor_next <= self.cursor:
            return
        self.cursor = self._cursor_next
        self._seen = {key: place for key, place in self._seen.items() if place >= self.cursor}
