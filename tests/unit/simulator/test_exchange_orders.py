"""Orders at the exchange: what is refused, with which name, and what becomes of the rest."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import DAY_NS, HOUR_NS, SECOND_NS
from glmtrader.domain.orders import OrderType, Side, TimeInForce
from glmtrader.errors import ConfigurationError
from glmtrader.simulator.contracts import linear_perpetual
from glmtrader.simulator.exchange import SimulatedExchange
from glmtrader.simulator.exchange_config import AccountConfig, ExchangeConfig
from glmtrader.simulator.exchange_types import (
    OrderRequest,
    OrderState,
    PlatformState,
    TradeExecuted,
)
from glmtrader.simulator.refusals import ExchangeRefusedError
from glmtrader.simulator.scripted import OptionQuote, ScriptedMarket, bitcoin_market

D = Decimal
START_NS = 20_600 * DAY_NS + 9 * HOUR_NS
PERPETUAL = InstrumentId("deribit:BTC-PERPETUAL")
CALL = InstrumentId("deribit:BTC-28MAY26-100000-C")
EXPIRY_NS = 20_601 * DAY_NS + 8 * HOUR_NS


class World:
    """An exchange with two accounts on a market that the test moves."""

    def __init__(self) -> None:
        self.market: ScriptedMarket = bitcoin_market(START_NS, expiries_ns=(EXPIRY_NS,))
        accounts = tuple(
            AccountConfig(name=name, api_key=f"key-{name}", api_secret="s", balances={"BTC": D(1)})
            for name in ("alice", "bob")
        )
        self.config = ExchangeConfig(accounts=accounts)
        self.exchange = SimulatedExchange(self.market, self.config, START_NS)
        self.now_ns = START_NS

    def order(self, account: str = "alice", **changes: Any) -> OrderRequest:
        request = OrderRequest(
            account=account,
            instrument_id=PERPETUAL,
            side=Side.BUY,
            amount=D(1000),
            price=D(99_000),
            label="a",
        )
        return msgspec.structs.replace(request, **changes)

    def refusal(self, request: OrderRequest) -> str:
        before = self.exchange.snapshot()
        with pytest.raises(ExchangeRefusedError) as caught:
            self.exchange.submit(request, self.now_ns)
        assert self.exchange.snapshot() == before, "a refusal changes nothing"
        return caught.value.code

    def step(self, seconds: int = 1) -> list[Any]:
        self.now_ns += seconds * SECOND_NS
        return list(self.exchange.advance(self.now_ns))


@pytest.fixture
def world() -> World:
    return World()


def test_the_call_has_the_name_the_tests_use(world: World) -> None:
    """Names follow Deribit's spelling."""
    assert CALL in {item.instrument_id for item in world.exchange.instruments()}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"price": D("99000.3")}, "price_wrong_tick"),
        ({"price": D(0)}, "invalid_price"),
        ({"price": None}, "invalid_price"),
        ({"price": D("NaN")}, "invalid_price"),
        ({"amount": D(5)}, "qty_too_low"),
        ({"amount": D(15)}, "invalid_quantity"),
        ({"amount": D(-10)}, "invalid_amount"),
        ({"amount": D("NaN")}, "invalid_amount"),
        ({"instrument_id": InstrumentId("deribit:XYZ")}, "invalid_or_unsupported_instrument"),
        ({"account": "mallory"}, "invalid_credentials"),
        ({"valid_until_ns": START_NS - 1}, "timed_out"),
        ({"label": "x" * 65}, "other_reject"),
        ({"reduce_only": True}, "other_reject"),
        ({"price": D(100_001), "post_only": True, "reject_post_only": True}, "post_only_reject"),
        ({"amount": D(10_000_000)}, "not_enough_funds"),
        ({"instrument_id": CALL, "amount": D("0.1"), "price": D("0.0312")}, "price_wrong_tick"),
        ({"instrument_id": CALL, "amount": D("0.15"), "price": D("0.03")}, "invalid_quantity"),
        ({"instrument_id": CALL, "amount": D(40), "price": D("0.03")}, "not_enough_funds"),
        (
            {"instrument_id": CALL, "amount": D(6), "price": D("0.05"), "side": Side.SELL},
            "not_enough_funds",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    world: World, changes: dict[str, Any], code: str
) -> None:
    """Every refusal has Deribit's name and leaves the exchange as it was."""
    assert world.refusal(world.order(**changes)) == code


