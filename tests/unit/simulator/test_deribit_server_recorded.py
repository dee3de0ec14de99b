"""The server's frames have the keys and types of Deribit's recorded traffic."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deribit_wire import Bench, bench

from glmtrader.domain.instruments import DAY_NS

MAY_BE_NULL = {"settlement_price", "last_price", "volume", "low", "high", "price_change"}
"""Null where this market has not traded or settled; the recording has some nulls too."""


def lines(path: Path) -> Iterator[str]:
    if not path.exists():
        pytest.skip(f"no recorded traffic at {path}")
    with gzip.open(path, "rt") as source:
        yield from source


def frames(folder: Path, channel: str) -> list[dict[str, Any]]:
    """The recorded data of channels of one kind."""
    found = []
    for line in lines(folder / "wire" / "DERIBIT.ws.1.0.gz"):
        text = line[line.find("{") :]
        frame = json.loads(text) if text.startswith("{") else {}
        params = frame.get("params", {})
        if str(params.get("channel", "")).startswith(channel):
            found.append(params["data"])
    assert found, f"no {channel} was recorded"
    return found


def kind(value: Any) -> str:
    """A JSON type; whole and broken numbers are one."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return "number" if is_number else type(value).__name__


def check(recorded: Any, ours: Any, name: str = "") -> None:
    """Every recorded key is there with the recorded type; lists are compared by their rows."""
    if ours is None and name in MAY_BE_NULL:
        return
    assert recorded is None or kind(recorded) == kind(ours), name
    if isinstance(recorded, dict):
        assert set(recorded) <= set(ours), f"{name} lacks {set(recorded) - set(ours)}"
        for key, value in recorded.items():
            check(value, ours[key], key)
    elif isinstance(recorded, list) and recorded and ours:
        check(recorded[0], ours[0], name)
        if isinstance(recorded[0], list):
            assert [kind(item) for item in recorded[0]] == [kind(item) for item in ours[0]]


def quoted_option(running: Bench) -> str:
    for item in running.exchange.instruments():
        view = running.exchange.ticker(item.instrument_id)
        lives = item.expiry_ns is not None and item.expiry_ns > running.exchange.now_ns + DAY_NS
        if lives and view.bid and view.ask:
            return item.symbol
    raise AssertionError("no option is quoted")


@pytest.mark.asyncio
async def test_option_tickers_are_like_the_recorded_ones(recorded_data: Path) -> None:
    """Keys, types and nested greeks and stats of every recorded ticker are in ours."""
    async with bench() as running:
        client = await running.connect(log_in=True)
        channel = f"ticker.{quoted_option(running)}.raw"
        await client.call("public/subscribe", channels=[channel])
        ours = await client.note(channel)
        for recorded in frames(recorded_data, "ticker."):
            check(recorded, ours)
        assert ours["bid_iv"] < ours["mark_iv"] < ours["ask_iv"]


@pytest.mark.asyncio
async def test_books_are_like_the_recorded_ones(recorded_data: Path) -> None:
    """Snapshots and changes have the recorded keys, and rows of action, price, amount."""
    async with bench(speed=30.0) as running:
        client = await running.connect(log_in=True)
        channel = "book.BTC-PERPETUAL.raw"
        await client.call("public/subscribe", channels=[channel])
        ours = [await client.note(channel) for _ in range(5)]
        for recorded in frames(recorded_data, "book."):
            for frame in ours:
                if frame["type"] == recorded["type"]:
                    check(recorded, frame)
                    assert set(recorded) == set(frame)


@pytest.mark.asyncio
async def test_instruments_are_like_the_recorded_ones(recorded_data: Path) -> None:
    """Every key of recorded options and futures is in ours with its type."""
    async with bench() as running:
        client = await running.connect()
        listed = await client.call("public/get_instruments", currency="BTC")
        compared = 0
        for line in lines(recorded_data / "wire" / "DERIBIT.0.gz"):
            if not line.startswith("http"):
                continue
            for recorded in json.loads(line[line.find("{") :])["result"][:50]:
                for ours in listed[:1] + listed[-1:]:
                    if ours["kind"] == recorded["kind"]:
                        check(recorded, ours)
                        compared += 1
        assert compared > 50


@pytest.mark.asyncio
async def test_a_subscription_is_answered_like_the_recorded_one(recorded_data: Path) -> None:
    """The reply lists the channels and has the recorded envelope."""
    path = recorded_data / "wire" / "DERIBIT.ws.1.0.gz"
    replies = [json.loads(text[text.find("{") :]) for text in lines(path) if '"result"' in text]
    async with bench() as running:
        client = await running.connect(log_in=True)
        channel = "trades.BTC-PERPETUAL.raw"
        ours = await client.reply(await client.send("public/subscribe", channels=[channel]))
        for recorded in replies:
            check(recorded, ours)
            assert set(recorded) == set(ours)
