"""What time does at the exchange: funding, sessions, expiries, listings, and keeping its state."""

from decimal import Decimal

import pytest

from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import DAY_NS, HOUR_NS, SECOND_NS
from glmtrader.domain.orders import Side
from glmtrader.errors import DataError
from glmtrader.simulator.contracts import inverse_option
from glmtrader.simulator.exchange import SimulatedExchange
from glmtrader.simulator.exchange_config import AccountConfig, ExchangeConfig
from glmtrader.simulator.exchange_types import (
    CashBooked,
    ExpiryDelivered,
    InstrumentsChanged,
    OrderRequest,
    Transaction,
    TransactionKind,
)
from glmtrader.simulator.refusals import ExchangeRefusedError
from glmtrader.simulator.scripted import ScriptedMarket, bitcoin_market

D = Decimal
EXPIRY_NS = 20_601 * DAY_NS + 8 * HOUR_NS
START_NS = EXPIRY_NS - 2 * HOUR_NS - 30 * 60 * SECOND_NS
PERPETUAL = InstrumentId("deribit:BTC-PERPETUAL")
CALL = InstrumentId("deribit:BTC-28MAY26-100000-C")
PUT = InstrumentId("deribit:BTC-28MAY26-100000-P")
CONFIG = ExchangeConfig(
    accounts=(AccountConfig(name="main", api_key="k", api_secret="s", balances={"BTC": D(5)}),)
)


@pytest.fixture
def market() -> ScriptedMarket:
    return bitcoin_market(START_NS, expiries_ns=(EXPIRY_NS, EXPIRY_NS + DAY_NS))


@pytest.fixture
def exchange(market: ScriptedMarket) -> SimulatedExchange:
    return SimulatedExchange(market, CONFIG, START_NS)


def trade(
    exchange: SimulatedExchange, instrument_id: InstrumentId, side: Side, amount: str
) -> None:
    """Take what the crowd offers."""
    prices = {Side.BUY: D(200_000), Side.SELL: D(10_000)}
    if instrument_id != PERPETUAL:
        prices = {Side.BUY: D("0.1"), Side.SELL: D("0.0005")}
    request = OrderRequest(
        account="main",
        instrument_id=instrument_id,
        side=side,
        amount=D(amount),
        price=prices[side],
    )
    assert exchange.submit(request, exchange.now_ns).order.remaining == 0


def booked(exchange: SimulatedExchange, kind: TransactionKind) -> list[Transaction]:
    return [item for item in exchange.transactions("main") if item.kind is kind]


def test_every_option_of_an_expiry_is_delivered_at_one_price(
    exchange: SimulatedExchange, market: ScriptedMarket
) -> None:
    """Calls and puts settle together, in one booking, at the model's delivery price."""
    trade(exchange, CALL, Side.BUY, "2")
    trade(exchange, PUT, Side.SELL, "1")
    market.set_delivery(EXPIRY_NS, 125_000)
    market.move(110_000)
    events = exchange.advance(EXPIRY_NS + SECOND_NS)
    (delivery,) = booked(exchange, TransactionKind.DELIVERY)
    assert delivery.price == D(125_000)
    assert {item.instrument_id: item.payoff for item in delivery.delivered} == {
        CALL: D("0.4"),
        PUT: D(0),
    }
    assert exchange.positions("main") == []
    assert delivery.ts_ns == EXPIRY_NS
    assert sum(isinstance(event, ExpiryDelivered) for event in events) == 1


def test_an_expired_option_is_delisted_and_refuses_orders(
    exchange: SimulatedExchange, market: ScriptedMarket
) -> None:
    """From its expiry on, also when no step has come by yet."""
    request = OrderRequest(
        account="main", instrument_id=CALL, side=Side.BUY, amount=D("0.1"), price=D("0.01")
    )
    resting = exchange.submit(request, START_NS).order
    with pytest.raises(ExchangeRefusedError, match="settlement_in_progress"):
        exchange.submit(request, EXPIRY_NS)
    with pytest.raises(ExchangeRefusedError, match="invalid_or_unsupported_instrument"):
        exchange.submit(request, EXPIRY_NS + 5 * SECOND_NS)
    events = exchange.advance(EXPIRY_NS + 5 * SECOND_NS)
    gone = [event.delisted for event in events if isinstance(event, InstrumentsChanged)]
    assert CALL in gone[0]
    assert exchange.order("main", resting.order_id).cancel_reason == "settlement"
    assert CALL not in {item.instrument_id for item in exchange.instruments()}


