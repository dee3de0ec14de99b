"""The simulated exchange's words in the project's own: pure translation for the paper venue."""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from glmtrader.domain.ids import AccountId, ClientOrderId, TradeId, VenueOrderId
from glmtrader.domain.instruments import Instrument
from glmtrader.domain.market_events import ChainSnapshot, MarketTick
from glmtrader.domain.order_events import (
    Cashflow,
    CashTransferred,
    Fill,
    FundingPaid,
    OptionDelivered,
    OrderUpdate,
    SessionSettled,
    VenueBalance,
    VenueOrder,
    VenueReport,
)
from glmtrader.domain.orders import Order, OrderStatus
from glmtrader.simulator.exchange import SimulatedExchange
from glmtrader.simulator.exchange_types import (
    AccountTrade,
    ExchangeOrder,
    OrderRequest,
    OrderState,
    PlatformState,
    TickerView,
    Transaction,
    TransactionKind,
)

PLATFORM_STATUS: Final = {
    PlatformState.OPEN: "open",
    PlatformState.LOCKED: "locked",
    PlatformState.MAINTENANCE: "maintenance",
}
"""`VenueStatusChanged.status` of each platform state."""


def request_of(order: Order, account: str) -> OrderRequest:
    """An order as the exchange takes it: the client id is its label; post-only never moves."""
    return OrderRequest(
        account=account,
        instrument_id=order.instrument_id,
        side=order.side,
        amount=order.quantity,
        price=order.price,
        order_type=order.order_type,
        time_in_force=order.time_in_force,
        label=order.client_order_id,
        post_only=order.post_only,
        reject_post_only=order.post_only,
        reduce_only=order.reduce_only,
        valid_until_ns=order.valid_until_ns,
    )


def status_of(order: ExchangeOrder) -> OrderStatus:
    """The project's word for an order's state."""
    if order.state is OrderState.FILLED:
        return OrderStatus.FILLED
    if order.state is OrderState.CANCELLED:
        return OrderStatus.CANCELLED
    return OrderStatus.PARTLY_FILLED if order.filled else OrderStatus.ACCEPTED


def order_update(
    order: ExchangeOrder, account_id: AccountId, *, source: str, ts_init: int, reason: str = ""
) -> OrderUpdate:
    """An order's state as an event."""
    return OrderUpdate(
        ts_event=order.updated_ns,
        ts_init=ts_init,
        account_id=account_id,
        client_order_id=ClientOrderId(order.label),
        venue_order_id=VenueOrderId(order.order_id),
        instrument_id=order.instrument_id,
        status=status_of(order),
        quantity_filled=order.filled,
        source=source,
        reason=reason or order.cancel_reason,
    )


def fill_of(trade: AccountTrade, account_id: AccountId, *, ts_init: int) -> Fill:
    """An account's trade as an event."""
    return Fill(
        ts_event=trade.ts_ns,
        ts_init=ts_init,
        account_id=account_id,
        client_order_id=ClientOrderId(trade.label) if trade.label else None,
        venue_order_id=VenueOrderId(trade.order_id),
        trade_id=TradeId(trade.trade_id),
        instrument_id=trade.instrument_id,
        side=trade.side,
        quantity=trade.amount,
        price=trade.price,
        fee=trade.fee,
        fee_currency=trade.fee_currency,
        is_maker=trade.is_maker,
        cursor=trade.cursor,
        index_usd=trade.index_usd,
    )


def cashflow_of(item: Transaction, account_id: AccountId, *, ts_init: int) -> Cashflow | None:
    """A booking other than a trade as an event; None for trades."""
    if item.kind is TransactionKind.FUNDING:
        assert item.instrument_id is not None, "funding is paid on an instrument"
        return FundingPaid(
            ts_event=item.ts_ns,
            ts_init=ts_init,
            account_id=account_id,
            instrument_id=item.instrument_id,
            amount=-item.change,
            currency=item.currency,
            cursor=item.cursor,
        )
    if item.kind is TransactionKind.SETTLEMENT:
        assert item.instrument_id is not None, "a session is settled on an instrument"
        assert item.price is not None, "a session is settled at a price"
        return SessionSettled(
            ts_event=item.ts_ns,
            ts_init=ts_init,
            account_id=account_id,
            instrument_id=item.instrument_id,
            price=item.price,
            cursor=item.cursor,
        )
    if item.kind is TransactionKind.DELIVERY:
        return _delivery_of(item, account_id, ts_init)
    if item.kind in (TransactionKind.DEPOSIT, TransactionKind.WITHDRAWAL):
        return CashTransferred(
            ts_event=item.ts_ns,
            ts_init=ts_init,
            account_id=account_id,
            currency=item.currency,
            amount=item.change,
            kind=item.kind.value,
            cursor=item.cursor,
        )
    return None


