"""One `get_book_summary_by_currency` call as one coherent chain. Pure; floats from here on.

A summary row has no quantities. What stands at a quote is at least the smallest order, so that
bound is what a row carries unless a ticker stream knows better.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import numpy as np

from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import HOUR_NS, Instrument, InstrumentKind
from glmtrader.domain.market_events import ChainSnapshot, FloatArray, MarketTick
from glmtrader.venues.deribit.frames import BookSummaryData
from glmtrader.venues.deribit.names import MS_NS, VENUE

_AVERAGING_NS: Final = HOUR_NS
"""Rows nearer to expiry show the settlement average instead of the index."""


PERCENT = 100.0


class ChainResult(msgspec.Struct, frozen=True):
    """A chain or why there is none, and what was left out.

    Attributes:
        unlisted: rows of options that the instrument list does not have (yet).
    """

    chain: ChainSnapshot | None
    unavailable: str
    unlisted: int


class _Row(msgspec.Struct, frozen=True):
    instrument: Instrument
    data: BookSummaryData


def chain_of(
    underlying: str,
    rows: Sequence[BookSummaryData],
    *,
    instruments: Mapping[str, Instrument],
    ticks: Mapping[InstrumentId, MarketTick],
    now_ns: int,
) -> ChainResult:
    """Build the chain of one underlying's inverse options.

    Args:
        underlying: the coin.
        rows: all of one call, any kind of option among them.
        instruments: listed ones by the venue's name.
        ticks: newest tick by id, for quantities only: every price comes from `rows`.
        now_ns: our clock; expired rows are left out by it.
    """
    usable, unlisted = _usable(underlying, rows, instruments, now_ns)
    if not usable:
        return ChainResult(None, "no row of a listed, unexpired option", unlisted)
    index_usd = _index_usd(usable, now_ns)
    if index_usd is None:
        return ChainResult(None, "no row says the index", unlisted)
    return ChainResult(_snapshot(underlying, usable, ticks, index_usd, now_ns), "", unlisted)


def _usable(
    underlying: str,
    rows: Sequence[BookSummaryData],
    instruments: Mapping[str, Instrument],
    now_ns: int,
) -> tuple[list[_Row], int]:
    usable, unlisted = [], 0
    for data in rows:
        instrument = instruments.get(data.instrument_name)
        if instrument is None:
            unlisted += 1
        elif (
            instrument.kind is InstrumentKind.INVERSE_OPTION
            and instrument.underlying == underlying
            and not instrument.is_expired(now_ns)
            and (data.underlying_price or 0) > 0
        ):
            usable.append(_Row(instrument, data))
    usable.sort(
        key=lambda row: (row.instrument.expiry_ns, row.instrument.strike, row.instrument.is_call)
    )
    return usable, unlisted


def _index_usd(rows: Sequence[_Row], now_ns: int) -> float | None:
    said = [
        row.data.estimated_delivery_price
        for row in rows
        if row.data.estimated_delivery_price
        and (row.instrument.expiry_ns or 0) - now_ns > _AVERAGING_NS
    ]
    return float(np.median(said)) if said else None


def _snapshot(
    underlying: str,
    rows: Sequence[_Row],
    ticks: Mapping[InstrumentId, MarketTick],
    index_usd: float,
    now_ns: int,
) -> ChainSnapshot:
    bid = _prices([row.data.bid_price for row in rows])
    ask = _prices([row.data.ask_price for row in rows])
    newest_ms = max(row.data.creation_timestamp for row in rows)
    return ChainSnapshot(
        ts_event=newest_ms * MS_NS,
        ts_init=now_ns,
        underlying=underlying,
        venue=VENUE,
        instrument_ids=tuple(row.instrument.instrument_id for row in rows),
        expiry_ns=np.array([row.instrument.expiry_ns for row in rows], dtype=np.int64),
        strike=np.array([float(row.instrument.strike or 0) for row in rows]),
        is_call=np.array([bool(row.instrument.is_call) for row in rows]),
        bid=bid,
        ask=ask,
        mark=_prices([row.data.mark_price for row in rows]),
        bid_quantity=_quantities(rows, bid, ticks, is_bid=True),
        ask_quantity=_quantities(rows, ask, ticks, is_bid=False),
        forward=np.array([float(row.data.underlying_price or 0) for row in rows]),
        inverse=True,
        index_usd=index_usd,
        mark_vol=_prices([row.data.mark_iv for row in rows]) / PERCENT,
    )


def _prices(values: Sequence[float | None]) -> FloatArray:
    """Prices with NaN for null and zero, which both mean no quote."""
    return np.array([value or np.nan for value in values], dtype=np.float64)


def _quantities(
    rows: Sequence[_Row],
    prices: FloatArray,
    ticks: Mapping[InstrumentId, MarketTick],
    *,
    is_bid: bool,
) -> FloatArray:
    quantities = np.array([float(row.instrument.quantity_min) for row in rows])
    for position, row in enumerate(rows):
        tick = ticks.get(row.instrument.instrument_id)
        if tick is None:
            continue
        price, quantity = (tick.bid, tick.bid_quantity) if is_bid else (tick.ask, tick.ask_quantity)
        if price is not None and quantity is not None and float(price) == prices[position]:
            quantities[position] = float(quantity)
    return np.where(np.isnan(prices), 0.0, quantities)
