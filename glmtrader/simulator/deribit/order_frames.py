"""Orders and trades on the wire."""

from decimal import Decimal

from glmtrader.domain.instruments import Instrument
from glmtrader.domain.orders import OrderType
from glmtrader.simulator.deribit.option_math import percent
from glmtrader.simulator.deribit.tape import TapeTrade
from glmtrader.simulator.deribit.wire import Frame, ms
from glmtrader.simulator.exchange_types import AccountTrade, ExchangeOrder, PublicTrade


def order_frame(order: ExchangeOrder) -> Frame:
    """An order, as in replies and `user.orders`."""
    frame: Frame = {
        "order_id": order.order_id,
        "instrument_name": symbol_of(order.instrument_id),
        "direction": order.side,
        "order_type": order.order_type,
        "order_state": order.state,
        "time_in_force": order.time_in_force,
        "amount": order.amount,
        "filled_amount": order.filled,
        "price": "market_price" if order.order_type is OrderType.MARKET else order.price,
        "average_price": Decimal(0) if order.average_price is None else round_price(order),
        "label": order.label,
        "post_only": order.post_only,
        "reject_post_only": False,
        "reduce_only": order.reduce_only,
        "replaced": order.replaced,
        "is_liquidation": False,
        "is_rebalance": False,
        "risk_reducing": False,
        "mmp": False,
        "api": True,
        "web": False,
        "max_show": order.amount,
        "creation_timestamp": ms(order.created_ns),
        "last_update_timestamp": ms(order.updated_ns),
    }
    if order.cancel_reason:
        frame["cancel_reason"] = order.cancel_reason
    return frame


def user_trade_frame(
    trade: AccountTrade, instrument: Instrument | None, seen: TapeTrade | None
) -> Frame:
    """One account's side of a trade, as in replies and `user.trades`."""
    frame: Frame = {
        "trade_id": trade.trade_id,
        "trade_seq": trade.trade_seq,
        "timestamp": ms(trade.ts_ns),
        "instrument_name": symbol_of(trade.instrument_id),
        "order_id": trade.order_id,
        "order_type": "limit",
        "label": trade.label,
        "state": trade.order_state,
        "direction": trade.side,
        "amount": trade.amount,
        "price": trade.price,
        "mark_price": trade.mark_price,
        "index_price": trade.index_usd,
        "fee": trade.fee,
        "fee_currency": trade.fee_currency,
        "liquidity": "M" if trade.is_maker else "T",
        "profit_loss": trade.profit,
        "matching_id": None,
        "self_trade": False,
        "mmp": False,
        "api": True,
        "risk_reducing": False,
        "user_id": 1,
    }
    if instrument is not None:
        frame["contracts"] = contracts(instrument, trade.amount)
    return frame | _seen(seen)


def public_trade_frame(seen: TapeTrade, instrument: Instrument | None) -> Frame:
    """A trade as everybody sees it."""
    trade: PublicTrade = seen.trade
    frame: Frame = {
        "trade_id": trade.trade_id,
        "trade_seq": trade.trade_seq,
        "timestamp": ms(trade.ts_ns),
        "instrument_name": symbol_of(trade.instrument_id),
        "direction": trade.side,
        "amount": trade.amount,
        "price": trade.price,
        "mark_price": trade.mark_price,
        "index_price": trade.index_usd,
    }
    if instrument is not None:
        frame["contracts"] = contracts(instrument, trade.amount)
    frame |= _seen(seen)
    frame.pop("underlying_price", None)
    return frame


def symbol_of(instrument_id: str) -> str:
    """The wire's name of an instrument id, also of one that is gone."""
    return instrument_id.partition(":")[2]


def contracts(instrument: Instrument, amount: Decimal) -> Decimal:
    """An amount in contracts."""
    return amount / instrument.contract_size


def amount_of_contracts(instrument: Instrument, count: Decimal) -> Decimal:
    """Contracts in the instrument's amount unit."""
    return count * instrument.contract_size


def round_price(order: ExchangeOrder) -> Decimal:
    """The average price, with no more places than the wire shows."""
    assert order.average_price is not None, f"order {order.order_id} was never filled"
    return round(order.average_price, 8)


def _seen(seen: TapeTrade | None) -> Frame:
    if seen is None:
        return {}
    frame: Frame = {"tick_direction": seen.tick_direction}
    if seen.underlying_usd is not None:
        frame |= {"iv": percent(seen.volatility), "underlying_price": seen.underlying_usd}
    return frame
