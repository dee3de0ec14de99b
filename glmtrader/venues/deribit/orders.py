"""Orders on the wire: sent once, their outcome told as events, their fills told once.

An outcome that cannot be known (no answer, the connection ended, an uncertain refusal) becomes
`OrderUpdate(status=UNKNOWN)`; nothing is ever sent again. REJECTED is the venue's own word only.
"""

from collections import OrderedDict
from functools import partial
from typing import Final, TypeVar

import msgspec

from glmtrader.domain.ids import AccountId, ClientOrderId
from glmtrader.domain.instruments import SECOND_NS
from glmtrader.domain.orders import Order, OrderStatus
from glmtrader.errors import ProtocolError
from glmtrader.kernel.clock import Clock
from glmtrader.venues.deribit.account_frames import OrderData, OrderReply, UserTradeData
from glmtrader.venues.deribit.config import DeribitConfig
from glmtrader.venues.deribit.counters import Counters
from glmtrader.venues.deribit.order_codec import (
    UNCERTAIN_CODES,
    fill_of,
    order_method,
    order_params,
    unknown_update,
    update_of,
)
from glmtrader.venues.deribit.outbox import Lane
from glmtrader.venues.deribit.rpc import Answered, Refused, Reply, Unanswered
from glmtrader.venues.deribit.session import WITHDRAWN, Session
from glmtrader.venues.port import Publish

REMEMBERED_MAX: Final = 10_000
"""Orders and trade ids kept; older ones are finished, and the ledger dedupes by id anyway."""

V = TypeVar("V")
K = TypeVar("K")

_decode_placed = msgspec.json.Decoder(OrderReply).decode
_decode_orders = msgspec.json.Decoder(OrderData | list[OrderData]).decode
_decode_trades = msgspec.json.Decoder(list[UserTradeData]).decode


