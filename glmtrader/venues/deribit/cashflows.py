"""Deribit's transaction log as cash flows: funding, session settlements, deliveries. Pure.

Never compared with a log of the real venue. Read from its description: a perpetual's trades and
settlements carry `interest_pl`, the funding realised with that line; a delivery carries the
delivery price of the options in `index_price`.
"""

from collections.abc import Iterable

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
    """Turn log lines into events, each delivery of an expiry once."""
    by_id = {entry.id: entry for entry in entries}
    ordered = sorted(by_id.values(), key=lambda entry: (entry.timestamp, entry.id))
    events: list[Cashflow] = []
    unbooked: list[LogEntry] = []
    delivered: set[tuple[str, int]] = set()
    for entry in ordered:
        if entry.type == "delivery":
            event = _delivery(entry, account_id, ts_init)
            if event is not None and (event.underlying, event.expiry_ns) not in delivered:
                delivered.add((event.underlying, event.expiry_ns))
                events.append(event)
        elif entry.type in ("trade", "settlement"):
            events.extend(_session(entry, account_id, ts_init))
        elif entry.change:
            unbooked.append(entry)
    return Cashflows(tuple(events), tuple(unbooked))


def _delivery(entry: LogEntry, account_id: AccountId, ts_init: int) -> OptionDelivered | None:
    terms = option_terms(entry.instrument_name or "")
    if terms is None:
        return None
    if entry.index_price is None:
        raise ProtocolError(f"delivery of {entry.instrument_name} has no index_price")
    return OptionDelivered(
        ts_event=entry.timestamp * MS_NS,
        ts_init=ts_init,
        account_id=account_id,
        underlying=terms.underlying,
        expiry_ns=terms.expiry_ns,
        delivery_price_usd=entry.index_price,
        cursor=entry.timestamp,
    )


def _session(entry: LogEntry, account_id: AccountId, ts_init: int) -> list[Cashflow]:
    name = entry.instrument_name or ""
    if not name.endswith("-PERPETUAL"):
        return []
    events: list[Cashflow] = []
    if entry.interest_pl:
        events.append(
            FundingPaid(
                ts_event=entry.timestamp * MS_NS,
                ts_init=ts_init,
                account_id=account_id,
                instrument_id=id_of(name),
                amount=-entry.interest_pl,
                currency=entry.currency,
                cursor=entry.timestamp,
            )
        )
    if entry.type == "settlement":
        if entry.price is None:
            raise ProtocolError(f"settlement of {name} has no price")
        events.append(
            SessionSettled(
                ts_event=entry.timestamp * MS_NS,
                ts_init=ts_init,
                account_id=account_id,
                instrument_id=id_of(name),
                price=entry.price,
                cursor=entry.timestamp,
            )
        )
    return events
