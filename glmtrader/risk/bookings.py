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
    if isinstance(event, SessionSettled):
        desk.ledger = desk.recent.settle(before, event, lookup)
        desk.recent.remember(before, event)
        position = desk.ledger.position(event.instrument_id)
        return True, (LedgerChange(instrument_id=event.instrument_id, position=position, cash={}),)
    desk.recent.remember(before, event)
    if isinstance(event, CashTransferred):
        desk.ledger, _ = books.apply_transfer(before, event)
        desk.note_transfer(event)
        return True, ()
    if isinstance(event, OptionDelivered):
        desk.ledger, delivered = books.apply_delivery(before, event, lookup)
        return True, delivered
    desk.ledger, change = books.apply_funding(before, event)
    return True, () if change is None else (change,)
