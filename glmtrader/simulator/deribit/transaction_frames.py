"""The transaction log and settlement history on the wire."""

from typing import Final

from glmtrader.domain.pnl import ZERO
from glmtrader.simulator.deribit.order_frames import symbol_of
from glmtrader.simulator.deribit.sessions import SessionEntry
from glmtrader.simulator.deribit.tape import SettledInstrument
from glmtrader.simulator.deribit.wire import Frame, ms
from glmtrader.simulator.exchange_types import TransactionKind

_OPENING: Final = {"buy": "open buy", "sell": "open sell"}
_CLOSING: Final = {"buy": "close buy", "sell": "close sell"}


def log_frame(entry: SessionEntry) -> Frame:
    """One row of `private/get_transaction_log`."""
    source = entry.source
    frame: Frame = {
        "id": entry.number,
        "user_seq": entry.number,
        "user_id": 1,
        "username": source.account,
        "timestamp": ms(source.ts_ns),
        "type": entry.kind,
        "currency": source.currency,
        "balance": entry.balance,
        "change": entry.change,
        "cashflow": entry.cashflow,
        "session_rpl": entry.session_rpl,
        "commission": ZERO,
        "info": None,
    }
    if entry.instrument_id is not None:
        frame |= {
            "instrument_name": symbol_of(entry.instrument_id),
            "position": entry.position,
            "amount": entry.amount,
            "interest_pl": entry.funding,
            "total_interest_pl": entry.funding,
        }
    if source.price is not None:
        frame |= {"price": source.price, "mark_price": source.price, "index_price": source.price}
    return frame | _trade_fields(entry)


def settlement_frame(entry: SessionEntry) -> Frame:
    """One row of `private/get_settlement_history_by_*`."""
    assert entry.kind in (TransactionKind.SETTLEMENT, TransactionKind.DELIVERY), entry.kind
    assert entry.instrument_id is not None, f"log entry {entry.number} settles nothing"
    is_delivery = entry.kind is TransactionKind.DELIVERY
    return {
        "type": entry.kind,
        "timestamp": ms(entry.source.ts_ns),
        "instrument_name": symbol_of(entry.instrument_id),
        "position": entry.amount if is_delivery else entry.position,
        "mark_price": entry.source.price,
        "index_price": entry.source.price,
        "profit_loss": entry.cashflow,
        "session_profit_loss": entry.change,
        "funding": entry.funding,
    }


def public_settlement_frame(settled: SettledInstrument) -> Frame:
    """One row of `public/get_last_settlements_by_*`."""
    return {
        "type": "delivery" if settled.is_delivery else "settlement",
        "timestamp": ms(settled.ts_ns),
        "instrument_name": symbol_of(settled.instrument_id),
        "mark_price": settled.price,
        "index_price": settled.price,
    }


def _trade_fields(entry: SessionEntry) -> Frame:
    trade = entry.source.trade
    if trade is None or entry.kind is not TransactionKind.TRADE:
        return {}
    before = entry.position - trade.side.sign * trade.amount
    reduces = before * trade.side.sign < 0
    return {
        "commission": trade.fee,
        "price": trade.price,
        "price_currency": trade.fee_currency,
        "mark_price": trade.mark_price,
        "index_price": trade.index_usd,
        "trade_id": trade.trade_id,
        "order_id": trade.order_id,
        "side": (_CLOSING if reduces else _OPENING)[trade.side],
        "fee_role": "maker" if trade.is_maker else "taker",
        "user_role": "maker" if trade.is_maker else "taker",
        "profit_as_cashflow": False,
    }
