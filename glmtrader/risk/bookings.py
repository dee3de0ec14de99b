"""What an account's desk does with cash flows: the books, and what follows beside them. Pure."""

from glmtrader.domain import ledger as books
from glmtrader.domain.ledger import InstrumentLookup, LedgerChange
from glmtrader.domain.order_events import (
    Cashflow,
    CashTransferred,
    FundingPaid,
    OptionDelivered,
)
from glmtrader.risk.account_desk import AccountDesk
from glmtrader.risk.opening import known


def take_cashflow(
    desk: AccountDesk, event: Cashflow, lookup: InstrumentLookup
) -> tuple[bool, tuple[LedgerChange, ...]]:
    """Book a cash flow.

    Returns:
        Whether it is new, and what it changed of single instruments.

    Raises:
        LedgerError: an instrument that it is about was never listed.
    """
    if desk.ledger.has_booked(event):
        return False, ()
    if isinstance(event, CashTransferred):
        desk.ledger, _ = books.apply_transfer(desk.ledger, event)
        desk.note_transfer(event)
        return True, ()
    if isinstance(event, OptionDelivered):
        desk.ledger, delivered = books.apply_delivery(desk.ledger, event, lookup)
        return True, delivered
    if isinstance(event, FundingPaid):
        desk.ledger, change = books.apply_funding(desk.ledger, event)
    else:
        instrument = known(event.instrument_id, lookup)
        desk.ledger, change = books.apply_session_settlement(desk.ledger, event, instrument)
    return True, () if change is None else (change,)
