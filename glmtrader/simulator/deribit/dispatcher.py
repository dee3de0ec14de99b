"""One table of methods for both transports: checks who calls, what it costs, then does it."""

from typing import Any, Final

from glmtrader.simulator.deribit import (
    account_methods,
    history_methods,
    market_history_methods,
    market_methods,
    order_methods,
    session_methods,
)
from glmtrader.simulator.deribit.backend import Backend, Caller
from glmtrader.simulator.deribit.errors import (
    METHOD_NOT_FOUND,
    RpcError,
    forbidden,
    maintenance,
    refused,
    unauthorized,
)
from glmtrader.simulator.deribit.methods import Method
from glmtrader.simulator.deribit.params import Params
from glmtrader.simulator.deribit.wire import Call
from glmtrader.simulator.exchange_types import PlatformState
from glmtrader.simulator.refusals import ExchangeRefusedError

METHODS: Final[dict[str, Method]] = {
    **session_methods.METHODS,
    **market_methods.METHODS,
    **market_history_methods.METHODS,
    **order_methods.METHODS,
    **account_methods.METHODS,
    **history_methods.METHODS,
}


def execute(backend: Backend, caller: Caller, call: Call, address: str) -> Any:
    """Run one request and return its result.

    Args:
        backend: what it works on.
        caller: who asks; its login is completed from an `access_token` parameter.
        call: the request.
        address: whom public requests are counted for.

    Raises:
        RpcError: it is refused.
    """
    method = METHODS.get(call.method)
    if method is None:
        raise RpcError(METHOD_NOT_FOUND, "Method not found")
    if method.scope:
        _log_in(backend, caller, call, method.scope)
    owner = caller.account if method.scope else address
    backend.credits.charge(owner, method.pool, backend.now_ns())
    if backend.exchange.platform is PlatformState.MAINTENANCE and not method.in_maintenance:
        raise maintenance()
    try:
        return method.handler(backend, caller, Params(call.params))
    except ExchangeRefusedError as error:
        raise refused(error) from None


def _log_in(backend: Backend, caller: Caller, call: Call, scope: str) -> None:
    now_ns = backend.venue_now_ns()
    token = call.params.get("access_token")
    if token is not None:
        caller.login = backend.credentials.login_of_token(str(token), now_ns, caller.connection)
    if caller.login is None:
        raise unauthorized("unauthorized")
    if caller.login.expires_ns is not None and caller.login.expires_ns <= now_ns:
        raise unauthorized("token_expired")
    if not caller.login.may(scope):
        raise forbidden(scope)
