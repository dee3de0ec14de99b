"""Instruments and bookings that the tests of P&L and ledger share."""

from decimal import Decimal

from glmtrader.domain.ids import AccountId, TradeId, VenueOrderId, instrument_id
from glmtrader.domain.instruments import DAY_NS, Instrument, InstrumentKind, TickStep
from glmtrader.domain.order_events import Fill
from glmtrader.domain.orders import Side

ACCOUNT = AccountId("main")
EXPIRY_NS = 20_600 * DAY_NS + 8 * 3600 * 1_000_000_000


def instrument(
    kind: InstrumentKind,
    symbol: str,
    *,
    strike: str | None = None,
    is_call: bool | None = None,
) -> Instrument:
    """An instrument of a kind on BTC, with steps small enough for every test."""
    inverse = kind in (InstrumentKind.INVERSE_OPTION, InstrumentKind.INVERSE_PERPETUAL)
    is_option = kind in (InstrumentKind.INVERSE_OPTION, InstrumentKind.LINEAR_OPTION)
    is_inverse_perpetual = kind is InstrumentKind.INVERSE_PERPETUAL
    price_in_coin = kind is InstrumentKind.INVERSE_OPTION
    return Instrument(
        instrument_id=instrument_id("sim", symbol),
        venue="sim",
        symbol=symbol,
        kind=kind,
        underlying="BTC",
        price_currency="BTC" if price_in_coin else "USDT",
        settlement_currency="BTC" if inverse else "USDT",
        quantity_currency="USD" if is_inverse_perpetual else "BTC",
        contract_size=Decimal(1),
        lot=Decimal("0.001"),
        quantity_min=Decimal("0.001"),
        tick_steps=(TickStep(Decimal(0), Decimal("0.0001")),),
        strike=None if strike is None else Decimal(strike),
        is_call=is_call,
        expiry_ns=EXPIRY_NS if is_option else None,
    )


INVERSE_PERPETUAL = instrument(InstrumentKind.INVERSE_PERPETUAL, "BTC-PERPETUAL")
LINEAR_PERPETUAL = instrument(InstrumentKind.LINEAR_PERPETUAL, "BTCUSDT-PERP")
SPOT = instrument(InstrumentKind.SPOT, "BTCUSDT")
INVERSE_CALL = instrument(InstrumentKind.INVERSE_OPTION, "BTC-90-C", strike="90000", is_call=True)
INVERSE_PUT = instrument(InstrumentKind.INVERSE_OPTION, "BTC-90-P", strike="90000", is_call=False)
LINEAR_CALL = instrument(InstrumentKind.LINEAR_OPTION, "BTC-L-C", strike="90000", is_call=True)
LINEAR_PUT = instrument(InstrumentKind.LINEAR_OPTION, "BTC-L-P", strike="90000", is_call=False)
EVERY_KIND = (INVERSE_PERPETUAL, LINEAR_PERPETUAL, SPOT, INVERSE_CALL, LINEAR_PUT)


def fill(
    traded: Instrument,
    quantity: str | Decimal,
    price: str | Decimal,
    *,
    trade_id: str = "t1",
    cursor: int = 1,
    fee: str | Decimal = "0",
    fee_currency: str | None = None,
) -> Fill:
    """A fill of signed `quantity`."""
    signed = Decimal(quantity)
    return Fill(
        ts_event=cursor,
        ts_init=cursor,
        account_id=ACCOUNT,
        client_order_id=None,
        venue_order_id=VenueOrderId("v"),
        trade_id=TradeId(trade_id),
        instrument_id=traded.instrument_id,
        side=Side.BUY if signed > 0 else Side.SELL,
        quantity=abs(signed),
        price=Decimal(price),
        fee=Decimal(fee),
        fee_currency=fee_currency or traded.settlement_currency,
        is_maker=False,
        cursor=cursor,
        index_usd=None,
    )
