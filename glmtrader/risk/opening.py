"""How the books of an account are opened: from the venue's first complete report. Pure.

Cash is the venue's. A perpetual's entry value cannot be asked of every venue in the terms of the
ledger, so it is rebuilt from the reported history; where that does not explain the position, the
account stays closed to new risk, because its cash could not be followed to the satoshi.
"""

from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import Instrument
from glmtrader.domain.ledger import (
    Booking,
    InstrumentLookup,
    Ledger,
    apply_delivery,
    apply_fill,
    apply_funding,
    apply_session_settlement,
    apply_transfer,
    booking_name,
)
from glmtrader.domain.order_events import (
    CashTransferred,
    Fill,
    FundingPaid,
    SessionSettled,
    VenueReport,
)
from glmtrader.domain.pnl import ZERO
from glmtrader.errors import LedgerError


def book(ledger: Ledger, event: Booking, lookup: InstrumentLookup) -> Ledger:
    """Book any event by its kind.

    Raises:
        LedgerError: its instrument is unknown, or the booking would break the books.
    """
    if isinstance(event, FundingPaid):
        return apply_funding(ledger, event)[0]
    if isinstance(event, CashTransferred):
        return apply_transfer(ledger, event)[0]
    if isinstance(event, Fill):
        return apply_fill(ledger, event, known(event.instrument_id, lookup))[0]
    if isinstance(event, SessionSettled):
        instrument = known(event.instrument_id, lookup)
        return apply_session_settlement(ledger, event, instrument)[0]
    return apply_delivery(ledger, event, lookup)[0]


def open_books(report: VenueReport, lookup: InstrumentLookup) -> Ledger:
    """The ledger that a complete report describes.

    Raises:
        LedgerError: a perpetual's entry cannot be rebuilt from the reported history.
    """
    assert report.complete, f"{report.account_id}: books are opened on a complete report only"
    history = sorted((*report.fills, *report.cashflows), key=lambda event: event.cursor)
    rebuilt = Ledger(account_id=report.account_id)
    for event in history:
        rebuilt = book(rebuilt, event, lookup)
    positions = {}
    for instrument_id, quantity in sorted(report.positions.items()):
        position = rebuilt.position(instrument_id)
        if quantity == ZERO:
            continue
        if position.quantity != quantity:
            raise LedgerError(
                f"{report.account_id} holds {quantity} {instrument_id}, its history explains"
                f" {position.quantity}: close the position at the venue, then start again"
            )
        positions[instrument_id] = position
    return Ledger(
        account_id=report.account_id,
        balances={entry.currency: entry.cash for entry in report.balances},
        positions=positions,
        cursor=min((event.cursor for event in history), default=0),
        booked={booking_name(event): event.cursor for event in history},
    )


def known(instrument_id: InstrumentId, lookup: InstrumentLookup) -> Instrument:
    """The instrument of a booking.

    Raises:
        LedgerError: it was never listed here.
    """
    instrument = lookup(instrument_id)
    if instrument is None:
        raise LedgerError(f"{instrument_id} was never listed: it cannot be booked")
    return instrument
