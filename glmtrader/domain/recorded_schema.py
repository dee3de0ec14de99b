"""The Parquet columns of recorded markets: what `market` writes and the simulator replays.

One row a quoted option and snapshot, one row a completed bar, one row a tick. Times are UTC; a null
price means that nobody quoted. Extra columns are allowed and ignored. Column names and type words
only; the types are pyarrow's own names, so that this module needs no pyarrow.

The recorder keeps a folder a UTC day and numbers the files of a day as they are completed:
`options/2026-02-18/deribit_BTC_000001.parquet`, `ticks/2026-02-18/deribit_000001.parquet`,
`klines/2026-02-18/BTC_300s_000001.parquet`. The patterns below find them again.
"""

from typing import Final

CHAIN_COLUMNS: Final[dict[str, str]] = {
    "snapshot_ts": "int64",  # when the snapshot was taken, ms
    "currency": "large_string",  # the underlying coin
    "instrument_name": "large_string",  # the venue's symbol
    "expiry_ts": "int64",  # ms
    "strike": "double",  # USD
    "is_call": "bool",
    "bid": "double",  # coin (inverse options); null where there is none
    "ask": "double",
    "mark": "double",
    "mark_iv": "double",  # fraction a year
    "underlying_price": "double",  # USD forward of this row's expiry
    "index_price": "double",  # USD
}
"""Required columns of `options/*.parquet`, with the type that the recorder writes."""

CHAIN_OPTIONAL_COLUMNS: Final[dict[str, str]] = {
    "bid_size": "double",  # coin
    "ask_size": "double",
}
"""Written by the recorder; where they are missing, `quote_size_coin` of the settings holds."""

CANDLE_COLUMNS: Final[dict[str, str]] = {
    "ts": "int64",  # bar open, ms
    "open": "double",
    "high": "double",
    "low": "double",
    "close": "double",
    "volume": "double",  # coin
}
"""Columns of `klines/*.parquet`, five-minute bars of the index or of the perpetual."""

FUNDING_COLUMNS: Final[tuple[str, ...]] = ("ts", "rate")
"""Columns of `funding/*.csv`: settlement time in ms, the rate over the eight hours before it."""

TICK_COLUMNS: Final[dict[str, str]] = {
    "ts_ns": "int64",  # ns, because ticks of one millisecond have an order
    "instrument_name": "large_string",  # the venue's symbol
    "bid": "double",  # the instrument's price unit; null where the side is empty
    "ask": "double",
    "bid_size": "double",  # the instrument's quantity unit
    "ask_size": "double",
    "mark": "double",
    "index_price": "double",  # USD
}
"""Columns of `ticks/*.parquet`, the top of every book that was watched."""

RECORDER_CHAIN_PATTERN: Final = "options/*/*.parquet"
RECORDER_CANDLE_PATTERN: Final = "klines/*/{underlying}_300s_*.parquet"
RECORDER_TICK_PATTERN: Final = "ticks/*/*.parquet"
"""Globs over what the recorder writes; paths in ascending order are in the order of time."""
