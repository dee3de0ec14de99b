"""An unmodified ccxt client trades against the server over a loopback socket."""

import contextlib
import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt.async_support as ccxt
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "simulator"))

from deribit_wire import KEY, SECRET, Bench, make_exchange

from glmtrader.kernel.clock import LoopClock, wall_now_ns
from glmtrader.simulator.deribit import DeribitServer, Fault, FaultKind

SYMBOL = "BTC/USD:BTC"


@contextlib.asynccontextmanager
async def trading() -> AsyncIterator[tuple[Any, Bench]]:
    """A server on the wall clock, and ccxt pointed at it."""
    exchange = make_exchange(wall_now_ns())
    clock = LoopClock()
    server = DeribitServer(exchange, clock)
    async with server.running() as port, Bench(server, clock, port) as running:
        client = ccxt.deribit({"apiKey": KEY, "secret": SECRET, "enableRateLimit": False})
        client.urls["api"] = {"rest": running.url}
        try:
            yield client, running
        finally:
            await client.close()


@pytest.mark.asyncio
async def test_ccxt_reads_the_market() -> None:
    """Markets, tickers, book, chain, greeks, candles and time come through ccxt's parsers."""
    async with trading() as (client, running):
        markets = await client.load_markets()
        perpetual = markets[SYMBOL]
        assert (perpetual["inverse"], perpetual["contractSize"]) == (True, 10)
        options = [item for item in markets.values() if item["option"]]
        assert len(options) == len(running.exchange.instruments()) - 1
        assert {item["settle"] for item in options} == {"BTC"}
        assert abs(await client.fetch_time() - client.milliseconds()) < 5_000
        ticker = await client.fetch_ticker(SYMBOL)
        assert 0 < ticker["bid"] < ticker["ask"]
        book = await client.fetch_order_book(SYMBOL)
        assert book["bids"][0][0] < book["asks"][0][0]
        chain = await client.fetch_option_chain("BTC")
        assert len(chain) == len(options)
        quoted = next(name for name, row in chain.items() if row["bidPrice"])
        greeks = await client.fetch_greeks(quoted)
        assert greeks["markImpliedVolatility"] > 0
        assert -1 <= greeks["delta"] <= 1
        bars = await client.fetch_ohlcv(SYMBOL, "5m", limit=12)
        assert len(bars) >= 10
        assert all(row[3] <= row[1] <= row[2] for row in bars)


@pytest.mark.asyncio
async def test_ccxt_trades() -> None:
    """Orders are created, edited, found, cancelled; fills, positions and balance agree."""
    async with trading() as (client, running):
        await client.load_markets()
        assert (await client.fetch_balance())["BTC"]["total"] == pytest.approx(10)
        far = int(running.exchange.index_usd("BTC")) // 100 * 50
        placed = await client.create_order(
            SYMBOL, "limit", "buy", 100, far, {"label": "first", "postOnly": True}
        )
        assert (placed["status"], placed["info"]["label"]) == ("open", "first")
        edited = await client.edit_order(placed["id"], SYMBOL, "limit", "buy", 200, far - 50)
        assert (edited["id"], edited["amount"], edited["price"]) == (placed["id"], 200, far - 50)
        assert [item["id"] for item in await client.fetch_open_orders(SYMBOL)] == [placed["id"]]
        by_label = await client.private_get_get_order_state_by_label(
            {"currency": "BTC", "label": "first"}
        )
        assert [item["order_id"] for item in by_label["result"]] == [placed["id"]]
        assert (await client.cancel_order(placed["id"], SYMBOL))["status"] == "canceled"
        assert (await client.fetch_order(placed["id"], SYMBOL))["status"] == "canceled"
        bought = await client.create_order(SYMBOL, "market", "buy", 500)
        assert (bought["status"], bought["filled"]) == ("closed", 500)
        closed = await client.fetch_closed_orders(SYMBOL)
        assert {item["id"] for item in closed} == {placed["id"], bought["id"]}
        trades = await client.fetch_my_trades(SYMBOL)
        assert sum(item["amount"] for item in trades) == 500
        assert {item["order"] for item in trades} == {bought["id"]}
        (position,) = await client.fetch_positions([SYMBOL])
        assert position["side"] == "long"
        assert Decimal(position["info"]["size"]) == Decimal(500)
        await client.create_order(SYMBOL, "market", "sell", 500, None, {"reduceOnly": True})
        assert await client.fetch_positions([SYMBOL]) == []
        cash = running.exchange.account_summary("alice", "BTC").cash
        assert Decimal(str((await client.fetch_balance())["BTC"]["total"])) == cash


@pytest.mark.asyncio
async def test_ccxt_raises_its_own_errors() -> None:
    """The wire's error numbers become ccxt's classes."""
    async with trading() as (client, running):
        await client.load_markets()
        far = int(running.exchange.index_usd("BTC")) // 100 * 50
        with pytest.raises(ccxt.InsufficientFunds):
            await client.create_order(SYMBOL, "limit", "buy", 100_000_000, far)
        with pytest.raises(ccxt.OrderNotFound):
            await client.fetch_order("BTC-999", SYMBOL)
        with pytest.raises(ccxt.InvalidOrder):
            await client.private_get_buy(
                {"instrument_name": "BTC-PERPETUAL", "amount": 10, "price": f"{far}.3"}
            )
        running.server.inject(Fault(kind=FaultKind.HTTP_429, method="private/buy"))
        with pytest.raises(ccxt.DDoSProtection):
            await client.create_order(SYMBOL, "limit", "buy", 10, far)
        assert client.last_response_headers["Retry-After"] == "1"
        running.server.inject(Fault(kind=FaultKind.MAINTENANCE))
        with pytest.raises(ccxt.OnMaintenance):
            await client.fetch_ticker(SYMBOL)
        running.server.inject(Fault(kind=FaultKind.PLATFORM_OPEN))
        client.secret = "wrong"
        with pytest.raises(ccxt.AuthenticationError):
            await client.fetch_balance()


async def labelled(client: Any, label: str) -> list[str]:
    """States of the orders with a label."""
    found = await client.private_get_get_order_state_by_label({"currency": "BTC", "label": label})
    return [item["order_state"] for item in found["result"]]


@pytest.mark.asyncio
async def test_an_order_lives_although_ccxt_timed_out() -> None:
    """After a time-out ccxt raises RequestTimeout, and the label finds the one order."""
    async with trading() as (client, running):
        await client.load_markets()
        far = int(running.exchange.index_usd("BTC")) // 100 * 50
        fault = Fault(kind=FaultKind.TIMEOUT_AFTER_ACCEPT, method="private/buy", delay_ms=600)
        running.server.inject(fault)
        client.timeout = 300
        with pytest.raises(ccxt.RequestTimeout):
            await client.create_order(SYMBOL, "limit", "buy", 10, far, {"label": "late"})
        assert await labelled(client, "late") == ["open"]


@pytest.mark.asyncio
async def test_a_lost_connection_can_double_an_order_sent_by_get() -> None:
    """A GET whose connection broke is repeated by aiohttp: one create_order leaves two orders.

    Deribit's orders over HTTP are GETs, and its labels are not unique.
    """
    async with trading() as (client, running):
        await client.load_markets()
        far = int(running.exchange.index_usd("BTC")) // 100 * 50
        running.server.inject(Fault(kind=FaultKind.LOST_REPLY, method="private/buy", times=2))
        with pytest.raises(ccxt.NetworkError):
            await client.create_order(SYMBOL, "limit", "buy", 10, far, {"label": "lost"})
        assert await labelled(client, "lost") == ["open", "open"]
