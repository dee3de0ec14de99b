"""What Deribit says of an account: orders, trades, positions, balances and the transaction log."""

from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec


class OrderData(msgspec.Struct, frozen=True):
    """An order in a reply, a `user.orders` notification or a look-up.

    Attributes:
        price: a number, the words `market_price` for a market order, or nothing; ask `limit`.
        cancel_reason: why the venue cancelled it, for example `cancel_on_disconnect`.
    """

    order_id: str
    instrument_name: str
    order_state: str
    direction: str
    amount: Decimal
    last_update_timestamp: int
    filled_amount: Decimal = Decimal(0)
    label: str = ""
    price: Any = None
    cancel_reason: str = ""
    reject_reason: str = ""

    @property
    def limit(self) -> Decimal | None:
        """The limit price; None where the order has none."""
        try:
            return None if self.price is None else Decimal(str(self.price))
        except InvalidOperation:
            return None


class UserTradeData(msgspec.Struct, frozen=True):
    """One execution of ours; `liquidity` is `M` where our order was resting."""

    trade_id: str
    order_id: str
    instrument_name: str
    direction: str
    amount: Decimal
    price: Decimal
    fee: Decimal
    fee_currency: str
    timestamp: int
    liquidity: str
    label: str = ""
    index_price: Decimal | None = None
    trade_seq: int | None = None


class OrderReply(msgspec.Struct, frozen=True):
    """Result of `private/buy` and `private/sell`: the order and what it took at once."""

    order: OrderData
    trades: tuple[UserTradeData, ...] = ()


class PositionData(msgspec.Struct, frozen=True):
    """A position; `size` is signed, in USD for inverse perpetuals, else in coin."""

    instrument_name: str
    size: Decimal
    kind: str = ""
    mark_price: Decimal | None = None
    average_price: Decimal | None = None


class SummaryData(msgspec.Struct, frozen=True):
    """One currency of an account (`get_account_summaries`, `user.portfolio`).

    Equity = balance + session profit of futures (realised and not) + value of the options;
    premiums enter the balance at once, futures profit enters it at the daily settlement.
    """

    currency: str
    balance: Decimal
    equity: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal
    futures_session_rpl: Decimal | None = None
    session_rpl: Decimal | None = None


class Summaries(msgspec.Struct, frozen=True):
    """Result of `private/get_account_summaries`."""

    summaries: tuple[SummaryData, ...]


class UserTrades(msgspec.Struct, frozen=True):
    """A page of `private/get_user_trades_by_currency_and_time`."""

    trades: tuple[UserTradeData, ...]
    has_more: bool = False


class LogEntry(msgspec.Struct, frozen=True):
    """One line of the transaction log.

    Attributes:
        type: trade, settlement, delivery, deposit, transfer, … (the venue may add some).
        change: of the cash balance. interest_pl: funding received (positive) with this line.
        price: of the settlement or delivery. index_price: delivery price of options, in USD.
        commission: paid with this line; it is in `change` already.
    """

    id: int
    type: str
    timestamp: int
    currency: str
    change: Decimal
    instrument_name: str | None = None
    price: Decimal | None = None
    index_price: Decimal | None = None
    interest_pl: Decimal | None = None
    commission: Decimal | None = None


class TransactionLog(msgspec.Struct, frozen=True):
    """A page of `private/get_transaction_log`; `continuation` fetches the next one."""

    logs: tuple[LogEntry, ...]
    continuation: int | None = None


class AuthReply(msgspec.Struct, frozen=True):
    """Result of `public/auth`; only its lifetime is kept."""

    expires_in: int


class CancelOnDisconnect(msgspec.Struct, frozen=True):
    """Result of `private/get_cancel_on_disconnect`."""

    enabled: bool
    scope: str
