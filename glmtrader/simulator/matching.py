"""One instrument's book: price-time priority among accounts, and the crowd's top of book.

Pure. The crowd is what a market model quotes: one level on each side, with a size.

- A taker meets prices best first. Where the crowd and an account quote the same price the crowd
  stands first; accounts follow in the order of their arrival.
- Crowd size that a taker consumed comes back at the crowd's next move: when its price, size or
  stamp on that side differs from what was consumed.
- A resting order fills at its own price when the crowd's opposite side touches or passes it, for no
  more than the crowd's size there. Nothing fills because the crowd's own side reached its price:
  no luck in the queue is assumed.
"""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from glmtrader.domain.orders import Side
from glmtrader.domain.pnl import ZERO


class CrowdTop(msgspec.Struct, frozen=True, kw_only=True):
    """The crowd's best bid and ask; price None where it does not quote.

    `stamp` tells two moves with equal numbers apart (when the quotes were made).
    """

    bid: Decimal | None
    ask: Decimal | None
    bid_amount: Decimal
    ask_amount: Decimal
    stamp: int = 0


NO_CROWD = CrowdTop(bid=None, ask=None, bid_amount=ZERO, ask_amount=ZERO)


class RestingOrder:
    """An account's order in the book; `remaining` stays positive while it rests."""

    __slots__ = ("order_id", "owner", "price", "priority", "remaining", "side")

    def __init__(
        self,
        *,
        order_id: str,
        owner: str,
        side: Side,
        price: Decimal,
        remaining: Decimal,
        priority: int,
    ) -> None:
        assert remaining > 0, f"order {order_id}: nothing remains to rest"
        self.order_id = order_id
        self.owner = owner
        self.side = side
        self.price = price
        self.remaining = remaining
        self.priority = priority


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """Part of an order met a counterparty; `maker_order_id` None is the crowd."""

    price: Decimal
    amount: Decimal
    maker_order_id: str | None


