"""Worked examples of profit, premium, payoff and funding, computed by hand."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_cases import (
    INVERSE_CALL,
    INVERSE_PERPETUAL,
    INVERSE_PUT,
    LINEAR_CALL,
    LINEAR_PERPETUAL,
    LINEAR_PUT,
    SPOT,
)

from glmtrader.domain.instruments import Instrument
from glmtrader.domain.pnl import (
    average_price,
    delivery_payoff,
    flat_position,
    funding_paid,
    inverse_perpetual_pnl,
    linear_pnl,
    money,
    option_premium,
    trade,
)
from glmtrader.domain.risk_events import PositionEntry
from glmtrader.errors import InstrumentError, LedgerError

D = Decimal


def position_after(traded: Instrument, *trades: tuple[str, str]) -> PositionEntry:
    position = flat_position(traded.instrument_id)
    for quantity, price in trades:
        position = trade(position, traded, D(quantity), D(price)).position
    return position


@pytest.mark.parametrize(
    ("quantity", "entry", "exit_price", "profit"),
    [
        ("10000", "50000", "60000", "0.03333333"),
        ("-10000", "50000", "60000", "-0.03333333"),
        ("10000", "50000", "40000", "-0.05"),
        ("100", "90000", "91000", "0.00001221"),
    ],
)
def test_inverse_perpetual_earns_coin(
    quantity: str, entry: str, exit_price: str, profit: str
) -> None:
    """An inverse perpetual earns q (1/entry - 1/exit) coins, to the satoshi."""
    assert inverse_perpetual_pnl(D(quantity), D(entry), D(exit_price)) == D(profit)


def test_linear_perpetual_earns_price_difference() -> None:
    """A linear perpetual earns q (exit - entry)."""
    assert linear_pnl(D("-0.5"), D(90000), D(88000)) == D(1000)


def test_money_rounds_half_to_even() -> None:
    """A tie goes to the even satoshi, so that ties do not drift."""
    assert (money(D("0.000000005")), money(D("0.000000015"))) == (D("0"), D("0.00000002"))


def test_trade_agrees_with_the_formula_for_inverse() -> None:
    """Closing a position through `trade` pays what the closed formula says."""
    opened = position_after(INVERSE_PERPETUAL, ("10000", "50000"))
    effect = trade(opened, INVERSE_PERPETUAL, D(-10000), D(60000))
    assert effect.cash == {"BTC": D("0.03333333")}


def test_inverse_average_price_is_harmonic() -> None:
    """Equal dollars at 50,000 and 100,000 average to 66,666.67, not 75,000."""
    held = position_after(INVERSE_PERPETUAL, ("1000", "50000"), ("1000", "100000"))
    price = average_price(INVERSE_PERPETUAL, held)
    assert price is not None
    assert round(price, 2) == D("66666.67")


def test_short_has_its_entry_as_average_price() -> None:
    """A short position averages its sale prices; it is never zero."""
    held = position_after(LINEAR_PERPETUAL, ("-1", "90000"), ("-1", "92000"))
    assert average_price(LINEAR_PERPETUAL, held) == D(91000)


def test_trade_through_zero_opens_at_the_trade_price() -> None:
    """Selling 3 against a long 1 realises the 1 and opens 2 short at the new price."""
    held = position_after(LINEAR_PERPETUAL, ("1", "90000"), ("-3", "91000"))
    assert (held.quantity, average_price(LINEAR_PERPETUAL, held), held.realized_pnl) == (
        D(-2),
        D(91000),
        D(1000),
    )


def test_realized_profit_of_a_short() -> None:
    """A short bought back 1,000 lower has earned 1,000."""
    held = position_after(LINEAR_PERPETUAL, ("-1", "90000"), ("1", "89000"))
    assert (held.quantity, held.realized_pnl, held.entry_value) == (D(0), D(1000), D(0))


@pytest.mark.parametrize(
    ("option", "quantity", "price", "cash"),
    [
        (INVERSE_CALL, "0.3", "0.0415", {"BTC": D("-0.01245")}),
        (INVERSE_PUT, "-0.3", "0.0415", {"BTC": D("0.01245")}),
        (LINEAR_CALL, "0.1", "3200", {"USDT": D("-320")}),
    ],
)
def test_option_premium_is_paid_at_once(
    option: Instrument, quantity: str, price: str, cash: dict[str, Decimal]
) -> None:
    """A buyer pays the premium in the settlement currency, a seller receives it."""
    effect = trade(flat_position(option.instrument_id), option, D(quantity), D(price))
    assert effect.cash == cash


def test_spot_exchanges_two_currencies() -> None:
    """A spot purchase adds coin and takes quote currency."""
    effect = trade(flat_position(SPOT.instrument_id), SPOT, D("0.5"), D(90000))
    assert effect.cash == {"BTC": D("0.5"), "USDT": D(-45000)}


@pytest.mark.parametrize(
    ("option", "delivery", "payoff"),
    [
        (INVERSE_CALL, "100000", "0.1"),
        (INVERSE_CALL, "80000", "0"),
        (INVERSE_PUT, "75000", "0.2"),
        (LINEAR_CALL, "100000", "10000"),
        (LINEAR_PUT, "75000", "15000"),
        (LINEAR_PUT, "90000", "0"),
    ],
)
def test_delivery_payoff(option: Instrument, delivery: str, payoff: str) -> None:
    """Inverse options pay intrinsic over delivery price in coin, linear ones intrinsic in USD."""
    assert delivery_payoff(option, D(delivery)) == D(payoff)


def test_funding_of_an_inverse_long_in_coin() -> None:
    """10,000 USD long at 50,000 with 0.01 % pays 0.00002 BTC, a short receives it."""
    paid = [funding_paid(INVERSE_PERPETUAL, D(q), D(50000), D("0.0001")) for q in (10000, -10000)]
    assert paid == [D("0.00002"), D("-0.00002")]


def test_funding_of_a_linear_long_in_quote() -> None:
    """0.5 coin long at 90,000 with -0.02 % receives 9 USDT."""
    assert funding_paid(LINEAR_PERPETUAL, D("0.5"), D(90000), D("-0.0002")) == D(-9)


def test_what_does_not_apply_is_refused() -> None:
    """A perpetual has no premium and no delivery, an option no funding, nothing a price of 0."""
    with pytest.raises(InstrumentError, match="no option"):
        option_premium(SPOT, D(1), D(1))
    with pytest.raises(InstrumentError, match="not delivered"):
        delivery_payoff(INVERSE_PERPETUAL, D(1))
    with pytest.raises(InstrumentError, match="no perpetual"):
        funding_paid(INVERSE_CALL, D(1), D(1), D(1))
    with pytest.raises(LedgerError, match="must be positive"):
        trade(flat_position(SPOT.instrument_id), SPOT, D(1), D(0))
    with pytest.raises(LedgerError, match="delivery price"):
        delivery_payoff(INVERSE_CALL, D(0))


@given(
    spot=st.decimals("1000", "500000", places=2),
)
def test_put_call_parity_at_delivery(spot: Decimal) -> None:
    """A call less a put pays the forward: (S - K) / S in coin, S - K in USD."""
    inverse = delivery_payoff(INVERSE_CALL, spot) - delivery_payoff(INVERSE_PUT, spot)
    linear = delivery_payoff(LINEAR_CALL, spot) - delivery_payoff(LINEAR_PUT, spot)
    assert linear == spot - 90000
    assert inverse == (spot - 90000) / spot