def test_a_crossing_limit_fills_at_the_crowds_price_and_the_rest_rests(world: World) -> None:
    """The crowd's size bounds the fill."""
    world.market.move(100_000, size_usd=600)
    world.step()
    reply = world.exchange.submit(world.order(price=D(100_010)), world.now_ns)
    assert reply.order.state is OrderState.OPEN
    assert (reply.order.filled, reply.order.average_price) == (D(600), D("100000.5"))
    assert [trade.amount for trade in reply.trades] == [D(600)]
    book = world.exchange.order_book(PERPETUAL, 5)
    assert book.bids[0] == (D(100_010), D(400))
    assert book.asks == ()


def test_an_immediate_order_never_rests(world: World) -> None:
    """What does not fill at once is cancelled."""
    world.market.move(100_000, size_usd=600)
    world.step()
    ioc = TimeInForce.IMMEDIATE_OR_CANCEL
    reply = world.exchange.submit(world.order(price=D(100_010), time_in_force=ioc), world.now_ns)
    assert reply.order.state is OrderState.CANCELLED
    assert (reply.order.filled, reply.order.cancel_reason) == (D(600), "immediate_or_cancel")
    assert world.exchange.open_orders("alice") == []


def test_a_market_order_takes_what_there_is(world: World) -> None:
    """Without enough liquidity the remainder is cancelled."""
    world.market.move(100_000, size_usd=600)
    world.step()
    request = world.order(price=None, order_type=OrderType.MARKET)
    reply = world.exchange.submit(request, world.now_ns)
    assert (reply.order.filled, reply.order.cancel_reason) == (D(600), "no_liquidity")


def test_a_resting_order_fills_as_maker_when_the_crowd_comes_to_it(world: World) -> None:
    """At its own price, without a taker's fee, on the step that moved the market."""
    world.exchange.submit(world.order(price=D(99_500)), world.now_ns)
    assert not any(isinstance(event, TradeExecuted) for event in world.step())
    world.market.move(99_400)
    trades = [event.trade for event in world.step() if isinstance(event, TradeExecuted)]
    assert [(item.price, item.amount, item.fee) for item in trades] == [(D(99_500), D(1000), D(0))]
    assert trades[0].is_maker
    assert trades[0].order_state is OrderState.FILLED


def test_two_accounts_trade_with_each_other_at_the_resting_price(world: World) -> None:
    """Both get the same trade id; the taker pays the fee."""
    world.exchange.submit(world.order("bob", side=Side.SELL, price=D(100_000)), world.now_ns)
    reply = world.exchange.submit(world.order("alice", price=D(100_000)), world.now_ns)
    trades = [event.trade for event in reply.events if isinstance(event, TradeExecuted)]
    assert {item.account for item in trades} == {"alice", "bob"}
    assert len({item.trade_id for item in trades}) == 1
    assert {item.account: item.fee for item in trades} == {"alice": D("0.000005"), "bob": D(0)}


def test_an_account_never_trades_with_itself(world: World) -> None:
    """The taker's remainder is cancelled before it meets its own order."""
    world.exchange.submit(world.order(side=Side.SELL, price=D(100_000)), world.now_ns)
    reply = world.exchange.submit(world.order(price=D(100_000)), world.now_ns)
    assert (reply.order.filled, reply.order.cancel_reason) == (D(0), "self_trade")


def test_a_plain_post_only_order_moves_to_one_tick_from_the_spread(world: World) -> None:
    """Without reject_post_only the price is made to rest."""
    reply = world.exchange.submit(world.order(price=D(100_050), post_only=True), world.now_ns)
    assert reply.order.price == D(100_000)
    assert reply.order.filled == 0


def test_reduce_only_shrinks_to_the_position_and_follows_it(world: World) -> None:
    """It never opens the other side, also when the position shrinks while it rests."""
    world.exchange.submit(world.order(price=D(100_010)), world.now_ns)
    reply = world.exchange.submit(
        world.order(side=Side.SELL, amount=D(5000), price=D(101_000), reduce_only=True),
        world.now_ns,
    )
    assert reply.order.amount == D(1000)
    sell = world.order(side=Side.SELL, amount=D(700), price=D(99_990))
    world.exchange.submit(sell, world.now_ns)
    assert world.exchange.order("alice", reply.order.order_id).amount == D(300)
    sell = world.order(side=Side.SELL, amount=D(300), price=D(99_990))
    world.exchange.submit(sell, world.now_ns)
    closed = world.exchange.order("alice", reply.order.order_id)
    assert (closed.state, closed.cancel_reason) == (OrderState.CANCELLED, "reduce_only")


def test_labels_are_not_unique(world: World) -> None:
    """Two orders of one label are both found by it."""
    for _ in range(2):
        world.exchange.submit(world.order(label="twin"), world.now_ns)
    assert len(world.exchange.orders_by_label("alice", "twin")) == 2
    assert world.exchange.orders_by_label("bob", "twin") == []


