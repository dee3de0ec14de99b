"""Public methods on the market as it is: instruments, tickers, books, indices."""

from typing import Final

from glmtrader.domain.instruments import Instrument
from glmtrader.simulator.deribit.backend import Backend, Caller
from glmtrader.simulator.deribit.errors import invalid_params
from glmtrader.simulator.deribit.instrument_frames import currency_frame, instrument_frame
from glmtrader.simulator.deribit.methods import Method
from glmtrader.simulator.deribit.names import Kind, index_name, underlying_of_index
from glmtrader.simulator.deribit.params import Params
from glmtrader.simulator.deribit.wire import Frame

_DEPTH_MAX: Final = 10_000


def _currencies(backend: Backend, _: Caller, __: Params) -> list[Frame]:
    coins = {item.settlement_currency for item in backend.names.listed()}
    return [currency_frame(coin) for coin in sorted(coins)]


def _instruments(backend: Backend, _: Caller, params: Params) -> list[Frame]:
    kind = params.choice("kind", Kind, Kind.ANY)
    currency = params.text("currency", "any")
    if params.flag("expired"):
        return []
    return [_frame(backend, item) for item in backend.names.listed(kind, currency)]


def _instrument(backend: Backend, _: Caller, params: Params) -> Frame:
    return _frame(backend, backend.names.get(params.text("instrument_name")))


def _frame(backend: Backend, instrument: Instrument) -> Frame:
    listed_ns = backend.tape.listed_ns(instrument.instrument_id)
    return instrument_frame(instrument, backend.exchange.config.fees, listed_ns, is_active=True)


def _ticker(backend: Backend, _: Caller, params: Params) -> Frame:
    return backend.tickers.ticker(backend.names.get(params.text("instrument_name")))


def _order_book(backend: Backend, _: Caller, params: Params) -> Frame:
    instrument = backend.names.get(params.text("instrument_name"))
    depth = params.integer("depth", 5)
    if not 1 <= depth <= _DEPTH_MAX:
        raise invalid_params("depth", f"must be 1 to {_DEPTH_MAX}")
    book = backend.exchange.order_book(instrument.instrument_id, depth)
    return backend.tickers.ticker(instrument) | {
        "change_id": book.change_id + backend.change_id_offset,
        "bids": [list(level) for level in book.bids],
        "asks": [list(level) for level in book.asks],
    }


def _summary_by_currency(backend: Backend, _: Caller, params: Params) -> list[Frame]:
    kind = params.choice("kind", Kind, Kind.ANY)
    currency = backend.names.check_currency(params.text("currency"))
    return [backend.tickers.summary(item) for item in backend.names.listed(kind, currency)]


def _summary_by_instrument(backend: Backend, _: Caller, params: Params) -> list[Frame]:
    return [backend.tickers.summary(backend.names.get(params.text("instrument_name")))]


def _index_price(backend: Backend, _: Caller, params: Params) -> Frame:
    coin = underlying_of_index(backend.exchange, params.text("index_name"))
    price = backend.exchange.index_usd(coin)
    return {"index_price": price, "estimated_delivery_price": price}


def _index(backend: Backend, _: Caller, params: Params) -> Frame:
    coin = params.text("currency")
    if coin not in backend.exchange.underlyings:
        raise invalid_params("currency", "invalid currency")
    price = backend.exchange.index_usd(coin)
    return {coin: price, "edp": price}


def _index_names(backend: Backend, _: Caller, __: Params) -> list[str]:
    return [index_name(coin) for coin in backend.exchange.underlyings]


def _contract_size(backend: Backend, _: Caller, params: Params) -> Frame:
    instrument = backend.names.get(params.text("instrument_name"))
    return {"contract_size": instrument.contract_size}


def _announcements(_: Backend, __: Caller, ___: Params) -> list[Frame]:
    return []


METHODS: Final[dict[str, Method]] = {
    "public/get_currencies": Method(handler=_currencies),
    "public/get_instruments": Method(handler=_instruments, pool="instruments"),
    "public/get_instrument": Method(handler=_instrument),
    "public/ticker": Method(handler=_ticker),
    "public/get_order_book": Method(handler=_order_book),
    "public/get_book_summary_by_currency": Method(handler=_summary_by_currency),
    "public/get_book_summary_by_instrument": Method(handler=_summary_by_instrument),
    "public/get_index_price": Method(handler=_index_price),
    "public/get_index": Method(handler=_index),
    "public/get_index_price_names": Method(handler=_index_names),
    "public/get_supported_index_names": Method(handler=_index_names),
    "public/get_contract_size": Method(handler=_contract_size),
    "public/get_announcements": Method(handler=_announcements),
}
