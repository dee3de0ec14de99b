"""The life of one order, as a pure function: record in, record out.

    CREATED --send--> SENT --ack--> ACCEPTED --part--> PARTLY_FILLED --full--> FILLED
                       |               |                    |
                       |               +--ask--> CANCEL_REQUESTED --cancel--> CANCELLED
                       +--reject--> REJECTED
                       +--expire--> EXPIRED
                       +--lost----> UNKNOWN --found--> any of the above
                                            --never--> EXPIRED (presumed) --appear--> ACCEPTED

The whole of it is `TABLE`: rows are states (`OrderStatus`), columns are what can happen
(`OrderEvent`), a cell is the next state; `.` stays, `!` cannot happen and raises
`IllegalTransitionError`.

- A fill may come before the acknowledgement, after a cancel, twice, or alone: it counts by trade
  id, and the state follows the quantity. A final state keeps its name when a part fills late, and
  becomes FILLED when the whole quantity turns out to be filled.
- An update that comes out of order (`ack` of what is already cancelled) is stale and changes
  nothing.
- `lost` makes an order UNKNOWN: it may rest at the venue, and counts in full until it is found or
  `never` says that the venue can no longer accept it. `appear` is a venue's report of an open
  order; it wins over everything final but a fill, so that a late acceptance is adopted.
- `sent` from the venue says nothing new once it was sent.
- CREATED is approved and not yet handed to the venue: nothing but sending it or giving it up can
  happen to it.

No clock, no I/O and no identity but trade ids may enter here.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from glmtrader.domain.ids import TradeId, VenueOrderId
from glmtrader.domain.order_events import Fill, OrderUpdate
from glmtrader.domain.orders import Order, OrderStatus
from glmtrader.errors import IllegalTransitionError

NEVER_ACCEPTED: Final = "never_accepted"
"""Reason of an EXPIRED that reconciliation concluded: the venue can no longer accept the order."""

FROM_RECONCILIATION: Final = "reconciliation"
"""Source of updates that come out of a venue's report."""

FROM_HERE: Final = "local"
"""Source of updates that this process concluded by itself."""


class OrderEvent(StrEnum):
    """Everything that can happen to an order."""

    SEND = "send"
    ACK = "ack"
    PART = "part"
    FULL = "full"
    ASK_CANCEL = "ask"
    CANCEL = "cancel"
    REJECT = "reject"
    EXPIRE = "expire"
    LOST = "lost"
    NEVER = "never"
    APPEAR = "appear"


TABLE: Final = """\
                  send ack      part          full   ask              cancel    reject   expire  lost    never   appear
created           sent !        !             !      !                !         rejected expired !       !       !
sent              !    accepted partly_filled filled cancel_requested cancelled rejected expired unknown expired accepted
accepted          !    .        partly_filled filled cancel_requested cancelled rejected expired unknown expired .
partly_filled     !    .        .             filled cancel_requested cancelled .        expired unknown expired .
filled            !    .        .             .      .                .         .        .       .       .       .
cancel_requested  !    .        .             filled .                cancelled .        expired unknown expired .
cancelled         !    .        .             filled .                .         .        .       .       .       accepted
rejected          !    .        partly_filled filled .                .         .        .       .       .       accepted
expired           !    .        .             filled .                cancelled .        .       .       .       accepted
unknown           !    accepted partly_filled filled .                cancelled rejected expired .       expired accepted
"""  # noqa: E501  one row a state: a wrapped table cannot be read


def _parse(table: str) -> dict[tuple[OrderStatus, OrderEvent], OrderStatus | None]:
    head, *rows = table.splitlines()
    events = [OrderEvent(name) for name in head.split()]
    cells: dict[tuple[OrderStatus, OrderEvent], OrderStatus | None] = {}
    for row in rows:
        name, *following = row.split()
        state = OrderStatus(name)
        for event, cell in zip(events, following, strict=True):
            if cell != "!":
                cells[state, event] = None if cell == "." else OrderStatus(cell)
    return cells


_NEXT: Final = _parse(TABLE)


def transition(state: OrderStatus, event: OrderEvent) -> OrderStatus:
    """The state after `event`.

    Raises:
        IllegalTransitionError: the event cannot happen in this state.
    """
    try:
        following = _NEXT[state, event]
    except KeyError:
        raise IllegalTransitionError(f"an order that is {state} cannot {event}") from None
    return state if following is None else following


class OrderRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One order and all that is known of it.

    Attributes:
        made_ns: when it was written ahead; the grace of a not-found counts from here.
        changed_ns: when the state last changed.
        quantity_filled: by fills, each trade counted once; it moves positions.
        quantity_reported: the most the venue ever named as filled; None before it named any.
        presumed: the final state is our conclusion, not the venue's word.
        reason: of the last refusal or conclusion.
    """

    order: Order
    status: OrderStatus
    made_ns: int
    changed_ns: int
    venue_order_id: VenueOrderId | None = None
    quantity_filled: Decimal = Decimal(0)
    quantity_reported: Decimal | None = None
    trade_ids: frozenset[TradeId] = frozenset()
    presumed: bool = False
    reason: str = ""

    @property
    def quantity_open(self) -> Decimal:
        """What may still fill, at its worst: nothing of a final order."""
        return Decimal(0) if self.status.is_final else self.order.quantity - self.quantity_filled

    @property
    def is_settled(self) -> bool:
        """Final, with every fill that the venue spoke of booked here."""
        if not self.status.is_final:
            return False
        if self.status is OrderStatus.FILLED:
            return self.quantity_filled == self.order.quantity
        return self.quantity_reported is None or self.quantity_filled >= self.quantity_reported


def created(order: Order, *, now_ns: int) -> OrderRecord:
    """A new record of an approved order."""
    return OrderRecord(order=order, status=OrderStatus.CREATED, made_ns=now_ns, changed_ns=now_ns)


def happened(record: OrderRecord, event: OrderEvent, *, now_ns: int) -> OrderRecord:
    """The record after something that carries no more than its name."""
    status = transition(record.status, event)
    if status is record.status:
        return record
    return msgspec.structs.replace(
        record, status=status, changed_ns=now_ns, presumed=event is OrderEvent.NEVER
    )


def updated(record: OrderRecord, update: OrderUpdate, *, now_ns: int) -> OrderRecord:
    """The record after the venue, or reconciliation, spoke of it.

    Raises:
        IllegalTransitionError: the update is of another order, or cannot happen in this state.
    """
    if update.client_order_id != record.order.client_order_id:
        raise IllegalTransitionError(
            f"order {record.order.client_order_id}: update is of {update.client_order_id}"
        )
    moved = record
    if update.status is not OrderStatus.SENT or record.status is OrderStatus.CREATED:
        moved = happened(record, _event_of(record, update), now_ns=now_ns)
    return msgspec.structs.replace(
        moved,
        venue_order_id=update.venue_order_id or record.venue_order_id,
        quantity_reported=_larger(record.quantity_reported, update.quantity_filled),
        reason=update.reason or record.reason,
    )


def filled(record: OrderRecord, fill: Fill, *, now_ns: int) -> OrderRecord:
    """The record after one execution; the same trade again changes nothing.

    Raises:
        IllegalTransitionError: the fill is on another instrument or side, the order was never
            sent, or more would be filled than was ordered.
    """
    order = record.order
    if fill.trade_id in record.trade_ids:
        return record
    if (fill.instrument_id, fill.side) != (order.instrument_id, order.side):
        raise IllegalTransitionError(
            f"order {order.client_order_id} is to {order.side} {order.instrument_id}: trade"
            f" {fill.trade_id} is a {fill.side} of {fill.instrument_id}"
        )
    quantity = record.quantity_filled + fill.quantity
    if quantity > order.quantity:
        raise IllegalTransitionError(
            f"order {order.client_order_id} of {order.quantity}: trade {fill.trade_id} makes"
            f" {quantity} filled"
        )
    event = OrderEvent.FULL if quantity == order.quantity else OrderEvent.PART
    if record.presumed and event is OrderEvent.PART:
        record = happened(record, OrderEvent.APPEAR, now_ns=now_ns)
    return msgspec.structs.replace(
        happened(record, event, now_ns=now_ns),
        venue_order_id=fill.venue_order_id,
        quantity_filled=quantity,
        trade_ids=record.trade_ids | {fill.trade_id},
    )


_BY_STATUS: Final = {
    OrderStatus.SENT: OrderEvent.SEND,
    OrderStatus.ACCEPTED: OrderEvent.ACK,
    OrderStatus.PARTLY_FILLED: OrderEvent.PART,
    OrderStatus.FILLED: OrderEvent.FULL,
    OrderStatus.CANCEL_REQUESTED: OrderEvent.ASK_CANCEL,
    OrderStatus.CANCELLED: OrderEvent.CANCEL,
    OrderStatus.REJECTED: OrderEvent.REJECT,
    OrderStatus.EXPIRED: OrderEvent.EXPIRE,
    OrderStatus.UNKNOWN: OrderEvent.LOST,
}


def _event_of(record: OrderRecord, update: OrderUpdate) -> OrderEvent:
    if update.status not in _BY_STATUS:
        raise IllegalTransitionError(
            f"order {update.client_order_id}: nobody can say that it is {update.status} again"
        )
    if update.status is OrderStatus.EXPIRED and update.reason == NEVER_ACCEPTED:
        return OrderEvent.NEVER
    event = _BY_STATUS[update.status]
    working = event in (OrderEvent.ACK, OrderEvent.PART)
    adopts = update.source == FROM_RECONCILIATION or record.presumed
    if working and adopts and record.status.is_final:
        return OrderEvent.APPEAR
    return event


def _larger(known: Decimal | None, told: Decimal | None) -> Decimal | None:
    if known is None or told is None:
        return told if known is None else known
    return max(known, told)
