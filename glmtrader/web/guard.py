"""Around every request: who may ask, what errors look like, and headers that keep browsers safe.

The middleware is the supervisor of its requests: whatever a handler raises becomes a problem+json
answer and a line in the log, and the next request is served.
"""

import ipaddress
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

import msgspec
import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware

from glmtrader.web.errors import BodyTooLargeError, MisdirectedRequestError, RequestError
from glmtrader.web.responses import Problem

BODY_BYTES_MAX: Final = 1_024
"""No route takes a body; a stray small one is ignored."""

PROBLEM_TYPE: Final = "application/problem+json"

HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "glmtrader",
    "X-Content-Type-Options": "nosniff",
}
"""On every answer. There is no CORS header, so no other site's script reads anything here."""

_log = structlog.get_logger("glmtrader.web")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def guarding(host: str) -> Middleware:
    """The middleware of a server that listens on `host`."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            check_request(request, host)
            response = await handler(request)
        except RequestError as error:
            response = problem(request.path, error.status, str(error))
        except web.HTTPException as error:
            response = problem(request.path, HTTPStatus(error.status), error.reason)
            if "Allow" in error.headers:
                response.headers["Allow"] = error.headers["Allow"]
        except Exception:  # noqa: BLE001  supervisor: one request's fault must not end the service
            _log.exception("request_failed", path=request.path)
            detail = "the request failed here; the log says why"
            response = problem(request.path, HTTPStatus.INTERNAL_SERVER_ERROR, detail)
        response.headers.update(HEADERS)
        return response

    return guard


def check_request(request: web.Request, host: str) -> None:
    """Refuse what no route here should see.

    Raises:
        MisdirectedRequestError: the Host header is missing or another site's.
        BodyTooLargeError: it carries more than a stray small body.
    """
    named = request.headers.get("Host")
    if named is None or not is_own_host(named, host):
        raise MisdirectedRequestError(
            f"Host {named!r} is not this service: ask by address, as localhost, or as {host}"
        )
    length = request.content_length
    if (length or 0) > BODY_BYTES_MAX or (length is None and request.body_exists):
        raise BodyTooLargeError(f"no route here takes a body, let alone above {BODY_BYTES_MAX} B")


def is_own_host(header: str, host: str) -> bool:
    """Whether a Host header is an address, localhost or the configured name.

    DNS rebinding needs a name that an attacker can point here; an address is no such name.
    """
    name = header[1:].partition("]")[0] if header.startswith("[") else header.partition(":")[0]
    lowered = name.lower().rstrip(".")
    if lowered in ("localhost", host.lower()):
        return True
    try:
        ipaddress.ip_address(lowered)
    except ValueError:
        return False
    return True


def problem(path: str, status: HTTPStatus, detail: str) -> web.Response:
    """An error answer."""
    body = Problem(
        type="about:blank", title=status.phrase, status=status, detail=detail, instance=path
    )
    return web.Response(body=msgspec.json.encode(body), status=status, content_type=PROBLEM_TYPE)
