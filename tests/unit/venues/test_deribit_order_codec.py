"""Orders to Deribit's words and back."""

from decimal import Decimal

import msgspec
import pytest
from deribit_samples import ACCOUNT, NOW_NS, OPTION, order

from glmtrader.domain.orders import OrderStatus, OrderType, Side
from glmtrader.errors import ProtocolError
from glmtrader.venues.deribit.account_frames import OrderData, UserTradeData
from glmtrader.venues.deribit.order_codec import (
    fills_of,
    order_method,
    order_params,
    status_of,
    update_of,
    venue_order_of,
)

ENCODER = msgspec.json.Encoder(decimal_format="number")


def order_data(state: str, filled: str = "0", price: object = 0.0315) -> OrderData:
    body = {
        "order_id": "42",
        "instrument_name": OPTION,
        "order_state": state,
        "direction": "buy",
        "amount": 0.3,
        "filled_amount": float(filled),
        "label": "a-1-1-0-0",
        "price": price,
        "last_update_timestamp": 1_774_000_000_000,
        "cancel_reason": "cancel_on_disconnect" if state == "cancelled" else "",
    }
    return msgspec.json.decode(msgspec.json.encode(body), type=OrderData)


def trade_data(trade_id: str, timestamp: int) -> UserTradeData:
    return UserTradeData(
        trade_id=trade_id,
        order_id="42",
        instrument_name=OPTION,
        direction="sell",
        amount=Decimal("0.1"),
        price=Decimal("0.031"),
        fee=Decimal("-0.00001"),
        fee_currency="BTC",
        timestamp=timestamp,
        liquidity="M",
        label="a-1-1-0-0",
        index_price=Decimal(90000),
    )


def test_a_limit_order_in_the_venues_words() -> None:
    """Label, exact digits, and a valid_until in the venue's time."""
    params = order_params(
        order(post_only=True), valid_until_ns=NOW_NS + 5_000_000_000, clock_offset_ns=-250_000_000
    )
    assert ENCODER.encode(params) == (
        b'{"instrument_name":"BTC-27MAR26-90000-C","amount":0.3,"type":"limit",'
        b'"label":"pq-btc-1-1-0-0","reduce_only":false,"valid_until":1774000004750,'
        b'"price":0.0315,"time_in_force":"good_til_cancelled",'
        b'"post_only":true,"reject_post_only":true}'
    )
    assert order_method(order(side=Side.BUY)) == "private/buy"
    assert order_method(order(side=Side.SELL)) == "private/sell"


def test_a_market_order_carries_no_price() -> None:
    """Neither price nor time in force go with a market order."""
    params = order_params(
        order(order_type=OrderType.MARKET), valid_until_ns=NOW_NS, clock_offset_ns=0
    )
    assert not {"price", "time_in_force", "post_only"} & params.keys()


@pytest.mark.parametrize(
    ("state", "filled", "status"),
    [
        ("open", "0", OrderStatus.ACCEPTED),
        ("open", "0.1", OrderStatus.PARTLY_FILLED),
        ("filled", "0.3", OrderStatus.FILLED),
        ("cancelled", "0.1", OrderStatus.CANCELLED),
        ("rejected", "0", OrderStatus.REJECTED),
        ("untriggered", "0", OrderStatus.ACCEPTED),
    ],
)
def test_states(state: str, filled: str, status: OrderStatus) -> None:
    """Each state of the venue has its status."""
    assert status_of(order_data(state, filled)) is status


def test_an_unknown_state_is_an_error() -> None:
    """A state that nobody described is not guessed at."""
    with pytest.raises(ProtocolError, match="archived"):
        status_of(order_data("archived"))


def test_an_update_says_why_the_venue_cancelled() -> None:
    """The cancel reason is kept; an order without label is not ours."""
    update = update_of(order_data("cancelled"), account_id=ACCOUNT, source="stream", ts_init=1)
    assert update is not None
    assert update.reason == "cancel_on_disconnect"
    unlabelled = msgspec.structs.replace(order_data("open"), label="")
    assert update_of(unlabelled, account_id=ACCOUNT, source="stream", ts_init=1) is None


@pytest.mark.parametrize(
    ("price", "limit"),
    [(0.0315, Decimal("0.0315")), ("0.0315", Decimal("0.0315")), ("market_price", None)],
)
def test_prices_of_orders_from_either_wire(price: object, limit: Decimal | None) -> None:
    """A number, a quoted number (as ccxt gives it) and a market order's words."""
    assert venue_order_of(order_data("open", price=price)).price == limit


def test_fills_come_in_order_and_once() -> None:
    """The same trade from two pages is one fill; the cursor is the trade's time in ms."""
    trades = [trade_data("t2", 20), trade_data("t1", 10), trade_data("t2", 20)]
    fills = fills_of(trades, account_id=ACCOUNT, ts_init=NOW_NS)
    assert [(fill.trade_id, fill.cursor) for fill in fills] == [("t1", 10), ("t2", 20)]
    assert fills[0].is_maker
    assert fills[0].fee == Decimal("-0.00001")
