"""What a method of the wire is; the tables of methods are made of these."""

from collections.abc import Callable
from typing import Any

import msgspec

from glmtrader.simulator.deribit.backend import Backend, Caller, Link
from glmtrader.simulator.deribit.errors import websocket_only
from glmtrader.simulator.deribit.params import Params

Handler = Callable[[Backend, Caller, Params], Any]
"""Does what the method says and returns its result; refuses with `RpcError`."""


class Method(msgspec.Struct, frozen=True, kw_only=True):
    """One method.

    Attributes:
        scope: what the login must cover; empty for public methods.
        pool: the credits it costs. in_maintenance: whether it works while the platform is down.
    """

    handler: Handler
    scope: str = ""
    pool: str = "other"
    in_maintenance: bool = False


def link_of(caller: Caller) -> Link:
    """The WebSocket connection of a caller.

    Raises:
        RpcError: the request came over HTTP.
    """
    if caller.link is None:
        raise websocket_only()
    return caller.link
