"""What bookings do to an account: fees, funding, sessions, deliveries and margins."""

from decimal import Decimal

import pytest

from glmtrader.domain.instruments import DAY_NS, HOUR_NS, Instrument
from glmtrader.simulator.account import AccountState, ExchangeAccount
from glmtrader.simulator.contracts import inverse_option, inverse_perpetual
from glmtrader.simulator.fees import FeeSchedule, trade_fee
from glmtrader.simulator.margin import MarginRates, margin

D = Decimal
EXPIRY_NS = 20_600 * DAY_NS + 8 * HOUR_NS
PERPETUAL = inverse_perpetual("deribit", "BTC", D("0.5"))
CALL = inverse_option("deribit", "BTC", EXPIRY_NS, 100_000.0, D("0.1"), is_call=True)
PUT = inverse_option("deribit", "BTC", EXPIRY_NS, 100_000.0, D("0.1"), is_call=False)


def account() -> ExchangeAccount:
    return ExchangeAccount(
        AccountState(name="main", api_key="k", api_secret="s", cash={"BTC": D(1)})
    )


def test_a_secret_is_in_no_repr() -> None:
    """An account can be logged without its secret."""
    state = AccountState(name="main", api_key="key", api_secret="hidden-secret", cash={})
    assert "hidden-secret" not in repr(state)


def test_an_option_buyer_pays_premium_and_fee_at_once() -> None:
    """Premium is price times amount in coin."""
    book = account()
    change, profit = book.book_trade(CALL, D(2), D("0.05"), D("0.0006"))
    assert change == D("-0.1006")
    assert profit == 0
    assert book.cash("BTC") == D("0.8994")
    assert book.quantity(CALL.instrument_id) == 2


def test_a_perpetuals_round_pays_the_inverse_difference_into_the_session() -> None:
    """10,000 USD from 100,000 to 80,000 pay 10,000 (1/100,000 - 1/80,000) = -0.025 coin."""
    book = account()
    book.book_trade(PERPETUAL, D(10_000), D(100_000), D(0))
    change, profit = book.book_trade(PERPETUAL, D(-10_000), D(80_000), D("0.00005"))
    assert profit == D("-0.025")
    assert change == D("-0.02505")
    assert book.state.session_rpl["BTC"] == D("-0.025")
    assert PERPETUAL.instrument_id not in book.state.positions


def test_a_session_settlement_moves_open_profit_to_cash_and_the_entry_to_its_price() -> None:
    """Settling twice at one price pays once."""
    book = account()
    book.book_trade(PERPETUAL, D(10_000), D(100_000), D(0))
    assert book.settle_session(PERPETUAL, D(125_000)) == D("0.02")
    assert book.average_price(PERPETUAL) == D(125_000)
    assert book.settle_session(PERPETUAL, D(125_000)) == 0
    assert book.cash("BTC") == D("1.02")


def test_funding_accrues_with_time_and_is_booked_to_the_last_satoshi() -> None:
    """A long of 1 coin at 0.01 % in 8 hours pays 0.0000125 an hour; the rest stays accrued."""
    book = account()
    book.book_trade(PERPETUAL, D(100_000), D(100_000), D(0))
    book.accrue_funding(PERPETUAL, D(100_000), D("0.0001"), HOUR_NS)
    assert book.cash("BTC") == 1
    assert book.book_funding(PERPETUAL) == D("-0.0000125")
    book.accrue_funding(PERPETUAL, D(100_000), D("0.0001"), HOUR_NS // 1_000_000)
    assert book.book_funding(PERPETUAL) == 0
    assert book.state.funding_accrued[PERPETUAL.instrument_id] > 0


def test_a_short_receives_what_a_long_pays() -> None:
    """Funding is symmetric."""
    book = account()
    book.book_trade(PERPETUAL, D(-100_000), D(100_000), D(0))
    book.accrue_funding(PERPETUAL, D(100_000), D("0.0001"), 8 * HOUR_NS)
    assert book.book_funding(PERPETUAL) == D("0.0001")


def test_delivery_pays_intrinsic_value_in_coin_and_ends_the_position() -> None:
    """Two calls at 100,000 delivered at 125,000 pay 2 x 25,000 / 125,000 = 0.4 coin."""
    book = account()
    book.book_trade(CALL, D(2), D("0.05"), D(0))
    book.book_trade(PUT, D(-1), D("0.05"), D(0))
    assert book.deliver(CALL, D(125_000)).payoff == D("0.4")
    assert book.deliver(PUT, D(125_000)).payoff == 0
    assert book.state.positions == {}


@pytest.mark.parametrize(
    ("instrument", "amount", "price", "is_maker", "expected"),
    [
        (PERPETUAL, D(10_000), D(100_000), False, D("0.00005")),
        (PERPETUAL, D(10_000), D(100_000), True, D(0)),
        (CALL, D(2), D("0.05"), False, D("0.0006")),
        (CALL, D(2), D("0.05"), True, D("0.0006")),
        (CALL, D(2), D("0.0010"), False, D("0.00025")),
    ],
)
def test_fees_follow_the_schedule(
    instrument: Instrument, amount: Decimal, price: Decimal, *, is_maker: bool, expected: Decimal
) -> None:
    """0.05 % and nothing for perpetuals; 0.03 % of the coin for options, capped at 12.5 %."""
    fee = trade_fee(
        FeeSchedule(),
        instrument,
        amount=amount,
        price=price,
        index_usd=D(100_000),
        is_maker=is_maker,
    )
    assert fee == expected


@pytest.mark.parametrize(
    ("instrument", "quantity", "mark", "initial", "maintenance"),
    [
        # At the money: 0.15 + 0.04 and 0.075 + 0.04 a coin.
        (CALL, D(-1), D("0.04"), D("0.19"), D("0.115")),
        (CALL, D(1), D("0.04"), D(0), D(0)),
        (PUT, D(-2), D("0.04"), D("0.38"), D("0.23")),
    ],
)
def test_short_options_need_margin_by_the_published_formula(
    instrument: Instrument,
    quantity: Decimal,
    mark: Decimal,
    initial: Decimal,
    maintenance: Decimal,
) -> None:
    """Longs need none, shorts 15 % (at least 10 %) of the coin and the mark."""
    needed = margin(MarginRates(), instrument, quantity, mark=mark, underlying_usd=D(100_000))
    assert (needed.initial, needed.maintenance) == (initial, maintenance)


def test_out_of_the_money_shorts_need_less_down_to_a_tenth() -> None:
    """A call 10 % out of the money: max(0.15 - 0.1, 0.1) + mark."""
    needed = margin(
        MarginRates(), CALL, D(-1), mark=D("0.01"), underlying_usd=D("90909.0909090909")
    )
    assert needed.initial == D("0.11")


def test_a_perpetuals_margin_rises_with_its_size() -> None:
    """100 coins need 2.5 %, one coin 2.005 %."""
    rates = MarginRates()
    one = margin(rates, PERPETUAL, D(100_000), mark=D(100_000), underlying_usd=D(100_000))
    many = margin(rates, PERPETUAL, D(-10_000_000), mark=D(100_000), underlying_usd=D(100_000))
    assert one.initial == D("0.02005")
    assert many.initial == D("2.5")
    assert many.maintenance == D("1.5")
