"""The HTTP server: binds before the run starts, answers from the views, ends within a second.

GET only. It sees the bus's counters and the views' cache, never a service of the core.
"""

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from importlib import resources
from typing import Final

import msgspec
from aiohttp import web

from glmtrader.kernel.bus import Bus
from glmtrader.kernel.clock import Clock
from glmtrader.web import status_page
from glmtrader.web.errors import AddressUnavailableError
from glmtrader.web.guard import BODY_BYTES_MAX, PROBLEM_TYPE, guarding
from glmtrader.web.health import CoreProbe, health
from glmtrader.web.openapi import document
from glmtrader.web.queries import underlying_named
from glmtrader.web.responses import HealthReport
from glmtrader.web.routes import ALIAS_PREFIX, HEALTH_PATH, OPENAPI_PATH, PREFIX, ROUTES, Route
from glmtrader.web.views import ViewCache

SHUTDOWN_S_MAX: Final = 0.3
"""A request that takes longer at the end is cut off."""

KEEPALIVE_S: Final = 15.0
CONNECTIONS_WAITING_MAX: Final = 128

_encoder = msgspec.json.Encoder(decimal_format="number")


class ApiServer:
    """Serves one run.

    Args:
        views: what is known.
        host: address or name to listen on. port: 0 takes any free one.
        clock: the process clock.
        bus: probed for health.
    """

    def __init__(self, views: ViewCache, host: str, port: int, *, clock: Clock, bus: Bus) -> None:
        self.views = views
        self._host = host
        self._port = port
        self._clock = clock
        self._bus = bus
        self._socket: socket.socket | None = None
        self._css = resources.files("glmtrader.web").joinpath("static/status.css").read_bytes()
        self._openapi = msgspec.json.encode(document())

    @property
    def url(self) -> str:
        """Where it listens; only after `bind`."""
        assert self._socket is not None, "bind comes before url"
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._socket.getsockname()[1]}/"

    def bind(self, *, any_port_if_taken: bool = False) -> None:
        """Take the address, before anything is traded.

        Args:
            any_port_if_taken: on paper another port will do; `url` says which it became.

        Raises:
            AddressUnavailableError: it is taken, or no address of this machine.
        """
        if self._socket is not None:
            return
        try:
            self._socket = self._listen(self._port)
        except OSError as error:
            if any_port_if_taken and error.errno == errno.EADDRINUSE:
                self._socket = self._listen(0)
                return
            why = str(error.strerror or error).partition(" (while")[0].lower()
            raise AddressUnavailableError(
                f"cannot listen on {self._host} port {self._port}: {why};"
                " set [api] port = 0 for any free port, or [api] enabled = false"
            ) from error

    def _listen(self, port: int) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        return socket.create_server(
            (self._host, port), family=family, backlog=CONNECTIONS_WAITING_MAX
        )

    async def run(self) -> None:
        """Serve until cancelled, then let requests end for a moment and close everything."""
        self.bind()
        assert self._socket is not None, "bind makes the socket"
        runner = web.AppRunner(
            self._application(),
            access_log=None,
            handle_signals=False,
            keepalive_timeout=KEEPALIVE_S,
            shutdown_timeout=SHUTDOWN_S_MAX,
        )
        try:
            await runner.setup()
            await web.SockSite(runner, self._socket).start()
            await asyncio.get_running_loop().create_future()
        finally:
            await runner.cleanup()
            self.close()

    def close(self) -> None:
        """Give the address back; harmless when it was never taken."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _application(self) -> web.Application:
        application = web.Application(
            middlewares=[guarding(self._host)], client_max_size=BODY_BYTES_MAX
        )
        router = application.router
        router.add_get("/", self._status_page)
        router.add_get("/static/status.css", self._stylesheet)
        router.add_get(HEALTH_PATH, self._health)
        router.add_get(OPENAPI_PATH, self._document)
        for route in ROUTES:
            tail = "/{underlying:.+}" if route.by_underlying else ""
            for prefix in (PREFIX, ALIAS_PREFIX):
                router.add_get(prefix + route.path + tail, self._answering(route))
        return application

    def _answering(self, route: Route) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(request: web.Request) -> web.Response:
            known = [self.views, self._clock.now_ns()]
            if route.by_underlying:
                known.append(underlying_named(request.match_info["underlying"], self.views))
            return _json(_encoder.encode(route.answer(*known)))

        return answer

    async def _health(self, request: web.Request) -> web.Response:
        """The report; when not healthy, it is a problem with the report's fields beside it."""
        report = self._report()
        if report.healthy:
            return _json(_encoder.encode(report))
        status = HTTPStatus.SERVICE_UNAVAILABLE
        problem = {
            "type": "about:blank",
            "title": status.phrase,
            "status": status,
            "detail": "; ".join(report.reasons),
            "instance": request.path,
        }
        body = _encoder.encode(problem | msgspec.structs.asdict(report))
        return web.Response(body=body, status=status, content_type=PROBLEM_TYPE)

    def _report(self) -> HealthReport:
        probe = CoreProbe(
            sequence=self._bus.seq,
            queue_depth=self._bus.depth,
            views_pending=self.views.pending,
        )
        return health(self.views, self._clock.now_ns(), probe)

    async def _status_page(self, _: web.Request) -> web.Response:
        text = status_page.render(self.views, self._report(), self._clock.now_ns())
        return web.Response(text=text, content_type="text/html", charset="utf-8")

    async def _stylesheet(self, _: web.Request) -> web.Response:
        return web.Response(body=self._css, content_type="text/css", charset="utf-8")

    async def _document(self, _: web.Request) -> web.Response:
        return _json(self._openapi)


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json", charset="utf-8")
