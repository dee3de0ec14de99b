"""Methods of the session: authentication, heartbeat, cancel-on-disconnect, subscriptions."""

from enum import StrEnum
from typing import Any, Final

from glmtrader.simulator.deribit.backend import Backend, Caller
from glmtrader.simulator.deribit.errors import invalid_params, not_implemented
from glmtrader.simulator.deribit.methods import Method, link_of
from glmtrader.simulator.deribit.names import index_name
from glmtrader.simulator.deribit.params import Params
from glmtrader.simulator.deribit.wire import Frame, ms
from glmtrader.simulator.exchange_types import PlatformState

VERSION: Final = "1.2.26"
"""What `public/test` says the API's version is."""


class DisconnectScope(StrEnum):
    """Whose connections cancel orders when they end."""

    CONNECTION = "connection"
    ACCOUNT = "account"


def _auth(backend: Backend, caller: Caller, params: Params) -> Frame:
    name = caller.connection
    login, frame = backend.credentials.authenticate(params, backend.venue_now_ns(), name)
    if caller.link is not None:
        caller.link.login = login
    if "state" in params:
        frame["state"] = params.text("state")
    return frame


def _hello(_: Backend, __: Caller, params: Params) -> Frame:
    params.text("client_name")
    params.text("client_version")
    return {"version": VERSION}


def _test(_: Backend, caller: Caller, params: Params) -> Frame:
    if params.text("expected_result", "") == "exception":
        raise not_implemented("an exception was asked for")
    if caller.link is not None:
        caller.link.answered_test()
    return {"version": VERSION}


def _get_time(backend: Backend, _: Caller, __: Params) -> int:
    return ms(backend.venue_now_ns())


def _status(backend: Backend, _: Caller, __: Params) -> Frame:
    locked = backend.exchange.platform is not PlatformState.OPEN
    names = [index_name(coin) for coin in backend.exchange.underlyings] if locked else []
    return {"locked": "true" if locked else "false", "locked_indices": names}


def _set_heartbeat(backend: Backend, caller: Caller, params: Params) -> str:
    interval_s = float(params.decimal("interval"))
    shortest_s = backend.config.heartbeat_s_min
    if not shortest_s <= interval_s <= 86_400:
        raise invalid_params("interval", f"must be {shortest_s:g} to 86400 seconds")
    link_of(caller).set_heartbeat(interval_s, backend.now_ns())
    return "ok"


def _disable_heartbeat(backend: Backend, caller: Caller, _: Params) -> str:
    link_of(caller).set_heartbeat(None, backend.now_ns())
    return "ok"


def _enable_cancel(backend: Backend, caller: Caller, params: Params) -> str:
    return _set_cancel(backend, caller, params, enabled=True)


def _disable_cancel(backend: Backend, caller: Caller, params: Params) -> str:
    return _set_cancel(backend, caller, params, enabled=False)


def _set_cancel(backend: Backend, caller: Caller, params: Params, *, enabled: bool) -> str:
    scope = params.choice("scope", DisconnectScope, DisconnectScope.CONNECTION)
    if scope is DisconnectScope.ACCOUNT:
        backend.cancel_accounts[caller.account] = enabled
    else:
        link_of(caller).cancel_on_disconnect = enabled
    return "ok"


def _get_cancel(backend: Backend, caller: Caller, params: Params) -> Frame:
    scope = params.choice("scope", DisconnectScope, DisconnectScope.CONNECTION)
    if scope is DisconnectScope.ACCOUNT:
        enabled = backend.cancel_accounts.get(caller.account, False)
    else:
        enabled = link_of(caller).cancel_on_disconnect
    return {"scope": scope, "enabled": enabled}


def _logout(_: Backend, caller: Caller, __: Params) -> str:
    link_of(caller).log_out()
    return "ok"


def _subscribe(*, private: bool) -> Any:
    def handler(_: Backend, caller: Caller, params: Params) -> list[str]:
        return link_of(caller).subscribe(params.names("channels"), private=private)

    return handler


def _unsubscribe(*, private: bool) -> Any:
    def handler(_: Backend, caller: Caller, params: Params) -> list[str]:
        return link_of(caller).unsubscribe(params.names("channels"), private=private)

    return handler


def _unsubscribe_all(*, private: bool) -> Any:
    def handler(_: Backend, caller: Caller, __: Params) -> str:
        link_of(caller).unsubscribe(None, private=private)
        return "ok"

    return handler


def _subscription(handler: Any, scope: str = "") -> Method:
    return Method(handler=handler, scope=scope, pool="subscribing")


METHODS: Final[dict[str, Method]] = {
    "public/auth": Method(handler=_auth, in_maintenance=True),
    "public/hello": Method(handler=_hello, in_maintenance=True),
    "public/test": Method(handler=_test, in_maintenance=True),
    "public/get_time": Method(handler=_get_time, in_maintenance=True),
    "public/status": Method(handler=_status, in_maintenance=True),
    "public/set_heartbeat": Method(handler=_set_heartbeat, in_maintenance=True),
    "public/disable_heartbeat": Method(handler=_disable_heartbeat, in_maintenance=True),
    "public/subscribe": _subscription(_subscribe(private=False)),
    "public/unsubscribe": _subscription(_unsubscribe(private=False)),
    "public/unsubscribe_all": _subscription(_unsubscribe_all(private=False)),
    "private/subscribe": _subscription(_subscribe(private=True), "account:read"),
    "private/unsubscribe": _subscription(_unsubscribe(private=True), "account:read"),
    "private/unsubscribe_all": _subscription(_unsubscribe_all(private=True), "account:read"),
    "private/enable_cancel_on_disconnect": Method(handler=_enable_cancel, scope="account:read"),
    "private/disable_cancel_on_disconnect": Method(handler=_disable_cancel, scope="account:read"),
    "private/get_cancel_on_disconnect": Method(handler=_get_cancel, scope="account:read"),
    "private/logout": Method(handler=_logout, scope="account:read", in_maintenance=True),
}
