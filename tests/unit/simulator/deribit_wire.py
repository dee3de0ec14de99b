"""A small exchange behind the server, and a client that speaks raw JSON-RPC to it."""

import asyncio
import contextlib
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any, Self

import aiohttp

from glmtrader.kernel.clock import Clock, LoopClock
from glmtrader.kernel.ids import generator
from glmtrader.simulator.deribit import DeribitServer, ServerConfig
from glmtrader.simulator.exchange import SimulatedExchange
from glmtrader.simulator.exchange_config import AccountConfig, ExchangeConfig
from glmtrader.simulator.generated import GeneratedMarket
from glmtrader.simulator.generated_config import GeneratedMarketConfig

START_NS = 1_767_261_600_000_000_000
"""2026-01-01 10:00 UTC."""
KEY, SECRET = "key-of-alice", "secret-of-alice"
OTHER_KEY, OTHER_SECRET = "key-of-bob", "secret-of-bob"
PERPETUAL = "BTC-PERPETUAL"


def make_exchange(start_ns: int = START_NS, *, seed: int = 7) -> SimulatedExchange:
    """Two accounts of ten coins on a generated market."""
    rng = generator(seed, "market")
    market = GeneratedMarket(GeneratedMarketConfig(), rng=rng, start_ns=start_ns)
    balances = {"BTC": Decimal(10)}
    accounts = (
        AccountConfig(name="alice", api_key=KEY, api_secret=SECRET, balances=balances),
        AccountConfig(name="bob", api_key=OTHER_KEY, api_secret=OTHER_SECRET, balances=balances),
    )
    return SimulatedExchange(market, ExchangeConfig(accounts=accounts), start_ns)


def make_clock(*, speed: float = 1.0, start_ns: int = START_NS) -> LoopClock:
    """A clock that begins where the exchange does."""
    return LoopClock(speed=speed, start_ns=start_ns)


class Client:
    """Sends requests and sorts what comes back into replies, notifications and the rest."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.notes: list[tuple[str, Any]] = []
        self.others: list[dict[str, Any]] = []
        self._number = 0

    async def send(self, method: str, **params: Any) -> int:
        """Send a request; returns its id."""
        self._number += 1
        frame = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": params}
        await self.socket.send_str(json.dumps(frame))
        return self._number

    async def frame(self, timeout_s: float = 5.0) -> dict[str, Any]:
        """The next frame."""
        frame: dict[str, Any] = await self.socket.receive_json(timeout=timeout_s)
        if frame.get("method") == "subscription":
            self.notes.append((frame["params"]["channel"], frame["params"]["data"]))
        elif "id" not in frame or frame["id"] is None:
            self.others.append(frame)
        return frame

    async def reply(self, number: int) -> dict[str, Any]:
        """The reply to a request."""
        while True:
            frame = await self.frame()
            if frame.get("id") == number:
                return frame

    async def call(self, method: str, **params: Any) -> Any:
        """A request's result."""
        frame = await self.reply(await self.send(method, **params))
        assert "error" not in frame, frame
        return frame["result"]

    async def error(self, method: str, **params: Any) -> dict[str, Any]:
        """A request's error."""
        frame = await self.reply(await self.send(method, **params))
        assert "result" not in frame, frame
        error: dict[str, Any] = frame["error"]
        return error

    async def note(self, channel: str, timeout_s: float = 5.0) -> Any:
        """The oldest unread notification of a channel."""
        while True:
            for place, (name, data) in enumerate(self.notes):
                if name == channel:
                    del self.notes[place]
                    return data
            await self.frame(timeout_s)

    async def other(self, timeout_s: float = 5.0) -> dict[str, Any]:
        """The oldest unread frame that is neither reply nor notification."""
        while not self.others:
            await self.frame(timeout_s)
        return self.others.pop(0)

    async def ended(self, timeout_s: float = 5.0) -> aiohttp.WSMsgType:
        """Read until the connection ends; returns how it did."""
        while True:
            message = await self.socket.receive(timeout=timeout_s)
            if message.type is not aiohttp.WSMsgType.TEXT:
                return message.type
            frame = json.loads(message.data)
            self.others.append(frame)

    async def log_in(self, key: str = KEY, secret: str = SECRET) -> Any:
        """Authenticate the connection."""
        return await self.call(
            "public/auth", grant_type="client_credentials", client_id=key, client_secret=secret
        )


class Bench:
    """A running server and ways to reach it."""

    def __init__(self, server: DeribitServer, clock: Clock, port: int) -> None:
        self.server = server
        self.exchange = server.exchange
        self.clock = clock
        self.url = f"http://127.0.0.1:{port}"
        self.http: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        self.http = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.close()

    async def connect(self, *, log_in: bool = False) -> Client:
        """A new WebSocket connection."""
        client = Client(await self.http.ws_connect(f"{self.url}/ws/api/v2"))
        if log_in:
            await client.log_in()
        return client

    async def get(self, method: str, headers: dict[str, str] | None = None, **params: Any) -> Any:
        """A REST request: status and body."""
        url = f"{self.url}/api/v2/{method}"
        async with self.http.get(url, params=params, headers=headers) as response:
            return response.status, await response.json()

    async def until(self, holds: Any, timeout_s: float = 5.0) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(timeout_s):
            while not holds():  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def bench(
    config: ServerConfig | None = None,
    *,
    speed: float = 1.0,
    exchange: SimulatedExchange | None = None,
    start_ns: int = START_NS,
) -> AsyncIterator[Bench]:
    """Serve an exchange on a free port."""
    clock = make_clock(speed=speed, start_ns=start_ns)
    server = DeribitServer(exchange or make_exchange(start_ns), clock, config)
    async with server.running() as port, Bench(server, clock, port) as running:
        yield running


def signature(secret: str, text: str) -> str:
    """What Deribit expects as a signature of a text."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def resting_price(exchange: SimulatedExchange) -> int:
    """A bid for the perpetual far from the market, on its tick."""
    return int(exchange.index_usd("BTC")) // 100 * 50
