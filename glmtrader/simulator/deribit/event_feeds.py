"""Channels that tell events: trades, the account's orders and fills, the platform, listings."""

from abc import ABC, abstractmethod
from collections import deque
from typing import Any, Final

from glmtrader.simulator.deribit.backend import Backend
from glmtrader.simulator.deribit.channels import Channel, Interval, Topic
from glmtrader.simulator.deribit.feeds import Feed
from glmtrader.simulator.deribit.names import Kind, index_name, kind_of_symbol
from glmtrader.simulator.deribit.order_frames import order_frame, public_trade_frame, symbol_of
from glmtrader.simulator.deribit.wire import Frame, ms
from glmtrader.simulator.exchange_types import (
    BookStateChanged,
    ExchangeEvent,
    InstrumentsChanged,
    OrderChanged,
    PlatformChanged,
    PlatformState,
    PublicTrade,
    TradeExecuted,
)

WAITING_MAX: Final = 10_000
"""Messages a channel may hold back while it is stalled; older ones are lost, as on a real wire."""


class EventFeed(ABC):
    """Collects messages until it is polled; a new subscriber hears of later events alone."""

    def __init__(self, backend: Backend, channel: Channel, account: str) -> None:
        self._backend = backend
        self._channel = channel
        self._account = account
        self._waiting: deque[Any] = deque(maxlen=WAITING_MAX)

    def opening(self) -> list[Any]:
        """Nothing: events are not repeated."""
        return []

    @abstractmethod
    def note(self, event: ExchangeEvent) -> None:
        """Take an event."""

    def poll(self) -> list[Any]:
        """What has come since, one message each."""
        found = list(self._waiting)
        self._waiting.clear()
        return found

    def _is_about(self, symbol: str) -> bool:
        """Whether the channel covers an instrument, also one that is no longer listed."""
        instrument = self._backend.names.find(symbol)
        if instrument is not None:
            return self._channel.is_about(instrument)
        chosen = self._channel.instrument
        if chosen is not None:
            return chosen.symbol == symbol
        kind = kind_of_symbol(symbol)
        coin = symbol.partition("-")[0]
        return self._channel.kind in (Kind.ANY, kind) and self._channel.currency in (None, coin)


class TradesFeed(EventFeed):
    """`trades...`: everybody's trades, together as they come."""

    def note(self, event: ExchangeEvent) -> None:
        """Take a public trade."""
        if not isinstance(event, PublicTrade) or not self._is_about(symbol_of(event.instrument_id)):
            return
        seen = self._backend.tape.trade(event.trade_id, event.instrument_id)
        if seen is not None:
            instrument = self._backend.names.find(symbol_of(event.instrument_id))
            self._waiting.append(public_trade_frame(seen, instrument))

    def poll(self) -> list[Any]:
        """One message with all of them."""
        found = super().poll()
        return [found] if found else []


class UserOrdersFeed(EventFeed):
    """`user.orders...`: raw, each state by itself; else the newest of each order together."""

    def note(self, event: ExchangeEvent) -> None:
        """Take a change of an own order."""
        if isinstance(event, OrderChanged) and event.order.account == self._account:
            frame = order_frame(event.order)
            if self._is_about(frame["instrument_name"]):
                self._waiting.append(frame)

    def poll(self) -> list[Any]:
        """The changes."""
        found = super().poll()
        if self._channel.interval is Interval.RAW or not found:
            return found
        return [list({frame["order_id"]: frame for frame in found}.values())]


class UserTradesFeed(EventFeed):
    """`user.trades...`: own fills, those of one moment in one message."""

    def note(self, event: ExchangeEvent) -> None:
        """Take an own trade."""
        if isinstance(event, TradeExecuted) and event.trade.account == self._account:
            frame = self._backend.user_trade_frame(event.trade)
            if self._is_about(frame["instrument_name"]):
                self._waiting.append(frame)

    def poll(self) -> list[Any]:
        """One message with all of them."""
        found = super().poll()
        return [found] if found else []


