"""Market events as Parquet rows: which file an event belongs to, and its columns.

The columns are those of `domain.recorded_schema`, so that what is recorded can be replayed.
Pure; pyarrow is imported on first use, by those alone who record.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np

from glmtrader.domain.arrays import FloatArray
from glmtrader.domain.event import Event
from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import DAY_NS, MILLISECOND_NS, SECOND_NS, YEAR_NS
from glmtrader.domain.market_events import Candle, ChainSnapshot, MarketTick
from glmtrader.domain.recorded_schema import (
    CANDLE_COLUMNS,
    CHAIN_COLUMNS,
    CHAIN_OPTIONAL_COLUMNS,
    TICK_COLUMNS,
)
from glmtrader.quant import black76

_SYMBOL_LISTS_KEPT: Final = 8
"""Chains whose symbols are remembered as a column: one for each underlying, and some to spare."""


class Stream(NamedTuple):
    """A sequence of files: the folder of its kind and the stem of its names."""

    kind: str
    stem: str


TIME_COLUMNS: Final = {"options": "snapshot_ts", "ticks": "ts_ns", "klines": "ts"}
"""The column that orders the rows of each kind."""


def stream_of(event: Event) -> Stream | None:
    """Where an event is recorded; None for what the schema has no place for (linear chains)."""
    match event:
        case ChainSnapshot(inverse=True):
            return Stream("options", f"{event.venue}_{event.underlying}")
        case MarketTick():
            return Stream("ticks", event.instrument_id.partition(":")[0])
        case Candle():
            return Stream("klines", f"{event.underlying}_{event.interval_ns // SECOND_NS}s")
        case _:
            return None


def row_time(event: Event) -> int:
    """The event's time in the unit of its rows: a bar's is its opening."""
    match event:
        case ChainSnapshot():
            return event.ts_event // MILLISECOND_NS
        case Candle():
            return event.open_ns // MILLISECOND_NS
        case _:
            return event.ts_event


def day_of(event: Event) -> str:
    """The UTC day of the event's rows, for example `2026-02-18`."""
    at_ns = event.open_ns if isinstance(event, Candle) else event.ts_event
    midnight_ns = at_ns - at_ns % DAY_NS
    return datetime.fromtimestamp(midnight_ns // SECOND_NS, UTC).date().isoformat()


def row_count(event: Event) -> int:
    """How many rows an event becomes."""
    return len(event.instrument_ids) if isinstance(event, ChainSnapshot) else 1


def table_of(kind: str, events: Sequence[Any]) -> Any:
    """The pyarrow table of events of one kind, in their order."""
    makers: dict[str, Callable[[Sequence[Any]], Any]] = {
        "options": _chains,
        "ticks": _ticks,
        "klines": _candles,
    }
    return makers[kind](events)


def _chains(chains: Sequence[ChainSnapshot]) -> Any:
    import pyarrow as pa  # noqa: PLC0415  # only those who record need it

    schema = _schema(CHAIN_COLUMNS | CHAIN_OPTIONAL_COLUMNS)
    return pa.Table.from_batches([_chain(chain, schema) for chain in chains], schema=schema)


def _chain(chain: ChainSnapshot, schema: Any) -> Any:
    import pyarrow as pa  # noqa: PLC0415  # as above

    rows = len(chain.instrument_ids)
    snapshot_ts = np.full(rows, row_time(chain), np.int64)
    columns = {
        "snapshot_ts": pa.array(snapshot_ts),
        "currency": pa.repeat(pa.scalar(chain.underlying, pa.large_string()), rows),
        "instrument_name": _symbols(chain.instrument_ids),
        "expiry_ts": pa.array(chain.expiry_ns // MILLISECOND_NS),
        "strike": pa.array(chain.strike),
        "is_call": pa.array(chain.is_call),
        "bid": _nullable(chain.bid),
        "ask": _nullable(chain.ask),
        "mark": _nullable(chain.mark),
        "mark_iv": _nullable(mark_vols(chain)),
        "underlying_price": _nullable(chain.forward),
        "index_price": pa.array(np.full(rows, chain.index_usd)),
        "bid_size": pa.array(chain.bid_quantity),
        "ask_size": pa.array(chain.ask_quantity),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)


def mark_vols(chain: ChainSnapshot) -> FloatArray:
    """The venue's mark volatilities; where it says none, what the mark price implies.

    NaN where the mark price implies none either: such a row is kept and replay refuses it.
    """
    said = np.full(len(chain.strike), np.nan) if chain.mark_vol is None else chain.mark_vol
    lacking = np.isnan(said)
    if not lacking.any():
        return said
    years = (chain.expiry_ns - chain.ts_event) / YEAR_NS
    usd = chain.mark * chain.forward
    implied = black76.implied_vol(usd, chain.forward, chain.strike, years, chain.is_call)
    return np.where(lacking, implied, said)


def _ticks(ticks: Sequence[MarketTick]) -> Any:
    symbols = [tick.instrument_id.partition(":")[2] for tick in ticks]
    values = {
        "ts_ns": [tick.ts_event for tick in ticks],
        "instrument_name": symbols,
        "bid": [_number(tick.bid) for tick in ticks],
        "ask": [_number(tick.ask) for tick in ticks],
        "bid_size": [_number(tick.bid_quantity) for tick in ticks],
        "ask_size": [_number(tick.ask_quantity) for tick in ticks],
        "mark": [_number(tick.mark) for tick in ticks],
        "index_price": [_number(tick.index_usd) for tick in ticks],
    }
    return _table(values, TICK_COLUMNS)


def _candles(candles: Sequence[Candle]) -> Any:
    values = {
        "ts": [row_time(candle) for candle in candles],
        "open": [candle.open for candle in candles],
        "high": [candle.high for candle in candles],
        "low": [candle.low for candle in candles],
        "close": [candle.close for candle in candles],
        "volume": [candle.volume for candle in candles],
    }
    return _table(values, CANDLE_COLUMNS)


def _table(values: Mapping[str, object], columns: dict[str, str]) -> Any:
    import pyarrow as pa  # noqa: PLC0415  # as above

    return pa.table(values, schema=_schema(columns))


def _schema(columns: dict[str, str]) -> Any:
    import pyarrow as pa  # noqa: PLC0415  # as above

    return pa.schema([(name, pa.type_for_alias(alias)) for name, alias in columns.items()])


@lru_cache(maxsize=_SYMBOL_LISTS_KEPT)
def _symbols(instrument_ids: tuple[InstrumentId, ...]) -> Any:
    """The symbols as a column; chains of one listing share it."""
    import pyarrow as pa  # noqa: PLC0415  # as above

    return pa.array([name.partition(":")[2] for name in instrument_ids], pa.large_string())


def _nullable(values: FloatArray) -> Any:
    """A column whose NaNs are nulls, the schema's word for nobody quoting."""
    import pyarrow as pa  # noqa: PLC0415  # as above

    return pa.array(values, from_pandas=True)


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
