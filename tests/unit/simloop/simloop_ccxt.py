"""A minimal Deribit over unmodified aiohttp, and unmodified ccxt (REST and WebSocket) on it.

Run in a fresh process: `python -m glmtrader.kernel.simloop simloop_ccxt:watch --seed 1`.
"""

import asyncio
import hashlib
import json
import random
import time
from typing import Any

import ccxt.pro
from aiohttp import web

from glmtrader.kernel.simloop import LinkProfile, current_network

VENUE = "www.deribit.com"
SYMBOL = "BTC/USD:BTC"
MESSAGES = 700
REST_EVERY = 100
RESET_EVERY = 300

INSTRUMENT = {
    "instrument_name": "BTC-PERPETUAL",
    "kind": "future",
    "instrument_type": "reversed",
    "base_currency": "BTC",
    "quote_currency": "USD",
    "counter_currency": "USD",
    "settlement_currency": "BTC",
    "settlement_period": "perpetual",
    "contract_size": 10.0,
    "min_trade_amount": 10.0,
    "tick_size": 0.5,
    "taker_commission": 0.0005,
    "maker_commission": 0.0,
    "is_active": True,
    "creation_timestamp": 1_534_167_754_000,
    "expiration_timestamp": 32_503_708_800_000,
}


def ticker() -> dict[str, Any]:
    """Draw a quote at the present virtual time."""
    bid = round(random.gauss(60_000.0, 50.0) * 2) / 2
    return {
        "instrument_name": "BTC-PERPETUAL",
        "timestamp": time.time_ns() // 1_000_000,
        "best_bid_price": bid,
        "best_ask_price": bid + 0.5,
        "best_bid_amount": 100.0,
        "best_ask_amount": 200.0,
        "last_price": bid,
        "stats": {"high": 61_000.0, "low": 59_000.0, "volume": 10.0},
    }


def result(value: Any) -> web.Response:
    return web.json_response({"jsonrpc": "2.0", "result": value})


async def answer(request: web.Request) -> web.Response:
    """Serve the three REST methods that the client calls."""
    match request.match_info["method"]:
        case "get_instruments":
            return result([INSTRUMENT])
        case "get_currencies":
            return result([{"currency": "BTC", "coin_type": "BITCOIN", "fee_precision": 4}])
        case "ticker":
            return result(ticker())
    raise web.HTTPNotFound(text=request.path)


async def feed(request: web.Request) -> web.WebSocketResponse:
    """Acknowledge a subscription and send its ticker ten times a second."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    call = json.loads((await socket.receive()).data)
    channels = call["params"]["channels"]
    await socket.send_json({"jsonrpc": "2.0", "id": call["id"], "result": channels})
    sending = asyncio.ensure_future(send_tickers(socket, channels[0]))
    async for _ in socket:  # reading is what answers pings and the closing handshake
        pass
    sending.cancel()
    return socket


async def send_tickers(socket: web.WebSocketResponse, channel: str) -> None:
    """Send a quote ten times a second until the connection is lost."""
    while not socket.closed:
        note = {"channel": channel, "data": ticker()}
        try:
            await socket.send_json({"jsonrpc": "2.0", "method": "subscription", "params": note})
        except ConnectionError:
            return
        await asyncio.sleep(0.1)


async def watch(messages_max: int = MESSAGES) -> dict[str, Any]:
    """Watch tickers through ccxt.pro, ask REST now and then, and survive resets."""
    network = current_network()
    network.set_link("client", VENUE, LinkProfile(latency_ns=5_000_000, jitter_ns=2_000_000))
    app = web.Application()
    app.router.add_get("/api/v2/public/{method}", answer)
    app.router.add_get("/ws/api/v2", feed)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, VENUE, 443).start()
    exchange = ccxt.pro.deribit()
    seen = hashlib.blake2b(digest_size=16)
    messages = errors = 0
    while messages < messages_max:
        try:
            quote = await exchange.watch_ticker(SYMBOL)
            messages += 1
            seen.update(json.dumps(quote, sort_keys=True).encode())
            if messages % REST_EVERY == 0:
                quote = await exchange.fetch_ticker(SYMBOL)
                seen.update(json.dumps(quote, sort_keys=True).encode())
            if messages % RESET_EVERY == 0:
                network.reset("client", VENUE)
        except ccxt.NetworkError:
            errors += 1
    await exchange.close()
    await runner.cleanup()
    return {"hash": seen.hexdigest(), "messages": messages, "errors": errors}


async def hour() -> dict[str, Any]:
    """Watch for about a virtual hour."""
    return await watch(35_000)
