"""Every order of the account that can still matter, folded from the events of the bus.

The same fold restores the orders from the journal. Bounded: a settled order is forgotten when its
window for late fills has passed.
"""

from collections.abc import Collection, Sequence

from glmtrader.domain.ids import ClientOrderId, IntentId, VenueOrderId
from glmtrader.domain.order_events import Fill, OrderCommand, OrderUpdate
from glmtrader.domain.orders import OrderStatus
from glmtrader.execution.order_state import (
    OrderEvent,
    OrderRecord,
    created,
    filled,
    happened,
    updated,
)
from glmtrader.execution.policy import ExecutionPolicy


class OrderRecords:
    """Order records by client id, by intent and by the venue's id."""

    def __init__(self, policy: ExecutionPolicy) -> None:
        self._policy = policy
        self._by_id: dict[ClientOrderId, OrderRecord] = {}
        self._by_intent: dict[IntentId, list[ClientOrderId]] = {}
        self._by_venue_id: dict[VenueOrderId, ClientOrderId] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    @property
    def is_full(self) -> bool:
        """Whether another order would be one too many to remember."""
        return len(self._by_id) >= self._policy.orders_max

    @property
    def all(self) -> dict[ClientOrderId, OrderRecord]:
        """Every record, by client id; not to be changed."""
        return self._by_id

    def get(self, client_order_id: ClientOrderId) -> OrderRecord | None:
        """One record; None if it never was, or was forgotten."""
        return self._by_id.get(client_order_id)

    def of_intent(self, intent_id: IntentId) -> Sequence[OrderRecord]:
        """The orders of an intent, oldest first."""
        return [self._by_id[name] for name in self._by_intent.get(intent_id, ())]

    def working(self) -> list[OrderRecord]:
        """Sent and not final, oldest first."""
        return [
            record
            for record in self._by_id.values()
            if not record.status.is_final and record.status is not OrderStatus.CREATED
        ]

    def open_questions(self, now_ns: int) -> list[OrderRecord]:
        """Orders whose state only the venue can tell: unknown, overdue, or fills missing."""
        slack_ns = self._policy.grace_slack_ns
        return [
            record
            for record in self._by_id.values()
            if record.status is OrderStatus.UNKNOWN
            or (record.status.is_final and not record.is_settled)
            or (not record.status.is_final and now_ns > record.order.valid_until_ns + slack_ns)
        ]

    def overstaying(self, now_ns: int) -> list[OrderRecord]:
        """Orders that rest at the venue though their time is over: nobody waits for them."""
        slack_ns = self._policy.grace_slack_ns
        return [
            record
            for record in self._by_id.values()
            if record.status in (OrderStatus.ACCEPTED, OrderStatus.PARTLY_FILLED)
            and now_ns > record.order.valid_until_ns + slack_ns
        ]

    def command(self, event: OrderCommand) -> OrderRecord:
        """Take a written-ahead order; it is CREATED, not yet sent."""
        order = event.order
        assert order.client_order_id not in self._by_id, f"{order.client_order_id} exists"
        self._by_intent.setdefault(order.intent_id, []).append(order.client_order_id)
        return self._keep(created(order, now_ns=event.ts_init))

    def note(self, client_order_id: ClientOrderId, event: OrderEvent, now_ns: int) -> OrderRecord:
        """Something happened to an order here, without an event of the venue."""
        return self._keep(happened(self._by_id[client_order_id], event, now_ns=now_ns))

    def update(self, event: OrderUpdate) -> OrderRecord | None:
        """Take an update; None where the order is not ours.

        Raises:
            IllegalTransitionError: it contradicts what is known.
        """
        record = self._by_id.get(event.client_order_id)
        if record is None:
            return None
        return self._keep(updated(record, event, now_ns=event.ts_init))

    def fill(self, event: Fill) -> OrderRecord | None:
        """Take a fill; None where the order is not ours.

        Raises:
            IllegalTransitionError: it contradicts what is known.
        """
        name = event.client_order_id or self._by_venue_id.get(event.venue_order_id)
        record = self._by_id.get(name) if name is not None else None
        if record is None:
            return None
        return self._keep(filled(record, event, now_ns=event.ts_init))

    def forget(self, *, keep: Collection[IntentId], now_ns: int) -> int:
        """Drop settled orders whose late-fill window has passed; how many were dropped."""
        oldest_ns = now_ns - self._policy.late_fill_window_ns
        gone = [
            record
            for record in self._by_id.values()
            if record.is_settled
            and record.changed_ns < oldest_ns
            and record.order.intent_id not in keep
        ]
        for record in gone:
            self._drop(record)
        return len(gone)

    def _keep(self, record: OrderRecord) -> OrderRecord:
        self._by_id[record.order.client_order_id] = record
        if record.venue_order_id is not None:
            self._by_venue_id[record.venue_order_id] = record.order.client_order_id
        return record

    def _drop(self, record: OrderRecord) -> None:
        order = record.order
        del self._by_id[order.client_order_id]
        names = self._by_intent[order.intent_id]
        names.remove(order.client_order_id)
        if not names:
            del self._by_intent[order.intent_id]
        if record.venue_order_id is not None:
            self._by_venue_id.pop(record.venue_order_id, None)
