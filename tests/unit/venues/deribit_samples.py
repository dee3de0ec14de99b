"""Values that several Deribit tests start from."""

from decimal import Decimal

from glmtrader.domain.ids import AccountId, ClientOrderId, InstrumentId, IntentId, StrategyId
from glmtrader.domain.orders import Order, OrderPurpose, OrderType, Side, TimeInForce
from glmtrader.venues.deribit.frames import InstrumentData, TickSizeStep

ACCOUNT = AccountId("deribit-main")
NOW_NS = 1_774_000_000_000_000_000
EXPIRY_MS = 1_774_598_400_000
OPTION = "BTC-27MAR26-90000-C"


def order(
    *,
    side: Side = Side.BUY,
    post_only: bool = False,
    order_type: OrderType = OrderType.LIMIT,
    label: str = "pq-btc-1-1-0-0",
    valid_until_ns: int = NOW_NS + 5_000_000_000,
) -> Order:
    """A limit order for 0.3 of an option, unless said otherwise."""
    return Order(
        client_order_id=ClientOrderId(label),
        intent_id=IntentId("pq-btc-1-1"),
        strategy_id=StrategyId("pq-btc"),
        account_id=ACCOUNT,
        instrument_id=InstrumentId(f"deribit:{OPTION}"),
        side=side,
        order_type=order_type,
        time_in_force=TimeInForce.GOOD_TIL_CANCELLED,
        purpose=OrderPurpose.OPEN,
        quantity=Decimal("0.3"),
        price=Decimal("0.0315") if order_type is OrderType.LIMIT else None,
        post_only=post_only,
        reduce_only=False,
        valid_until_ns=valid_until_ns,
        leg=0,
        attempt=0,
    )


def option_data(name: str = OPTION, *, is_active: bool = True) -> InstrumentData:
    """An inverse option as the venue lists it today, with its tick steps."""
    _, _, strike, right = name.split("-")
    return InstrumentData(
        instrument_name=name,
        kind="option",
        base_currency="BTC",
        quote_currency="BTC",
        settlement_currency="BTC",
        instrument_type="reversed",
        tick_size=Decimal("0.0001"),
        tick_size_steps=(TickSizeStep(Decimal("0.005"), Decimal("0.0005")),),
        min_trade_amount=Decimal("0.1"),
        contract_size=Decimal(1),
        expiration_timestamp=EXPIRY_MS,
        strike=Decimal(strike),
        option_type="call" if right == "C" else "put",
        is_active=is_active,
    )


def perpetual_data() -> InstrumentData:
    """The inverse perpetual as the venue lists it today."""
    return InstrumentData(
        instrument_name="BTC-PERPETUAL",
        kind="future",
        base_currency="BTC",
        quote_currency="USD",
        settlement_currency="BTC",
        instrument_type="reversed",
        settlement_period="perpetual",
        tick_size=Decimal("0.5"),
        min_trade_amount=Decimal(10),
        contract_size=Decimal(10),
        expiration_timestamp=32_503_708_800_000,
    )
