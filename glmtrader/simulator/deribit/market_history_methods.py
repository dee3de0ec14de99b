"""Public methods on the market's past: trades, candles, funding, deliveries."""

from datetime import UTC, datetime
from typing import Final

from glmtrader.domain.instruments import MILLISECOND_NS, MINUTE_NS, SECOND_NS, Instrument
from glmtrader.simulator.deribit.backend import Backend, Caller
from glmtrader.simulator.deribit.candle_frames import RESOLUTIONS, chart_frame
from glmtrader.simulator.deribit.errors import invalid_params
from glmtrader.simulator.deribit.methods import Method
from glmtrader.simulator.deribit.names import Kind, kind_of, underlying_of_index
from glmtrader.simulator.deribit.order_frames import public_trade_frame, symbol_of
from glmtrader.simulator.deribit.paging import Window, page, trade_number
from glmtrader.simulator.deribit.params import Params
from glmtrader.simulator.deribit.tape import SettledInstrument, TapeTrade
from glmtrader.simulator.deribit.transaction_frames import public_settlement_frame
from glmtrader.simulator.deribit.wire import Frame, ms

_TRADES_MAX: Final = 1_000
_BARS_MAX: Final = 5_000


def _trades_by_instrument(backend: Backend, _: Caller, params: Params) -> Frame:
    name = backend.names.get(params.text("instrument_name")).instrument_id
    window = Window.of(params, "start_seq", "end_seq", int)
    found = [
        item
        for item in backend.tape.trades
        if item.trade.instrument_id == name
        and window.holds(item.trade.trade_seq, ms(item.trade.ts_ns))
    ]
    return _trades_frame(backend, params, found, window)


def _trades_by_currency(backend: Backend, _: Caller, params: Params) -> Frame:
    currency = backend.names.check_currency(params.text("currency"))
    kind = params.choice("kind", Kind, Kind.ANY)
    window = Window.of(params, "start_id", "end_id", trade_number)
    found = [
        item
        for item in backend.tape.trades
        if currency in ("any", item.trade.trade_id.partition("-")[0])
        and window.holds(trade_number(item.trade.trade_id), ms(item.trade.ts_ns))
        and _is_kind(backend, item, kind)
    ]
    return _trades_frame(backend, params, found, window)


def _is_kind(backend: Backend, item: TapeTrade, kind: Kind) -> bool:
    if kind is Kind.ANY:
        return True
    instrument = backend.names.find(symbol_of(item.trade.instrument_id))
    return instrument is not None and kind_of(instrument) is kind


def _trades_frame(
    backend: Backend, params: Params, found: list[TapeTrade], window: Window
) -> Frame:
    sorting, count = params.text("sorting", "default"), params.count(10, _TRADES_MAX)
    rows, has_more = page(found, sorting, count, ascending=window.starts)
    frames = [
        public_trade_frame(item, backend.names.find(symbol_of(item.trade.instrument_id)))
        for item in rows
    ]
    return {"trades": frames, "has_more": has_more}


