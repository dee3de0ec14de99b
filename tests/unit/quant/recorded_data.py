"""Recorded market data for tests; a test that asks for what is absent is skipped, saying so."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from glmtrader.quant.chain_quotes import ChainQuotes

ROOT = Path(os.environ.get("GLMTRADER_DATA", Path(__file__).parents[3] / ".." / "shared" / "data"))
MILLISECOND_NS = 1_000_000
Columns = dict[str, np.ndarray]


def recorded(name: str) -> Columns:
    """Columns of one recorded Parquet file."""
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    file = ROOT / name
    if not file.exists():
        pytest.skip(f"no recorded data at {file}; set GLMTRADER_DATA to its folder")
    table = parquet.read_table(file)
    return {column: table[column].to_numpy() for column in table.column_names}


def snapshots(month: str, *, every: int = 1) -> Iterator[tuple[ChainQuotes, Columns]]:
    """Every n-th recorded Deribit chain of a month, as quotes and as its raw columns."""
    columns = recorded(f"options/deribit_chain_{month}.parquet")
    keys = columns["snapshot_ts"] * 2 + (columns["currency"] == "ETH")
    order = np.argsort(keys, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(keys[order])) + 1)[::every]:
        chain = {name: values[rows] for name, values in columns.items()}
        yield quotes_of(chain), chain


def quotes_of(chain: Columns) -> ChainQuotes:
    """The columns of one recorded snapshot as quotes."""
    return ChainQuotes(
        now_ns=int(chain["snapshot_ts"][0]) * MILLISECOND_NS,
        expiry_ns=chain["expiry_ts"] * MILLISECOND_NS,
        strike=chain["strike"],
        is_call=chain["is_call"],
        bid=chain["bid"],
        ask=chain["ask"],
        forward=chain["underlying_price"],
        mark=chain["mark"],
        inverse=True,
    )
