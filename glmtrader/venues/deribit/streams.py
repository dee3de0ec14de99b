"""Public notifications: ticks, books, listings, platform state; each read, told or counted.

A public frame that cannot be read is counted by its kind and skipped: the staleness budget of
whoever needs it does the rest. Account frames are not this module's.
"""

from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.market_events import MarketTick
from glmtrader.errors import ProtocolError
from glmtrader.kernel.clock import Clock
from glmtrader.venues.deribit.books import BookStep, OrderBook
from glmtrader.venues.deribit.codec import tick_of
from glmtrader.venues.deribit.counters import Counters
from glmtrader.venues.deribit.frames import (
    BookData,
    InstrumentStateData,
    PlatformStateData,
    PriceIndexData,
    PublicTradeData,
    QuoteData,
    TickerData,
)
from glmtrader.venues.port import Publish

TICKS_MAX: Final = 10_000
"""Newest ticks kept, by instrument; delisted ones are dropped from the oldest on."""

T = TypeVar("T")

_decode_ticker = msgspec.json.Decoder(TickerData).decode


class PublicStreams:
    """Decodes and tells public notifications.

    Args:
        on_gap: called with the channel whose book needs a new snapshot.
        on_platform: called with each platform state notification.
        on_listing: called when an instrument changed its state.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        counters: Counters,
        publish: Publish,
        on_gap: Callable[[str], None],
        on_platform: Callable[[PlatformStateData], None],
        on_listing: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._counters = counters
        self._publish = publish
        self._on_gap = on_gap
        self._on_platform = on_platform
        self._on_listing = on_listing
        self.ticks: dict[InstrumentId, MarketTick] = {}
        self.books: dict[str, OrderBook] = {}
        self._takers: dict[str, Callable[[str, msgspec.Raw], None]] = {
            "ticker": self._take_ticker,
            "book": self._take_book,
            "platform_state": self._take_platform,
            "instrument": self._take_listing,
            "quote": self._check(QuoteData),
            "trades": self._check(list[PublicTradeData]),
            "deribit_price_index": self._check(PriceIndexData),
        }

    def take(self, channel: str, data: msgspec.Raw) -> None:
        """One notification of a public channel."""
        kind = channel.partition(".")[0]
        taker = self._takers.get(kind)
        if taker is None:
            self._counters.warn(f"channel_unknown:{kind}", channel)
            return
        try:
            taker(channel, data)
        except (msgspec.MsgspecError, ProtocolError) as error:
            self._counters.warn(f"undecodable:{kind}", f"{channel}: {error}")

    def connection_ended(self) -> None:
        """Books of a connection end with it; a new one starts from its own snapshot."""
        for book in self.books.values():
            book.reset()

    def _take_ticker(self, _channel: str, data: msgspec.Raw) -> None:
        tick = tick_of(_decode_ticker(data), ts_init=self._clock.now_ns())
        self._keep(tick)
        self._publish(tick)

    def _take_book(self, channel: str, data: msgspec.Raw) -> None:
        frame = msgspec.json.decode(data, type=BookData)
        book = self.books.setdefault(frame.instrument_name, OrderBook(frame.instrument_name))
        if book.apply(frame) is BookStep.GAP:
            self._counters.warn("book_gap", channel)
            self._on_gap(channel)

    def _take_platform(self, channel: str, data: msgspec.Raw) -> None:
        if channel == "platform_state":
            self._on_platform(msgspec.json.decode(data, type=PlatformStateData))

    def _take_listing(self, _channel: str, data: msgspec.Raw) -> None:
        msgspec.json.decode(data, type=InstrumentStateData)
        self._on_listing()

    def _check(self, wanted: type[T]) -> Callable[[str, msgspec.Raw], None]:
        """For channels that are understood and that nothing here needs."""
        decode = msgspec.json.Decoder(wanted).decode

        def take(_channel: str, data: msgspec.Raw) -> None:
            decode(data)

        return take

    def _keep(self, tick: MarketTick) -> None:
        self.ticks[tick.instrument_id] = tick
        if len(self.ticks) > TICKS_MAX:
            del self.ticks[next(iter(self.ticks))]
