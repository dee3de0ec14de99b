"""The books of one account: balances in native currencies, positions, and what was booked already.

Pure: a booking takes a `Ledger` and an event and gives the next `Ledger` with what changed. Only
fills, funding, session settlements, deliveries and transfers move it; order states never do.
*Cash* is a balance here: settled cash plus realised session profit, which must equal the venue's
exactly.

Every booking happens once. Each has a name (the trade id, or kind and cursor) and a cursor, the
venue's ordering. `Ledger.cursor` says that everything before it is booked; names at or after it
are remembered in `booked`, so that a stream may run ahead of the history and repeat itself.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Final

import msgspec

from glmtrader.domain.ids import AccountId, InstrumentId
from glmtrader.domain.instruments import Instrument
from glmtrader.domain.order_events import (
    Cashflow,
    CashTransferred,
    Fill,
    FundingPaid,
    OptionDelivered,
    SessionSettled,
)
from glmtrader.domain.pnl import (
    ZERO,
    delivery_payoff,
    entry_value,
    flat_position,
    money,
    open_pnl,
    trade,
)
from glmtrader.domain.risk_events import (
    BalanceEntry,
    BookedEntry,
    LedgerSnapshot,
    PositionEntry,
)
from glmtrader.errors import LedgerError

BOOKED_MAX: Final = 2048
"""Names remembered past the cursor; beyond it the older half is forgotten and the cursor moves."""

Booking = Fill | Cashflow
"""The events that move money or positions."""

InstrumentLookup = Callable[[InstrumentId], Instrument | None]
"""Finds an instrument, listed or retired."""


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """The books at one moment. The dicts are read only by contract: bookings copy them.

    Attributes:
        balances: cash by currency. positions: by instrument; a flat one keeps its realised P&L.
        cursor: everything before it is booked. booked: cursor by name, at or after `cursor`.
        fees_paid, funding_paid: cumulative by currency, positive when paid.
    """

    account_id: AccountId
    balances: dict[str, Decimal] = {}
    positions: dict[InstrumentId, PositionEntry] = {}
    cursor: int = 0
    booked: dict[str, int] = {}
    fees_paid: dict[str, Decimal] = {}
    funding_paid: dict[str, Decimal] = {}

    def balance(self, currency: str) -> Decimal:
        """Cash in one currency; zero where none was ever booked."""
        return self.balances.get(currency, ZERO)

    def position(self, instrument_id: InstrumentId) -> PositionEntry:
        """The position in an instrument, flat if there is none."""
        return self.positions.get(instrument_id) or flat_position(instrument_id)

    def has_booked(self, event: Booking) -> bool:
        """Whether this very event is in the books."""
        return event.cursor < self.cursor or booking_name(event) in self.booked


class LedgerChange(msgspec.Struct, frozen=True, kw_only=True):
    """What one booking did to one instrument.

    Attributes:
        cash: signed change of balances by currency, the fee included.
        realized_pnl: of this booking alone, before fees.
        fee: paid, in `fee_currency`; zero for anything but a fill or a delivery.
    """

    instrument_id: InstrumentId
    position: PositionEntry
    cash: dict[str, Decimal]
    realized_pnl: Decimal = ZERO
    fee: Decimal = ZERO
    fee_currency: str = ""


def booking_name(event: Booking) -> str:
    """The name under which an event is booked once."""
    if isinstance(event, Fill):
        return event.trade_id
    if isinstance(event, OptionDelivered):
        return f"delivery/{event.underlying}/{event.expiry_ns}"
    if isinstance(event, CashTransferred):
        return f"transfer/{event.currency}/{event.cursor}"
    kind = "funding" if isinstance(event, FundingPaid) else "session"
    return f"{kind}/{event.instrument_id}/{event.cursor}"


def apply_fill(
    ledger: Ledger, fill: Fill, instrument: Instrument
) -> tuple[Ledger, LedgerChange | None]:
    """Book a fill: position, realised profit or premium, and the fee in whatever currency.

    Returns:
        The next ledger and what changed; the same ledger and None when it was booked before.

    Raises:
        LedgerError: the fill is another account's or another instrument's, or not positive.
    """
    _check_account(ledger, fill)
    if ledger.has_booked(fill):
        return ledger, None
    _check_fill(fill, instrument)
    effect = trade(
        ledger.position(fill.instrument_id), instrument, fill.side.sign * fill.quantity, fill.price
    )
    cash = _added(effect.cash, fill.fee_currency, -fill.fee)
    change = LedgerChange(
        instrument_id=fill.instrument_id,
        position=effect.position,
        cash=cash,
        realized_pnl=effect.realized_pnl,
        fee=fill.fee,
        fee_currency=fill.fee_currency,
    )
    fees_paid = _added(ledger.fees_paid, fill.fee_currency, fill.fee)
    booked = _book(ledger, fill, (change,))
    return msgspec.structs.replace(booked, fees_paid=fees_paid), change


def apply_funding(ledger: Ledger, event: FundingPaid) -> tuple[Ledger, LedgerChange | None]:
    """Book a funding payment (positive amounts leave the account); None when booked before."""
    _check_account(ledger, event)
    if ledger.has_booked(event):
        return ledger, None
    change = LedgerChange(
        instrument_id=event.instrument_id,
        position=ledger.position(event.instrument_id),
        cash={event.currency: -event.amount},
    )
    funding_paid = _added(ledger.funding_paid, event.currency, event.amount)
    booked = _book(ledger, event, (change,))
    return msgspec.structs.replace(booked, funding_paid=funding_paid), change


def apply_transfer(ledger: Ledger, event: CashTransferred) -> tuple[Ledger, bool]:
    """Book a deposit, withdrawal or transfer (positive amounts enter the account).

    Returns:
        The next ledger, and whether it changed: False when it was booked before.

    Raises:
        LedgerError: the transfer is another account's, or its amount is not finite.
    """
    _check_account(ledger, event)
    if ledger.has_booked(event):
        return ledger, False
    if not event.amount.is_finite():
        raise LedgerError(f"{booking_name(event)}: amount {event.amount} must be finite")
    booked = _book(ledger, event, ())
    balances = _added(booked.balances, event.currency, event.amount)
    return msgspec.structs.replace(booked, balances=balances), True


def apply_session_settlement(
    ledger: Ledger, event: SessionSettled, instrument: Instrument
) -> tuple[Ledger, LedgerChange | None]:
    """Book Deribit's daily settlement: open profit becomes cash, the entry becomes `price`.

    Returns:
        None for the change when it was booked before; a flat position books nothing but the name.

    Raises:
        LedgerError: the instrument is not a perpetual.
    """
    _check_account(ledger, event)
    if ledger.has_booked(event):
        return ledger, None
    if not instrument.is_perpetual:
        raise LedgerError(f"{event.instrument_id}: only perpetuals have a session settlement")
    held = ledger.position(event.instrument_id)
    profit = money(open_pnl(instrument, held.quantity, held.entry_value, event.price))
    change = LedgerChange(
        instrument_id=event.instrument_id,
        position=msgspec.structs.replace(
            held,
            entry_value=entry_value(instrument, held.quantity, event.price),
            realized_pnl=held.realized_pnl + profit,
        ),
        cash={instrument.settlement_currency: profit},
        realized_pnl=profit,
    )
    return _book(ledger, event, (change,)), change


def apply_delivery(
    ledger: Ledger, event: OptionDelivered, lookup: InstrumentLookup
) -> tuple[Ledger, tuple[LedgerChange, ...]]:
    """Deliver every option of one expiry at one price, less fees; the positions leave the books.

    A fee of an instrument that is not held is not booked: cash then differs from the venue's, and
    reconciliation says so.

    Returns:
        One change an instrument held, by name; none when it was booked before.

    Raises:
        LedgerError: a held instrument is unknown, so that nothing could be settled whole.
    """
    _check_account(ledger, event)
    if ledger.has_booked(event):
        return ledger, ()
    changes = []
    for instrument_id in sorted(ledger.positions):
        instrument = lookup(instrument_id)
        if instrument is None:
            raise LedgerError(f"{instrument_id} is held but not known: list it before delivery")
        if instrument.underlying == event.underlying and instrument.expiry_ns == event.expiry_ns:
            changes.append(_delivered(ledger.positions[instrument_id], instrument, event))
    booked = _book(ledger, event, tuple(changes))
    gone = {change.instrument_id for change in changes}
    positions = {key: item for key, item in booked.positions.items() if key not in gone}
    fees_paid = ledger.fees_paid
    for change in changes:
        if change.fee:
            fees_paid = _added(fees_paid, change.fee_currency, change.fee)
    after = msgspec.structs.replace(booked, positions=positions, fees_paid=fees_paid)
    return after, tuple(changes)


def advance_cursor(ledger: Ledger, history: Iterable[Booking]) -> Ledger:
    """Move the cursor over a complete history since it, as far as all of it is booked.

    Args:
        ledger: the books.
        history: everything the venue knows since `ledger.cursor`, in any order.
    """
    events = sorted(history, key=lambda event: event.cursor)
    reached = ledger.cursor
    for event in events:
        if not ledger.has_booked(event):
            break
        reached = max(reached, event.cursor)
    return _forget_before(ledger, reached)


def to_snapshot(ledger: Ledger, *, ts_ns: int, equity_peak: float | None) -> LedgerSnapshot:
    """The ledger as an event, in canonical order."""
    return LedgerSnapshot(
        ts_event=ts_ns,
        ts_init=ts_ns,
        account_id=ledger.account_id,
        balances=_entries(ledger.balances),
        positions=tuple(ledger.positions[key] for key in sorted(ledger.positions)),
        cursor=ledger.cursor,
        booked=tuple(
            BookedEntry(name=name, cursor=cursor) for name, cursor in ledger.booked.items()
        ),
        fees_paid=_entries(ledger.fees_paid),
        funding_paid=_entries(ledger.funding_paid),
        equity_peak=equity_peak,
    )


def from_snapshot(snapshot: LedgerSnapshot) -> Ledger:
    """The ledger that `to_snapshot` wrote down."""
    return Ledger(
        account_id=snapshot.account_id,
        balances={entry.currency: entry.amount for entry in snapshot.balances},
        positions={entry.instrument_id: entry for entry in snapshot.positions},
        cursor=snapshot.cursor,
        booked={entry.name: entry.cursor for entry in snapshot.booked},
        fees_paid={entry.currency: entry.amount for entry in snapshot.fees_paid},
        funding_paid={entry.currency: entry.amount for entry in snapshot.funding_paid},
    )


def _delivered(
    position: PositionEntry, instrument: Instrument, event: OptionDelivered
) -> LedgerChange:
    payoff = delivery_payoff(instrument, event.delivery_price_usd)
    cash = money(position.quantity * payoff)
    profit = cash - money(position.entry_value)
    fee = event.fees.get(position.instrument_id, ZERO)
    return LedgerChange(
        instrument_id=position.instrument_id,
        position=msgspec.structs.replace(
            position,
            quantity=ZERO,
            entry_value=ZERO,
            realized_pnl=position.realized_pnl + profit,
        ),
        cash={instrument.settlement_currency: cash - fee},
        realized_pnl=profit,
        fee=fee,
        fee_currency=instrument.settlement_currency,
    )


def _book(ledger: Ledger, event: Booking, changes: tuple[LedgerChange, ...]) -> Ledger:
    """Put changes and the event's name into the books."""
    balances = dict(ledger.balances)
    positions = dict(ledger.positions)
    for change in changes:
        positions[change.instrument_id] = change.position
        for currency, amount in change.cash.items():
            balances[currency] = balances.get(currency, ZERO) + amount
    booked = dict(ledger.booked)
    booked[booking_name(event)] = event.cursor
    after = msgspec.structs.replace(ledger, balances=balances, positions=positions, booked=booked)
    if len(booked) <= BOOKED_MAX:
        return after
    return _forget_before(after, sorted(booked.values())[BOOKED_MAX // 2])


def _forget_before(ledger: Ledger, cursor: int) -> Ledger:
    booked = {name: at for name, at in ledger.booked.items() if at >= cursor}
    return msgspec.structs.replace(ledger, cursor=cursor, booked=booked)


def _check_account(ledger: Ledger, event: Booking) -> None:
    if event.account_id != ledger.account_id:
        raise LedgerError(
            f"{booking_name(event)} is of account {event.account_id}, not {ledger.account_id}"
        )


def _check_fill(fill: Fill, instrument: Instrument) -> None:
    if fill.instrument_id != instrument.instrument_id:
        raise LedgerError(
            f"fill {fill.trade_id} is of {fill.instrument_id}, not {instrument.instrument_id}"
        )
    numbers = (fill.quantity, fill.price, fill.fee)
    if not all(number.is_finite() for number in numbers) or min(numbers[:2]) <= 0:
        raise LedgerError(
            f"fill {fill.trade_id} of {fill.quantity} at {fill.price} with fee {fill.fee}:"
            " quantity and price must be positive, all three finite"
        )


def _added(amounts: dict[str, Decimal], currency: str, amount: Decimal) -> dict[str, Decimal]:
    return {**amounts, currency: amounts.get(currency, ZERO) + amount}


def _entries(amounts: dict[str, Decimal]) -> tuple[BalanceEntry, ...]:
    return tuple(
        BalanceEntry(currency=currency, amount=amounts[currency]) for currency in sorted(amounts)
    )