def _delivery_of(item: Transaction, account_id: AccountId, ts_init: int) -> OptionDelivered:
    assert item.underlying is not None, "a delivery names its underlying"
    assert item.expiry_ns is not None, "a delivery names its expiry"
    assert item.price is not None, "a delivery has one price"
    return OptionDelivered(
        ts_event=item.ts_ns,
        ts_init=ts_init,
        account_id=account_id,
        underlying=item.underlying,
        expiry_ns=item.expiry_ns,
        delivery_price_usd=item.price,
        cursor=item.cursor,
    )


def market_tick(view: TickerView, *, ts_init: int) -> MarketTick:
    """A ticker as an event; a halted book shows no quotes."""
    return MarketTick(
        ts_event=view.ts_ns,
        ts_init=ts_init,
        instrument_id=view.instrument_id,
        bid=None if view.halted else view.bid,
        ask=None if view.halted else view.ask,
        bid_quantity=None if view.halted or view.bid is None else view.bid_amount,
        ask_quantity=None if view.halted or view.ask is None else view.ask_amount,
        mark=view.mark_price,
        index_usd=view.index_usd,
    )


def chain_snapshot(
    exchange: SimulatedExchange, underlying: str, venue: str, *, ts_init: int
) -> ChainSnapshot:
    """The crowd's chain as an event; the columns are copies, the model keeps its own."""
    chain = exchange.chain(underlying)
    return ChainSnapshot(
        ts_event=chain.ts_ns,
        ts_init=ts_init,
        underlying=underlying,
        venue=venue,
        instrument_ids=chain.instrument_ids,
        expiry_ns=chain.expiry_ns.copy(),
        strike=chain.strike.copy(),
        is_call=chain.is_call.copy(),
        bid=chain.bid.copy(),
        ask=chain.ask.copy(),
        mark=chain.mark.copy(),
        bid_quantity=np.nan_to_num(chain.bid_size),
        ask_quantity=np.nan_to_num(chain.ask_size),
        forward=chain.forward.copy(),
        inverse=True,
        index_usd=float(exchange.index_usd(underlying)),
        mark_vol=chain.mark_vol.copy(),
    )


def venue_report(
    exchange: SimulatedExchange,
    account: str,
    account_id: AccountId,
    *,
    reason: str,
    since_cursor: int,
    resolve: Sequence[ClientOrderId],
) -> VenueReport:
    """The whole truth about an account now; `ts_init` is set by whoever publishes it."""
    now_ns = exchange.now_ns
    booked = exchange.transactions(account, since_cursor)
    cashflows = (cashflow_of(item, account_id, ts_init=now_ns) for item in booked)
    return VenueReport(
        ts_event=now_ns,
        ts_init=now_ns,
        account_id=account_id,
        reason=reason,
        complete=True,
        orders=_orders(exchange, account, resolve),
        resolved=tuple(resolve),
        fills=tuple(
            fill_of(item.trade, account_id, ts_init=now_ns)
            for item in booked
            if item.trade is not None
        ),
        cashflows=tuple(item for item in cashflows if item is not None),
        positions={item.instrument_id: item.quantity for item in exchange.positions(account)},
        balances=tuple(
            _balance(exchange, account, currency) for currency in exchange.currencies(account)
        ),
    )


def held_instruments(exchange: SimulatedExchange, account: str) -> Iterable[Instrument]:
    """Instruments of open positions, listed or not."""
    return [exchange.instrument(item.instrument_id) for item in exchange.positions(account)]


def _orders(
    exchange: SimulatedExchange, account: str, resolve: Sequence[ClientOrderId]
) -> tuple[VenueOrder, ...]:
    found = {order.order_id: order for order in exchange.open_orders(account)}
    for label in resolve:
        found.update((item.order_id, item) for item in exchange.orders_by_label(account, label))
    return tuple(
        VenueOrder(
            client_order_id=ClientOrderId(order.label) if order.label else None,
            venue_order_id=VenueOrderId(order.order_id),
            instrument_id=order.instrument_id,
            side=order.side,
            status=status_of(order),
            quantity=order.amount,
            quantity_filled=order.filled,
            price=order.price,
        )
        for order in found.values()
    )


def _balance(exchange: SimulatedExchange, account: str, currency: str) -> VenueBalance:
    summary = exchange.account_summary(account, currency)
    return VenueBalance(
        currency=currency,
        cash=summary.cash,
        equity=summary.equity,
        initial_margin=summary.initial_margin,
        maintenance_margin=summary.maintenance_margin,
    )
