"""What Deribit sends, as typed values: envelopes and public notifications.

Prices and amounts are Decimal, read from the digits on the wire and never through a float.
Fields that this system does not use are not declared; the venue adds new ones at any time.
"""

from decimal import Decimal

import msgspec

ABSENT = msgspec.Raw(b"")
"""A field that the frame does not have; a JSON null is `null`, not this."""


class RpcError(msgspec.Struct, frozen=True):
    """The venue's refusal of one request."""

    code: int
    message: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")

    def words(self) -> str:
        """Code, message and data in one line, as the venue gave them."""
        data = bytes(self.data).decode(errors="replace")
        return f"{self.code} {self.message}" + ("" if data in {"null", "{}", ""} else f" {data}")


class NotificationParams(msgspec.Struct, frozen=True):
    """`params` of a notification: a channel with its data, or a heartbeat's type."""

    channel: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")
    type: str = ""


class Envelope(msgspec.Struct, frozen=True):
    """Any frame: a reply has an `id`; a notification has a `method`."""

    id: int | None = None
    method: str | None = None
    params: NotificationParams | None = None
    result: msgspec.Raw = ABSENT
    error: RpcError | None = None


class TickerData(msgspec.Struct, frozen=True):
    """`ticker.{instrument}.{interval}`; a price of zero or null is an empty side."""

    instrument_name: str
    timestamp: int
    best_bid_price: Decimal | None
    best_ask_price: Decimal | None
    best_bid_amount: Decimal | None
    best_ask_amount: Decimal | None
    mark_price: Decimal
    index_price: Decimal
    state: str = "open"
    underlying_price: Decimal | None = None
    mark_iv: Decimal | None = None
    funding_8h: Decimal | None = None
    current_funding: Decimal | None = None
    open_interest: Decimal | None = None


class BookLevel(msgspec.Struct, frozen=True, array_like=True):
    """`[action, price, amount]` with action new, change or delete."""

    action: str
    price: Decimal
    amount: Decimal


class BookData(msgspec.Struct, frozen=True):
    """`book.{instrument}.{interval}`: a snapshot, then changes chained by `prev_change_id`."""

    instrument_name: str
    timestamp: int
    change_id: int
    bids: tuple[BookLevel, ...]
    asks: tuple[BookLevel, ...]
    type: str = "snapshot"
    prev_change_id: int | None = None


class QuoteData(msgspec.Struct, frozen=True):
    """`quote.{instrument}`: best bid and ask alone."""

    instrument_name: str
    timestamp: int
    best_bid_price: Decimal | None
    best_ask_price: Decimal | None
    best_bid_amount: Decimal | None
    best_ask_amount: Decimal | None


class PublicTradeData(msgspec.Struct, frozen=True):
    """One element of `trades.{instrument}.{interval}`."""

    instrument_name: str
    trade_id: str
    trade_seq: int
    timestamp: int
    direction: str
    price: Decimal
    amount: Decimal
    index_price: Decimal | None = None


class PriceIndexData(msgspec.Struct, frozen=True):
    """`deribit_price_index.{index}`: the price that options settle on."""

    index_name: str
    price: Decimal
    timestamp: int


class PlatformStateData(msgspec.Struct, frozen=True):
    """`platform_state`: an index that was locked or unlocked, or maintenance on and off."""

    price_index: str | None = None
    locked: bool | None = None
    maintenance: bool | None = None


class PlatformStatus(msgspec.Struct, frozen=True):
    """`public/status`: `locked` is `true`, `partial` or `false`."""

    locked: str | bool
    locked_indices: tuple[str, ...] = ()


class InstrumentStateData(msgspec.Struct, frozen=True):
    """`instrument.state.{kind}.{currency}`: a listing changed its state."""

    instrument_name: str
    state: str
    timestamp: int


class TickSizeStep(msgspec.Struct, frozen=True):
    """Above `above_price` the tick is `tick_size`."""

    above_price: Decimal
    tick_size: Decimal


class InstrumentData(msgspec.Struct, frozen=True):
    """One element of `public/get_instruments`; the shorter form of 2021 parses too."""

    instrument_name: str
    kind: str
    base_currency: str
    quote_currency: str
    tick_size: Decimal
    min_trade_amount: Decimal
    contract_size: Decimal
    expiration_timestamp: int | None = None
    is_active: bool = True
    settlement_period: str | None = None
    settlement_currency: str | None = None
    instrument_type: str | None = None
    future_type: str | None = None
    strike: Decimal | None = None
    option_type: str | None = None
    tick_size_steps: tuple[TickSizeStep, ...] = ()


class BookSummaryData(msgspec.Struct, frozen=True):
    """One row of `public/get_book_summary_by_currency`; floats, for the analytic side."""

    instrument_name: str
    creation_timestamp: int
    mark_price: float | None = None
    bid_price: float | None = None
    ask_price: float | None = None
    underlying_price: float | None = None
    estimated_delivery_price: float | None = None
    mark_iv: float | None = None


class ChartData(msgspec.Struct, frozen=True):
    """`public/get_tradingview_chart_data`: columns of one length; `ticks` are openings in ms."""

    ticks: tuple[int, ...]
    open: tuple[float, ...]
    high: tuple[float, ...]
    low: tuple[float, ...]
    close: tuple[float, ...]
    volume: tuple[float, ...]
    status: str = "ok"
