"""The life of orders at the exchange: taken, matched, shrunk, edited, cancelled.

The desk owns the books and the orders. What an execution does to money is the bookkeeper's; whether
an order may enter is `order_checks`'.
"""

from collections import deque
from collections.abc import Iterable
from decimal import Decimal

import msgspec

from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import Instrument
from glmtrader.domain.orders import OrderType, Side, TimeInForce
from glmtrader.domain.pnl import ZERO
from glmtrader.simulator.bookkeeping import Bookkeeper
from glmtrader.simulator.crowd import Crowd
from glmtrader.simulator.exchange_types import (
    AccountTrade,
    ExchangeEvent,
    ExchangeOrder,
    OrderChanged,
    OrderRequest,
    OrderState,
    PublicTrade,
    TradeExecuted,
)
from glmtrader.simulator.listing import Listing
from glmtrader.simulator.matching import Execution, InstrumentBook, RestingOrder

RECENT_TRADES_MAX = 2_000
"""Public trades kept for whoever asks."""


class OrderDesk:
    """Books and orders of all instruments.

    Every method that changes something puts what happened into `events`, in order; whoever called
    the exchange takes them from there.
    """

    def __init__(
        self, listing: Listing, crowd: Crowd, books: Bookkeeper, *, closed_orders_max: int
    ) -> None:
        self._listing = listing
        self._crowd = crowd
        self._keeper = books
        self._closed_orders_max = closed_orders_max
        self._books: dict[InstrumentId, InstrumentBook] = {}
        self.orders: dict[str, ExchangeOrder] = {}
        self._open: dict[str, dict[str, None]] = {}
        self._closed: dict[str, None] = {}
        self.events: list[ExchangeEvent] = []
        self.recent_trades: deque[PublicTrade] = deque(maxlen=RECENT_TRADES_MAX)
        self.priority = 0
        self.order_numbers: dict[str, int] = {}
        self.trade_numbers: dict[str, int] = {}
        self.trade_seqs: dict[InstrumentId, int] = {}
        self.last_prices: dict[InstrumentId, Decimal] = {}

    def book(self, instrument: Instrument) -> InstrumentBook:
        """The instrument's book with the crowd's newest quote in it."""
        book = self._books.get(instrument.instrument_id)
        if book is None:
            book = self._books[instrument.instrument_id] = InstrumentBook()
        book.move_crowd(self._crowd.top(instrument))
        return book

    def open_orders(
        self, account: str, instrument_id: InstrumentId | None = None
    ) -> list[ExchangeOrder]:
        """An account's resting orders in the order of their arrival."""
        found = [self.orders[name] for name in self._open.get(account, ())]
        return [item for item in found if instrument_id in (None, item.instrument_id)]

    def take(
        self, request: OrderRequest, amount: Decimal, price: Decimal | None, now_ns: int
    ) -> str:
        """Let a checked order in, match it and rest what remains; returns its id."""
        instrument = self._listing.get(request.instrument_id)
        number = self.order_numbers.get(instrument.underlying, 0) + 1
        self.order_numbers[instrument.underlying] = number
        order = ExchangeOrder(
            order_id=f"{instrument.underlying}-{number}",
            account=request.account,
            label=request.label,
            instrument_id=request.instrument_id,
            side=request.side,
            order_type=request.order_type,
            time_in_force=request.time_in_force,
            amount=amount,
            filled=ZERO,
            price=price,
            average_price=None,
            commission=ZERO,
            post_only=request.post_only,
            reduce_only=request.reduce_only,
            state=OrderState.OPEN,
            cancel_reason="",
            connection=request.connection,
            priority=self._next_priority(),
            created_ns=now_ns,
            updated_ns=now_ns,
        )
        self._enter(order, instrument, now_ns)
        return order.order_id

    def change(
        self, order: ExchangeOrder, amount: Decimal, price: Decimal, now_ns: int, **flags: bool
    ) -> None:
        """Apply a checked edit: smaller at the same price keeps its place, else it queues anew."""
        instrument = self._listing.get(order.instrument_id)
        edited = msgspec.structs.replace(
            order, amount=amount, price=price, replaced=True, updated_ns=now_ns, **flags
        )
        book = self.book(instrument)
        if price == order.price and amount <= order.amount:
            book.resize(order.order_id, edited.remaining)
            self._keep(edited)
            self.events.append(OrderChanged(order=edited))
            return
        book.remove(order.order_id)
        requeued = msgspec.structs.replace(edited, priority=self._next_priority())
        self._enter(requeued, instrument, now_ns)

    def cancel(self, order_id: str, reason: str, now_ns: int) -> ExchangeOrder:
        """Take a resting order out."""
        order = self.orders[order_id]
        assert order.state is OrderState.OPEN, f"order {order_id} is {order.state}"
        book = self._books.get(order.instrument_id)
        if book is not None:
            book.remove(order_id)
        return self._close(order, reason, now_ns)

    def close_books(self, instrument_ids: Iterable[InstrumentId], now_ns: int) -> None:
        """Cancel everything that rests in books that close for good."""
        closing = set(instrument_ids)
        resting = [item for item in self._resting() if item.instrument_id in closing]
        for order in resting:
            self.cancel(order.order_id, "settlement", now_ns)
        for instrument_id in closing:
            self._books.pop(instrument_id, None)

    def cross_resting(self, now_ns: int) -> None:
        """After the crowd moved: let it trade with the resting orders that it reaches."""
        for instrument_id in dict.fromkeys(item.instrument_id for item in self._resting()):
            if instrument_id in self._listing.halted:
                continue
            instrument = self._listing.get(instrument_id)
            book = self.book(instrument)
            while (execution := book.crowd_takes()) is not None:
                maker_id = execution.maker_order_id
                assert maker_id is not None, "the crowd takes from an account's order"
                side = self.orders[maker_id].side.opposite
                public = self._public(instrument, side, execution, now_ns)
                self._fill(maker_id, public, instrument, is_maker=True)
                self.events.append(public)
                self._shrink(self.orders[maker_id], now_ns)

    def restore(self, orders: Iterable[ExchangeOrder]) -> None:
        """Take orders of an earlier run; open ones rest where they were in the queue."""
        for order in orders:
            self._keep(order)
            if order.state is OrderState.OPEN:
                book = self._books.setdefault(order.instrument_id, InstrumentBook())
                book.rest(_resting(order))

    def _resting(self) -> list[ExchangeOrder]:
        return [self.orders[name] for names in self._open.values() for name in names]

    def _next_priority(self) -> int:
        self.priority += 1
        return self.priority

    def _enter(self, order: ExchangeOrder, instrument: Instrument, now_ns: int) -> None:
        """Match, then rest or cancel what remains, and say so once."""
        self._keep(order)
        reason = self._match(order.order_id, instrument, now_ns)
        order = self.orders[order.order_id]
        if order.state is OrderState.OPEN and not reason:
            self.book(instrument).rest(_resting(order))
            self.events.append(OrderChanged(order=order))
        elif order.state is OrderState.OPEN:
            self._close(order, reason, now_ns)
        else:
            self.events.append(OrderChanged(order=order))

    def _match(self, order_id: str, instrument: Instrument, now_ns: int) -> str:
        """Execute a taker as far as it goes; returns why its remainder must not rest, or ''."""
        book = self.book(instrument)
        while (order := self.orders[order_id]).state is OrderState.OPEN:
            maker = book.maker_for(order.side, order.price)
            if maker is not None and maker.owner == order.account:
                return "self_trade"
            execution = book.take(order.side, order.remaining, order.price)
            if execution is None:
                return _why_not_resting(order)
            self._execute(order, execution, instrument, now_ns)
        return ""

    def _execute(
        self, taker: ExchangeOrder, execution: Execution, instrument: Instrument, now_ns: int
    ) -> None:
        public = self._public(instrument, taker.side, execution, now_ns)
        self._fill(taker.order_id, public, instrument, is_maker=False)
        if execution.maker_order_id is not None:
            self._fill(execution.maker_order_id, public, instrument, is_maker=True)
        self.events.append(public)
        self._shrink(taker, now_ns)
        if execution.maker_order_id is not None:
            self._shrink(self.orders[execution.maker_order_id], now_ns)

    def _public(
        self, instrument: Instrument, side: Side, execution: Execution, now_ns: int
    ) -> PublicTrade:
        underlying = instrument.underlying
        number = self.trade_numbers[underlying] = self.trade_numbers.get(underlying, 0) + 1
        seq = self.trade_seqs.get(instrument.instrument_id, 0) + 1
        self.trade_seqs[instrument.instrument_id] = seq
        self.last_prices[instrument.instrument_id] = execution.price
        public = PublicTrade(
            trade_id=f"{underlying}-{number}",
            trade_seq=seq,
            ts_ns=now_ns,
            instrument_id=instrument.instrument_id,
            side=side,
            amount=execution.amount,
            price=execution.price,
            mark_price=self._crowd.mark(instrument),
            index_usd=self._crowd.index_usd(underlying),
        )
        self.recent_trades.append(public)
        return public

    def _fill(
        self, order_id: str, public: PublicTrade, instrument: Instrument, *, is_maker: bool
    ) -> AccountTrade:
        """Book one side; a maker's order is announced here, a taker's when it is done."""
        order = _filled(self.orders[order_id], public)
        trade = self._keeper.book_trade(order, instrument, public, is_maker=is_maker)
        order = msgspec.structs.replace(order, commission=order.commission + trade.fee)
        self._keep(order)
        self.events.append(TradeExecuted(trade=trade))
        if is_maker:
            self.events.append(OrderChanged(order=order))
        return trade

    def _shrink(self, traded: ExchangeOrder, now_ns: int) -> None:
        """Keep resting reduce-only orders within what is left of the position."""
        quantity = self._keeper.account(traded.account).quantity(traded.instrument_id)
        room = {Side.BUY: max(-quantity, ZERO), Side.SELL: max(quantity, ZERO)}
        for order in self.open_orders(traded.account, traded.instrument_id):
            book = self._books.get(order.instrument_id)
            if not order.reduce_only or book is None or book.get(order.order_id) is None:
                continue
            left = room[order.side]
            room[order.side] = max(left - order.remaining, ZERO)
            if left <= 0:
                self.cancel(order.order_id, "reduce_only", now_ns)
            elif left < order.remaining:
                book.resize(order.order_id, left)
                smaller = msgspec.structs.replace(
                    order, amount=order.filled + left, updated_ns=now_ns
                )
                self._keep(smaller)
                self.events.append(OrderChanged(order=smaller))

    def _close(self, order: ExchangeOrder, reason: str, now_ns: int) -> ExchangeOrder:
        closed = msgspec.structs.replace(
            order, state=OrderState.CANCELLED, cancel_reason=reason, updated_ns=now_ns
        )
        self._keep(closed)
        self.events.append(OrderChanged(order=closed))
        return closed

    def _keep(self, order: ExchangeOrder) -> None:
        """Write an order down; closed ones are forgotten when there are too many."""
        self.orders[order.order_id] = order
        if order.state is OrderState.OPEN:
            self._open.setdefault(order.account, {})[order.order_id] = None
            return
        self._open.get(order.account, {}).pop(order.order_id, None)
        self._closed[order.order_id] = None
        if len(self._closed) > self._closed_orders_max:
            oldest = next(iter(self._closed))
            del self._closed[oldest]
            del self.orders[oldest]


def _resting(order: ExchangeOrder) -> RestingOrder:
    assert order.price is not None, f"order {order.order_id}: a market order never rests"
    return RestingOrder(
        order_id=order.order_id,
        owner=order.account,
        side=order.side,
        price=order.price,
        remaining=order.remaining,
        priority=order.priority,
    )


def _why_not_resting(order: ExchangeOrder) -> str:
    if order.order_type is OrderType.MARKET:
        return "no_liquidity"
    if order.time_in_force is TimeInForce.IMMEDIATE_OR_CANCEL:
        return "immediate_or_cancel"
    return ""


def _filled(order: ExchangeOrder, public: PublicTrade) -> ExchangeOrder:
    filled = order.filled + public.amount
    assert filled <= order.amount, f"order {order.order_id} was filled beyond its amount"
    spent = ZERO if order.average_price is None else order.average_price * order.filled
    return msgspec.structs.replace(
        order,
        filled=filled,
        average_price=(spent + public.price * public.amount) / filled,
        state=OrderState.FILLED if filled == order.amount else OrderState.OPEN,
        updated_ns=public.ts_ns,
    )
