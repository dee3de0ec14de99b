"""What the matching engine needs to know of a market, generated or recorded."""

from typing import Protocol

import msgspec

from glmtrader.domain.arrays import BoolArray, FloatArray, IntArray
from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import Instrument


class PerpetualQuote(msgspec.Struct, frozen=True, kw_only=True):
    """The crowd's perpetual at one moment: USD prices, sizes in USD of notional.

    `funding_rate_8h` is what a long pays a short over eight hours, as a fraction.
    """

    bid: float
    ask: float
    bid_size_usd: float
    ask_size_usd: float
    mark: float
    funding_rate_8h: float


class OptionChain(msgspec.Struct, frozen=True, kw_only=True):
    """The crowd's options of one underlying at one moment; columns of equal length.

    Prices in coin (inverse); NaN where nobody quotes. `mark_vol` is a fraction; `forward` is that
    of each row's expiry. `ts_ns` is when these quotes were made (a recorded chain may be old).
    """

    ts_ns: int
    instrument_ids: tuple[InstrumentId, ...]
    expiry_ns: IntArray
    strike: FloatArray
    is_call: BoolArray
    bid: FloatArray
    ask: FloatArray
    bid_size: FloatArray
    ask_size: FloatArray
    mark: FloatArray
    mark_vol: FloatArray
    forward: FloatArray


class CandleColumns(msgspec.Struct, frozen=True, kw_only=True):
    """Completed bars: open time (ns) and float64 columns of equal length; volume in coin."""

    open_ns: IntArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray


class MarketModel(Protocol):
    """A market that can be moved forward in time; generated (seeded) or recorded."""

    @property
    def underlyings(self) -> tuple[str, ...]:
        """Coins that have a perpetual and options here."""

    def advance(self, now_ns: int) -> None:
        """Move the market to `now_ns`; never backwards."""

    def instruments(self) -> tuple[Instrument, ...]:
        """What is listed at the moment reached; the same tuple object until it changes."""

    def index_usd(self, underlying: str) -> float:
        """The index price."""

    def perpetual(self, underlying: str) -> PerpetualQuote:
        """Top of the perpetual's book."""

    def chain(self, underlying: str) -> OptionChain:
        """All quoted options."""

    def delivery_price(self, underlying: str, expiry_ns: int) -> float:
        """The 30-minute average of the index before `expiry_ns`, which must be reached."""

    def candles(
        self, underlying: str, interval_ns: int, until_ns: int, count: int
    ) -> CandleColumns:
        """The last `count` completed bars before `until_ns`; at least nine days back exist."""
