"""The Parquet columns of recorded markets: what the recorder writes and `recorded` replays.

One row a quoted option and snapshot, one row a completed bar. Times are UTC; a null price means
that nobody quoted. Extra columns are allowed and ignored. Column names and type words only; the
types are pyarrow's own names, so that this module needs no pyarrow.
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
