"""Reconciliation as pure functions: what we know, what the venue reports, what follows.

| we know | the venue reports | follows |
|---|---|---|
| order working | it, working or final | OrderUpdate with the venue's status |
| order final by the venue's word | it, final the same way | nothing |
| order presumed never accepted | it, working or filled | OrderUpdate: adopted |
| order not final | asked for by id, not there, grace over | OrderUpdate EXPIRED never_accepted |
| order not final | asked for by id, not there, within grace | unresolved: ask again, never resend |
| order not final | not asked for, or the look-up failed | unresolved: silence is not "not there" |
| order not yet sent (CREATED) | anything but itself | nothing: it has not left |
| no such order | an open order | adopt, ignore or halt, by policy |
| one order | two venue orders under its id | mismatch: doubled |
| no such trade | a fill | the Fill, published once |
| positions or cash | the same | nothing |
| positions or cash | anything else | mismatch, with both figures |
| position in an option that expired moments ago | flat, delivery not yet booked | deferred |

The grace of an order ends when the venue can no longer accept it: after its longest accept delay
and after the order's own `valid_until`, counted at the moment the question was *asked*.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import TypeVar

import msgspec

from glmtrader.domain.ids import ClientOrderId, InstrumentId
from glmtrader.domain.order_events import OrderUpdate, VenueOrder, VenueReport
from glmtrader.domain.orders import OrderStatus
from glmtrader.execution.order_state import (
    FROM_RECONCILIATION,
    NEVER_ACCEPTED,
    OrderRecord,
    updated,
)
from glmtrader.execution.policy import ExternalOrders

EXTERNAL = "external"
"""Source of updates about orders that this journal never sent."""

ZERO = Decimal(0)

_Name = TypeVar("_Name", bound=str)


class Mismatch(msgspec.Struct, frozen=True):
    """A figure on which we and the venue differ."""

    what: str
    ours: str
    venue: str

    def __str__(self) -> str:
        return f"{self.what}: ours {self.ours}, venue {self.venue}"


class OrdersCompared(msgspec.Struct, frozen=True, kw_only=True):
    """What a report says about orders.

    Attributes:
        updates: to publish, in the order of the report.
        unresolved: orders that need another question.
        mismatches: doubled orders, and those of others where the policy is to halt.
    """

    updates: tuple[OrderUpdate, ...]
    unresolved: tuple[ClientOrderId, ...]
    mismatches: tuple[Mismatch, ...]


class Grace(msgspec.Struct, frozen=True, kw_only=True):
    """When a not-found is conclusive.

    Attributes:
        asked_ns: when the question left, by our clock; the answer cannot be older.
        accept_delay_max_ns: the venue's longest delay before it accepts. slack_ns: for clocks.
    """

    asked_ns: int
    accept_delay_max_ns: int
    slack_ns: int

    def is_over(self, record: OrderRecord) -> bool:
        """Whether the venue could no longer accept this order when it was asked."""
        last_ns = max(record.made_ns + self.accept_delay_max_ns, record.order.valid_until_ns)
        return self.asked_ns > last_ns + self.slack_ns


def compare_orders(
    known: Mapping[ClientOrderId, OrderRecord],
    report: VenueReport,
    grace: Grace,
    external: ExternalOrders,
) -> OrdersCompared:
    """Bring our orders and a report together (rows 1 to 9 of the table)."""
    named = Counter(item.client_order_id for item in report.orders)
    doubled = [name for name in sorted(known) if named[name] > 1]
    mismatches = [Mismatch(f"order {name}", "one", f"{named[name]} orders") for name in doubled]
    updates: list[OrderUpdate] = []
    found = set()
    for item in report.orders:
        record = known.get(item.client_order_id) if item.client_order_id is not None else None
        if record is None:
            updates.extend(_external(item, report, external, mismatches))
            continue
        found.add(record.order.client_order_id)
        if record.status is OrderStatus.CREATED:
            continue
        update = _update(item, report, FROM_RECONCILIATION)
        if _says_something(record, update):
            updates.append(update)
    unresolved = []
    for name in sorted(set(known) - found):
        record = known[name]
        if record.status.is_final or record.status is OrderStatus.CREATED:
            continue
        if name in report.resolved and grace.is_over(record):
            updates.append(_never_accepted(record, report))
        else:
            unresolved.append(name)
    return OrdersCompared(
        updates=tuple(updates), unresolved=tuple(unresolved), mismatches=tuple(mismatches)
    )


def compare_books(
    positions: Mapping[InstrumentId, Decimal],
    cash: Mapping[str, Decimal],
    report: VenueReport,
    *,
    deferred: Collection[InstrumentId],
    deferred_currencies: Collection[str],
) -> tuple[Mismatch, ...]:
    """Positions and cash, figure by figure; they must be equal, not close.

    Args:
        positions: ours, by instrument.
        cash: ours, by currency.
        report: the venue's word on both.
        deferred: expired moments ago: the delivery may not be booked on both sides yet.
        deferred_currencies: what those deliveries are paid in.
    """
    balances = {item.currency: item.cash for item in report.balances}
    return (
        *_differences("position", positions, report.positions, deferred),
        *_differences("cash", cash, balances, deferred_currencies),
    )


def deferred_instruments(
    expiries_ns: Mapping[InstrumentId, int],
    *,
    now_ns: int,
    grace_ns: int,
) -> frozenset[InstrumentId]:
    """Instruments that expired less than `grace_ns` ago."""
    return frozenset(
        name for name, expiry_ns in expiries_ns.items() if 0 <= now_ns - expiry_ns <= grace_ns
    )


def _differences(
    what: str,
    ours: Mapping[_Name, Decimal],
    venue: Mapping[_Name, Decimal],
    deferred: Collection[_Name],
) -> Sequence[Mismatch]:
    return [
        Mismatch(f"{what} {name}", f"{ours.get(name, ZERO):f}", f"{venue.get(name, ZERO):f}")
        for name in sorted({*ours, *venue})
        if name not in deferred and ours.get(name, ZERO) != venue.get(name, ZERO)
    ]


def _says_something(record: OrderRecord, update: OrderUpdate) -> bool:
    """Whether the venue's word changes the record; a report of what is known is not news."""
    after = updated(record, update, now_ns=record.changed_ns)
    return after != record