def test_an_edit_keeps_its_place_only_when_it_shrinks_at_its_price(world: World) -> None:
    """A higher amount or another price goes to the end of the queue."""
    mine = world.exchange.submit(world.order(), world.now_ns).order
    theirs = world.exchange.submit(world.order("bob"), world.now_ns).order
    edits: dict[str, Any] = {"price": D(99_000), "post_only": False, "reduce_only": False}
    smaller = world.exchange.edit(
        "alice", mine.order_id, amount=D(500), now_ns=world.now_ns, **edits
    )
    assert smaller.order.priority < theirs.priority
    larger = world.exchange.edit(
        "alice", mine.order_id, amount=D(900), now_ns=world.now_ns, **edits
    )
    assert larger.order.priority > theirs.priority


def test_an_edit_that_crosses_trades_and_one_that_may_not_leaves_the_order(world: World) -> None:
    """An edited order is a taker where its new price says so."""
    order = world.exchange.submit(world.order(), world.now_ns).order
    with pytest.raises(ExchangeRefusedError, match="post_only_reject"):
        world.exchange.edit(
            "alice",
            order.order_id,
            amount=D(1000),
            price=D(100_050),
            post_only=True,
            reduce_only=False,
            now_ns=world.now_ns,
        )
    assert world.exchange.order("alice", order.order_id) == order
    reply = world.exchange.edit(
        "alice",
        order.order_id,
        amount=D(1000),
        price=D(100_050),
        post_only=False,
        reduce_only=False,
        now_ns=world.now_ns,
    )
    assert reply.order.state is OrderState.FILLED
    assert reply.trades[0].price == D("100000.5")


def test_only_the_owner_cancels_and_only_once(world: World) -> None:
    """Another's order, a closed one and an unknown one each have their refusal."""
    order = world.exchange.submit(world.order(), world.now_ns).order
    with pytest.raises(ExchangeRefusedError, match="not_owner_of_order"):
        world.exchange.cancel("bob", order.order_id, world.now_ns)
    world.exchange.cancel("alice", order.order_id, world.now_ns)
    with pytest.raises(ExchangeRefusedError, match="not_open_order"):
        world.exchange.cancel("alice", order.order_id, world.now_ns)
    with pytest.raises(ExchangeRefusedError, match="order_not_found"):
        world.exchange.cancel("alice", "BTC-999", world.now_ns)


def test_cancel_all_takes_what_fits_and_nothing_else(world: World) -> None:
    """By connection, for cancel-on-disconnect, and never another account's."""
    world.exchange.submit(world.order(connection="one"), world.now_ns)
    world.exchange.submit(world.order(connection="two"), world.now_ns)
    world.exchange.submit(world.order("bob", connection="one"), world.now_ns)
    count, _ = world.exchange.cancel_all("alice", world.now_ns, connection="one")
    assert count == 1
    assert [item.connection for item in world.exchange.open_orders("alice")] == ["two"]
    assert len(world.exchange.open_orders("bob")) == 1


def test_a_lock_lets_cancels_through_and_maintenance_nothing(world: World) -> None:
    """Platform states have their own refusals."""
    order = world.exchange.submit(world.order(), world.now_ns).order
    world.exchange.set_platform(PlatformState.LOCKED, "audit", world.now_ns)
    assert world.refusal(world.order()) == "locked_by_admin"
    world.exchange.set_platform(PlatformState.MAINTENANCE, "upgrade", world.now_ns)
    with pytest.raises(ExchangeRefusedError, match="system_maintenance"):
        world.exchange.cancel("alice", order.order_id, world.now_ns)
    world.exchange.set_platform(PlatformState.LOCKED, "audit", world.now_ns)
    assert world.exchange.cancel("alice", order.order_id, world.now_ns).order.state == "cancelled"


def test_a_halted_book_takes_and_fills_nothing_until_it_opens(world: World) -> None:
    """Resting orders wait; they meet the crowd when the book opens again."""
    world.exchange.submit(world.order(price=D(99_500)), world.now_ns)
    world.exchange.halt_book(PERPETUAL, halted=True, now_ns=world.now_ns)
    assert world.refusal(world.order()) == "not_open_instrument"
    world.market.move(99_000)
    assert not any(isinstance(event, TradeExecuted) for event in world.step())
    events = world.exchange.halt_book(PERPETUAL, halted=False, now_ns=world.now_ns)
    assert any(isinstance(event, TradeExecuted) for event in events)


