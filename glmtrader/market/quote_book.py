"""The latest quote of every instrument: one view, written by the market service, read by all."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec
import numpy as np

from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import Instrument
from glmtrader.domain.market_events import ChainSnapshot, InstrumentsListed, MarketTick

RETIRED_MAX = 4096
"""Delisted instruments remembered: weeks of expiries, and nothing is held past its delivery."""


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """Top of book in the instrument's own units; None where a side or the mark is absent."""

    bid: Decimal | None
    ask: Decimal | None
    bid_quantity: Decimal | None
    ask_quantity: Decimal | None
    mark: Decimal | None
    index_usd: Decimal | None
    ts_ns: int


class Catalogue:
    """Every instrument listed now, by id, by underlying and by expiry."""

    def __init__(self) -> None:
        self._by_id: dict[InstrumentId, Instrument] = {}
        self._delisted: dict[InstrumentId, Instrument] = {}
        self._by_expiry: dict[tuple[str, int], list[Instrument]] = {}

    def apply(self, event: InstrumentsListed) -> None:
        """Add what was listed, retire what was delisted (positions may still refer to it)."""
        for instrument in event.listed:
            self._by_id[instrument.instrument_id] = instrument
        for instrument_id in event.delisted:
            gone = self._by_id.pop(instrument_id, None)
            if gone is not None:
                self._delisted[instrument_id] = gone
        while len(self._delisted) > RETIRED_MAX:
            del self._delisted[next(iter(self._delisted))]
        self._by_expiry = self._options_by_expiry()

    def get(self, instrument_id: InstrumentId) -> Instrument | None:
        """The instrument, listed or retired; None if it was never heard of."""
        return self._by_id.get(instrument_id) or self._delisted.get(instrument_id)

    def is_listed(self, instrument_id: InstrumentId) -> bool:
        """Whether it can be traded now, as far as listing goes."""
        return instrument_id in self._by_id

    def options(self, underlying: str, expiry_ns: int) -> Sequence[Instrument]:
        """Listed options of one expiry by ascending strike, puts before calls."""
        return self._by_expiry.get((underlying, expiry_ns), ())

    def perpetual(self, underlying: str) -> Instrument | None:
        """The listed perpetual of an underlying; None if there is none."""
        for item in self._by_id.values():
            if item.underlying == underlying and item.is_perpetual:
                return item
        return None

    def retired(self) -> tuple[Instrument, ...]:
        """Instruments that are listed no more and that positions may still refer to."""
        return tuple(self._delisted.values())

    def listed(self) -> Iterable[Instrument]:
        """All instruments listed now."""
        return self._by_id.values()

    def _options_by_expiry(self) -> dict[tuple[str, int], list[Instrument]]:
        """Grouped when listings change, which is rare: an order asks for them on its way out."""
        found: dict[tuple[str, int], list[Instrument]] = {}
        for item in self._by_id.values():
            if item.expiry_ns is not None:
                found.setdefault((item.underlying, item.expiry_ns), []).append(item)
        for options in found.values():
            options.sort(key=lambda item: (item.strike or Decimal(0), bool(item.is_call)))
        return found


class QuoteBook:
    """The newest quote by instrument, from ticks and chain snapshots alike."""

    def __init__(self) -> None:
        self._ticks: dict[InstrumentId, Quote] = {}
        self._chains: dict[str, ChainSnapshot] = {}
        self._rows: dict[InstrumentId, tuple[str, int]] = {}
        self._index: dict[str, tuple[Decimal, int]] = {}

    def apply_tick(self, event: MarketTick, underlying: str) -> None:
        """Take one top of book."""
        self._ticks[event.instrument_id] = Quote(
            bid=event.bid,
            ask=event.ask,
            bid_quantity=event.bid_quantity,
            ask_quantity=event.ask_quantity,
            mark=event.mark,
            index_usd=event.index_usd,
            ts_ns=event.ts_init,
        )
        if event.index_usd is not None:
            self._index[underlying] = (event.index_usd, event.ts_init)

    def apply_chain(self, event: ChainSnapshot) -> None:
        """Take a whole chain; rows are turned into quotes when someone asks for one."""
        previous = self._chains.get(event.underlying)
        self._chains[event.underlying] = event
        if previous is None or previous.instrument_ids is not event.instrument_ids:
            for row, instrument_id in enumerate(event.instrument_ids):
                self._rows[instrument_id] = (event.underlying, row)
        self._index[event.underlying] = (_decimal(event.index_usd), event.ts_init)

    def chain(self, underlying: str) -> ChainSnapshot | None:
        """The newest chain of an underlying."""
        return self._chains.get(underlying)

    def index_usd(self, underlying: str) -> tuple[Decimal, int] | None:
        """Newest index price of an underlying and when it came; None before the first."""
        return self._index.get(underlying)

    def get(self, instrument_id: InstrumentId) -> Quote | None:
        """The newest quote of an instrument; None if there never was one."""
        tick = self._ticks.get(instrument_id)
        row = self._rows.get(instrument_id)
        if row is None:
            return tick
        chain = self._chains[row[0]]
        if tick is not None and tick.ts_ns >= chain.ts_init:
            return tick
        index = row[1]
        if index >= len(chain.instrument_ids) or chain.instrument_ids[index] != instrument_id:
            return tick
        return _quote(chain, index)


def _decimal(value: float) -> Decimal:
    return Decimal(repr(float(value)))


def _quote(chain: ChainSnapshot, row: int) -> Quote:
    """One row; prices that cannot be true are absent, both sides where they cross."""
    bid, ask = _price(chain.bid[row]), _price(chain.ask[row])
    if bid is not None and ask is not None and bid > ask:
        bid = ask = None
    return Quote(
        bid=bid,
        ask=ask,
        bid_quantity=_size(chain.bid_quantity[row]),
        ask_quantity=_size(chain.ask_quantity[row]),
        mark=_price(chain.mark[row]),
        index_usd=_decimal(chain.index_usd),
        ts_ns=chain.ts_init,
    )


def _price(value: np.float64) -> Decimal | None:
    return _decimal(float(value)) if np.isfinite(value) and value > 0 else None


def _size(value: np.float64) -> Decimal | None:
    return _decimal(float(value)) if np.isfinite(value) and value >= 0 else None
