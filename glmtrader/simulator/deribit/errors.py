"""Errors on Deribit's wire: number, name and data of a JSON-RPC error."""

from collections.abc import Mapping
from typing import Any, Final

from glmtrader.errors import VenueRefusedError
from glmtrader.simulator.refusals import ExchangeRefusedError

PARSE_ERROR: Final = -32700
INVALID_PARAMS: Final = -32602
METHOD_NOT_FOUND: Final = -32601
TOO_MANY_REQUESTS: Final = 10028
UNAUTHORIZED: Final = 13009


class RpcError(VenueRefusedError):
    """A request is refused with a JSON-RPC error.

    Args:
        number: Deribit's number.
        name: Deribit's message.
        data: what else the error says.
        ends_session: the connection is closed after the reply.
    """

    def __init__(
        self,
        number: int,
        name: str,
        *,
        data: Mapping[str, Any] | None = None,
        ends_session: bool = False,
    ) -> None:
        super().__init__(f"{number} {name}", code=name)
        self.number = number
        self.name = name
        self.data = data
        self.ends_session = ends_session

    @property
    def frame(self) -> dict[str, Any]:
        """The `error` member of a reply."""
        frame: dict[str, Any] = {"message": self.name, "code": self.number}
        if self.data is not None:
            frame["data"] = dict(self.data)
        return frame


def invalid_params(param: str, reason: str) -> RpcError:
    """A parameter is missing or not what the method takes."""
    return RpcError(INVALID_PARAMS, "Invalid params", data={"reason": reason, "param": param})


def unauthorized(reason: str) -> RpcError:
    """No valid token or signature."""
    return RpcError(UNAUTHORIZED, "unauthorized", data={"reason": reason})


def invalid_credentials() -> RpcError:
    """Unknown key, wrong secret or wrong signature: the venue does not say which."""
    return RpcError(13004, "invalid_credentials")


def forbidden(scope: str) -> RpcError:
    """The token's scope does not cover the method."""
    return RpcError(13021, "forbidden", data={"reason": f"the scope {scope} is needed"})


def too_many_requests() -> RpcError:
    """The credits are used up; the venue also ends the session."""
    return RpcError(TOO_MANY_REQUESTS, "too_many_requests", ends_session=True)


def not_implemented(what: str) -> RpcError:
    """The venue knows it, this simulation does not."""
    return RpcError(10033, "not_implemented", data={"reason": what})


def websocket_only() -> RpcError:
    """The method makes no sense over HTTP."""
    return RpcError(10030, "must_be_websocket_request")


def maintenance() -> RpcError:
    """The platform is down."""
    return RpcError(11051, "system_maintenance")


def refused(error: ExchangeRefusedError) -> RpcError:
    """The exchange's refusal in the wire's words."""
    return RpcError(error.number, error.code, data={"reason": str(error)})


def http_status(error: RpcError) -> int:
    """The HTTP status that goes with an error."""
    if error.number == TOO_MANY_REQUESTS:
        return 429
    if error.number == UNAUTHORIZED:
        return 401
    return 400
