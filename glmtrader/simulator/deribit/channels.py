"""Names of subscription channels, taken apart."""

from enum import StrEnum
from typing import Final

import msgspec

from glmtrader.domain.instruments import Instrument
from glmtrader.simulator.deribit.candle_frames import RESOLUTIONS
from glmtrader.simulator.deribit.names import Kind, Names, fits, index_name
from glmtrader.simulator.exchange import SimulatedExchange

_DEPTHS: Final = ("1", "10", "20")


class Topic(StrEnum):
    """What a channel is about; those of `user` need a login."""

    TICKER = "ticker"
    BOOK = "book"
    BOOK_TOP = "book_top"
    QUOTE = "quote"
    TRADES = "trades"
    INDEX = "deribit_price_index"
    MARK_PRICES = "markprice"
    CHART = "chart"
    PERPETUAL = "perpetual"
    PLATFORM = "platform_state"
    INSTRUMENT_STATE = "instrument"
    USER_ORDERS = "user.orders"
    USER_TRADES = "user.trades"
    USER_CHANGES = "user.changes"
    USER_PORTFOLIO = "user.portfolio"


class Interval(StrEnum):
    """How often a channel may speak."""

    RAW = "raw"
    FAST = "100ms"
    AGGREGATED = "agg2"


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """A channel.

    Attributes:
        instrument: the one it is about, else those of `kind` and `currency` (None: all).
        underlying: of an index. detail: the depth of a book, or a chart's resolution.
    """

    name: str
    topic: Topic
    interval: Interval = Interval.RAW
    instrument: Instrument | None = None
    kind: Kind = Kind.ANY
    currency: str | None = None
    underlying: str = ""
    detail: str = ""

    @property
    def is_private(self) -> bool:
        """Whether it belongs to an account."""
        return self.topic.startswith("user.")

    @property
    def needs_login(self) -> bool:
        """Whether only authenticated connections may have it: the account's own, and raw ones."""
        raw_market = self.topic in (Topic.TICKER, Topic.BOOK, Topic.TRADES)
        return self.is_private or (raw_market and self.interval is Interval.RAW)

    def is_about(self, instrument: Instrument) -> bool:
        """Whether an event of that instrument belongs here."""
        if self.instrument is not None:
            return self.instrument.instrument_id == instrument.instrument_id
        return fits(instrument, self.kind, self.currency)


def parse(name: str, names: Names, exchange: SimulatedExchange) -> Channel | None:
    """Understand a channel's name; None when there is no such channel."""
    parts = name.split(".")
    found = _market(name, parts, names) or _general(name, parts, exchange)
    return found or _user(name, parts, names)


def _market(name: str, parts: list[str], names: Names) -> Channel | None:
    found: tuple[Topic, str, str, str] | None = None
    match parts:
        case ["ticker" | "book" | "perpetual" | "trades" as topic, symbol, interval]:
            found = Topic(topic), symbol, interval, ""
        case ["book", symbol, "none", depth, interval] if depth in _DEPTHS:
            found = Topic.BOOK_TOP, symbol, interval, depth
        case ["quote", symbol]:
            found = Topic.QUOTE, symbol, "raw", ""
        case ["chart", "trades", symbol, resolution] if resolution in RESOLUTIONS:
            found = Topic.CHART, symbol, "100ms", resolution
        case ["trades", kind, currency, interval]:
            return _group(name, Topic.TRADES, kind, currency, interval)
    return None if found is None else _about(name, *found, names)


def _general(name: str, parts: list[str], exchange: SimulatedExchange) -> Channel | None:
    coins = {index_name(coin): coin for coin in exchange.underlyings}
    match parts:
        case ["platform_state"]:
            return Channel(name=name, topic=Topic.PLATFORM)
        case ["deribit_price_index", index] if index in coins:
            return Channel(name=name, topic=Topic.INDEX, underlying=coins[index])
        case ["markprice", "options", index] if index in coins:
            return Channel(name=name, topic=Topic.MARK_PRICES, underlying=coins[index])
        case ["instrument", "state", kind, currency]:
            return _group(name, Topic.INSTRUMENT_STATE, kind, currency, "raw")
    return None


def _user(name: str, parts: list[str], names: Names) -> Channel | None:
    match parts:
        case ["user", "portfolio", currency]:
            chosen = None if currency.lower() == "any" else currency.upper()
            return Channel(name=name, topic=Topic.USER_PORTFOLIO, currency=chosen)
        case ["user", "orders" | "trades" | "changes" as what, symbol, interval]:
            return _about(name, Topic(f"user.{what}"), symbol, interval, "", names)
        case ["user", "orders" | "trades" | "changes" as what, kind, currency, interval]:
            return _group(name, Topic(f"user.{what}"), kind, currency, interval)
    return None


def _about(
    name: str, topic: Topic, symbol: str, interval: str, detail: str, names: Names
) -> Channel | None:
    instrument = names.find(symbol)
    if instrument is None or interval not in set(Interval):
        return None
    return Channel(
        name=name,
        topic=topic,
        interval=Interval(interval),
        instrument=instrument,
        detail=detail,
    )


def _group(name: str, topic: Topic, kind: str, currency: str, interval: str) -> Channel | None:
    if kind not in set(Kind) or interval not in set(Interval):
        return None
    return Channel(
        name=name,
        topic=topic,
        interval=Interval(interval),
        kind=Kind(kind),
        currency=None if currency.lower() == "any" else currency.upper(),
    )
