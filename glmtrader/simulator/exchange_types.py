"""Values of the simulated exchange: requests, orders, trades, transactions, events and views.

Only frozen structs enter here. Amounts are in the instrument's own quantity unit, prices in its own
price unit, cash in the settlement coin; all of them Decimal. Times are ns UTC.
"""

from decimal import Decimal
from enum import StrEnum

import msgspec

from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import Instrument
from glmtrader.domain.orders import OrderType, Side, TimeInForce


class OrderState(StrEnum):
    """Deribit's words for an order's state (a refused order never becomes one)."""

    OPEN = "open"
    FILLED = "filled"
    CANCELLED = "cancelled"


class PlatformState(StrEnum):
    """What the whole platform lets pass."""

    OPEN = "open"
    LOCKED = "locked"
    """No new orders or edits; cancels work."""

    MAINTENANCE = "maintenance"
    """Nothing works, market data neither."""


class OrderRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An order as it reaches the matching engine.

    Attributes:
        price: None for a market order alone.
        label: the client's own name; not unique, as on Deribit.
        post_only, reject_post_only: with both a crossing order is refused, with the first alone
            its price moves to one tick from the spread.
        valid_until_ns: refused with `timed_out` when it arrives later; None never expires.
        connection: whatever the server calls the connection, for cancel-on-disconnect.
    """

    account: str
    instrument_id: InstrumentId
    side: Side
    amount: Decimal
    price: Decimal | None
    order_type: OrderType = OrderType.LIMIT
    time_in_force: TimeInForce = TimeInForce.GOOD_TIL_CANCELLED
    label: str = ""
    post_only: bool = False
    reject_post_only: bool = False
    reduce_only: bool = False
    valid_until_ns: int | None = None
    connection: str = ""


class ExchangeOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order the exchange took, at one moment of its life.

    Attributes:
        filled: cumulative; `amount - filled` rests while the state is open.
        average_price: of what was filled, None before.
        priority: place in the queue at its price; the smaller was there first.
        cancel_reason: user_request, settlement, self_trade, immediate_or_cancel, no_liquidity,
            reduce_only, cancel_on_disconnect or delisted; empty unless cancelled.
    """

    order_id: str
    account: str
    label: str
    instrument_id: InstrumentId
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    amount: Decimal
    filled: Decimal
    price: Decimal | None
    average_price: Decimal | None
    commission: Decimal
    post_only: bool
    reduce_only: bool
    state: OrderState
    cancel_reason: str
    connection: str
    priority: int
    created_ns: int
    updated_ns: int
    replaced: bool = False

    @property
    def remaining(self) -> Decimal:
        """What is not filled."""
        return self.amount - self.filled


class AccountTrade(msgspec.Struct, frozen=True, kw_only=True):
    """One account's side of one execution.

    Attributes:
        trade_id: `BTC-17`; both accounts of an execution see the same.
        trade_seq: counts the executions of this instrument from 1.
        cursor: the transaction that booked it.
        fee: paid (positive) in `fee_currency`.
        profit: realised, in the settlement currency, before the fee.
    """

    trade_id: str
    trade_seq: int
    cursor: int
    ts_ns: int
    account: str
    order_id: str
    label: str
    instrument_id: InstrumentId
    side: Side
    amount: Decimal
    price: Decimal
    fee: Decimal
    fee_currency: str
    is_maker: bool
    profit: Decimal
    mark_price: Decimal | None
    index_usd: Decimal
    order_state: OrderState


class TransactionKind(StrEnum):
    """Why cash moved."""

    TRADE = "trade"
    FUNDING = "funding"
    SETTLEMENT = "settlement"
    DELIVERY = "delivery"
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"


class DeliveredPosition(msgspec.Struct, frozen=True, kw_only=True):
    """One option position that an expiry ended; `payoff` in the settlement currency, signed."""

    instrument_id: InstrumentId
    quantity: Decimal
    payoff: Decimal


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """One booking in an account; the sum of `change` by currency is its cash.

    Attributes:
        cursor: grows over all bookings of all accounts; never used twice.
        change: of cash, fees included. cash: after it.
        trade: of a trade. price: of a settlement or delivery.
        underlying, expiry_ns, delivered: of a delivery, one for all options of an expiry.
    """

    cursor: int
    ts_ns: int
    account: str
    kind: TransactionKind
    currency: str
    change: Decimal
    cash: Decimal
    instrument_id: InstrumentId | None = None
    trade: AccountTrade | None = None
    price: Decimal | None = None
    underlying: str | None = None
    expiry_ns: int | None = None
    delivered: tuple[DeliveredPosition, ...] = ()