def _chart(backend: Backend, _: Caller, params: Params) -> Frame:
    """Bars of a perpetual; options have none here."""
    instrument = backend.names.get(params.text("instrument_name"))
    resolution = params.text("resolution")
    if resolution not in RESOLUTIONS:
        raise invalid_params("resolution", f"must be one of {', '.join(RESOLUTIONS)}")
    first_ms, last_ms = params.integer("start_timestamp"), params.integer("end_timestamp")
    interval_ns = RESOLUTIONS[resolution]
    if interval_ns % (5 * MINUTE_NS) or instrument.is_option:
        return chart_frame(None, first_ms)
    until_ns = min((last_ms + 1) * MILLISECOND_NS + interval_ns, backend.exchange.now_ns)
    wanted = max(0, (until_ns - first_ms * MILLISECOND_NS) // interval_ns + 1)
    bars = backend.exchange.candles(
        instrument.underlying, interval_ns, until_ns, min(wanted, _BARS_MAX)
    )
    return chart_frame(bars, first_ms)


def _funding_value(backend: Backend, _: Caller, params: Params) -> float:
    """The sum of the hours that ended in the span."""
    rows = _funding_rows(backend, params)
    return float(sum(row["interest_1h"] for row in rows))


def _funding_history(backend: Backend, _: Caller, params: Params) -> list[Frame]:
    return _funding_rows(backend, params)


def _funding_rows(backend: Backend, params: Params) -> list[Frame]:
    instrument = _perpetual(backend, params)
    first_ms, last_ms = params.integer("start_timestamp"), params.integer("end_timestamp")
    return [
        {
            "timestamp": ms(hour.end_ns),
            "index_price": hour.index_usd,
            "prev_index_price": hour.previous_index_usd,
            "interest_1h": hour.rate_1h,
            "interest_8h": hour.rate_8h,
        }
        for hour in backend.tape.funding.get(instrument.instrument_id, ())
        if first_ms <= ms(hour.end_ns) <= last_ms
    ]


def _perpetual(backend: Backend, params: Params) -> Instrument:
    instrument = backend.names.get(params.text("instrument_name"))
    if not instrument.is_perpetual:
        raise invalid_params("instrument_name", "must be a perpetual")
    return instrument


def _delivery_prices(backend: Backend, _: Caller, params: Params) -> Frame:
    coin = underlying_of_index(backend.exchange, params.text("index_name"))
    rows = [
        {
            "date": datetime.fromtimestamp(item.expiry_ns / SECOND_NS, UTC).strftime("%Y-%m-%d"),
            "delivery_price": item.price_usd,
        }
        for item in reversed(backend.tape.deliveries)
        if item.underlying == coin
    ]
    offset = params.integer("offset", 0)
    if offset < 0:
        raise invalid_params("offset", "must not be negative")
    count = params.count(10, _TRADES_MAX)
    return {"data": rows[offset : offset + count], "records_total": len(rows)}


def _settlements_by_instrument(backend: Backend, _: Caller, params: Params) -> Frame:
    name = params.text("instrument_name")
    found = [it for it in backend.tape.settled if symbol_of(it.instrument_id) == name]
    return _settlements_frame(params, found)


def _settlements_by_currency(backend: Backend, _: Caller, params: Params) -> Frame:
    currency = backend.names.check_currency(params.text("currency"))
    prefix = "" if currency == "any" else f"{currency}-"
    found = [
        item for item in backend.tape.settled if symbol_of(item.instrument_id).startswith(prefix)
    ]
    return _settlements_frame(params, found)


def _settlements_frame(params: Params, found: list[SettledInstrument]) -> Frame:
    wanted = params.optional_text("type")
    found = [it for it in found if wanted in (None, "delivery" if it.is_delivery else "settlement")]
    count = params.count(20, _TRADES_MAX)
    start = params.integer("continuation", 0)
    rows = list(reversed(found))[start : start + count]
    more = start + count if start + count < len(found) else None
    frames = [public_settlement_frame(item) for item in rows]
    return {"settlements": frames, "continuation": None if more is None else str(more)}


METHODS: Final[dict[str, Method]] = {
    "public/get_last_trades_by_instrument": Method(handler=_trades_by_instrument),
    "public/get_last_trades_by_instrument_and_time": Method(handler=_trades_by_instrument),
    "public/get_last_trades_by_currency": Method(handler=_trades_by_currency),
    "public/get_last_trades_by_currency_and_time": Method(handler=_trades_by_currency),
    "public/get_tradingview_chart_data": Method(handler=_chart),
    "public/get_funding_rate_value": Method(handler=_funding_value),
    "public/get_funding_rate_history": Method(handler=_funding_history),
    "public/get_delivery_prices": Method(handler=_delivery_prices),
    "public/get_last_settlements_by_instrument": Method(handler=_settlements_by_instrument),
    "public/get_last_settlements_by_currency": Method(handler=_settlements_by_currency),
}