class InstrumentBook:
    """The book of one instrument."""

    def __init__(self) -> None:
        self.change_id = 0
        self._crowd = NO_CROWD
        self._crowd_left: dict[Side, Decimal] = {Side.BUY: ZERO, Side.SELL: ZERO}
        self._orders: dict[str, RestingOrder] = {}
        self._sides: dict[Side, list[RestingOrder]] = {Side.BUY: [], Side.SELL: []}

    def __len__(self) -> int:
        return len(self._orders)

    @property
    def crowd(self) -> CrowdTop:
        """The crowd's quote, before anything was consumed."""
        return self._crowd

    def get(self, order_id: str) -> RestingOrder | None:
        """A resting order."""
        return self._orders.get(order_id)

    def move_crowd(self, top: CrowdTop) -> None:
        """Take the crowd's new quote; a side that moved is whole again."""
        before = self._crowd
        if top == before:
            return
        moved = top.stamp != before.stamp
        if moved or (top.bid, top.bid_amount) != (before.bid, before.bid_amount):
            self._crowd_left[Side.BUY] = ZERO if top.bid is None else top.bid_amount
        if moved or (top.ask, top.ask_amount) != (before.ask, before.ask_amount):
            self._crowd_left[Side.SELL] = ZERO if top.ask is None else top.ask_amount
        self._crowd = top
        self.change_id += 1

    def best(self, side: Side) -> Decimal | None:
        """Best price of a side, crowd and accounts together; None when it is empty."""
        prices = [price for price in (self._crowd_price(side), self._own_price(side)) if price]
        if not prices:
            return None
        return max(prices) if side is Side.BUY else min(prices)

    def crosses(self, side: Side, price: Decimal) -> bool:
        """Whether an order would trade at once."""
        opposite = self.best(side.opposite)
        return opposite is not None and _reaches(side, price, opposite)

    def maker_for(self, side: Side, limit: Decimal | None) -> RestingOrder | None:
        """The account's order that a taker would meet first; None for the crowd or nobody."""
        queue = self._sides[side.opposite]
        if not queue or not _within(side, limit, queue[0].price):
            return None
        crowd = self._crowd_price(side.opposite)
        if crowd is not None and _reaches(side, queue[0].price, crowd):
            return None
        return queue[0]

    def take(self, side: Side, amount: Decimal, limit: Decimal | None) -> Execution | None:
        """Execute a taker against the best counterparty; None when nobody is within `limit`."""
        assert amount > 0, f"a taker of {amount} takes nothing"
        maker = self.maker_for(side, limit)
        if maker is not None:
            part = min(amount, maker.remaining)
            self._reduce(maker, part)
            return Execution(price=maker.price, amount=part, maker_order_id=maker.order_id)
        price = self._crowd_price(side.opposite)
        if price is None or not _within(side, limit, price):
            return None
        return Execution(
            price=price, amount=self._consume(side.opposite, amount), maker_order_id=None
        )

    def crowd_takes(self) -> Execution | None:
        """Let the crowd meet the first resting order that its quote touches or passes."""
        for side in (Side.BUY, Side.SELL):
            queue = self._sides[side]
            crowd = self._crowd_price(side.opposite)
            if queue and crowd is not None and _reaches(side, queue[0].price, crowd):
                maker = queue[0]
                part = self._consume(side.opposite, maker.remaining)
                self._reduce(maker, part)
                return Execution(price=maker.price, amount=part, maker_order_id=maker.order_id)
        return None

    def rest(self, order: RestingOrder) -> None:
        """Put an order in its place by price, then by priority."""
        assert order.order_id not in self._orders, f"order {order.order_id} rests already"
        assert not self.crosses(order.side, order.price), f"order {order.order_id} would cross"
        self._orders[order.order_id] = order
        queue = self._sides[order.side]
        queue.append(order)
        sign = -1 if order.side is Side.BUY else 1
        queue.sort(key=lambda item: (sign * item.price, item.priority))
        self.change_id += 1

    def remove(self, order_id: str) -> RestingOrder | None:
        """Take an order out; None when it does not rest here."""
        order = self._orders.pop(order_id, None)
        if order is not None:
            self._sides[order.side].remove(order)
            self.change_id += 1
        return order

    def resize(self, order_id: str, remaining: Decimal) -> None:
        """Make a resting order smaller; it keeps its place."""
        order = self._orders[order_id]
        assert ZERO < remaining <= order.remaining, f"order {order_id}: cannot grow in place"
        order.remaining = remaining
        self.change_id += 1

    def amount_at_best(self, side: Side) -> Decimal:
        """What stands at the best price of a side."""
        return next((amount for _, amount in self.levels(side)), ZERO)

    def levels(self, side: Side) -> Iterator[tuple[Decimal, Decimal]]:
        """Levels of a side, best first: price and the amount of crowd and accounts together."""
        amounts: dict[Decimal, Decimal] = {}
        crowd = self._crowd_price(side)
        if crowd is not None:
            amounts[crowd] = self._crowd_left[side]
        for order in self._sides[side]:
            amounts[order.price] = amounts.get(order.price, ZERO) + order.remaining
        yield from sorted(amounts.items(), reverse=side is Side.BUY)

    def _crowd_price(self, side: Side) -> Decimal | None:
        if self._crowd_left[side] <= 0:
            return None
        return self._crowd.bid if side is Side.BUY else self._crowd.ask

    def _own_price(self, side: Side) -> Decimal | None:
        queue = self._sides[side]
        return queue[0].price if queue else None

    def _consume(self, side: Side, amount: Decimal) -> Decimal:
        part = min(amount, self._crowd_left[side])
        assert part > 0, "the crowd trades only what it has left"
        self._crowd_left[side] -= part
        self.change_id += 1
        return part

    def _reduce(self, order: RestingOrder, amount: Decimal) -> None:
        order.remaining -= amount
        assert order.remaining >= 0, f"order {order.order_id} was filled beyond its amount"
        self.change_id += 1
        if order.remaining == 0:
            self.remove(order.order_id)


def _reaches(side: Side, price: Decimal, opposite: Decimal) -> bool:
    """Whether an order of `side` at `price` meets the opposite price."""
    return price >= opposite if side is Side.BUY else price <= opposite


def _within(side: Side, limit: Decimal | None, price: Decimal) -> bool:
    return limit is None or _reaches(side, limit, price)
