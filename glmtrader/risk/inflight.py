"""What is on its way: approved orders until they are final, approved intents until completed.

Pure bookkeeping, bounded. An order counts with its unfilled quantity from the approval on; an
UNKNOWN one counts in full until reconciliation has found out. A finished order stays finished,
whatever comes late or out of order; it is remembered, so that one which the venue does show to be
working counts again (as in `execution.order_state`).
"""

from collections import OrderedDict
from decimal import Decimal
from typing import Final

from glmtrader.domain.decisions import Action, Intent
from glmtrader.domain.ids import ClientOrderId, InstrumentId, IntentId
from glmtrader.domain.order_events import ExecutionCommand, Fill, OrderUpdate
from glmtrader.domain.orders import Order, OrderStatus

ORDERS_REMEMBERED_MAX: Final = 4096
"""Finished orders kept for a late appearance or fill."""

ZERO: Final = Decimal(0)

_RECONCILIATION: Final = "reconciliation"
"""Source of updates that come out of a venue's report."""

_SEEN_WORKING: Final = frozenset({OrderStatus.ACCEPTED, OrderStatus.PARTLY_FILLED})


class OrderInFlight:
    """One approved order: how much of it has been filled, and whether it can still fill.

    `reported` is how much the venue says is filled; the fills themselves may come later.
    `is_presumed`: that it is final is a conclusion of ours, not the venue's word.
    """

    __slots__ = (
        "approved_ns",
        "filled",
        "is_commanded",
        "is_presumed",
        "order",
        "reported",
        "status",
    )

    def __init__(self, order: Order, approved_ns: int) -> None:
        self.order = order
        self.approved_ns = approved_ns
        self.filled = ZERO
        self.reported = ZERO
        self.status = OrderStatus.CREATED
        self.is_commanded = False
        self.is_presumed = False

    def moves_to(self, event: OrderUpdate) -> OrderStatus:
        """The status after an update; only a working order that is seen leaves a final one."""
        if not self.status.is_final or event.status is OrderStatus.FILLED:
            return event.status
        is_seen = event.source == _RECONCILIATION or self.is_presumed
        can_appear = self.status is not OrderStatus.FILLED and event.status in _SEEN_WORKING
        return event.status if is_seen and can_appear else self.status

    @property
    def remaining(self) -> Decimal:
        """What may still move the position: once final, only the fills that are outstanding."""
        expected = self.reported if self.status.is_final else self.order.quantity
        return max(expected - self.filled, ZERO)