class OrderChanged(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An order was taken, filled, edited or cancelled."""

    order: ExchangeOrder


class TradeExecuted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An account traded; two accounts that trade with each other get one each."""

    trade: AccountTrade


class PublicTrade(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What everybody sees of an execution; `side` is the taker's."""

    trade_id: str
    trade_seq: int
    ts_ns: int
    instrument_id: InstrumentId
    side: Side
    amount: Decimal
    price: Decimal
    mark_price: Decimal | None
    index_usd: Decimal


class CashBooked(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Funding, a session settlement or a delivery was booked."""

    transaction: Transaction


class InstrumentsChanged(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Listings came and went."""

    ts_ns: int
    listed: tuple[Instrument, ...]
    delisted: tuple[InstrumentId, ...]


class ExpiryDelivered(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The delivery price of an expiry became final, whether or not anybody held it."""

    ts_ns: int
    underlying: str
    expiry_ns: int
    price_usd: Decimal


class PlatformChanged(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The platform was locked, went into maintenance or opened."""

    ts_ns: int
    state: PlatformState
    reason: str


class BookStateChanged(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One instrument's book was halted, or opened again."""

    ts_ns: int
    instrument_id: InstrumentId
    halted: bool


ExchangeEvent = (
    OrderChanged
    | TradeExecuted
    | PublicTrade
    | CashBooked
    | InstrumentsChanged
    | ExpiryDelivered
    | PlatformChanged
    | BookStateChanged
)


class OrderReply(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to submit and edit: the order, its own trades, and all events (others' too)."""

    order: ExchangeOrder
    trades: tuple[AccountTrade, ...]
    events: tuple[ExchangeEvent, ...]


class BookView(msgspec.Struct, frozen=True, kw_only=True):
    """A book's levels `(price, amount)`, best first, crowd and accounts together."""

    instrument_id: InstrumentId
    ts_ns: int
    change_id: int
    bids: tuple[tuple[Decimal, Decimal], ...]
    asks: tuple[tuple[Decimal, Decimal], ...]


class TickerView(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument at one moment; None where there is nothing to say.

    Attributes:
        underlying_usd: forward of an option's expiry, else the index.
        mark_vol: of options, a fraction a year. funding_rate_8h: of perpetuals.
        halted: whether its book takes no orders.
    """

    instrument_id: InstrumentId
    ts_ns: int
    bid: Decimal | None
    ask: Decimal | None
    bid_amount: Decimal
    ask_amount: Decimal
    mark_price: Decimal | None
    index_usd: Decimal
    underlying_usd: Decimal
    mark_vol: float | None
    funding_rate_8h: float | None
    last_price: Decimal | None
    halted: bool


class PositionView(msgspec.Struct, frozen=True, kw_only=True):
    """An open position on the exchange's marks; money in the settlement currency.

    Attributes:
        average_price: of the session (a settlement moves a perpetual's to its price).
        floating_pnl: of a perpetual since entry or settlement; an option's value against cost.
        value: what it adds to equity beyond cash.
    """

    instrument_id: InstrumentId
    quantity: Decimal
    average_price: Decimal
    mark_price: Decimal | None
    index_usd: Decimal
    floating_pnl: Decimal
    value: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal


class AccountSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One currency of an account, in Deribit's terms.

    Attributes:
        balance: cash without the running session's realised profit.
        cash: balance + session_rpl: every booking there was.
        margin_balance: cash + session_upl; standard margin counts no option value.
        equity: margin_balance + options_value.
        initial_margin: with open orders at their worst. available_funds: may be negative.
    """

    account: str
    currency: str
    balance: Decimal
    cash: Decimal
    session_rpl: Decimal
    session_upl: Decimal
    options_value: Decimal
    margin_balance: Decimal
    equity: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal
    available_funds: Decimal
