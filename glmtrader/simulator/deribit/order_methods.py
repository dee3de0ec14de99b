"""Methods that trade: orders, edits, cancels. All of them reach the matching engine."""

from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from glmtrader.domain.instruments import MILLISECOND_NS, Instrument
from glmtrader.domain.orders import OrderType, Side, TimeInForce
from glmtrader.domain.pnl import ZERO
from glmtrader.simulator.deribit.backend import Backend, Caller
from glmtrader.simulator.deribit.errors import RpcError, invalid_params, not_implemented
from glmtrader.simulator.deribit.methods import Handler, Method
from glmtrader.simulator.deribit.names import Kind, fits
from glmtrader.simulator.deribit.order_frames import amount_of_contracts, order_frame
from glmtrader.simulator.deribit.params import Params
from glmtrader.simulator.deribit.wire import Frame
from glmtrader.simulator.exchange_types import ExchangeOrder, OrderReply, OrderRequest, OrderState

_LABEL_LENGTH_MAX: Final = 64


class WireOrderType(StrEnum):
    """Order types of the documentation; the simulation has the first two."""

    LIMIT = "limit"
    MARKET = "market"
    STOP_LIMIT = "stop_limit"
    TAKE_LIMIT = "take_limit"
    STOP_MARKET = "stop_market"
    TAKE_MARKET = "take_market"
    MARKET_LIMIT = "market_limit"
    TRAILING_STOP = "trailing_stop"


class WireTimeInForce(StrEnum):
    """Times in force of the documentation; the simulation lacks day orders and fill-or-kill."""

    GOOD_TIL_CANCELLED = "good_til_cancelled"
    GOOD_TIL_DAY = "good_til_day"
    FILL_OR_KILL = "fill_or_kill"
    IMMEDIATE_OR_CANCEL = "immediate_or_cancel"


def _trade(side: Side) -> Handler:
    def handler(backend: Backend, caller: Caller, params: Params) -> Frame:
        now_ns = backend.arrive()
        instrument = backend.names.get(params.text("instrument_name"))
        request = _request(backend, caller, params, instrument, side)
        return _reply_frame(backend, backend.exchange.submit(request, now_ns))

    return handler


def _request(
    backend: Backend, caller: Caller, params: Params, instrument: Instrument, side: Side
) -> OrderRequest:
    order_type = _order_type(params)
    label = params.text("label", "")
    if len(label) > _LABEL_LENGTH_MAX:
        raise invalid_params("label", f"must be at most {_LABEL_LENGTH_MAX} characters")
    post_only = params.flag("post_only")
    return OrderRequest(
        account=caller.account,
        instrument_id=instrument.instrument_id,
        side=side,
        amount=_amount(params, instrument),
        price=params.optional_decimal("price") if order_type is OrderType.LIMIT else None,
        order_type=order_type,
        time_in_force=_time_in_force(params),
        label=label,
        post_only=post_only,
        reject_post_only=post_only and params.flag("reject_post_only"),
        reduce_only=params.flag("reduce_only"),
        valid_until_ns=_valid_until_ns(backend, params),
        connection=caller.connection,
    )


def _order_type(params: Params) -> OrderType:
    word = params.choice("type", WireOrderType, WireOrderType.LIMIT)
    if word not in (WireOrderType.LIMIT, WireOrderType.MARKET):
        raise not_implemented(f"order type {word}")
    for name in ("trigger", "trigger_price", "advanced", "linked_order_type", "otoco_config"):
        if name in params:
            raise not_implemented(name)
    return OrderType(word.value)


def _time_in_force(params: Params) -> TimeInForce:
    word = params.choice("time_in_force", WireTimeInForce, WireTimeInForce.GOOD_TIL_CANCELLED)
    if word in (WireTimeInForce.GOOD_TIL_DAY, WireTimeInForce.FILL_OR_KILL):
        raise not_implemented(f"time_in_force {word}")
    return TimeInForce(word.value)


def _amount(params: Params, instrument: Instrument) -> Decimal:
    """`amount`, or `contracts`; when both are given they must agree."""
    count = params.optional_decimal("contracts")
    if count is None:
        return params.decimal("amount")
    amount = amount_of_contracts(instrument, count)
    if params.optional_decimal("amount") not in (None, amount):
        raise invalid_params("contracts", "amount and contracts do not agree")
    return amount


def _valid_until_ns(backend: Backend, params: Params) -> int | None:
    """The last moment of a request, judged by the venue's clock, on the exchange's."""
    until_ms = params.optional_integer("valid_until")
    if until_ms is None:
        return None
    return until_ms * MILLISECOND_NS - backend.faults.clock_offset_ns


def _edit(backend: Backend, caller: Caller, params: Params) -> Frame:
    order = backend.exchange.order(caller.account, params.text("order_id"))
    return _edit_order(backend, params, order)


def _edit_by_label(backend: Backend, caller: Caller, params: Params) -> Frame:
    found = _open_by_label(backend, caller, params.text("label"))
    name = params.text("instrument_name")
    wanted = backend.names.get(name).instrument_id
    found = [order for order in found if order.instrument_id == wanted]
    if len(found) != 1:
        raise RpcError(10004, "order_not_found", data={"reason": f"{len(found)} orders fit"})
    return _edit_order(backend, params, found[0])


