"""Where the P&L of a run came from: by greek, coin, hedge, execution, delivery, funding and fees.

Fed with journaled events in their order, as they pass (`PnlBook.apply`) or from a journal
(`of_journal`). Every `PortfolioRisk` ends an interval, whose parts `pnl_interval` gives; what
they leave of the change of equity is the residual, so that the parts sum to it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from math import fsum
from pathlib import Path
from typing import ClassVar, Final

import msgspec

from glmtrader.domain.event import Event
from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import Instrument
from glmtrader.domain.ledger import (
    Booking,
    InstrumentLookup,
    Ledger,
    LedgerChange,
    apply_delivery,
    apply_fill,
    apply_funding,
    apply_session_settlement,
    apply_transfer,
    from_snapshot,
)
from glmtrader.domain.market_events import InstrumentsListed, VolatilitySurface
from glmtrader.domain.order_events import (
    CashTransferred,
    Fill,
    FundingPaid,
    OptionDelivered,
    SessionSettled,
)
from glmtrader.domain.risk_events import LedgerSnapshot, PortfolioRisk
from glmtrader.domain.system_events import RunStarted
from glmtrader.kernel.journal import open_for_reading, read_records
from glmtrader.research.marking import mark, open_positions
from glmtrader.research.pnl_interval import GREEKS, Booked, Moment, PnlBooking, actual, shares
from glmtrader.risk.opening import known
from glmtrader.risk.pricing import SurfaceView

PARTS: Final = (*GREEKS, "coin", "hedge", "execution", "delivery", "funding", "fees")
"""Everything that explains P&L, in the order in which it is shown."""


class Pnl(msgspec.Struct, frozen=True, kw_only=True):
    """P&L in USD by source; the parts and the residual sum to `actual`.

    Attributes:
        delta, gamma, vega, theta, vanna, volga: of options, by Taylor expansion; an inverse
            option's delta is net of its premium, N(d1) - mark.
        coin: of holding coins, the equity in coin times the move of its price.
        hedge: price P&L of perpetuals.
        execution: trades against the marks that followed: spreads paid.
        delivery: what expiries paid against the options' last marks.
        funding, fees: negative when paid.
        residual: what the expansion leaves.
        actual: change of equity.
    """

    delta: float
    gamma: float
    vega: float
    theta: float
    vanna: float
    volga: float
    coin: float
    hedge: float
    execution: float
    delivery: float
    funding: float
    fees: float
    residual: float
    actual: float


class Attribution(msgspec.Struct, frozen=True, kw_only=True):
    """The P&L of a span of events.

    Attributes:
        total: its `actual` is the change of the published equity.
        by_underlying: each revalued from the ledger and the marks alone.
        unallocated: what `total` has and the underlyings have not: the published equity follows
            prices to second order between full valuations. Part of the total's residual.
        intervals: how many were expanded.
    """

    equity_start_usd: float
    equity_end_usd: float
    total: Pnl
    by_underlying: dict[str, Pnl]
    unallocated: float
    intervals: int


class PnlBook:
    """Keeps one account's books beside the risk service's and attributes their P&L.

    Args:
        lookup: finds instruments that were listed before the first event, if there is one.
    """

    EVENTS: ClassVar[tuple[type[Event], ...]] = (
        CashTransferred,
        Fill,
        FundingPaid,
        InstrumentsListed,
        LedgerSnapshot,
        OptionDelivered,
        PortfolioRisk,
        RunStarted,
        SessionSettled,
        VolatilitySurface,
    )
    """What to feed, in the order of the bus."""

    def __init__(self, lookup: InstrumentLookup | None = None) -> None:
        self._known: dict[InstrumentId, Instrument] = {}
        self._elsewhere = lookup
        self._surfaces = SurfaceView()
        self._ledger: Ledger | None = None
        self._reopens = True
        self._pending: list[Booked] = []
        self._closed: Moment | None = None
        self._equity_usd: tuple[float, float] | None = None
        self._rows: defaultdict[str, defaultdict[str, float]] = defaultdict(_no_parts)
        self._actual: defaultdict[str, float] = defaultdict(float)
        self._intervals = 0

    def apply(self, event: Event) -> None:
        """Take one event; those of other classes or accounts change nothing.

        Raises:
            LedgerError: an instrument was traded that nobody listed.
        """
        match event:
            case PortfolioRisk():
                self._on_risk(event)
            case VolatilitySurface():
                self._surfaces.apply(event)
            case InstrumentsListed():
                self._known.update((item.instrument_id, item) for item in event.listed)
            case RunStarted():
                self._reopens = True
            case LedgerSnapshot():
                self._on_snapshot(event)
            case Fill() | FundingPaid() | SessionSettled() | OptionDelivered():
                self._on_booking(event)
            case CashTransferred():
                self._on_transfer(event)
            case _:
                pass

    def result(self) -> Attribution | None:
        """The attribution up to the last `PortfolioRisk`; None before the first."""
        if self._equity_usd is None:
            return None
        start_usd, end_usd = self._equity_usd
        by_underlying = {
            name: _pnl(self._rows[name], self._actual[name]) for name in sorted(self._actual)
        }
        sums = {part: fsum(row[part] for row in self._rows.values()) for part in PARTS}
        actual = end_usd - start_usd
        return Attribution(
            equity_start_usd=start_usd,
            equity_end_usd=end_usd,
            total=_pnl(sums, actual),
            by_underlying=by_underlying,
            unallocated=actual - fsum(row.actual for row in by_underlying.values()),
            intervals=self._intervals,
        )

    def _lookup(self, instrument_id: InstrumentId) -> Instrument | None:
        found = self._known.get(instrument_id)
        if found is None and self._elsewhere is not None:
            found = self._elsewhere(instrument_id)
        return found

    def _on_snapshot(self, event: LedgerSnapshot) -> None:
        """Open on the first of a run; a later one may be older than what was booked here."""
        if self._reopens and (self._ledger is None or self._is_ours(event)):
            self._ledger = from_snapshot(event)
            self._reopens = False

    def _is_ours(self, event: LedgerSnapshot | PortfolioRisk | Booking) -> bool:
        return self._ledger is not None and event.account_id == self._ledger.account_id

    def _on_transfer(self, event: CashTransferred) -> None:
        """Count a transfer as if it had been there at the start: nobody earned or lost it."""
        if self._ledger is None or not self._is_ours(event):
            return
        self._ledger, is_new = apply_transfer(self._ledger, event)
        if not is_new or self._closed is None or self._equity_usd is None:
            return
        start = self._closed
        self._closed = msgspec.structs.replace(start, ledger=apply_transfer(start.ledger, event)[0])
        if start.marks.has_price(event.currency):
            moved_usd = float(event.amount) * start.marks.usd(event.currency)
            self._equity_usd = (self._equity_usd[0] + moved_usd, self._equity_usd[1])

    def _on_booking(self, event: PnlBooking) -> None:
        if self._ledger is None or not self._is_ours(event):
            return
        self._ledger, changes = _book(self._ledger, event, self._lookup)
        self._pending.extend(
            Booked(
                instrument=known(change.instrument_id, self._lookup), booking=event, change=change
            )
            for change in changes
        )

    def _on_risk(self, event: PortfolioRisk) -> None:
        if self._ledger is None or not self._is_ours(event):
            return
        held = open_positions(self._ledger, self._lookup)
        before = [] if self._closed is None else self._closed.held
        names = {item.instrument_id: item for item, _ in (*before, *held)}
        marks = mark(event, self._surfaces, names.values())
        if marks is None:
            return
        now = Moment(ledger=self._ledger, held=held, marks=marks)
        if self._closed is not None:
            self._close(self._closed, now)
        self._closed = now
        self._pending.clear()
        start_usd = event.equity_usd if self._equity_usd is None else self._equity_usd[0]
        self._equity_usd = (start_usd, event.equity_usd)

    def _close(self, start: Moment, end: Moment) -> None:
        """End the interval that began at `start`, with the bookings made in it."""
        for name, part, value in shares(start, self._pending, end):
            self._rows[name][part] += value
        for name, value in actual(start, self._pending, end).items():
            self._actual[name] += value
        self._intervals += 1


def fold(events: Iterable[Event], lookup: InstrumentLookup | None = None) -> Attribution | None:
    """The attribution of events in their order; None where no equity was ever published."""
    book = PnlBook(lookup)
    for event in events:
        book.apply(event)
    return book.result()


def of_journal(path: Path) -> Attribution | None:
    """The attribution of a whole journal, all its runs together.

    Raises:
        JournalError: the journal cannot be read, or a record was changed.
    """
    connection = open_for_reading(path)
    try:
        return fold(record.event for record in read_records(connection))
    finally:
        connection.close()


def _book(
    ledger: Ledger, event: PnlBooking, lookup: InstrumentLookup
) -> tuple[Ledger, tuple[LedgerChange, ...]]:
    if isinstance(event, OptionDelivered):
        return apply_delivery(ledger, event, lookup)
    if isinstance(event, FundingPaid):
        after, change = apply_funding(ledger, event)
    else:
        instrument = known(event.instrument_id, lookup)
        if isinstance(event, Fill):
            after, change = apply_fill(ledger, event, instrument)
        else:
            after, change = apply_session_settlement(ledger, event, instrument)
    return after, () if change is None else (change,)


def _no_parts() -> defaultdict[str, float]:
    return defaultdict(float)


def _pnl(parts: Mapping[str, float], actual: float) -> Pnl:
    explained = {part: parts.get(part, 0.0) for part in PARTS}
    residual = fsum((actual, *(-value for value in explained.values())))
    return Pnl(**explained, residual=residual, actual=actual)
