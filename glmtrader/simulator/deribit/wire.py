"""Bytes of the wire: JSON with exact decimals as numbers, and the JSON-RPC envelopes."""

from decimal import Decimal
from typing import Any, Final

import msgspec

from glmtrader.domain.instruments import MILLISECOND_NS
from glmtrader.simulator.deribit.errors import PARSE_ERROR, RpcError

_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")
_DECODER: Final = msgspec.json.Decoder(float_hook=Decimal)
Frame = dict[str, Any]
"""A JSON object on its way out; Decimals in it become numbers."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it was understood; `request_id` None was none given."""

    method: str
    params: dict[str, Any]
    request_id: int | str | None = None


def encode(frame: Any) -> bytes:
    """A frame as JSON."""
    return _ENCODER.encode(frame)


def decode_call(data: bytes | str) -> Call:
    """Read a JSON-RPC request.

    Raises:
        RpcError: it is no JSON, or no request.
    """
    try:
        message = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise RpcError(PARSE_ERROR, "Parse error") from None
    if not isinstance(message, dict) or not isinstance(message.get("method"), str):
        raise RpcError(11050, "bad_request", data={"reason": "a method is needed"})
    params = message.get("params") or {}
    if not isinstance(params, dict):
        raise RpcError(11050, "bad_request", data={"reason": "params must be an object"})
    request_id = message.get("id")
    if request_id is not None and not isinstance(request_id, int | str):
        raise RpcError(11050, "bad_request", data={"reason": "id must be a number or text"})
    return Call(method=message["method"].lstrip("/"), params=params, request_id=request_id)


def ms(ts_ns: int) -> int:
    """A time as the wire has it: milliseconds."""
    return ts_ns // MILLISECOND_NS


def reply(
    request_id: int | str | None,
    *,
    arrived_ns: int,
    now_ns: int,
    testnet: bool,
    result: Any = None,
    error: RpcError | None = None,
) -> bytes:
    """The answer to a request: its result, or its error."""
    frame: Frame = {"jsonrpc": "2.0"}
    if request_id is not None:
        frame["id"] = request_id
    if error is None:
        frame["result"] = result
    else:
        frame["error"] = error.frame
    times_us = (arrived_ns // 1_000, now_ns // 1_000)
    frame |= {"usIn": times_us[0], "usOut": times_us[1], "usDiff": times_us[1] - times_us[0]}
    return encode(frame | {"testnet": testnet})


def notification(channel: str, data: Any) -> bytes:
    """A message of a subscription."""
    params = {"channel": channel, "data": data}
    return encode({"jsonrpc": "2.0", "method": "subscription", "params": params})


def heartbeat(kind: str) -> bytes:
    """A heartbeat message: `heartbeat` or `test_request`."""
    return encode({"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": kind}})
