"""Methods that ask for an account's past: trades, the transaction log, settlements."""

from collections.abc import Callable
from typing import Any, Final

from glmtrader.simulator.deribit.backend import Backend, Caller
from glmtrader.simulator.deribit.errors import invalid_params
from glmtrader.simulator.deribit.methods import Handler, Method
from glmtrader.simulator.deribit.names import Kind
from glmtrader.simulator.deribit.order_frames import symbol_of
from glmtrader.simulator.deribit.paging import Window, page, trade_number
from glmtrader.simulator.deribit.params import Params
from glmtrader.simulator.deribit.sessions import SessionEntry
from glmtrader.simulator.deribit.transaction_frames import log_frame, settlement_frame
from glmtrader.simulator.deribit.wire import Frame, ms
from glmtrader.simulator.exchange_types import AccountTrade, TransactionKind

_TRADES_MAX: Final = 1_000
_LOG_MAX: Final = 250
_SETTLED: Final = (TransactionKind.SETTLEMENT, TransactionKind.DELIVERY)


def _by_currency(backend: Backend, caller: Caller, params: Params) -> Frame:
    currency = backend.names.check_currency(params.text("currency"))
    kind = params.choice("kind", Kind, Kind.ANY)

    def fits(trade: AccountTrade) -> bool:
        return _is_kind(trade, kind) and currency in ("any", trade.fee_currency)

    window = Window.of(params, "start_id", "end_id", trade_number)
    return _trades(backend, caller, params, window, fits, lambda it: trade_number(it.trade_id))


def _by_instrument(backend: Backend, caller: Caller, params: Params) -> Frame:
    name = params.text("instrument_name")
    window = Window.of(params, "start_seq", "end_seq", int)

    def fits(trade: AccountTrade) -> bool:
        return symbol_of(trade.instrument_id) == name

    return _trades(backend, caller, params, window, fits, lambda it: it.trade_seq)


def _by_order(backend: Backend, caller: Caller, params: Params) -> list[Frame]:
    order_id = params.text("order_id")
    found = [it for it in backend.exchange.trades(caller.account) if it.order_id == order_id]
    rows, _ = page(found, params.text("sorting", "default"), _TRADES_MAX)
    return [backend.user_trade_frame(trade) for trade in rows]


def _trades(
    backend: Backend,
    caller: Caller,
    params: Params,
    window: Window,
    fits: Callable[[AccountTrade], bool],
    number_of: Callable[[AccountTrade], int],
) -> Frame:
    found = [
        trade
        for trade in backend.exchange.trades(caller.account)
        if fits(trade) and window.holds(number_of(trade), ms(trade.ts_ns))
    ]
    ascending = window.starts
    rows, has_more = page(
        found,
        params.text("sorting", "default"),
        params.count(10, _TRADES_MAX),
        ascending=ascending,
    )
    return {"trades": [backend.user_trade_frame(trade) for trade in rows], "has_more": has_more}


def _is_kind(trade: AccountTrade, kind: Kind) -> bool:
    is_future = trade.instrument_id.endswith(("-PERPETUAL", "-PERP"))
    return kind is Kind.ANY or kind is (Kind.FUTURE if is_future else Kind.OPTION)


def _transaction_log(backend: Backend, caller: Caller, params: Params) -> Frame:
    """Newest first; `continuation` is the first row of the next page."""
    currency = backend.names.check_currency(params.text("currency"))
    first_ms = params.integer("start_timestamp")
    last_ms = params.integer("end_timestamp")
    query = params.optional_text("query")
    entries = [
        entry
        for entry in backend.sessions.entries(caller.account, currency)
        if first_ms <= ms(entry.source.ts_ns) <= last_ms and _matches(entry, query)
    ]
    rows, continuation = _continued(entries, params, _LOG_MAX)
    return {"logs": [log_frame(entry) for entry in rows], "continuation": continuation}


def _matches(entry: SessionEntry, query: str | None) -> bool:
    if query is None or query == entry.kind:
        return True
    return entry.instrument_id is not None and query in symbol_of(entry.instrument_id)


def _continued(
    entries: list[SessionEntry], params: Params, most: int
) -> tuple[list[SessionEntry], Any]:
    newest_first = list(reversed(entries))
    start = params.optional_integer("continuation")
    if start is not None:
        newest_first = [entry for entry in newest_first if entry.number <= start]
    count = params.count(100, most)
    more = newest_first[count : count + 1]
    return newest_first[:count], more[0].number if more else None


def _settlements(backend: Backend, caller: Caller, params: Params) -> Frame:
    currency: str | None = None
    name = params.optional_text("instrument_name")
    if name is None:
        currency = backend.names.check_currency(params.text("currency"))
    wanted = params.optional_text("type")
    if wanted not in (None, "settlement", "delivery", "bankruptcy"):
        raise invalid_params("type", "must be settlement, delivery or bankruptcy")
    entries = [
        entry
        for entry in backend.sessions.entries(caller.account, currency)
        if entry.kind in _SETTLED
        and entry.instrument_id is not None
        and wanted in (None, entry.kind)
        and name in (None, symbol_of(entry.instrument_id))
    ]
    rows, continuation = _continued(entries, params, _TRADES_MAX)
    frames = [settlement_frame(entry) for entry in rows]
    return {"settlements": frames, "continuation": continuation}


def _reads(handler: Handler, pool: str = "other") -> Method:
    return Method(handler=handler, scope="trade:read", pool=pool)


METHODS: Final[dict[str, Method]] = {
    "private/get_user_trades_by_currency": _reads(_by_currency),
    "private/get_user_trades_by_currency_and_time": _reads(_by_currency),
    "private/get_user_trades_by_instrument": _reads(_by_instrument),
    "private/get_user_trades_by_instrument_and_time": _reads(_by_instrument),
    "private/get_user_trades_by_order": _reads(_by_order),
    "private/get_transaction_log": _reads(_transaction_log, "transactions"),
    "private/get_settlement_history_by_currency": _reads(_settlements),
    "private/get_settlement_history_by_instrument": _reads(_settlements),
}
