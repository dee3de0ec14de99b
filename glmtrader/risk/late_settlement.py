"""A session settlement that is heard of after fills that came later. Pure.

Fills come over the stream at once, settlements out of the venue's log some seconds afterwards. The
venue settled first: what was traded since belongs to the new session. Booked in the order of
hearing, cash would differ from the venue's, so the bookings since are done again in its order.
"""

from typing import Final

from glmtrader.domain.ledger import Booking, InstrumentLookup, Ledger
from glmtrader.domain.order_events import Fill, SessionSettled
from glmtrader.risk.opening import book

RECENT_MAX: Final = 1024
"""Bookings remembered; a report a minute forgets them long before."""


class RecentBookings:
    """What was booked since the last report that knew everything, and the books before that."""

    def __init__(self) -> None:
        self._base: Ledger | None = None
        self._since: list[Booking] = []

    def remember(self, before: Ledger, event: Booking) -> None:
        """Keep one booking; `before` are the books without it."""
        if self._base is None or len(self._since) >= RECENT_MAX:
            self._base, self._since = before, []
        self._since.append(event)

    def forget(self, cursor: int) -> None:
        """Drop what lies before the cursor, once nothing lies after it."""
        if all(event.cursor < cursor for event in self._since):
            self._base, self._since = None, []

    def settle(self, ledger: Ledger, event: SessionSettled, lookup: InstrumentLookup) -> Ledger:
        """The books with a settlement, in the venue's order whatever came first here.

        Raises:
            LedgerError: an instrument is unknown, or the booking would break the books.
        """
        overtaken = any(
            isinstance(item, Fill)
            and item.instrument_id == event.instrument_id
            and item.cursor > event.cursor
            for item in self._since
        )
        if self._base is None or not overtaken:
            return book(ledger, event, lookup)
        rebuilt = self._base
        for item in sorted((event, *self._since), key=lambda item: item.cursor):
            rebuilt = book(rebuilt, item, lookup)
        return rebuilt
