"""What a restart folds out of the journal: books, equity peak, orders in flight, kill switch.

A ledger snapshot is journaled after whatever was already in the bus's queue when it was written,
so a fill just before it in the journal may be missing from it. Every booking is therefore offered
to the last snapshot again; the ledger knows which of them it has. Trading modes are not folded:
every start begins fenced, until reconciliation opens it.
"""

from collections.abc import Iterable, Mapping

import msgspec
import structlog

from glmtrader.domain import ledger as books
from glmtrader.domain.event import Event
from glmtrader.domain.ids import AccountId
from glmtrader.domain.ledger import Booking
from glmtrader.domain.market_events import InstrumentsListed
from glmtrader.domain.order_events import (
    CashTransferred,
    Fill,
    FundingPaid,
    OptionDelivered,
    OrderCommand,
    OrderUpdate,
    SessionSettled,
    VenueReport,
)
from glmtrader.domain.risk_events import KillSwitchSet, LedgerSnapshot, PortfolioRisk
from glmtrader.errors import LedgerError
from glmtrader.risk.account_desk import AccountDesk
from glmtrader.risk.market_inputs import MarketInputs
from glmtrader.risk.opening import book

_log = structlog.get_logger("glmtrader.risk")


class KillSwitch(msgspec.Struct, frozen=True, kw_only=True):
    """The kill switch as the journal left it."""

    engaged: bool = False
    flatten: bool = False


class _Account:
    __slots__ = ("bookings", "desk", "orders", "peak", "report", "snapshot")

    def __init__(self, desk: AccountDesk) -> None:
        self.desk = desk
        self.bookings: list[Booking] = []
        self.orders: list[OrderCommand | OrderUpdate | Fill] = []
        self.peak: float | None = None
        self.report: VenueReport | None = None
        self.snapshot: LedgerSnapshot | None = None

    def raise_peak(self, equity: float | None) -> None:
        if equity is not None:
            self.peak = equity if self.peak is None else max(self.peak, equity)


def fold(
    events: Iterable[Event], desks: Mapping[AccountId, AccountDesk], inputs: MarketInputs
) -> KillSwitch:
    """Bring desks to where the journal left them.

    Args:
        events: in the journal's order; at least since the last ledger snapshot but one.
        desks: by account; events of other accounts are left alone.
        inputs: learns the instruments that the journal knows.

    Returns:
        The kill switch.
    """
    kill = KillSwitch()
    accounts = {account_id: _Account(desk) for account_id, desk in desks.items()}
    for event in events:
        if isinstance(event, KillSwitchSet):
            kill = KillSwitch(engaged=event.engaged, flatten=event.flatten)
        elif isinstance(event, InstrumentsListed):
            for instrument in event.listed:
                inputs.remember(instrument)
        else:
            _collect(event, accounts)
    for account in accounts.values():
        _restore(account, inputs)
    return kill


def _collect(event: Event, accounts: Mapping[AccountId, _Account]) -> None:
    account_id = _account_id(event)
    account = None if account_id is None else accounts.get(account_id)
    if account is None:
        return
    match event:
        case LedgerSnapshot():
            account.snapshot = event
            if event.equity_peak is not None:
                # Not the larger of both: a withdrawal has lowered it.
                account.peak = event.equity_peak
        case PortfolioRisk():
            account.raise_peak(event.equity)
        case Fill():
            account.bookings.append(event)
            account.orders.append(event)
        case FundingPaid() | SessionSettled() | OptionDelivered() | CashTransferred():
            account.bookings.append(event)
        case OrderCommand() | OrderUpdate():
            account.orders.append(event)
        case VenueReport() if event.complete and account.report is None:
            account.report = event
        case _:
            pass


def _account_id(event: Event) -> AccountId | None:
    if isinstance(event, OrderCommand):
        return event.order.account_id
    return getattr(event, "account_id", None)


def _restore(account: _Account, inputs: MarketInputs) -> None:
    desk = account.desk
    _restore_orders(account)
    if account.snapshot is not None:
        ledger = books.from_snapshot(account.snapshot)
    elif account.report is not None:
        desk.take_report(account.report)
        ledger = desk.ledger
    else:
        return
    for event in sorted(account.bookings, key=lambda event: event.cursor):
        try:
            after = book(ledger, event, inputs.instrument)
        except LedgerError as error:
            # The books then differ from the venue's, and reconciliation keeps the account closed.
            _log.error("not_booked", account=desk.account.account_id, why=str(error))
            continue
        if isinstance(event, CashTransferred) and after is not ledger:
            desk.note_transfer(event)
        ledger = after
    desk.open(ledger)
    desk.equity_peak = account.peak


def _restore_orders(account: _Account) -> None:
    """Count again what may still fill; every fill here was counted by the books once."""
    seen: set[str] = set()
    for event in account.orders:
        if isinstance(event, OrderCommand):
            account.desk.take_command(event, event.ts_init)
        elif isinstance(event, OrderUpdate):
            account.desk.take_update(event)
        elif event.trade_id not in seen:
            seen.add(event.trade_id)
            account.desk.orders.fill(event)
    account.desk.recount_in_flight()