def test_nothing_fills_while_the_platform_is_locked(world: World) -> None:
    """A lock pauses trading; what the crowd reached meanwhile fills when it opens."""
    world.exchange.submit(world.order(price=D(99_500)), world.now_ns)
    world.exchange.set_platform(PlatformState.LOCKED, "audit", world.now_ns)
    world.market.move(99_000)
    assert not any(isinstance(event, TradeExecuted) for event in world.step())
    events = world.exchange.set_platform(PlatformState.OPEN, "done", world.now_ns)
    assert any(isinstance(event, TradeExecuted) for event in events)


def test_history_is_there_for_who_asks(world: World) -> None:
    """Own closed orders, own trades by number, and everybody's executions."""
    first = world.exchange.submit(world.order(price=D(100_100)), world.now_ns)
    second = world.exchange.submit(world.order(price=D(100_100)), world.now_ns)
    closed = world.exchange.closed_orders("alice", 10)
    assert {item.order_id for item in closed} == {first.order.order_id, second.order.order_id}
    later = world.exchange.trades("alice", instrument_id=PERPETUAL, since_trade_seq=2)
    assert later == list(second.trades)
    public = world.exchange.public_trades(PERPETUAL, 1)
    assert [item.trade_id for item in public] == [second.trades[0].trade_id]
    assert world.exchange.ticker(PERPETUAL).last_price == D("100000.5")


def test_a_linear_perpetual_pays_in_dollars(world: World) -> None:
    """0.5 coin from 100,000.5 to 101,999.5 pay 999.5 USD, less 0.05 % of each side."""
    perpetual = linear_perpetual("deribit", "BTC", D("0.5"))
    market = ScriptedMarket(perpetual, (), index_usd=100_000.0, start_ns=START_NS)
    account = AccountConfig(name="usd", api_key="k", api_secret="s", balances={"USD": D(9_000)})
    exchange = SimulatedExchange(market, ExchangeConfig(accounts=(account,)), START_NS)
    name = perpetual.instrument_id
    buy = world.order("usd", instrument_id=name, amount=D("0.5"), price=D(100_100))
    exchange.submit(buy, START_NS)
    market.move(102_000)
    exchange.advance(START_NS + SECOND_NS)
    sell = msgspec.structs.replace(buy, side=Side.SELL, price=D(101_900))
    exchange.submit(sell, START_NS + SECOND_NS)
    fees = D("25.000125") + D("25.499875")
    assert exchange.account_summary("usd", "USD").cash == D("9999.5") - fees


def test_a_delisted_instrument_is_closed_and_its_orders_are_cancelled(world: World) -> None:
    """Listings go while orders rest."""
    request = world.order(instrument_id=CALL, amount=D("0.1"), price=D("0.01"))
    order = world.exchange.submit(request, world.now_ns).order
    world.market.unlist(CALL)
    world.step()
    assert world.exchange.order("alice", order.order_id).state is OrderState.CANCELLED
    assert world.refusal(request) == "invalid_or_unsupported_instrument"


def test_an_old_option_quote_fills_nobody_where_the_configuration_says_so() -> None:
    """With recorded chains options trade at recorded moments only."""
    world = World()
    config = msgspec.structs.replace(world.config, option_quote_age_ns_max=SECOND_NS)
    world.exchange = SimulatedExchange(world.market, config, START_NS)
    ioc = TimeInForce.IMMEDIATE_OR_CANCEL
    request = world.order(instrument_id=CALL, amount=D("0.1"), price=D("0.0300"), time_in_force=ioc)
    assert world.exchange.submit(request, world.now_ns).order.filled == D("0.1")
    world.step(2)
    assert world.exchange.submit(request, world.now_ns).order.filled == 0


@pytest.mark.parametrize("bid_ask", [(0.03, 0.02), (float("nan"), float("nan")), (-1.0, 0.0)])
def test_a_crossed_or_senseless_crowd_quote_trades_with_nobody(
    world: World, bid_ask: tuple[float, float]
) -> None:
    """Bad quotes are no liquidity."""
    quote = OptionQuote(bid=bid_ask[0], ask=bid_ask[1], mark=0.02)
    world.market.quote(CALL, quote)
    world.market.move(100_000)
    world.step()
    book = world.exchange.order_book(CALL, 1)
    assert (book.bids, book.asks) == ((), ())


def test_an_exchange_without_margins_for_a_coin_does_not_start() -> None:
    """A missing slope is a fault of the configuration, not zero."""
    world = World()
    rates = msgspec.structs.replace(world.config.margin, perpetual_slope_per_coin={})
    config = msgspec.structs.replace(world.config, margin=rates)
    with pytest.raises(ConfigurationError, match="perpetual_slope_per_coin has no BTC"):
        SimulatedExchange(world.market, config, START_NS)