class OrdersInFlight:
    """Every order of one account that may still fill."""

    def __init__(self) -> None:
        self._orders: OrderedDict[ClientOrderId, OrderInFlight] = OrderedDict()
        self._counting: dict[InstrumentId, dict[ClientOrderId, OrderInFlight]] = {}
        self.open_count = 0

    def __contains__(self, client_order_id: ClientOrderId) -> bool:
        return client_order_id in self._orders

    def get(self, client_order_id: ClientOrderId) -> OrderInFlight | None:
        """An order, finished ones too."""
        return self._orders.get(client_order_id)

    def counting(self, instrument_id: InstrumentId) -> tuple[OrderInFlight, ...]:
        """Every order on one instrument that may still move its position."""
        return tuple(self._counting.get(instrument_id, {}).values())

    def add(self, order: Order, approved_ns: int) -> OrderInFlight:
        """Count an order from its approval; the same order again changes nothing."""
        known = self._orders.get(order.client_order_id)
        if known is not None:
            return known
        added = self._orders[order.client_order_id] = OrderInFlight(order, approved_ns)
        self._counting.setdefault(order.instrument_id, {})[order.client_order_id] = added
        self.open_count += 1
        self._trim()
        return added

    def update(self, event: OrderUpdate) -> OrderInFlight | None:
        """Take a new status; None for an order that is not of this process."""
        item = self._orders.get(event.client_order_id)
        if item is None:
            return None
        was_final = item.status.is_final
        item.is_commanded = True
        item.status = item.moves_to(event)
        if not was_final:
            item.is_presumed = item.status is OrderStatus.EXPIRED and event.venue_order_id is None
        else:
            item.is_presumed = item.is_presumed and item.status.is_final
        filled = (
            item.order.quantity if event.status is OrderStatus.FILLED else event.quantity_filled
        )
        item.reported = max(item.reported, filled or ZERO)
        return self._recount(item, was_final=was_final)

    def fill(self, event: Fill) -> OrderInFlight | None:
        """Take a (new) fill off what may still be filled."""
        if event.client_order_id is None:
            return None
        item = self._orders.get(event.client_order_id)
        if item is None:
            return None
        was_final = item.status.is_final
        item.filled += event.quantity
        if item.filled >= item.order.quantity:
            item.status = OrderStatus.FILLED
        elif item.is_presumed and was_final:
            item.status = OrderStatus.PARTLY_FILLED
        item.is_presumed = item.is_presumed and item.status.is_final
        return self._recount(item, was_final=was_final)

    def drop_unsent(self, before_ns: int) -> list[OrderInFlight]:
        """Forget orders approved before `before_ns` that nobody ever sent."""
        unsent = [
            item
            for items in self._counting.values()
            for item in items.values()
            if not item.is_commanded and item.approved_ns < before_ns
        ]
        for item in unsent:
            item.status = OrderStatus.EXPIRED
            item.is_presumed = True
            self._recount(item, was_final=False)
        return unsent

    def _recount(self, item: OrderInFlight, *, was_final: bool) -> OrderInFlight:
        self.open_count += int(was_final) - int(item.status.is_final)
        order = item.order
        counting = self._counting.setdefault(order.instrument_id, {})
        if item.remaining or not item.status.is_final:
            counting[order.client_order_id] = item
        else:
            counting.pop(order.client_order_id, None)
        if not counting:
            del self._counting[order.instrument_id]
        return item

    def _trim(self) -> None:
        if len(self._orders) <= ORDERS_REMEMBERED_MAX:
            return
        for name, item in self._orders.items():
            if item.status.is_final:
                del self._orders[name]
                return


_STRADDLE_ACTIONS: Final = frozenset(
    {Action.BUY_STRADDLE, Action.SELL_STRADDLE, Action.BUY_STRANGLE, Action.SELL_STRANGLE}
)


def is_straddle(intent: Intent) -> bool:
    """Whether the intent opens options of both kinds."""
    return intent.action in _STRADDLE_ACTIONS


class IntentsInFlight:
    """Approved intents whose orders are not all out yet: they count by underlying, in coins."""

    def __init__(self) -> None:
        self._commands: dict[IntentId, ExecutionCommand] = {}
        self._ordered: dict[IntentId, Decimal] = {}

    def __len__(self) -> int:
        return len(self._commands)

    def add(self, command: ExecutionCommand) -> None:
        """Count an approved intent."""
        self._commands[command.intent_id] = command

    def ordered(self, order: Order) -> None:
        """An order of an intent is out: from now on the order speaks for this much of it."""
        if order.intent_id in self._commands:
            out = self._ordered.get(order.intent_id, ZERO)
            self._ordered[order.intent_id] = max(out, order.quantity)

    def complete(self, intent_id: IntentId) -> None:
        """Execution is done with it."""
        self._commands.pop(intent_id, None)
        self._ordered.pop(intent_id, None)

    def straddles(self, underlying: str) -> Decimal:
        """Straddles on their way that no order speaks for yet, opening ones alone."""
        if not self._commands:
            return ZERO
        return sum(
            (
                max(item.intent.quantity - self._ordered.get(name, ZERO), ZERO)
                for name, item in self._commands.items()
                if item.underlying == underlying
                and is_straddle(item.intent)
                and not item.intent.intent_type.is_reduction
            ),
            ZERO,
        )