class OrderDesk:
    """Sends approved orders and cancels; publishes what becomes of them."""

    def __init__(
        self,
        config: DeribitConfig,
        *,
        account_id: AccountId,
        clock: Clock,
        session: Session,
        counters: Counters,
        publish: Publish,
    ) -> None:
        times = config.timeouts
        self._order_s = times.order_s
        self._accept_ns = round((times.accept_delay_max_s - times.accept_margin_s) * SECOND_NS)
        self._account_id = account_id
        self._clock = clock
        self._session = session
        self._counters = counters
        self._publish = publish
        self._orders: OrderedDict[ClientOrderId, Order] = OrderedDict()
        self._requests: OrderedDict[ClientOrderId, int] = OrderedDict()
        self._venue_ids: OrderedDict[ClientOrderId, str] = OrderedDict()
        self._trades_told: OrderedDict[str, None] = OrderedDict()

    def submit(self, order: Order, *, now_ns: int) -> None:
        """Encode and queue an order; its outcome is published later, or at once if it cannot go."""
        _remember(self._orders, order.client_order_id, order)
        valid_until_ns = min(order.valid_until_ns, now_ns + self._accept_ns)
        params = order_params(
            order,
            valid_until_ns=valid_until_ns,
            clock_offset_ns=self._session.clock_offset_ns or 0,
        )
        request_id = self._session.send(
            order_method(order),
            params,
            partial(self._placed, order),
            lane=Lane.ORDER,
            timeout_s=self._order_s,
            sendable_until_ns=valid_until_ns,
        )
        if request_id is not None:
            _remember(self._requests, order.client_order_id, request_id)

    def cancel(self, client_order_id: ClientOrderId) -> None:
        """Ask to cancel, by the venue's id where it is known, else by label.

        An order that still waits for credit is taken back first; otherwise the cancel would
        overtake it, find nothing, and the order would leave afterwards.
        """
        request_id = self._requests.get(client_order_id)
        if request_id is not None and self._session.withdraw_orders(request_id):
            return
        venue_id = self._venue_ids.get(client_order_id)
        method, params = (
            ("private/cancel_by_label", {"label": client_order_id})
            if venue_id is None
            else ("private/cancel", {"order_id": venue_id})
        )
        on_reply = partial(self._cancelled, client_order_id, by_label=venue_id is None)
        self._session.send(method, params, on_reply, lane=Lane.CANCEL, timeout_s=self._order_s)

    def take_orders(self, data: msgspec.Raw) -> None:
        """A `user.orders` notification.

        Raises:
            ProtocolError: it cannot be read; the connection must end and be reconciled.
        """
        try:
            decoded = _decode_orders(data)
        except msgspec.MsgspecError as error:
            raise ProtocolError(f"user.orders: {error}") from error
        for item in decoded if isinstance(decoded, list) else [decoded]:
            self._tell_order(item, source="stream")

    def take_trades(self, data: msgspec.Raw) -> None:
        """A `user.trades` notification: every trade of it; fails like `take_orders`."""
        try:
            trades = _decode_trades(data)
        except msgspec.MsgspecError as error:
            raise ProtocolError(f"user.trades: {error}") from error
        for trade in trades:
            self._tell_trade(trade)

    def _placed(self, order: Order, reply: Reply) -> None:
        if isinstance(reply, Answered):
            self._accepted(order, reply)
        elif isinstance(reply, Unanswered):
            self._not_answered(order, reply)
        elif reply.error.code in UNCERTAIN_CODES:
            self._tell_unknown(order, reply.error.words())
        else:
            self._tell(order, OrderStatus.REJECTED, reply.error.words())

    def _accepted(self, order: Order, reply: Answered) -> None:
        """Fills before the state: a state that closes the order must not outrun what it did."""
        try:
            placed = _decode_placed(reply.result)
        except msgspec.MsgspecError as error:
            self._counters.warn("order_reply_unreadable", str(error))
            self._tell_unknown(order, f"unreadable reply: {error}")
            return
        for trade in placed.trades:
            self._tell_trade(trade)
        self._tell_order(placed.order, source="reply")

    def _not_answered(self, order: Order, reply: Unanswered) -> None:
        if reply.reason == WITHDRAWN and not reply.sent:
            self._tell(order, OrderStatus.CANCELLED, reply.reason)
        else:
            self._tell_unknown(order, reply.reason)

    def _cancelled(self, client_order_id: ClientOrderId, reply: Reply, *, by_label: bool) -> None:
        if isinstance(reply, Answered):
            if by_label:
                if bytes(reply.result).strip() == b"0":
                    self._look_up(client_order_id, "the venue cancelled no order of this label")
                return
            self.take_orders(reply.result)
        elif isinstance(reply, Refused):
            self._look_up(client_order_id, reply.error.words())
        else:
            self._cancel_unknown(client_order_id, reply.reason)

    def _look_up(self, client_order_id: ClientOrderId, reason: str) -> None:
        """A cancel that found nothing open: ask what became of the order."""
        order = self._orders.get(client_order_id)
        if order is None:
            self._cancel_unknown(client_order_id, reason)
            return
        currency = order.instrument_id.partition(":")[2].partition("-")[0].rpartition("_")[2]
        self._session.send(
            "private/get_order_state_by_label",
            {"currency": currency, "label": client_order_id},
            partial(self._looked_up, client_order_id, reason),
            timeout_s=self._order_s,
        )

    def _looked_up(self, client_order_id: ClientOrderId, reason: str, reply: Reply) -> None:
        if isinstance(reply, Answered) and bytes(reply.result).strip() != b"[]":
            self.take_orders(reply.result)
        else:
            self._cancel_unknown(client_order_id, reason)

    def _cancel_unknown(self, client_order_id: ClientOrderId, reason: str) -> None:
        order = self._orders.get(client_order_id)
        if order is None:
            self._counters.warn("cancel_unknown", f"{client_order_id}: {reason}")
        else:
            self._tell_unknown(order, f"cancel: {reason}")

    def _tell_order(self, data: OrderData, *, source: str) -> None:
        now_ns = self._clock.now_ns()
        update = update_of(data, account_id=self._account_id, source=source, ts_init=now_ns)
        if update is None:
            self._counters.warn("order_without_label", data.order_id)
            return
        _remember(self._venue_ids, update.client_order_id, data.order_id)
        self._publish(update)

    def _tell_trade(self, trade: UserTradeData) -> None:
        """The reply and the stream both carry a fill; it is told once."""
        if trade.trade_id in self._trades_told:
            self._counters.count("trade_repeated")
            return
        _remember(self._trades_told, trade.trade_id, None)
        self._publish(fill_of(trade, account_id=self._account_id, ts_init=self._clock.now_ns()))

    def _tell_unknown(self, order: Order, reason: str) -> None:
        self._counters.count("order_unknown")
        self._tell(order, OrderStatus.UNKNOWN, reason)

    def _tell(self, order: Order, status: OrderStatus, reason: str) -> None:
        source = "reply" if status is OrderStatus.REJECTED else "local"
        now_ns = self._clock.now_ns()
        self._publish(
            unknown_update(order, status=status, source=source, reason=reason, ts_init=now_ns)
        )


def _remember(kept: "OrderedDict[K, V]", key: K, value: V) -> None:
    kept[key] = value
    if len(kept) > REMEMBERED_MAX:
        kept.popitem(last=False)
