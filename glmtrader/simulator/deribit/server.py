"""The server: one port for REST, WebSocket and the fault endpoint, over one simulated exchange.

Time comes from the clock handed in: real, scaled, or the virtual time of a simulated loop. A pacing
task moves the exchange every step and lets the channels speak; its tasks live in one TaskGroup for
as long as `running` is entered. It listens where it is told to and is meant for loopback.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Final

import structlog
from aiohttp import web

from glmtrader.domain.instruments import SECOND_NS
from glmtrader.errors import InputError
from glmtrader.kernel.clock import Clock
from glmtrader.simulator.deribit import admin, rest
from glmtrader.simulator.deribit.backend import Backend
from glmtrader.simulator.deribit.broadcaster import Broadcaster
from glmtrader.simulator.deribit.config import ServerConfig
from glmtrader.simulator.deribit.connection import Connection
from glmtrader.simulator.deribit.errors import RpcError
from glmtrader.simulator.deribit.faults import ON_NOTIFICATION, ON_REQUEST, Fault, FaultKind, Faults
from glmtrader.simulator.deribit.wire import encode
from glmtrader.simulator.exchange import SimulatedExchange
from glmtrader.simulator.exchange_types import ExchangeEvent, PlatformState
from glmtrader.simulator.refusals import ExchangeRefusedError

_log = structlog.get_logger("glmtrader.simulator.deribit")

WEBSOCKET_PATH: Final = "/ws/api/v2"
OTHER_SNAPSHOT_IDS: Final = 1_000_000
"""How far change ids jump with `FaultKind.OTHER_SNAPSHOT`."""
_PLATFORM: Final = {
    FaultKind.PLATFORM_LOCK: PlatformState.LOCKED,
    FaultKind.MAINTENANCE: PlatformState.MAINTENANCE,
    FaultKind.PLATFORM_OPEN: PlatformState.OPEN,
}


class DeribitServer:
    """Serves a simulated exchange on Deribit's wire.

    Args:
        exchange: moved by this server alone while it runs.
        clock: the process clock; its time is the exchange's.
        config: limits and timings.
        on_change: called after something was booked or ordered, before the client hears of it;
            a state file is written here.
    """

    def __init__(
        self,
        exchange: SimulatedExchange,
        clock: Clock,
        config: ServerConfig | None = None,
        *,
        on_change: Callable[[], None] | None = None,
    ) -> None:
        self.exchange = exchange
        self._clock = clock
        self._config = config or ServerConfig()
        self._on_change = on_change
        self._backend = Backend(exchange, clock, self._config)
        self._backend.listener = self._tell
        self._broadcaster = Broadcaster(self._backend)
        self._rest = rest.RestSide(self._backend, self._pause)
        self._admin = admin.AdminSide(self._backend, self.inject)
        self._connections: dict[str, Connection] = {}
        self._unfinished: dict[str, str] = {}
        self._group: asyncio.TaskGroup | None = None
        self._delayed = 0
        self._number = 0

    # --- running --------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def running(self, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[int]:
        """Listen and keep the market moving; yields the port, which 0 lets the system choose."""
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                await web.TCPSite(runner, host, port).start()
                pacer = group.create_task(self._pace(), name="deribit pacer")
                try:
                    yield int(runner.addresses[0][1])
                finally:
                    pacer.cancel()
                    self._group = None
                    for connection in list(self._connections.values()):
                        connection.cut()
        finally:
            await runner.cleanup()

    def step(self) -> None:
        """Move the market to the clock's time and let the channels speak."""
        self._backend.step()
        self._backend.tell()
        self._broadcaster.step()
        self._finish_cancels()
        now_ns = self._backend.now_ns()
        for connection in list(self._connections.values()):
            connection.beat(now_ns)

    # --- faults ---------------------------------------------------------------------------------

    @property
    def faults(self) -> Faults:
        """What is armed; `inject` is the way to add to it."""
        return self._backend.faults

    @property
    def connection_count(self) -> int:
        """WebSocket connections open now."""
        return len(self._connections)

    def inject(self, fault: Fault) -> None:
        """Arm a fault, or let it happen at once: see `FaultKind`.

        Raises:
            InputError: it cannot be done.
        """
        _log.warning("fault injected", kind=fault.kind.value)
        if fault.kind in ON_REQUEST | ON_NOTIFICATION:
            self.faults.arm(fault)
            return
        now_ns = self._backend.arrive()
        match fault.kind:
            case FaultKind.STALL:
                self.faults.stall(fault.channel, now_ns + fault.delay_ns)
            case FaultKind.CLOCK_OFFSET:
                self.faults.clock_offset_ns = round(fault.offset_ms * SECOND_NS / 1_000)
            case FaultKind.HALT_BOOK | FaultKind.OPEN_BOOK:
                self._halt(fault, now_ns)
            case kind if kind in _PLATFORM:
                events = self.exchange.set_platform(_PLATFORM[kind], fault.message, now_ns)
                self._backend.happened(events)
            case _:
                self._strike_connections(fault)
        self._backend.tell()

    def _halt(self, fault: Fault, now_ns: int) -> None:
        halted = fault.kind is FaultKind.HALT_BOOK
        found = self._backend.names.find(fault.instrument)
        if found is None:
            raise InputError(f"fault {fault.kind}: there is no instrument {fault.instrument!r}")
        events = self.exchange.halt_book(found.instrument_id, halted=halted, now_ns=now_ns)
        self._backend.happened(events)

    def _strike_connections(self, fault: Fault) -> None:
        if fault.kind is FaultKind.OTHER_SNAPSHOT:
            self._backend.change_id_offset += OTHER_SNAPSHOT_IDS
        error = RpcError(fault.code, fault.message)
        frame = encode({"jsonrpc": "2.0", "id": None, "error": error.frame})
        for connection in list(self._connections.values()):
            if fault.kind is FaultKind.ERROR_FRAME:
                connection.send(frame)
            elif fault.kind is FaultKind.DROP:
                connection.close()
            else:
                connection.cut()

    def deposit(self, account: str, currency: str, amount: Decimal) -> None:
        """Pay cash into an account while it is served; a negative amount is withdrawn.

        Raises:
            ExchangeRefusedError: no such account, or less is available than is to leave.
        """
        now_ns = self._backend.arrive()
        self._backend.happened(self.exchange.deposit(account, currency, amount, now_ns))
        self._backend.tell()

    # --- inside ---------------------------------------------------------------------------------

    def later(self, delay_ns: int, run: Callable[[], None]) -> None:
        """Run something later; at most `delayed_max` at once, further ones are dropped."""
        if self._delayed >= self._config.delayed_max:
            _log.warning("too many delayed requests: one is dropped")
            return
        self._delayed += 1

        def due() -> None:
            self._delayed -= 1
            run()

        self._clock.call_at(self._backend.now_ns() + delay_ns, due)

    async def _pause(self, delay_ns: int) -> None:
        """Hold an HTTP request back; beyond `delayed_max` at once they are not held."""
        if self._delayed >= self._config.delayed_max:
            return
        self._delayed += 1
        try:
            await self._clock.sleep(delay_ns / SECOND_NS)
        finally:
            self._delayed -= 1

    def _application(self) -> web.Application:
        app = web.Application(client_max_size=self._config.body_bytes_max)
        app.router.add_get(WEBSOCKET_PATH, self._serve_socket)
        app.router.add_get(admin.PATH, self._admin.show)
        app.router.add_post(admin.PATH, self._admin.add)
        app.router.add_delete(admin.PATH, self._admin.clear)
        for path in (rest.PREFIX, f"{rest.PREFIX}/{{method:.*}}"):
            app.router.add_get(path, self._rest.handle)
            app.router.add_post(path, self._rest.handle)
        return app

    async def _pace(self) -> None:
        while True:
            self.step()
            await self._clock.sleep(self._config.step_ns / SECOND_NS)

    async def _serve_socket(self, request: web.Request) -> web.StreamResponse:
        if self._group is None or len(self._connections) >= self._config.connections_max:
            raise web.HTTPServiceUnavailable(text="too many connections")
        socket = web.WebSocketResponse(max_msg_size=self._config.body_bytes_max, timeout=1.0)
        await socket.prepare(request)
        transport = request.transport
        if transport is None:
            return socket
        connection = self._open(request.remote or "")
        writer = self._group.create_task(connection.write(socket), name=connection.name)
        try:
            await connection.read(socket, transport)
        finally:
            writer.cancel()
            self._gone(connection)
        return socket

    def _open(self, address: str) -> Connection:
        self._number += 1
        name = f"{self._backend.tape.started_ns}-{self._number}"
        connection = Connection(name, address, self._backend, self._broadcaster, self)
        self._connections[name] = connection
        return connection

    def _gone(self, connection: Connection) -> None:
        """A connection ended: it hears nothing more, and its orders go if that was asked for."""
        del self._connections[connection.name]
        connection.leave_all()
        self._backend.credentials.forget_connection(connection.name)
        login = connection.login
        if login is None or connection.has_logged_out:
            return
        by_account = self._backend.cancel_accounts.get(login.account, False)
        if connection.cancel_on_disconnect or by_account:
            self._unfinished[connection.name] = login.account
            self._finish_cancels()

    def _finish_cancels(self) -> None:
        """Cancel the orders of lost connections; what maintenance forbids is tried again."""
        for name, account in list(self._unfinished.items()):
            try:
                count, events = self.exchange.cancel_all(
                    account, self._backend.arrive(), connection=name, reason="cancel_on_disconnect"
                )
            except ExchangeRefusedError:
                return
            del self._unfinished[name]
            _log.info("orders cancelled on disconnect", connection=name, count=count)
            self._backend.happened(events)
        self._backend.tell()

    def _tell(self, events: list[ExchangeEvent]) -> None:
        if self._on_change is not None:
            self._on_change()
        self._broadcaster.events(events)
