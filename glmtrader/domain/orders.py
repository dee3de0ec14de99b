"""Orders, fills and accounts as values. The life of an order is `execution.order_state`'s."""

from decimal import Decimal
from enum import StrEnum

import msgspec

from glmtrader.domain.ids import AccountId, ClientOrderId, InstrumentId, IntentId, StrategyId


class Side(StrEnum):
    """Direction of an order or fill."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> "Side":
        """The other side."""
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(StrEnum):
    """What is sent: a limit order always bounds the price; a market order is for closing only."""

    LIMIT = "limit"
    MARKET = "market"


class TimeInForce(StrEnum):
    """How long an order stays."""

    GOOD_TIL_CANCELLED = "good_til_cancelled"
    IMMEDIATE_OR_CANCEL = "immediate_or_cancel"


class OrderPurpose(StrEnum):
    """Why an order exists; the rules that apply depend on it (`risk.rules`)."""

    OPEN = "open"
    CLOSE = "close"
    HEDGE = "hedge"


class OrderStatus(StrEnum):
    """States of an order; the allowed transitions are drawn in `execution.order_state`."""

    CREATED = "created"
    SENT = "sent"
    ACCEPTED = "accepted"
    PARTLY_FILLED = "partly_filled"
    FILLED = "filled"
    CANCEL_REQUESTED = "cancel_requested"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    UNKNOWN = "unknown"

    @property
    def is_final(self) -> bool:
        """Whether nothing more can rest at the venue (late fills may still be reported)."""
        return self in _FINAL


_FINAL = frozenset(
    {OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.REJECTED, OrderStatus.EXPIRED}
)


class MarginMode(StrEnum):
    """Whether positions of an account share their margin."""

    CROSS = "cross"
    ISOLATED = "isolated"


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One margin account at one venue.

    Attributes:
        numeraire: `USD` or a coin; limits, drawdown and the hedge target count in it.
    """

    account_id: AccountId
    venue: str
    subaccount: str
    margin_mode: MarginMode
    numeraire: str


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a venue; immutable: a change of price is a new order.

    Attributes:
        quantity: in the instrument's own quantity unit, > 0.
        price: the limit; None for a market order alone.
        valid_until_ns: the venue's matching engine refuses it after this time, where it can.
        leg: index of the leg within the intent; `attempt` counts re-pricings of that leg.
    """

    client_order_id: ClientOrderId
    intent_id: IntentId
    strategy_id: StrategyId
    account_id: AccountId
    instrument_id: InstrumentId
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    purpose: OrderPurpose
    quantity: Decimal
    price: Decimal | None
    post_only: bool
    reduce_only: bool
    valid_until_ns: int
    leg: int
    attempt: int

    @property
    def signed_quantity(self) -> Decimal:
        """Quantity with the sign of its side."""
        return self.quantity if self.side is Side.BUY else -self.quantity
