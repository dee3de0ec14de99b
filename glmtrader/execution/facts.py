"""Which of a venue's facts (fills, cash flows) have passed through the bus, and which are missing.

A fact counts once, by trade id or by its place in the venue's ordering. The cursor only moves past
a report when every fact in it has come back through the bus, and so stands in the journal: a crash
in between asks for the same facts again instead of losing them.
"""

from collections.abc import Hashable

from glmtrader.domain.event import Event
from glmtrader.domain.order_events import (
    Fill,
    FundingPaid,
    OptionDelivered,
    SessionSettled,
    VenueReport,
)

Fact = Fill | FundingPaid | SessionSettled | OptionDelivered
FACT_TYPES = (Fill, FundingPaid, SessionSettled, OptionDelivered)
FACTS_MAX = 65_536
"""Facts since the last reconciliation; more means that none has succeeded for far too long."""


class FactLog:
    """The facts seen since the cursor, and those of reports that are still on their way."""

    def __init__(self) -> None:
        self.cursor = 0
        self._seen: dict[Hashable, int] = {}
        self._missing: dict[Hashable, Fact] = {}
        self._cursor_next = 0

    @property
    def missing(self) -> tuple[Fact, ...]:
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
        key = _key(fact)
        self._missing.pop(key, None)
        known = key in self._seen or fact.cursor < self.cursor
        assert len(self._seen) < FACTS_MAX, "too many facts without a reconciliation"
        if not known:
            self._seen[key] = fact.cursor
        self._advance()
        return not known

    def report(self, report: VenueReport) -> tuple[Fact, ...]:
        """Take a report; the facts in it that were never seen, in the venue's order.

        What an earlier report already found missing is on its way and not returned again. Only a
        complete report moves the cursor.
        """
        facts: list[Fact] = sorted((*report.fills, *report.cashflows), key=lambda fact: fact.cursor)
        fresh = []
        for fact in facts:
            key = _key(fact)
            if fact.cursor >= self.cursor and key not in self._seen and key not in self._missing:
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


def _key(fact: Fact) -> Hashable:
    if isinstance(fact, Fill):
        return ("fill", fact.trade_id)
    if isinstance(fact, OptionDelivered):
        return ("delivery", fact.underlying, fact.expiry_ns)
    return (type(fact).__name__, fact.instrument_id, fact.cursor)