def _external(
    item: VenueOrder,
    report: VenueReport,
    policy: ExternalOrders,
    mismatches: list[Mismatch],
) -> Sequence[OrderUpdate]:
    if item.status.is_final:
        return ()
    if policy is ExternalOrders.HALT:
        label = item.client_order_id or "no client id"
        mismatches.append(
            Mismatch(f"order {item.venue_order_id} ({label})", "not ours", str(item.status))
        )
        return ()
    return (_update(item, report, EXTERNAL),) if policy is ExternalOrders.ADOPT else ()


def _update(item: VenueOrder, report: VenueReport, source: str) -> OrderUpdate:
    return OrderUpdate(
        ts_event=report.ts_event,
        ts_init=report.ts_init,
        account_id=report.account_id,
        client_order_id=item.client_order_id or ClientOrderId(""),
        venue_order_id=item.venue_order_id,
        instrument_id=item.instrument_id,
        status=item.status,
        quantity_filled=item.quantity_filled,
        source=source,
        reason="",
    )


def _never_accepted(record: OrderRecord, report: VenueReport) -> OrderUpdate:
    return OrderUpdate(
        ts_event=report.ts_event,
        ts_init=report.ts_init,
        account_id=report.account_id,
        client_order_id=record.order.client_order_id,
        venue_order_id=None,
        instrument_id=record.order.instrument_id,
        status=OrderStatus.EXPIRED,
        quantity_filled=None,
        source=FROM_RECONCILIATION,
        reason=NEVER_ACCEPTED,
    )
