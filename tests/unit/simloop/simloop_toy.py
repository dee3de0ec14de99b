"""A toy exchange over unmodified aiohttp (REST and WebSocket), its trader, and seeded chaos.

Run in a fresh process: `python -m glmtrader.kernel.simloop simloop_toy:hour --seed 1`.
"""

import asyncio
import hashlib
import random
import time
import uuid
from typing import Any

import aiohttp
from aiohttp import web

from glmtrader.kernel.simloop import LinkProfile, current_network

VENUE = "venue.example"
FEED_INTERVAL_S = 0.1
ORDER_EVERY = 50


class ToyVenue:
    """Feeds prices to WebSocket clients and takes orders over REST."""

    def __init__(self) -> None:
        self.orders: list[dict[str, Any]] = []
        app = web.Application()
        app.router.add_get("/ws", self.feed)
        app.router.add_post("/order", self.order)
        self.runner = web.AppRunner(app, access_log=None)

    async def start(self) -> None:
        await self.runner.setup()
        await web.TCPSite(self.runner, VENUE, 443).start()

    async def feed(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(heartbeat=20.0)
        await socket.prepare(request)
        sending = asyncio.ensure_future(send_ticks(socket))
        async for _ in socket:  # reading is what answers pings and the closing handshake
            pass
        sending.cancel()
        return socket

    async def order(self, request: web.Request) -> web.Response:
        order = await request.json()
        self.orders.append(order)
        return web.json_response({"id": len(self.orders), "echo": order, "scheme": request.scheme})


async def send_ticks(socket: web.WebSocketResponse) -> None:
    """Send a price ten times a second until the connection is lost."""
    number = 0
    while not socket.closed:
        number += 1
        tick = {"n": number, "price": random.gauss(100.0, 1.0), "ts_ns": time.time_ns()}
        try:
            await socket.send_json(tick)
        except ConnectionError:
            return
        await asyncio.sleep(FEED_INTERVAL_S)


class ToyTrader:
    """Reads the feed, sends an order now and then, and reconnects whatever happens."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session
        self.messages = 0
        self.replies = 0
        self.errors: dict[str, int] = {}
        self.hash = hashlib.blake2b(digest_size=16)

    async def run(self, messages_max: int) -> None:
        while self.messages < messages_max:
            try:
                await self.follow(messages_max)
            except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
                self.count(error)
            await asyncio.sleep(1.0)

    async def follow(self, messages_max: int) -> None:
        url = f"wss://{VENUE}/ws"
        async with self.session.ws_connect(url, heartbeat=15.0) as feed:
            async for message in feed:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    break
                self.hash.update(message.data.encode())
                self.messages += 1
                if self.messages % ORDER_EVERY == 0:
                    await self.trade()
                if self.messages >= messages_max:
                    return

    async def trade(self) -> None:
        order = {"id": str(uuid.uuid4()), "at": time.time_ns(), "pick": random.random()}
        timeout = aiohttp.ClientTimeout(total=5.0)
        try:
            async with self.session.post(
                f"https://{VENUE}/order", json=order, timeout=timeout
            ) as reply:
                self.hash.update(await reply.read())
                self.replies += 1
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            self.count(error)

    def count(self, error: Exception) -> None:
        name = type(error).__name__
        self.errors[name] = self.errors.get(name, 0) + 1


async def make_chaos(mean_s: float) -> None:
    """Reset, stall or partition the trader from the venue at seeded moments, for ever."""
    network = current_network()
    while True:
        await asyncio.sleep(random.expovariate(1 / mean_s))
        fault = random.choice(["reset", "stall", "partition"])
        if fault == "reset":
            network.reset("client", VENUE)
        elif fault == "stall":
            network.stall("client", VENUE, random.randrange(3_000_000_000))
        else:
            network.partition("client", VENUE)
            await asyncio.sleep(random.uniform(0.5, 40.0))
            network.heal("client", VENUE)


async def trade_for(messages: int, chaos_mean_s: float) -> dict[str, Any]:
    """Let the trader see `messages` ticks under chaos and tell what happened."""
    profile = LinkProfile(latency_ns=3_000_000, jitter_ns=2_000_000, resegment_probability=0.2)
    current_network().set_link("client", VENUE, profile)
    venue = ToyVenue()
    await venue.start()
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        chaos = group.create_task(make_chaos(chaos_mean_s))
        trader = ToyTrader(session)
        await trader.run(messages)
        chaos.cancel()
    await venue.runner.cleanup()
    return {
        "hash": trader.hash.hexdigest(),
        "messages": trader.messages,
        "replies": trader.replies,
        "orders": len(venue.orders),
        "errors": trader.errors,
    }


async def minutes() -> dict[str, Any]:
    """Run about five virtual minutes under dense chaos."""
    return await trade_for(2_000, 15.0)


async def hour() -> dict[str, Any]:
    """Run about a virtual hour with a fault every few minutes."""
    return await trade_for(34_000, 120.0)