def _edit_order(backend: Backend, params: Params, order: ExchangeOrder) -> Frame:
    now_ns = backend.arrive()
    instrument = backend.exchange.instrument(order.instrument_id)
    price = params.optional_decimal("price")
    given = "amount" in params or "contracts" in params
    reply = backend.exchange.edit(
        order.account,
        order.order_id,
        amount=_amount(params, instrument) if given else order.amount,
        price=price if price is not None else order.price or ZERO,
        post_only=params.flag("post_only"),
        reduce_only=params.flag("reduce_only"),
        now_ns=now_ns,
        valid_until_ns=_valid_until_ns(backend, params),
    )
    return _reply_frame(backend, reply)


def _cancel(backend: Backend, caller: Caller, params: Params) -> Frame:
    now_ns = backend.arrive()
    reply = backend.exchange.cancel(caller.account, params.text("order_id"), now_ns)
    backend.happened(reply.events)
    return order_frame(reply.order)


def _cancel_all(backend: Backend, caller: Caller, params: Params) -> Any:
    return _cancel_where(backend, caller, params, Kind.ANY, None)


def _cancel_by_currency(backend: Backend, caller: Caller, params: Params) -> Any:
    currency = backend.names.check_currency(params.text("currency"))
    return _cancel_where(backend, caller, params, params.choice("kind", Kind, Kind.ANY), currency)


def _cancel_by_kind(backend: Backend, caller: Caller, params: Params) -> Any:
    currency = params.text("currency", "any")
    return _cancel_where(backend, caller, params, params.choice("kind", Kind, Kind.ANY), currency)


def _cancel_where(
    backend: Backend, caller: Caller, params: Params, kind: Kind, currency: str | None
) -> Any:
    orders = [
        order
        for order in backend.exchange.open_orders(caller.account)
        if fits(backend.exchange.instrument(order.instrument_id), kind, currency)
    ]
    return _cancel_orders(backend, caller, params, orders)


def _cancel_by_instrument(backend: Backend, caller: Caller, params: Params) -> Any:
    instrument = backend.names.get(params.text("instrument_name"))
    orders = backend.exchange.open_orders(caller.account, instrument_id=instrument.instrument_id)
    return _cancel_orders(backend, caller, params, orders)


def _cancel_by_label(backend: Backend, caller: Caller, params: Params) -> Any:
    orders = _open_by_label(backend, caller, params.text("label"))
    currency = params.optional_text("currency")
    orders = [
        order
        for order in orders
        if fits(backend.exchange.instrument(order.instrument_id), Kind.ANY, currency)
    ]
    return _cancel_orders(backend, caller, params, orders)


def _cancel_orders(
    backend: Backend, caller: Caller, params: Params, orders: list[ExchangeOrder]
) -> Any:
    """Cancel them; the number, or with `detailed` the orders by instrument."""
    now_ns = backend.arrive()
    done: dict[str, list[Frame]] = {}
    for order in orders:
        if backend.exchange.order(caller.account, order.order_id).state is not OrderState.OPEN:
            continue
        reply = backend.exchange.cancel(caller.account, order.order_id, now_ns)
        backend.happened(reply.events)
        done.setdefault(order.instrument_id, []).append(order_frame(reply.order))
    if not params.flag("detailed"):
        return sum(len(frames) for frames in done.values())
    return [
        {
            "type": "limit",
            "instrument_name": frames[0]["instrument_name"],
            "currency": frames[0]["instrument_name"].partition("-")[0],
            "result": frames,
        }
        for frames in done.values()
    ]


def _close_position(backend: Backend, caller: Caller, params: Params) -> Frame:
    now_ns = backend.arrive()
    instrument = backend.names.get(params.text("instrument_name"))
    order_type = _order_type(params)
    held = sum(
        (
            item.quantity
            for item in backend.exchange.positions(caller.account)
            if item.instrument_id == instrument.instrument_id
        ),
        ZERO,
    )
    if held == 0:
        raise RpcError(10010, "already_closed", data={"reason": "there is no position"})
    request = OrderRequest(
        account=caller.account,
        instrument_id=instrument.instrument_id,
        side=Side.SELL if held > 0 else Side.BUY,
        amount=abs(held),
        price=params.optional_decimal("price") if order_type is OrderType.LIMIT else None,
        order_type=order_type,
        reduce_only=True,
        connection=caller.connection,
    )
    return _reply_frame(backend, backend.exchange.submit(request, now_ns))


def _reply_frame(backend: Backend, reply: OrderReply) -> Frame:
    backend.happened(reply.events)
    trades = [backend.user_trade_frame(trade) for trade in reply.trades]
    return {"order": order_frame(reply.order), "trades": trades}


def _open_by_label(backend: Backend, caller: Caller, label: str) -> list[ExchangeOrder]:
    found = backend.exchange.orders_by_label(caller.account, label)
    return [order for order in found if order.state is OrderState.OPEN]


def _matching(handler: Handler) -> Method:
    return Method(handler=handler, scope="trade:read_write", pool="matching")


METHODS: Final[dict[str, Method]] = {
    "private/buy": _matching(_trade(Side.BUY)),
    "private/sell": _matching(_trade(Side.SELL)),
    "private/edit": _matching(_edit),
    "private/edit_by_label": _matching(_edit_by_label),
    "private/cancel": _matching(_cancel),
    "private/cancel_all": _matching(_cancel_all),
    "private/cancel_all_by_currency": _matching(_cancel_by_currency),
    "private/cancel_all_by_kind_or_type": _matching(_cancel_by_kind),
    "private/cancel_all_by_instrument": _matching(_cancel_by_instrument),
    "private/cancel_by_label": _matching(_cancel_by_label),
    "private/close_position": _matching(_close_position),
}
