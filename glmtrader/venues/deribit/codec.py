"""Deribit's public data as domain values: instruments and ticks. Pure, both ways checked."""

from decimal import Decimal

from glmtrader.domain.instruments import Instrument, InstrumentKind, TickStep
from glmtrader.domain.market_events import Candle, MarketTick
from glmtrader.errors import ProtocolError
from glmtrader.venues.deribit.frames import ChartData, InstrumentData, TickerData
from glmtrader.venues.deribit.names import MS_NS, VENUE, id_of


def instrument_of(data: InstrumentData) -> Instrument | None:
    """An instrument of a kind that is traded here; None for dated futures and combinations.

    Raises:
        InstrumentError: its terms contradict each other.
        ProtocolError: an option without strike, right or expiry.
    """
    kind = _kind(data)
    if kind is None:
        return None
    is_option = kind in (InstrumentKind.INVERSE_OPTION, InstrumentKind.LINEAR_OPTION)
    if is_option and data.expiration_timestamp is None:
        raise ProtocolError(f"{data.instrument_name}: an option without expiration_timestamp")
    expiry_ns = (data.expiration_timestamp or 0) * MS_NS if is_option else None
    usd_quantity = kind is InstrumentKind.INVERSE_PERPETUAL
    return Instrument(
        instrument_id=id_of(data.instrument_name),
        venue=VENUE,
        symbol=data.instrument_name,
        kind=kind,
        underlying=data.base_currency,
        price_currency=data.quote_currency,
        settlement_currency=_settlement(data, kind),
        quantity_currency="USD" if usd_quantity else data.base_currency,
        contract_size=data.contract_size,
        lot=min(data.contract_size, data.min_trade_amount),
        quantity_min=data.min_trade_amount,
        tick_steps=_tick_steps(data),
        strike=data.strike if is_option else None,
        is_call=_is_call(data) if is_option else None,
        expiry_ns=expiry_ns,
    )


def tick_of(data: TickerData, *, ts_init: int) -> MarketTick:
    """Top of book from a ticker; zero and null prices are empty sides.

    Raises:
        ProtocolError: a price or amount is negative or not a number.
    """
    bid = data.best_bid_price or None
    ask = data.best_ask_price or None
    bid_quantity = None if bid is None else data.best_bid_amount
    ask_quantity = None if ask is None else data.best_ask_amount
    for value in (bid, ask, bid_quantity, ask_quantity, data.mark_price, data.index_price):
        if value is not None and not (value.is_finite() and value >= 0):
            raise ProtocolError(f"ticker of {data.instrument_name}: {value} is no price or amount")
    return MarketTick(
        ts_event=data.timestamp * MS_NS,
        ts_init=ts_init,
        instrument_id=id_of(data.instrument_name),
        bid=bid,
        ask=ask,
        bid_quantity=bid_quantity,
        ask_quantity=ask_quantity,
        mark=data.mark_price,
        index_usd=data.index_price,
    )


def candles_of(data: ChartData, *, underlying: str, interval_ns: int, now_ns: int) -> list[Candle]:
    """Completed bars, ascending; the bar still open at `now_ns` (venue time) is left out.

    Raises:
        ProtocolError: columns of unequal length, or bars out of order.
    """
    if data.status == "no_data":
        return []
    columns = (data.open, data.high, data.low, data.close, data.volume)
    if any(len(column) != len(data.ticks) for column in columns):
        raise ProtocolError(f"chart data of {underlying}: columns of unequal length")
    if any(later <= earlier for earlier, later in zip(data.ticks, data.ticks[1:], strict=False)):
        raise ProtocolError(f"chart data of {underlying}: bars do not ascend")
    return [
        Candle(
            ts_event=opened_ms * MS_NS + interval_ns,
            ts_init=now_ns,
            underlying=underlying,
            open_ns=opened_ms * MS_NS,
            interval_ns=interval_ns,
            open=data.open[row],
            high=data.high[row],
            low=data.low[row],
            close=data.close[row],
            volume=data.volume[row],
        )
        for row, opened_ms in enumerate(data.ticks)
        if opened_ms * MS_NS + interval_ns <= now_ns
    ]


def _kind(data: InstrumentData) -> InstrumentKind | None:
    inverse = _is_inverse(data)
    if data.kind == "option":
        return InstrumentKind.INVERSE_OPTION if inverse else InstrumentKind.LINEAR_OPTION
    if data.kind == "future" and data.settlement_period == "perpetual":
        return InstrumentKind.INVERSE_PERPETUAL if inverse else InstrumentKind.LINEAR_PERPETUAL
    return InstrumentKind.SPOT if data.kind == "spot" else None


def _is_inverse(data: InstrumentData) -> bool:
    """Settled in the coin itself; the form of 2021 does not say it and has nothing else."""
    said = data.instrument_type or data.future_type
    if said is not None:
        return said == "reversed"
    return data.settlement_currency in (None, data.base_currency)


def _settlement(data: InstrumentData, kind: InstrumentKind) -> str:
    if data.settlement_currency is not None:
        return data.settlement_currency
    inverse = kind in (InstrumentKind.INVERSE_OPTION, InstrumentKind.INVERSE_PERPETUAL)
    return data.base_currency if inverse else data.quote_currency


def _is_call(data: InstrumentData) -> bool:
    if data.option_type not in ("call", "put"):
        raise ProtocolError(f"{data.instrument_name}: option_type {data.option_type!r} is no right")
    return data.option_type == "call"


def _tick_steps(data: InstrumentData) -> tuple[TickStep, ...]:
    steps = sorted(data.tick_size_steps, key=lambda step: step.above_price)
    return (
        TickStep(price_from=Decimal(0), tick=data.tick_size),
        *(TickStep(price_from=step.above_price, tick=step.tick_size) for step in steps),
    )
