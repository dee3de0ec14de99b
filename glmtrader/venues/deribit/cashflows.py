"""Deribit's transaction log as cash flows: funding, settlements, deliveries, transfers. Pure.

Never compared with a log of the real venue. Read from its description: a perpetual's trades and
settlements carry `interest_pl`, the funding realised with that line; a delivery carries the
delivery price of the options in `index_price` and its fee in `commission`.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

import msgspec

from glmtrader.domain.ids import AccountId, InstrumentId
from glmtrader.domain.order_events import (
    Cashflow,
    CashTransferred,
    FundingPaid,
    OptionDelivered,
    SessionSettled,
)
from glmtrader.errors import ProtocolError
from glmtrader.venues.deribit.account_frames import LogEntry
from glmtrader.venues.deribit.names import MS_NS, id_of, option_terms

TRANSFERS: Final = frozenset({"deposit", "withdrawal", "transfer", "correction", "swap"})
"""Lines that say that somebody moved cash: it was neither earned nor lost by trading."""


class Cashflows(msgspec.Struct, frozen=True):
    """Events of a log, ascending, and the lines that no event can tell.

    Attributes:
        unbooked: lines of a type that is not known here and that change cash: whether that is
            profit or not nobody can say, so reconciliation will find a difference and halt.
    """

    events: tuple[Cashflow, ...]
    unbooked: tuple[LogEntry, ...]


def cashflows_of(entries: Iterable[LogEntry], *, account_id: AccountId, ts_init: int) -> Cashflows:
    """Turn log lines into events, ascending; an expiry's delivery is told once.

    Funding of one perpetual within a millisecond (its trades, its settlement) is one event, and so
    are transfers of one currency: a booking's name is its kind, its thing and its cursor.
    """
    by_id = {entry.id: entry for entry in entries}
    ordered = sorted(by_id.values(), key=lambda entry: (entry.timestamp, entry.id))
    make = _Maker(account_id, ts_init)
    events: list[Cashflow] = [
        *(make.funding(*key, amount) for key, amount in _funding(ordered).items()),
        *(make.settled(entry) for entry in _settlements(ordered)),
        *(make.delivered(lines) for lines in _deliveries(ordered)),
        *(make.transferred(lines) for lines in _transfers(ordered)),
    ]
    events.sort(key=lambda event: (event.cursor, _RANK[type(event)]))
    unbooked = [entry for entry in ordered if entry.type not in _BOOKED and entry.change]
    return Cashflows(tuple(events), tuple(unbooked))


_RANK: dict[type[Cashflow], int] = {
    FundingPaid: 0,
    SessionSettled: 1,
    OptionDelivered: 2,
    CashTransferred: 3,
}
_BOOKED: Final = TRANSFERS | {"trade", "settlement", "delivery"}


def _is_perpetual(entry: LogEntry) -> bool:
    return (entry.instrument_name or "").endswith("-PERPETUAL")


def _funding(entries: Iterable[LogEntry]) -> dict[tuple[str, int, str], Decimal]:
    """Funding received by perpetual, millisecond and currency."""
    received: dict[tuple[str, int, str], Decimal] = {}
    for entry in entries:
        if entry.type in ("trade", "settlement") and entry.interest_pl and _is_perpetual(entry):
            key = (entry.instrument_name or "", entry.timestamp, entry.currency)
            received[key] = received.get(key, Decimal(0)) + entry.interest_pl
    return received


def _settlements(entries: Iterable[LogEntry]) -> list[LogEntry]:
    """One line for each perpetual and millisecond."""
    found = {
        (entry.instrument_name, entry.timestamp): entry
        for entry in entries
        if entry.type == "settlement" and _is_perpetual(entry)
    }
    return list(found.values())


def _deliveries(entries: Iterable[LogEntry]) -> list[list[LogEntry]]:
    """Lines of delivered options, together for each underlying and expiry."""
    found: dict[tuple[str, int], list[LogEntry]] = {}
    for entry in entries:
        terms = option_terms(entry.instrument_name or "") if entry.type == "delivery" else None
        if terms is not None:
            found.setdefault((terms.underlying, terms.expiry_ns), []).append(entry)
    return list(found.values())


def _transfers(entries: Iterable[LogEntry]) -> list[list[LogEntry]]:
    """Lines that moved cash, together for each currency and millisecond."""
    found: dict[tuple[str, int], list[LogEntry]] = {}
    for entry in entries:
        if entry.type in TRANSFERS and entry.change:
            found.setdefault((entry.currency, entry.timestamp), []).append(entry)
    return list(found.values())


class _Maker:
    """Makes the events of one account."""

    def __init__(self, account_id: AccountId, ts_init: int) -> None:
        self._account_id = account_id
        self._ts_init = ts_init

    def funding(self, name: str, cursor: int, currency: str, received: Decimal) -> FundingPaid:
        return FundingPaid(
            ts_event=cursor * MS_NS,
            ts_init=self._ts_init,
            account_id=self._account_id,
            instrument_id=id_of(name),
            amount=-received,
            currency=currency,
            cursor=cursor,
        )

    def settled(self, entry: LogEntry) -> SessionSettled:
        if entry.price is None:
            raise ProtocolError(f"settlement of {entry.instrument_name} has no price")
        return SessionSettled(
            ts_event=entry.timestamp * MS_NS,
            ts_init=self._ts_init,
            account_id=self._account_id,
            instrument_id=id_of(entry.instrument_name or ""),
            price=entry.price,
            cursor=entry.timestamp,
        )

    def delivered(self, lines: list[LogEntry]) -> OptionDelivered:
        """One expiry's; its cursor is the last line's, which is the one that a later look finds."""
        last = lines[-1]
        terms = option_terms(last.instrument_name or "")
        assert terms is not None, "only options are delivered here"
        if last.index_price is None:
            raise ProtocolError(f"delivery of {last.instrument_name} has no index_price")
        fees: dict[InstrumentId, Decimal] = {}
        for line in lines:
            if line.commission:
                name = id_of(line.instrument_name or "")
                fees[name] = fees.get(name, Decimal(0)) + line.commission
        return OptionDelivered(
            ts_event=last.timestamp * MS_NS,
            ts_init=self._ts_init,
            account_id=self._account_id,
            underlying=terms.underlying,
            expiry_ns=terms.expiry_ns,
            delivery_price_usd=last.index_price,
            cursor=last.timestamp,
            fees=fees,
        )

    def transferred(self, lines: list[LogEntry]) -> CashTransferred:
        first = lines[0]
        return CashTransferred(
            ts_event=first.timestamp * MS_NS,
            ts_init=self._ts_init,
            account_id=self._account_id,
            currency=first.currency,
            amount=sum((line.change for line in lines), Decimal(0)),
            kind="+".join(sorted({line.type for line in lines})),
            cursor=first.timestamp,
        )