def test_at_eight_the_session_moves_to_the_balance_and_orders_wait(
    exchange: SimulatedExchange, market: ScriptedMarket
) -> None:
    """Open and realised profit become balance; for some seconds nothing is taken."""
    trade(exchange, PERPETUAL, Side.BUY, "100000")
    market.move(125_000)
    exchange.advance(EXPIRY_NS - SECOND_NS)
    before = exchange.account_summary("main", "BTC")
    assert before.session_upl > 0
    exchange.advance(EXPIRY_NS)
    after = exchange.account_summary("main", "BTC")
    (settled,) = booked(exchange, TransactionKind.SETTLEMENT)
    assert settled.price == D(125_000)
    assert after.session_upl == after.session_rpl == 0
    assert after.balance == after.cash == before.cash + before.session_upl
    assert after.equity == before.equity
    with pytest.raises(ExchangeRefusedError, match="settlement_in_progress"):
        trade(exchange, PERPETUAL, Side.SELL, "100000")
    exchange.advance(EXPIRY_NS + 3 * SECOND_NS)
    trade(exchange, PERPETUAL, Side.SELL, "100000")


def test_funding_is_booked_at_each_hour_whatever_the_steps(market: ScriptedMarket) -> None:
    """One long step and many short ones pay the same."""
    totals = []
    for step_s in (9000, 60, 7):
        exchange = SimulatedExchange(
            bitcoin_market(START_NS, expiries_ns=(EXPIRY_NS,)), CONFIG, START_NS
        )
        exchange._model.move(100_000, funding_rate_8h=0.0008)  # type: ignore[attr-defined]
        exchange.advance(START_NS)
        trade(exchange, PERPETUAL, Side.BUY, "100000")
        now_ns = START_NS
        while now_ns < EXPIRY_NS:
            now_ns = min(now_ns + step_s * SECOND_NS, EXPIRY_NS)
            exchange.advance(now_ns)
        paid = booked(exchange, TransactionKind.FUNDING)
        assert len(paid) == 3
        totals.append(sum(item.change for item in paid))
    assert totals == [D("-0.00025")] * 3


def test_accrued_funding_is_in_equity_before_it_is_booked(
    exchange: SimulatedExchange, market: ScriptedMarket
) -> None:
    """Booking it changes cash, not equity."""
    trade(exchange, PERPETUAL, Side.BUY, "100000")
    market.move(100_000, funding_rate_8h=0.0008)
    exchange.advance(START_NS + 30 * 60 * SECOND_NS - 1)
    before = exchange.account_summary("main", "BTC")
    exchange.advance(START_NS + 30 * 60 * SECOND_NS)
    after = exchange.account_summary("main", "BTC")
    assert after.cash < before.cash
    assert abs(after.equity - before.equity) <= D("0.00000001")


def test_an_option_held_past_its_listing_is_valued_and_delivered(
    exchange: SimulatedExchange, market: ScriptedMarket
) -> None:
    """Without a quote it is worth its intrinsic value; its delivery comes as for any other."""
    trade(exchange, CALL, Side.BUY, "1")
    market.unlist(CALL)
    market.move(125_000)
    exchange.advance(START_NS + SECOND_NS)
    (view,) = exchange.positions("main")
    assert view.mark_price == view.value == D("0.2")
    exchange.advance(EXPIRY_NS)
    (delivery,) = booked(exchange, TransactionKind.DELIVERY)
    assert delivery.change == D("0.2")
    with pytest.raises(ExchangeRefusedError, match="invalid_or_unsupported"):
        exchange.instrument(CALL)


def test_new_listings_are_announced_and_tradable(
    exchange: SimulatedExchange, market: ScriptedMarket
) -> None:
    """Listings come while the exchange runs."""
    option = inverse_option(
        "deribit", "BTC", EXPIRY_NS + 2 * DAY_NS, 95_000.0, D("0.1"), is_call=True
    )
    market.list_option(option)
    events = exchange.advance(START_NS + SECOND_NS)
    listed = [event.listed for event in events if isinstance(event, InstrumentsChanged)]
    assert listed == [(option,)]
    trade(exchange, option.instrument_id, Side.BUY, "0.1")


def test_a_restored_exchange_goes_on_as_if_nothing_had_been(
    exchange: SimulatedExchange, market: ScriptedMarket
) -> None:
    """Positions, orders, queue places, numbers and history survive; both go on alike."""
    trade(exchange, CALL, Side.BUY, "1")
    trade(exchange, PERPETUAL, Side.SELL, "50000")
    request = OrderRequest(
        account="main", instrument_id=PERPETUAL, side=Side.BUY, amount=D(1000), price=D(95_000)
    )
    exchange.submit(request, START_NS)
    data = exchange.snapshot()
    other = SimulatedExchange(
        bitcoin_market(START_NS, expiries_ns=(EXPIRY_NS, EXPIRY_NS + DAY_NS)), CONFIG, START_NS
    )
    other.restore(data)
    assert other.snapshot() == data
    for one in (exchange, other):
        one._model.move(94_000)  # type: ignore[attr-defined]
    assert exchange.advance(EXPIRY_NS + SECOND_NS) == other.advance(EXPIRY_NS + SECOND_NS)
    assert exchange.snapshot() == other.snapshot()


