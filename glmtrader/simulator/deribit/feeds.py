"""What each market channel has to say: asked at every step, it answers with new messages alone."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Final, Protocol

from glmtrader.domain.instruments import SECOND_NS, Instrument
from glmtrader.simulator.deribit.backend import Backend
from glmtrader.simulator.deribit.book_frames import (
    DEPTH_MAX,
    change_frame,
    is_same,
    snapshot_frame,
    top_frame,
)
from glmtrader.simulator.deribit.candle_frames import RESOLUTIONS, bar_frames
from glmtrader.simulator.deribit.channels import Channel, Topic
from glmtrader.simulator.deribit.faults import FaultKind
from glmtrader.simulator.deribit.names import index_name
from glmtrader.simulator.deribit.wire import Frame, ms
from glmtrader.simulator.exchange_types import BookView, ExchangeEvent

_MARK_DIGITS: Final = 6


class Feed(Protocol):
    """One channel, shared by its subscribers."""

    def opening(self) -> list[Any]:
        """Messages for a new subscriber."""

    def note(self, event: ExchangeEvent) -> None:
        """Take an event."""

    def poll(self) -> list[Any]:
        """Messages since the last call."""


class StateFeed(ABC):
    """A channel that shows a state: it speaks when the state changed, the time apart."""

    def __init__(self, backend: Backend, channel: Channel) -> None:
        self._backend = backend
        self._channel = channel
        self._last: Frame = {}

    def opening(self) -> list[Any]:
        """The state now."""
        return [self._frame()]

    def note(self, event: ExchangeEvent) -> None:  # noqa: B027  part of every feed; a state needs none
        """States are looked at, not told."""

    def poll(self) -> list[Any]:
        """The state, if it changed."""
        if self._is_unmoved():
            return []
        frame = self._frame()
        if _without_time(frame) == self._last:
            return []
        self._last = _without_time(frame)
        return [frame]

    def _is_unmoved(self) -> bool:
        """A cheap sign that nothing can have changed."""
        return False

    @abstractmethod
    def _frame(self) -> Frame:
        """The state as the wire shows it."""

    @property
    def _instrument(self) -> Instrument:
        assert self._channel.instrument is not None, f"{self._channel.name} is about nothing"
        return self._channel.instrument


class TickerFeed(StateFeed):
    """`ticker.{instrument}.{interval}`."""

    def __init__(self, backend: Backend, channel: Channel) -> None:
        super().__init__(backend, channel)
        self._seen: tuple[object, ...] = ()

    def _frame(self) -> Frame:
        return self._backend.tickers.ticker(self._instrument)

    def _is_unmoved(self) -> bool:
        view = self._backend.exchange.ticker(self._instrument.instrument_id)
        key = (
            *(view.bid, view.ask, view.bid_amount, view.ask_amount, view.mark_price),
            *(view.index_usd, view.underlying_usd, view.mark_vol, view.funding_rate_8h),
            *(view.last_price, view.halted, self._backend.exchange.cursor),
        )
        seen, self._seen = self._seen, key
        return seen == key


class QuoteFeed(StateFeed):
    """`quote.{instrument}`."""

    def _frame(self) -> Frame:
        return self._backend.tickers.quote(self._instrument)


class IndexFeed(StateFeed):
    """`deribit_price_index.{index}`."""

    def _frame(self) -> Frame:
        exchange, coin = self._backend.exchange, self._channel.underlying
        price = exchange.index_usd(coin)
        return {"timestamp": ms(exchange.now_ns), "price": price, "index_name": index_name(coin)}


class PerpetualFeed(StateFeed):
    """`perpetual.{instrument}.{interval}`: the funding rate."""

    def _frame(self) -> Frame:
        view = self._backend.exchange.ticker(self._instrument.instrument_id)
        return {
            "timestamp": ms(view.ts_ns),
            "interest": view.funding_rate_8h,
            "index_price": view.index_usd,
        }


class BookTopFeed(StateFeed):
    """`book.{instrument}.none.{depth}.{interval}`."""

    def __init__(self, backend: Backend, channel: Channel) -> None:
        super().__init__(backend, channel)
        self._change_id = 0

    def _frame(self) -> Frame:
        depth = int(self._channel.detail)
        book = self._backend.exchange.order_book(self._instrument.instrument_id, depth)
        frame = top_frame(self._instrument, book, 0)
        self._change_id = book.change_id + self._backend.change_id_offset
        return frame

    def poll(self) -> list[Any]:
        """The top, if it changed."""
        return [frame | {"change_id": self._change_id} for frame in super().poll()]

    def opening(self) -> list[Any]:
        """The top now."""
        return [frame | {"change_id": self._change_id} for frame in super().opening()]


class BookFeed:
    """`book.{instrument}.{interval}`: a snapshot for each subscriber, then changes, chained."""

    def __init__(self, backend: Backend, channel: Channel) -> None:
        assert channel.instrument is not None, f"{channel.name} is about nothing"
        self._backend = backend
        self._channel = channel
        self._instrument = channel.instrument
        self._shown = self._book()
        self._change_id = self._wire_id(self._shown)

    def opening(self) -> list[Any]:
        """The book as the others have it, so that the next change fits everybody."""
        return [snapshot_frame(self._instrument, self._shown, self._change_id)]

    def note(self, event: ExchangeEvent) -> None:
        """Books are looked at, not told."""

    def poll(self) -> list[Any]:
        """The change since the last message."""
        book = self._book()
        if is_same(self._shown, book):
            return []
        ids = (self._change_id, max(self._wire_id(book), self._change_id + 1))
        frame = change_frame(self._instrument, self._shown, book, ids)
        self._shown, self._change_id = book, ids[1]
        faults = self._backend.faults
        is_lost = faults.on_channel(FaultKind.SEQUENCE_GAP, self._channel.name) is not None
        return [] if is_lost else [frame]

    def _book(self) -> BookView:
        return self._backend.exchange.order_book(self._instrument.instrument_id, DEPTH_MAX)

    def _wire_id(self, book: BookView) -> int:
        return book.change_id + self._backend.change_id_offset


class MarkPriceFeed:
    """`markprice.options.{index}`: all options of a coin whose mark moved, once a second."""

    def __init__(self, backend: Backend, channel: Channel) -> None:
        self._backend = backend
        self._coin = channel.underlying
        self._last: dict[str, tuple[float, float]] = {}
        self._next_ns = 0

    def opening(self) -> list[Any]:
        """All options."""
        return [self._rows(self._marks())]

    def note(self, event: ExchangeEvent) -> None:
        """Marks are looked at, not told."""

    def poll(self) -> list[Any]:
        """The options that moved."""
        now_ns = self._backend.exchange.now_ns
        if now_ns < self._next_ns:
            return []
        self._next_ns = now_ns + SECOND_NS
        marks = self._marks()
        moved = {name: mark for name, mark in marks.items() if self._last.get(name) != mark}
        self._last = marks
        return [self._rows(moved)] if moved else []

    def _marks(self) -> dict[str, tuple[float, float]]:
        chain = self._backend.exchange.chain(self._coin)
        rows = zip(chain.instrument_ids, chain.mark.tolist(), chain.mark_vol.tolist(), strict=True)
        return {
            name: (round(mark, _MARK_DIGITS), round(vol, _MARK_DIGITS))
            for name, mark, vol in rows
            if mark == mark and vol == vol  # noqa: PLR0124 - NaN alone differs from itself
        }

    def _rows(self, marks: dict[str, tuple[float, float]]) -> list[Frame]:
        now_ms = ms(self._backend.exchange.now_ns)
        return [
            {
                "instrument_name": name.partition(":")[2],
                "mark_price": mark,
                "iv": vol,
                "timestamp": now_ms,
            }
            for name, (mark, vol) in marks.items()
        ]


class ChartFeed:
    """`chart.trades.{instrument}.{resolution}`: each bar when it is complete."""

    def __init__(self, backend: Backend, channel: Channel) -> None:
        assert channel.instrument is not None, f"{channel.name} is about nothing"
        self._backend = backend
        self._instrument = channel.instrument
        self._interval_ns = RESOLUTIONS[channel.detail]
        self._bar = self._backend.exchange.now_ns // self._interval_ns

    def opening(self) -> list[Any]:
        """The last complete bar."""
        return self._latest()

    def note(self, event: ExchangeEvent) -> None:
        """Bars are looked at, not told."""

    def poll(self) -> list[Any]:
        """The bar that was completed."""
        bar = self._backend.exchange.now_ns // self._interval_ns
        if bar == self._bar:
            return []
        self._bar = bar
        return self._latest()

    def _latest(self) -> list[Any]:
        exchange, instrument = self._backend.exchange, self._instrument
        if instrument.is_option or self._interval_ns % RESOLUTIONS["5"]:
            return []
        bars = exchange.candles(instrument.underlying, self._interval_ns, exchange.now_ns, 1)
        return list(bar_frames(bars))


def _without_time(frame: Frame) -> Frame:
    return {name: value for name, value in frame.items() if name != "timestamp"}


_FEEDS: Final[dict[Topic, Callable[[Backend, Channel], Feed]]] = {
    Topic.TICKER: TickerFeed,
    Topic.QUOTE: QuoteFeed,
    Topic.INDEX: IndexFeed,
    Topic.PERPETUAL: PerpetualFeed,
    Topic.BOOK_TOP: BookTopFeed,
    Topic.BOOK: BookFeed,
    Topic.MARK_PRICES: MarkPriceFeed,
    Topic.CHART: ChartFeed,
}


def make_market_feed(backend: Backend, channel: Channel) -> Feed:
    """The feed of a market channel."""
    return _FEEDS[channel.topic](backend, channel)