class UserChangesFeed(EventFeed):
    """`user.changes...`: orders, trades and positions of an instrument in one message."""

    def note(self, event: ExchangeEvent) -> None:
        """Take a change of an own order, or an own trade."""
        if isinstance(event, OrderChanged) and event.order.account == self._account:
            self._add("orders", order_frame(event.order))
        elif isinstance(event, TradeExecuted) and event.trade.account == self._account:
            self._add("trades", self._backend.user_trade_frame(event.trade))

    def poll(self) -> list[Any]:
        """One message for each instrument."""
        changed: dict[str, Frame] = {}
        for what, frame in super().poll():
            symbol = frame["instrument_name"]
            entry = changed.setdefault(
                symbol, {"instrument_name": symbol, "trades": [], "positions": [], "orders": []}
            )
            entry[what].append(frame)
        for symbol, entry in changed.items():
            entry["positions"] = self._positions(symbol)
        return list(changed.values())

    def _add(self, what: str, frame: Frame) -> None:
        if self._is_about(frame["instrument_name"]):
            self._waiting.append((what, frame))

    def _positions(self, symbol: str) -> list[Frame]:
        return [
            self._backend.accounts.position(self._account, held)
            for held in self._backend.exchange.positions(self._account)
            if symbol_of(held.instrument_id) == symbol
        ]


class PortfolioFeed(EventFeed):
    """`user.portfolio.{currency}`: the account's summary when something was booked or moved."""

    def __init__(self, backend: Backend, channel: Channel, account: str) -> None:
        super().__init__(backend, channel, account)
        self._last: dict[str, Frame] = {}

    def opening(self) -> list[Any]:
        """The summary now."""
        return [self._summary(coin) for coin in self._coins()]

    def note(self, event: ExchangeEvent) -> None:
        """Summaries are looked at, not told."""

    def poll(self) -> list[Any]:
        """The summaries that changed."""
        found = []
        for coin in self._coins():
            frame = self._summary(coin)
            if self._last.get(coin) != frame:
                self._last[coin] = frame
                found.append(frame)
        return found

    def _summary(self, coin: str) -> Frame:
        return self._backend.accounts.summary(self._account, coin)

    def _coins(self) -> tuple[str, ...]:
        chosen = self._channel.currency
        if chosen is not None:
            return (chosen,)
        return self._backend.exchange.currencies(self._account)


class PlatformFeed(EventFeed):
    """`platform_state`: maintenance and locks."""

    def __init__(self, backend: Backend, channel: Channel, account: str) -> None:
        super().__init__(backend, channel, account)
        self._state = backend.exchange.platform

    def note(self, event: ExchangeEvent) -> None:
        """Take a change of the platform."""
        if not isinstance(event, PlatformChanged):
            return
        before, self._state = self._state, event.state
        if PlatformState.MAINTENANCE in (before, event.state):
            self._waiting.append({"maintenance": event.state is PlatformState.MAINTENANCE})
        if PlatformState.LOCKED in (before, event.state):
            locked = event.state is PlatformState.LOCKED
            self._waiting.extend(
                {"price_index": index_name(coin), "locked": locked}
                for coin in self._backend.exchange.underlyings
            )


class InstrumentStateFeed(EventFeed):
    """`instrument.state...`: listings that come and go, books that halt and open."""

    def note(self, event: ExchangeEvent) -> None:
        """Take a change of listings or of a book."""
        match event:
            case InstrumentsChanged():
                for item in event.listed:
                    self._add(item.symbol, "started", event.ts_ns)
                for name in event.delisted:
                    self._add(symbol_of(name), "terminated", event.ts_ns)
            case BookStateChanged():
                state = "closed" if event.halted else "started"
                self._add(symbol_of(event.instrument_id), state, event.ts_ns)
            case _:
                pass

    def _add(self, symbol: str, state: str, ts_ns: int) -> None:
        if self._is_about(symbol):
            self._waiting.append(
                {"timestamp": ms(ts_ns), "state": state, "instrument_name": symbol}
            )


EVENT_FEEDS: Final[dict[Topic, type[EventFeed]]] = {
    Topic.TRADES: TradesFeed,
    Topic.USER_ORDERS: UserOrdersFeed,
    Topic.USER_TRADES: UserTradesFeed,
    Topic.USER_CHANGES: UserChangesFeed,
    Topic.USER_PORTFOLIO: PortfolioFeed,
    Topic.PLATFORM: PlatformFeed,
    Topic.INSTRUMENT_STATE: InstrumentStateFeed,
}


def is_event_feed(feed: Feed) -> bool:
    """Whether a feed must hear every event at once."""
    return isinstance(feed, EventFeed)
