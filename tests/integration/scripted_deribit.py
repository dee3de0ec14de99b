"""A small server that answers as a test tells it to; it shares no code with the simulator."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any, Self

from aiohttp import WSCloseCode, WSMsgType, web

CLIENT_ID = "key"
CLIENT_SECRET = "hush"

Answer = Callable[[dict[str, Any]], Any]


class RpcFault(Exception):  # noqa: N818  it is a scripted answer, not a failure of the test
    """Makes the server answer with an error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.error = {"code": code, "message": message}


class Silence(Exception):  # noqa: N818  as above
    """Makes the server not answer at all."""


class HangUp(Exception):  # noqa: N818  as above
    """Makes the server drop the connection without a close frame."""


PERPETUAL = {
    "instrument_name": "BTC-PERPETUAL",
    "kind": "future",
    "settlement_period": "perpetual",
    "instrument_type": "reversed",
    "base_currency": "BTC",
    "quote_currency": "USD",
    "settlement_currency": "BTC",
    "tick_size": 0.5,
    "tick_size_steps": [],
    "min_trade_amount": 10.0,
    "contract_size": 10.0,
    "expiration_timestamp": 32503708800000,
    "is_active": True,
}
OPTION = {
    "instrument_name": "BTC-25DEC37-90000-C",
    "kind": "option",
    "settlement_period": "month",
    "instrument_type": "reversed",
    "option_type": "call",
    "strike": 90000.0,
    "base_currency": "BTC",
    "quote_currency": "BTC",
    "settlement_currency": "BTC",
    "tick_size": 0.0001,
    "tick_size_steps": [{"above_price": 0.005, "tick_size": 0.0005}],
    "min_trade_amount": 0.1,
    "contract_size": 1.0,
    "expiration_timestamp": 2145254400000,
    "is_active": True,
}


class ScriptedDeribit:
    """Answers by method from `answers`; keeps every request in `requests`."""

    def __init__(self, now_ms: Callable[[], int], *, port: int = 0) -> None:
        self.now_ms = now_ms
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.rest_requests: list[tuple[str, dict[str, str]]] = []
        self.sockets: list[web.WebSocketResponse] = []
        self.last_id = 0
        self.armed = True
        self._arrived = asyncio.Event()
        self.answers: dict[str, Answer] = {
            "public/get_time": lambda _params: self.now_ms(),
            "public/set_heartbeat": lambda _params: "ok",
            "public/test": lambda _params: {"version": "1.2.26"},
            "public/auth": self.auth,
            "public/status": lambda _params: {"locked": "false", "locked_indices": []},
            "private/enable_cancel_on_disconnect": lambda _params: "ok",
            "private/get_cancel_on_disconnect": lambda params: {
                "enabled": self.armed,
                "scope": params["scope"],
            },
            "public/subscribe": lambda params: params["channels"],
            "private/subscribe": lambda params: params["channels"],
            "public/unsubscribe": lambda params: params["channels"],
            "public/get_instruments": lambda _params: [PERPETUAL, OPTION],
            "public/get_book_summary_by_currency": lambda _params: [self.summary()],
            "public/get_tradingview_chart_data": lambda _params: {
                **{key: [] for key in ("ticks", "open", "high", "low", "close", "volume")},
                "status": "no_data",
            },
        }
        app = web.Application()
        app.router.add_get("/ws/api/v2", self._serve_socket)
        app.router.add_get("/api/v2/{room}/{method}", self._serve_rest)
        self._runner = web.AppRunner(app, shutdown_timeout=1.0)
        self._wanted_port = port
        self.port = 0

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._wanted_port).start()
        self.port = self._wanted_port or self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._runner.cleanup()

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws/api/v2"

    @property
    def rest_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def summary(self) -> dict[str, Any]:
        return {
            "instrument_name": OPTION["instrument_name"],
            "creation_timestamp": self.now_ms(),
            "bid_price": 0.03,
            "ask_price": None,
            "mark_price": 0.031,
            "underlying_price": 90100.25,
            "estimated_delivery_price": 90000.5,
        }

    def auth(self, params: dict[str, Any]) -> dict[str, Any]:
        signed = f"{params['timestamp']}\n{params['nonce']}\n{params['data']}"
        wanted = hmac.new(CLIENT_SECRET.encode(), signed.encode(), hashlib.sha256).hexdigest()
        if params["client_id"] != CLIENT_ID or params["signature"] != wanted:
            raise RpcFault(13004, "invalid_credentials")
        return {"access_token": "t", "refresh_token": "r", "expires_in": 900, "scope": "trade"}

    def asked(self, method: str) -> list[dict[str, Any]]:
        return [params for name, params in self.requests if name == method]

    async def until_asked(self, method: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait for so many requests of a method."""
        async with asyncio.timeout(5):
            while len(self.asked(method)) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return self.asked(method)

    async def push(self, channel: str, data: Any) -> None:
        await self.push_raw(
            json.dumps(
                {
                    "jsonrpc": "2.0",
                    "method": "subscription",
                    "params": {"channel": channel, "data": data},
                }
            )
        )

    async def push_raw(self, text: str) -> None:
        await self.sockets[-1].send_str(text)

    async def drop(self) -> None:
        """Close the newest connection."""
        await self.sockets[-1].close(code=WSCloseCode.GOING_AWAY)

    async def _serve_socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            frame = json.loads(message.data)
            self.requests.append((frame["method"], frame["params"]))
            self.last_id = frame["id"]
            self._arrived.set()
            try:
                reply = self._answer(frame["method"], frame["params"])
            except Silence:
                continue
            except HangUp:
                assert request.transport is not None
                request.transport.abort()
                break
            await socket.send_str(json.dumps({"jsonrpc": "2.0", "id": frame["id"], **reply}))
        return socket

    def _answer(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        if method not in self.answers:
            return {"error": {"code": -32601, "message": f"Method not found: {method}"}}
        try:
            return {"result": self.answers[method](params)}
        except RpcFault as fault:
            return {"error": fault.error}

    async def _serve_rest(self, request: web.Request) -> web.Response:
        method = f"{request.match_info['room']}/{request.match_info['method']}"
        params = dict(request.query)
        self.rest_requests.append((method, params))
        if method.startswith("private/") and not self._is_signed(request):
            reply: dict[str, Any] = {"error": {"code": 13004, "message": "invalid_credentials"}}
        else:
            reply = self._answer(method, params)
        status = 400 if "error" in reply else 200
        return web.json_response({"jsonrpc": "2.0", **reply}, status=status)

    def _is_signed(self, request: web.Request) -> bool:
        scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
        given = dict(part.split("=", 1) for part in rest.split(","))
        signed = f"{given['ts']}\n{given['nonce']}\nGET\n{request.path_qs}\n\n"
        wanted = hmac.new(CLIENT_SECRET.encode(), signed.encode(), hashlib.sha256).hexdigest()
        return scheme == "deri-hmac-sha256" and hmac.compare_digest(wanted, given["sig"])
