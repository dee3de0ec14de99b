"""What an account's desk does with cash flows: the books, and what follows beside them. Pure."""

from glmtrader.domain import ledger as books
from glmtrader.domain.ledger import InstrumentLookup, LedgerChange
from glmtrader.domain.order_events import (
    Cashflow,
    CashTransferred,
    OptionDelivered,
    SessionSettled,
)
from glmtrader.risk.account_desk import AccountDesk


def take_cashflow(
    desk: AccountDesk, event: Cashflow, lookup: InstrumentLookup
) -> tuple[bool, tuple[LedgerChange, ...]]:
    """Book a cash flow.

    Returns:
        Whether it is new, and what it changed of single instruments.

    Raises:
        LedgerError: an instrument that it is about was never listed.
    """
    before = desk.ledger
    if before.has_booked(event):
        return False, ()
    changes = _book(desk, event, lookup)
    # Only what could be booked: the bookings since are done again when a settlement comes late.
    desk.recent.remember(before, event)
    return True, changes


def _book(desk: AccountDesk, event: Cashflow, lookup: InstrumentLookup) -> tuple[LedgerChange, ...]:
    if isinstance(event, SessionSettled):
        desk.ledger = desk.recent.settle(desk.ledger, event, lookup)
        position = desk.ledger.position(event.instrument_id)
        return (LedgerChange(instrument_id=event.instrument_id, position=position, cash={}),)
    if isinstance(event, OptionDelivered):
        desk.ledger, delivered = books.apply_delivery(desk.ledger, event, lookup)
        return delivered
    if isinstance(event, CashTransferred):
        desk.ledger, _ = books.apply_transfer(desk.ledger, event)
        desk.note_transfer(event)
        return ()
    desk.ledger, change = books.apply_funding(desk.ledger, event)
    return () if change is None else (change,)
