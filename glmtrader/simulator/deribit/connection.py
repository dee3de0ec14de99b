"""One WebSocket connection: its requests, its subscriptions, its heartbeat, its bounded queue."""

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol

import structlog
from aiohttp import WSMsgType, web

from glmtrader.domain.instruments import SECOND_NS
from glmtrader.simulator.deribit.backend import Backend, Caller
from glmtrader.simulator.deribit.broadcaster import Broadcaster
from glmtrader.simulator.deribit.credentials import Login
from glmtrader.simulator.deribit.dispatcher import execute
from glmtrader.simulator.deribit.errors import RpcError, invalid_params, too_many_requests
from glmtrader.simulator.deribit.faults import Fault, FaultKind
from glmtrader.simulator.deribit.wire import Call, decode_call, heartbeat, reply

_log = structlog.get_logger("glmtrader.simulator.deribit")

RAW_REFUSED: Final = 13778
_END: Final = b""
"""Ends the queue: everything before it is sent, then the connection is closed."""


class Host(Protocol):
    """What a connection needs of the server."""

    def later(self, delay_ns: int, run: Callable[[], None]) -> None:
        """Run something later, whoever is still there."""


class Connection:
    """A client's connection; the `Link` of the methods and a `Member` of channels.

    Args:
        name: unique for ever. address: of the client.
        backend, broadcaster, host: of the server.
    """

    def __init__(
        self, name: str, address: str, backend: Backend, broadcaster: Broadcaster, host: Host
    ) -> None:
        self.name = name
        self.login: Login | None = None
        self.cancel_on_disconnect = False
        self.has_logged_out = False
        self.channels: dict[str, None] = {}
        self._address = address
        self._backend = backend
        self._broadcaster = broadcaster
        self._host = host
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(backend.config.queue_frames_max)
        self._openings: list[bytes] = []
        self._transport: asyncio.BaseTransport | None = None
        self._heard_ns = backend.now_ns()
        self._interval_ns: int | None = None
        self._beat_ns = 0
        self._is_tested = False
        self._is_ending = False

    # --- the socket -----------------------------------------------------------------------------

    async def read(self, socket: web.WebSocketResponse, transport: asyncio.BaseTransport) -> None:
        """Take requests until the connection ends."""
        self._transport = transport
        async for message in socket:
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                break
            self._heard_ns = self._backend.now_ns()
            self.take(message.data)

    async def write(self, socket: web.WebSocketResponse) -> None:
        """Send what is queued until the connection ends."""
        try:
            while (data := await self._queue.get()) is not _END:
                await socket.send_frame(data, WSMsgType.TEXT)
            await socket.close()
        except ConnectionError:
            _log.debug("connection lost while sending", connection=self.name)

    def send(self, data: bytes) -> None:
        """Queue a message; a reader that is too slow is disconnected."""
        if self._is_ending:
            return
        try:
            self._queue.put_nowait(data)
        except asyncio.QueueFull:
            _log.warning("slow reader disconnected", connection=self.name)
            self.cut()

    def close(self) -> None:
        """Send what is queued, then close with a close frame."""
        if not self._is_ending and not self._queue.full():
            self._queue.put_nowait(_END)
            self._is_ending = True
        else:
            self.cut()

    def cut(self) -> None:
        """Cut the socket: no close frame, nothing more is sent."""
        self._is_ending = True
        if isinstance(self._transport, asyncio.WriteTransport):
            self._transport.abort()

    # --- requests -------------------------------------------------------------------------------

    def take(self, data: bytes | str) -> None:
        """Handle one request."""
        arrived_ns = self._backend.venue_now_ns()
        try:
            call = decode_call(data)
        except RpcError as error:
            self.send(self._reply(None, arrived_ns, error=error))
            return
        fault = self._backend.faults.on_request(call.method)
        if fault is None:
            self._answer(call, arrived_ns)
        else:
            self._answer_badly(call, arrived_ns, fault)

    def _answer(self, call: Call, arrived_ns: int) -> None:
        data = self._run(call, arrived_ns)
        if not self.has_logged_out:
            self.send(data)
        self._tell()

    def _answer_badly(self, call: Call, arrived_ns: int, fault: Fault) -> None:
        match fault.kind:
            case FaultKind.LATE_ACCEPT:
                self._host.later(fault.delay_ns, lambda: self._answer(call, arrived_ns))
            case FaultKind.TIMEOUT_AFTER_ACCEPT:
                data = self._run(call, arrived_ns)
                self._tell()
                self._host.later(fault.delay_ns, lambda: self.send(data))
            case FaultKind.LOST_REPLY:
                self._run(call, arrived_ns)
                self._tell()
            case FaultKind.RPC_ERROR:
                error = RpcError(fault.code, fault.message)
                self.send(self._reply(call.request_id, arrived_ns, error=error))
            case _:
                self.send(self._reply(call.request_id, arrived_ns, error=too_many_requests()))
                self.close()

    def _run(self, call: Call, arrived_ns: int) -> bytes:
        """Execute a request and make its reply; it may end the session."""
        caller = Caller(self, self.login)
        try:
            result = execute(self._backend, caller, call, self._address)
        except RpcError as error:
            _log.info("request refused", method=call.method, number=error.number)
            data = self._reply(call.request_id, arrived_ns, error=error)
            if error.ends_session:
                self.send(data)
                self.close()
            return data
        return self._reply(call.request_id, arrived_ns, result=result)

    def _tell(self) -> None:
        openings, self._openings = self._openings, []
        for data in openings:
            self.send(data)
        self._backend.tell()

    def _reply(
        self,
        request_id: int | str | None,
        arrived_ns: int,
        *,
        result: Any = None,
        error: RpcError | None = None,
    ) -> bytes:
        return reply(
            request_id,
            arrived_ns=arrived_ns,
            now_ns=self._backend.venue_now_ns(),
            testnet=self._backend.config.testnet,
            result=result,
            error=error,
        )

    # --- what methods do with it ----------------------------------------------------------------

    def subscribe(self, channels: list[str], *, private: bool) -> list[str]:
        """Join channels; unknown ones and others' are left out of the answer."""
        taken = []
        for name in channels:
            channel = self._broadcaster.understand(name)
            if channel is None or (channel.is_private and not private):
                continue
            if channel.needs_login and self.login is None:
                raise RpcError(RAW_REFUSED, "raw_subscriptions_not_available_for_unauthorized")
            if len(self.channels) >= self._backend.config.channels_max:
                raise invalid_params("channels", "too many channels on this connection")
            account = "" if self.login is None else self.login.account
            self._openings.extend(self._broadcaster.join(self, channel, account))
            self.channels[name] = None
            taken.append(name)
        return taken

    def unsubscribe(self, channels: list[str] | None, *, private: bool) -> list[str]:
        """Leave channels: these, or all public (or private) ones."""
        if channels is None:
            channels = [name for name in self.channels if name.startswith("user.") is private]
        left = [name for name in channels if self._broadcaster.leave(self, name)]
        for name in left:
            self.channels.pop(name, None)
        return left

    def set_heartbeat(self, interval_s: float | None, now_ns: int) -> None:
        """Start or stop heartbeats."""
        self._interval_ns = None if interval_s is None else round(interval_s * SECOND_NS)
        self._beat_ns = now_ns + (self._interval_ns or 0)
        self._is_tested = False

    def answered_test(self) -> None:
        """The client answered a test request."""
        self._is_tested = False

    def log_out(self) -> None:
        """Close; orders stay."""
        self.has_logged_out = True
        self.close()

    def beat(self, now_ns: int) -> None:
        """Send heartbeats when due; a client that answers none, or went silent, is cut."""
        quiet_ns = round(self._backend.config.inactivity_s_max * SECOND_NS)
        if self.cancel_on_disconnect and now_ns - self._heard_ns > quiet_ns:
            _log.warning("silent connection cut", connection=self.name)
            self.cut()
        if self._interval_ns is None or now_ns < self._beat_ns:
            return
        if self._is_tested:
            _log.warning("heartbeat unanswered", connection=self.name)
            self.cut()
            return
        self._beat_ns = now_ns + self._interval_ns
        self._is_tested = True
        self.send(heartbeat("heartbeat"))
        self.send(heartbeat("test_request"))

    def leave_all(self) -> None:
        """The connection is gone: hear nothing more."""
        for name in list(self.channels):
            self._broadcaster.leave(self, name)
        self.channels.clear()
