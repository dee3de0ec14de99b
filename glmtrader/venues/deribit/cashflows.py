"""Deribit's transaction log as cash flows: funding, session settlements, deliveries. Pure.

Never compared with a log of the real venue. Read from its description: a perpetual's trades and
settlements carry `interest_pl`, the funding realised with that line; a delivery carries the
delivery price of the options in `index_price`.
"""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from glmtrader.domain.ids import AccountId
from glmtrader.domain.order_events import FundingPaid, OptionDelivered, SessionSettled
from glmtrader.errors import ProtocolError
from glmtrader.venues.deribit.account_frames import LogEntry
from glmtrader.venues.deribit.names import MS_NS, id_of, option_terms

Cashflow = FundingPaid | SessionSettled | OptionDelivered


class Cashflows(msgspec.Struct, frozen=True):
    """Events of a log, ascending, and the lines that no event can tell.

    Attributes:
        unbooked: deposits, transfers, corrections and the like: they change cash, and nothing in
            this system booked them, so reconciliation will find a difference and say so.
    """

    events: tuple[Cashflow, ...]
    unbooked: tuple[LogEntry, ...]


def cashflows_of(entries: Iterable[LogEntry], *, account_id: AccountId, ts_init: int) -> Cashflows:
    """Turn log lines into events, ascending; an expiry's delivery is told once.

    Funding of one perpetual within a millisecond (its trades, its settlement) is one event: a
    booking's name is its kind, instrument and cursor.
    """
    by_id = {entry.id: entry for entry in entries}
    ordered = sorted(by_id.values(), key=lambda entry: (entry.timestamp, entry.id))
    make = _Maker(account_id, ts_init)
    events: dict[tuple[object, ...], Cashflow] = {}
    for key, amount in _funding(ordered).items():
        events["funding", *key] = make.funding(*key, amount)
    for entry in ordered:
        if entry.type == "settlement" and _is_perpetual(entry):
            events["settlement", entry.instrument_name or "", entry.timestamp] = make.settled(entry)
        elif entry.type == "delivery" and option_terms(entry.instrument_name or "") is not None:
            event = make.delivered(entry)
            events.setdefault(("delivery", event.underlying, event.expiry_ns), event)
    told = sorted(events.values(), key=lambda event: (event.cursor, _RANK[type(event)]))
    booked = ("trade", "settlement", "delivery")
    unbooked = [entry for entry in ordered if entry.type not in booked and entry.change]
    return Cashflows(tuple(told), tuple(unbooked))


_RANK: dict[type[Cashflow], int] = {FundingPaid: 0, SessionSettled: 1, OptionDelivered: 2}


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

    def delivered(self, entry: LogEntry) -> OptionDelivered:
        terms = option_terms(entry.instrument_name or "")
        assert terms is not None, "only options are delivered here"
        if entry.index_price is None:
            raise ProtocolError(f"delivery of {entry.instrument_name} has no index_price")
        return OptionDelivered(
            ts_event=entry.timestamp * MS_NS,
            ts_init=self._ts_init,
            account_id=self._account_id,
            underlying=terms.underlying,
            expiry_ns=terms.expiry_ns,
            delivery_price_usd=entry.index_price,
            cursor=entry.timestamp,
        )
