"""`/sim/faults`: faults over HTTP, for whoever tests against a separate process.

- `GET` lists what is armed, with the strikes left.
- `POST` takes a fault, or a list of them, as JSON (fields of `Fault`).
- `DELETE` disarms everything.

Refused in a sentence with status 400. There is no authentication: the server is for loopback.
"""

from collections.abc import Callable

import msgspec
from aiohttp import web

from glmtrader.errors import GlmtraderError
from glmtrader.simulator.deribit.backend import Backend
from glmtrader.simulator.deribit.faults import Fault
from glmtrader.simulator.deribit.wire import encode

PATH = "/sim/faults"
_JSON = "application/json"


class AdminSide:
    """Answers the admin endpoint."""

    def __init__(self, backend: Backend, inject: Callable[[Fault], None]) -> None:
        self._backend = backend
        self._inject = inject

    async def show(self, _: web.Request) -> web.Response:
        """What is armed."""
        armed = [
            {"fault": fault, "strikes_left": left} for fault, left in self._backend.faults.armed()
        ]
        return web.Response(body=encode({"armed": armed}), content_type=_JSON)

    async def add(self, request: web.Request) -> web.Response:
        """Inject one fault or several."""
        body = await request.read()
        try:
            faults = msgspec.json.decode(body, type=Fault | list[Fault])
            for fault in faults if isinstance(faults, list) else [faults]:
                self._inject(fault)
        except (msgspec.DecodeError, GlmtraderError) as error:
            return web.Response(body=encode({"error": str(error)}), status=400, content_type=_JSON)
        return await self.show(request)

    async def clear(self, request: web.Request) -> web.Response:
        """Disarm everything."""
        self._backend.faults.clear()
        return await self.show(request)
