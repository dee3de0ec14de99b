"""Tiny recordings that tests write for themselves, in the recorder's own schema."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from glmtrader.domain.instruments import HOUR_NS, SECOND_NS
from glmtrader.domain.recorded_schema import CANDLE_COLUMNS, CHAIN_COLUMNS
from glmtrader.simulator.contracts import option_symbol
from glmtrader.simulator.recorded_config import RecordedMarketConfig

FIRST_BAR_NS = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * SECOND_NS
BARS = 288 * 3
DAY_BARS = 288
FIRST_SNAPSHOT_NS = FIRST_BAR_NS + 36 * HOUR_NS + 90 * SECOND_NS  # 2 January, 12:01:30 UTC
SECOND_SNAPSHOT_NS = FIRST_SNAPSHOT_NS + 6 * HOUR_NS
EXPIRY_NS = FIRST_BAR_NS + 56 * HOUR_NS  # 3 January, 08:00 UTC
LATER_EXPIRY_NS = FIRST_BAR_NS + 8 * 24 * HOUR_NS + 8 * HOUR_NS

Row = dict[str, Any]
Change = Callable[[list[Row]], object]


def close_at(bar: int) -> float:
    """A close that differs from bar to bar, so that a wrong bar shows."""
    return 90_000.0 + 10.0 * bar


def option_row(snapshot_ns: int, expiry_ns: int, strike: float, *, is_call: bool) -> Row:
    """A good row: one coin's option around 0.02."""
    return {
        "snapshot_ts": snapshot_ns // 1_000_000,
        "currency": "BTC",
        "instrument_name": option_symbol("BTC", expiry_ns, strike, is_call=is_call),
        "expiry_ts": expiry_ns // 1_000_000,
        "strike": strike,
        "is_call": is_call,
        "bid": 0.019,
        "ask": 0.021,
        "mark": 0.02,
        "mark_iv": 0.5,
        "underlying_price": 94_400.0,
        "index_price": 94_310.0,
    }


def good_rows() -> list[Row]:
    """Two snapshots of two expiries, two strikes, calls and puts: sixteen rows."""
    return [
        option_row(snapshot_ns, expiry_ns, strike, is_call=is_call)
        for snapshot_ns in (FIRST_SNAPSHOT_NS, SECOND_SNAPSHOT_NS)
        for expiry_ns in (EXPIRY_NS, LATER_EXPIRY_NS)
        for strike in (94_000.0, 95_000.0)
        for is_call in (True, False)
    ]


def write_bars(path: Path, offset_usd: float = 0.0, bars: list[Row] | None = None) -> None:
    """Five-minute bars with closes of `close_at`."""
    if bars is None:
        bars = [
            {
                "ts": FIRST_BAR_NS // 1_000_000 + i * 300_000,
                "open": close_at(i - 1) + offset_usd,
                "high": close_at(i) + 1.0 + offset_usd,
                "low": close_at(i - 1) - 1.0 + offset_usd,
                "close": close_at(i) + offset_usd,
                "volume": 1.0,
            }
            for i in range(BARS)
        ]
    path.parent.mkdir(exist_ok=True)
    schema = pa.schema(
        [(name, getattr(pa, _maker(kind))()) for name, kind in CANDLE_COLUMNS.items()]
    )
    pq.write_table(pa.Table.from_pylist(bars, schema=schema), path)


def write_chain(path: Path, rows: list[Row]) -> None:
    """Option rows in the recorder's schema; keys beyond it become columns of doubles."""
    fields = [(name, getattr(pa, _maker(kind))()) for name, kind in CHAIN_COLUMNS.items()]
    extra = [(name, pa.float64()) for name in rows[0] if name not in CHAIN_COLUMNS]
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=pa.schema([*fields, *extra])), path)


def _maker(kind: str) -> str:
    return {"double": "float64", "bool": "bool_"}.get(kind, kind)


def record(folder: Path, change: Change | None = None) -> RecordedMarketConfig:
    """Write a small market to `folder`, its option rows changed by `change`; how to read it."""
    rows = good_rows()
    if change is not None:
        change(rows)
    write_chain(folder / "options" / "chain_1.parquet", rows)
    write_bars(folder / "klines" / "BTC_5m.parquet")
    write_bars(folder / "klines" / "BTC-PERP_5m.parquet", offset_usd=-7.0)
    funding = folder / "funding" / "BTC.csv"
    funding.parent.mkdir(exist_ok=True)
    day_ms = FIRST_BAR_NS // 1_000_000
    lines = [f"{day_ms + i * 28_800_000},{i}e-5,test" for i in range(10)]
    funding.write_text("\n".join(["ts,rate,src", *lines]) + "\n", encoding="utf-8")
    return RecordedMarketConfig(
        folder=str(folder),
        history_days=1,
        chain_pattern="options/chain_*.parquet",
        candle_file="klines/{underlying}_5m.parquet",
        perpetual_file="klines/{underlying}-PERP_5m.parquet",
        funding_file="funding/{underlying}.csv",
    )
