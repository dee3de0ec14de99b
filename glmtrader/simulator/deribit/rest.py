"""The HTTP side: `GET /api/v2/...` with a query, or `POST` with a JSON-RPC body."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import hdrs, web

from glmtrader.simulator.deribit.backend import Backend, Caller
from glmtrader.simulator.deribit.dispatcher import execute
from glmtrader.simulator.deribit.errors import RpcError, http_status, too_many_requests
from glmtrader.simulator.deribit.faults import Fault, FaultKind
from glmtrader.simulator.deribit.wire import Call, decode_call, reply

PREFIX = "/api/v2"


class RestSide:
    """Answers HTTP requests.

    Args:
        backend: of the server.
        pause: waits so many ns of process time; bounded in number by the server.
    """

    def __init__(self, backend: Backend, pause: Callable[[int], Awaitable[None]]) -> None:
        self._backend = backend
        self._pause = pause

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        arrived_ns = self._backend.venue_now_ns()
        body = await request.text() if request.method == hdrs.METH_POST else ""
        try:
            call = _call(request, body)
        except RpcError as error:
            return self._response(None, arrived_ns, error=error)
        fault = self._backend.faults.on_request(call.method)
        if fault is None:
            return self._answer(request, call, body, arrived_ns)
        return await self._answer_badly(request, call, body, arrived_ns, fault)

    def _answer(self, request: web.Request, call: Call, body: str, arrived_ns: int) -> web.Response:
        try:
            caller = Caller(None, None)
            header = request.headers.get(hdrs.AUTHORIZATION)
            if header is not None and call.method.startswith("private/"):
                signed = f"{request.method}\n{request.raw_path}\n{body}\n"
                now_ns = self._backend.venue_now_ns()
                caller.login = self._backend.credentials.login_of_header(header, signed, now_ns)
            result = execute(self._backend, caller, call, request.remote or "")
        except RpcError as error:
            return self._response(call.request_id, arrived_ns, error=error)
        finally:
            self._backend.tell()
        return self._response(call.request_id, arrived_ns, result=result)

    async def _answer_badly(
        self, request: web.Request, call: Call, body: str, arrived_ns: int, fault: Fault
    ) -> web.Response:
        match fault.kind:
            case FaultKind.LATE_ACCEPT:
                await self._pause(fault.delay_ns)
                return self._answer(request, call, body, arrived_ns)
            case FaultKind.TIMEOUT_AFTER_ACCEPT:
                response = self._answer(request, call, body, arrived_ns)
                await self._pause(fault.delay_ns)
                return response
            case FaultKind.LOST_REPLY:
                response = self._answer(request, call, body, arrived_ns)
                if request.transport is not None:
                    request.transport.abort()
                return response
            case FaultKind.RPC_ERROR:
                error = RpcError(fault.code, fault.message)
                return self._response(call.request_id, arrived_ns, error=error)
        response = self._response(call.request_id, arrived_ns, error=too_many_requests())
        if fault.kind is FaultKind.HTTP_429:
            response.headers[hdrs.RETRY_AFTER] = str(fault.retry_after_s)
        return response

    def _response(
        self,
        request_id: int | str | None,
        arrived_ns: int,
        *,
        result: Any = None,
        error: RpcError | None = None,
    ) -> web.Response:
        data = reply(
            request_id,
            arrived_ns=arrived_ns,
            now_ns=self._backend.venue_now_ns(),
            testnet=self._backend.config.testnet,
            result=result,
            error=error,
        )
        status = 200 if error is None else http_status(error)
        return web.Response(body=data, status=status, content_type="application/json")


def _call(request: web.Request, body: str) -> Call:
    method = request.path.removeprefix(PREFIX).strip("/")
    if not body:
        return Call(method=method, params=dict(request.query))
    call = decode_call(body)
    return (
        call if not method else Call(method=method, params=call.params, request_id=call.request_id)
    )
