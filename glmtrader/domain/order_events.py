"""The way of an order: command, update, fill, and what the venue says about the account."""

from decimal import Decimal
from typing import ClassVar

import msgspec

from glmtrader.domain.decisions import Intent
from glmtrader.domain.event import Event
from glmtrader.domain.ids import (
    AccountId,
    ClientOrderId,
    InstrumentId,
    IntentId,
    StrategyId,
    TradeId,
    VenueOrderId,
)
from glmtrader.domain.orders import Order, OrderStatus, Side


class ExecutionCommand(Event, frozen=True, kw_only=True):
    """An approved intent; `intent.quantity` is what was approved, perhaps less than asked."""

    topic: ClassVar[str] = "execution.command"

    intent_id: IntentId
    strategy_id: StrategyId
    account_id: AccountId
    underlying: str
    intent: Intent
    approved_by: str
    quantity_asked: Decimal


class IntentCompleted(Event, frozen=True, kw_only=True):
    """Execution is done with an intent.

    Attributes:
        outcome: filled, partly_filled, unwound, not_filled or vetoed.
        detail: what happened, in a sentence.
    """

    topic: ClassVar[str] = "execution.completed"

    intent_id: IntentId
    strategy_id: StrategyId
    outcome: str
    quantity_done: Decimal
    detail: str


class OrderCommand(Event, frozen=True, kw_only=True):
    """An approved order, written ahead: it is committed before the first byte leaves.

    Attributes:
        approval_id: the approval that let it pass; order_hash: what the approval is bound to.
        degraded: approved on stale input at the last good price, with a wider collar.
    """

    topic: ClassVar[str] = "order.command"

    order: Order
    approval_id: str
    order_hash: str
    degraded: bool


class CancelCommand(Event, frozen=True, kw_only=True):
    """A cancel; it never needs an approval."""

    topic: ClassVar[str] = "order.cancel"

    account_id: AccountId
    client_order_id: ClientOrderId
    reason: str


class OrderUpdate(Event, frozen=True, kw_only=True):
    """What the venue, or reconciliation, says of an order's state. It moves no position.

    Attributes:
        quantity_filled: cumulative, where the venue gives it.
        source: stream, reply, reconciliation or local.
        reason: the venue's own code and words for a refusal, else empty.
    """

    topic: ClassVar[str] = "order.update"

    account_id: AccountId
    client_order_id: ClientOrderId
    venue_order_id: VenueOrderId | None
    instrument_id: InstrumentId
    status: OrderStatus
    quantity_filled: Decimal | None
    source: str
    reason: str


class Fill(Event, frozen=True, kw_only=True):
    """One execution, as the venue reports it; applied once for each (account, trade_id).

    Attributes:
        fee: paid (positive) or received (negative), in `fee_currency`.
        is_maker: whether our order was resting.
        cursor: the venue's ordering of trades of this account; grows with time.
        index_usd: the index at the trade, for USD figures; None where the venue does not say.
    """

    topic: ClassVar[str] = "order.fill"

    account_id: AccountId
    client_order_id: ClientOrderId | None
    venue_order_id: VenueOrderId
    trade_id: TradeId
    instrument_id: InstrumentId
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_currency: str
    is_maker: bool
    cursor: int
    index_usd: Decimal | None


class FundingPaid(Event, frozen=True, kw_only=True):
    """Funding left (positive) or entered (negative) the account."""

    topic: ClassVar[str] = "account.funding"

    account_id: AccountId
    instrument_id: InstrumentId
    amount: Decimal
    currency: str
    cursor: int


class SessionSettled(Event, frozen=True, kw_only=True):
    """Deribit's daily settlement: session profit moves to the balance, entries to `price`."""

    topic: ClassVar[str] = "account.settlement"

    account_id: AccountId
    instrument_id: InstrumentId
    price: Decimal
    cursor: int


class OptionDelivered(Event, frozen=True, kw_only=True):
    """An expiry's delivery price became final; every option of it settles on this one number.

    Attributes:
        fees: paid for the delivery by instrument, in its settlement currency; an instrument
            that is absent paid none.
    """

    topic: ClassVar[str] = "account.delivery"

    account_id: AccountId
    underlying: str
    expiry_ns: int
    delivery_price_usd: Decimal
    cursor: int
    fees: dict[InstrumentId, Decimal] = msgspec.field(default_factory=dict)


class CashTransferred(Event, frozen=True, kw_only=True):
    """Cash entered (positive) or left (negative) the account; nothing was earned or lost by it.

    Attributes:
        kind: the venue's own word: deposit, withdrawal, transfer and the like.
    """

    topic: ClassVar[str] = "account.transfer"

    account_id: AccountId
    currency: str
    amount: Decimal
    kind: str
    cursor: int


Cashflow = FundingPaid | SessionSettled | OptionDelivered | CashTransferred
"""What moves cash without an order."""


class VenueOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One order in a venue's report."""

    client_order_id: ClientOrderId | None
    venue_order_id: VenueOrderId
    instrument_id: InstrumentId
    side: Side
    status: OrderStatus
    quantity: Decimal
    quantity_filled: Decimal
    price: Decimal | None


class VenueBalance(msgspec.Struct, frozen=True, kw_only=True):
    """One currency of a venue account.

    Attributes:
        cash: settled cash plus realised session profit: what the ledger must equal.
        equity: cash plus unrealised profit and option value, on the venue's own marks.
        initial_margin, maintenance_margin: as the venue computes them.
    """

    currency: str
    cash: Decimal
    equity: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal


class VenueReport(Event, frozen=True, kw_only=True):
    """The venue's truth about an account at one moment: input of reconciliation.

    Attributes:
        orders: open orders, and those asked for by client id in `resolved`.
        resolved: client ids asked for one by one; those not in `orders` were not found.
        fills: all since the cursor that was asked for, ascending.
        cashflows: funding, settlements, deliveries and transfers since that cursor, ascending.
        positions: signed quantities by instrument; absent means flat.
        complete: False where it answers only `resolved` and says nothing of the rest.
    """

    topic: ClassVar[str] = "account.report"

    account_id: AccountId
    reason: str
    complete: bool
    orders: tuple[VenueOrder, ...]
    resolved: tuple[ClientOrderId, ...]
    fills: tuple[Fill, ...]
    cashflows: tuple[Cashflow, ...]
    positions: dict[InstrumentId, Decimal]
    balances: tuple[VenueBalance, ...]