def test_what_fell_due_while_nothing_ran_is_caught_up(exchange: SimulatedExchange) -> None:
    """An expiry and a settlement between two runs are booked at the start of the second."""
    trade(exchange, CALL, Side.BUY, "1")
    trade(exchange, PERPETUAL, Side.BUY, "10000")
    later_ns = EXPIRY_NS + 5 * HOUR_NS
    model = bitcoin_market(later_ns, index_usd=125_000.0, expiries_ns=(EXPIRY_NS + DAY_NS,))
    second = SimulatedExchange(model, CONFIG, later_ns)
    second.restore(exchange.snapshot())
    events = second.advance(later_ns)
    kinds = [event.transaction.kind for event in events if isinstance(event, CashBooked)]
    assert kinds == [TransactionKind.DELIVERY, TransactionKind.SETTLEMENT]
    (delivery,) = booked(second, TransactionKind.DELIVERY)
    assert delivery.change == D("0.2")


def test_a_request_after_eight_does_not_pass_the_settlement_over(
    exchange: SimulatedExchange, market: ScriptedMarket
) -> None:
    """Funding, delivery and settlement are booked before it, although no step came by."""
    market.move(100_000, funding_rate_8h=0.0008)
    exchange.advance(START_NS)
    trade(exchange, CALL, Side.BUY, "1")
    trade(exchange, PERPETUAL, Side.BUY, "10000")
    _, events = exchange.cancel_all("main", EXPIRY_NS + 3_000_000)
    events += exchange.advance(EXPIRY_NS + SECOND_NS)
    told = [event.transaction for event in events if isinstance(event, CashBooked)]
    assert [(item.kind, (item.ts_ns - EXPIRY_NS) // HOUR_NS) for item in told] == [
        (TransactionKind.FUNDING, -2),
        (TransactionKind.FUNDING, -1),
        (TransactionKind.DELIVERY, 0),
        (TransactionKind.FUNDING, 0),
        (TransactionKind.SETTLEMENT, 0),
    ]


def test_cash_is_paid_in_and_out_and_booked(exchange: SimulatedExchange) -> None:
    """A deposit is in the balance at once, a withdrawal leaves it; each takes the next cursor."""
    (event,) = exchange.deposit("main", "BTC", D("0.5"), START_NS + SECOND_NS)
    assert isinstance(event, CashBooked)
    assert (event.transaction.kind, event.transaction.cursor) == (TransactionKind.DEPOSIT, 2)
    exchange.deposit("main", "BTC", D(-2), START_NS + SECOND_NS)
    assert booked(exchange, TransactionKind.WITHDRAWAL)[0].change == D(-2)
    assert exchange.account_summary("main", "BTC").balance == D("3.5")


def test_what_positions_need_cannot_be_withdrawn(exchange: SimulatedExchange) -> None:
    """Only available funds leave; a refused withdrawal books nothing."""
    trade(exchange, PERPETUAL, Side.BUY, "10000")
    cash = exchange.account_summary("main", "BTC").cash
    with pytest.raises(ExchangeRefusedError, match="not_enough_funds"):
        exchange.deposit("main", "BTC", -cash, START_NS)
    assert booked(exchange, TransactionKind.WITHDRAWAL) == []


@pytest.mark.parametrize("data", [b"", b"{}", b"not json", b'{"version": 99}'])
def test_a_state_that_is_none_is_refused(exchange: SimulatedExchange, data: bytes) -> None:
    """A corrupt file is an error that says so."""
    with pytest.raises(DataError, match="saved exchange"):
        exchange.restore(data)


def test_a_state_of_another_version_or_account_is_refused(exchange: SimulatedExchange) -> None:
    """Nothing is guessed from a state that does not fit."""
    data = exchange.snapshot()
    with pytest.raises(DataError, match="version 2"):
        exchange.restore(data.replace(b'"version":1', b'"version":2'))
    with pytest.raises(DataError, match="no account 'main'"):
        exchange.restore(data.replace(b'"name":"main"', b'"name":"else"'))


def test_margins_of_open_orders_count_at_their_worst(exchange: SimulatedExchange) -> None:
    """A resting sell needs its margin before it fills, a resting buy its premium."""
    before = exchange.account_summary("main", "BTC")
    request = OrderRequest(
        account="main", instrument_id=CALL, side=Side.SELL, amount=D(1), price=D("0.05")
    )
    exchange.submit(request, START_NS)
    after = exchange.account_summary("main", "BTC")
    assert after.initial_margin - before.initial_margin == D("0.17")
    assert after.available_funds == before.available_funds - D("0.17")
