"""Methods that ask for an account's orders, positions and money."""

from typing import Final

from glmtrader.simulator.deribit.backend import Backend, Caller
from glmtrader.simulator.deribit.methods import Handler, Method
from glmtrader.simulator.deribit.names import Kind, fits, kind_of_symbol
from glmtrader.simulator.deribit.order_frames import order_frame, symbol_of
from glmtrader.simulator.deribit.params import Params
from glmtrader.simulator.deribit.wire import Frame
from glmtrader.simulator.exchange_types import ExchangeOrder

_HISTORY_MAX: Final = 1_000
_CLOSED_MAX: Final = 10_000


def _order_state(backend: Backend, caller: Caller, params: Params) -> Frame:
    return order_frame(backend.exchange.order(caller.account, params.text("order_id")))


def _orders_by_label(backend: Backend, caller: Caller, params: Params) -> list[Frame]:
    """Labels are not unique: every order that had it, open or lately closed."""
    found = backend.exchange.orders_by_label(caller.account, params.text("label"))
    currency = backend.names.check_currency(params.text("currency"))
    prefix = "" if currency == "any" else f"{currency}-"
    return [order_frame(order) for order in found if order.order_id.startswith(prefix)]


def _open_orders(backend: Backend, caller: Caller, params: Params) -> list[Frame]:
    return _open_frames(backend, caller, params, None)


def _open_by_currency(backend: Backend, caller: Caller, params: Params) -> list[Frame]:
    currency = backend.names.check_currency(params.text("currency"))
    return _open_frames(backend, caller, params, currency)


def _open_by_label(backend: Backend, caller: Caller, params: Params) -> list[Frame]:
    label = params.text("label")
    currency = backend.names.check_currency(params.text("currency"))
    frames = _open_frames(backend, caller, params, currency)
    return [frame for frame in frames if frame["label"] == label]


def _open_by_instrument(backend: Backend, caller: Caller, params: Params) -> list[Frame]:
    instrument = backend.names.get(params.text("instrument_name"))
    found = backend.exchange.open_orders(caller.account, instrument_id=instrument.instrument_id)
    return _of_type(found, params)


def _open_frames(
    backend: Backend, caller: Caller, params: Params, currency: str | None
) -> list[Frame]:
    kind = params.choice("kind", Kind, Kind.ANY)
    found = [
        order
        for order in backend.exchange.open_orders(caller.account)
        if fits(backend.exchange.instrument(order.instrument_id), kind, currency)
    ]
    return _of_type(found, params)


def _of_type(orders: list[ExchangeOrder], params: Params) -> list[Frame]:
    """Only limit orders rest here: other types of the documentation find nothing."""
    if params.text("type", "all") not in ("all", "limit"):
        return []
    return [order_frame(order) for order in orders]


def _order_history(backend: Backend, caller: Caller, params: Params) -> list[Frame]:
    """Filled and cancelled orders, newest first, of one instrument or of a currency and kind."""
    kind = params.choice("kind", Kind, Kind.ANY)
    name = params.optional_text("instrument_name")
    coin = params.text("currency") if name is None else "any"
    count, offset = params.count(20, _HISTORY_MAX), max(0, params.integer("offset", 0))
    found = [
        order
        for order in backend.exchange.closed_orders(caller.account, _CLOSED_MAX)
        if name in (None, symbol_of(order.instrument_id))
        and coin in ("any", order.order_id.partition("-")[0])
        and kind in (Kind.ANY, kind_of_symbol(symbol_of(order.instrument_id)))
    ]
    return [order_frame(order) for order in found[offset : offset + count]]


def _positions(backend: Backend, caller: Caller, params: Params) -> list[Frame]:
    kind = params.choice("kind", Kind, Kind.ANY)
    currency = backend.names.check_currency(params.text("currency", "any"))
    return [
        backend.accounts.position(caller.account, held)
        for held in backend.exchange.positions(caller.account)
        if fits(backend.exchange.instrument(held.instrument_id), kind, currency)
    ]


def _position(backend: Backend, caller: Caller, params: Params) -> Frame:
    instrument = backend.names.get(params.text("instrument_name"))
    for held in backend.exchange.positions(caller.account):
        if held.instrument_id == instrument.instrument_id:
            return backend.accounts.position(caller.account, held)
    return backend.accounts.flat(instrument)


def _summary(backend: Backend, caller: Caller, params: Params) -> Frame:
    currency = backend.names.check_currency(params.text("currency"))
    frame = backend.accounts.summary(caller.account, currency)
    if params.flag("extended"):
        frame |= backend.accounts.owner(caller.account)
    return frame


def _summaries(backend: Backend, caller: Caller, params: Params) -> Frame:
    coins = {*backend.exchange.underlyings, *backend.exchange.currencies(caller.account)}
    summaries = [backend.accounts.summary(caller.account, coin) for coin in sorted(coins)]
    owner = backend.accounts.owner(caller.account) if params.flag("extended") else {}
    return owner | {"summaries": summaries}


def _subaccounts(backend: Backend, caller: Caller, _: Params) -> list[Frame]:
    return [backend.accounts.owner(caller.account)]


def _reads(handler: Handler, area: str) -> Method:
    return Method(handler=handler, scope=f"{area}:read")


METHODS: Final[dict[str, Method]] = {
    "private/get_order_state": _reads(_order_state, "trade"),
    "private/get_order_state_by_label": _reads(_orders_by_label, "trade"),
    "private/get_order_history_by_currency": _reads(_order_history, "trade"),
    "private/get_order_history_by_instrument": _reads(_order_history, "trade"),
    "private/get_open_orders": _reads(_open_orders, "trade"),
    "private/get_open_orders_by_currency": _reads(_open_by_currency, "trade"),
    "private/get_open_orders_by_instrument": _reads(_open_by_instrument, "trade"),
    "private/get_open_orders_by_label": _reads(_open_by_label, "trade"),
    "private/get_positions": _reads(_positions, "trade"),
    "private/get_position": _reads(_position, "trade"),
    "private/get_account_summary": _reads(_summary, "account"),
    "private/get_account_summaries": _reads(_summaries, "account"),
    "private/get_subaccounts": _reads(_subaccounts, "account"),
}
