"""Attribution on small hand-made journals whose answers are known in closed form."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pnl_cases import (
    CALL,
    EXPIRY_NS,
    INVERSE,
    LINEAR,
    LINEAR_CALL,
    MAIN,
    START_NS,
    STRIKE,
    VOL,
    D,
    fill,
    listed,
    risk,
    snapshot,
    surface,
)

from glmtrader.domain.event import Event
from glmtrader.domain.ids import AccountId
from glmtrader.domain.instruments import DAY_NS
from glmtrader.domain.order_events import (
    CashTransferred,
    Fill,
    FundingPaid,
    OptionDelivered,
    SessionSettled,
)
from glmtrader.domain.risk_events import PortfolioRisk
from glmtrader.quant.black76_scalar import greeks_one, price_one
from glmtrader.research.attribution import PARTS, Attribution, Pnl, PnlBook, fold

YEARS = (EXPIRY_NS - START_NS) / (365 * DAY_NS)
DAY_YEARS = 1 / 365


def attributed(*events: Event, coins: str = "0", dollars: str = "0") -> Attribution:
    """Fold events after a listing, the opening books and a surface."""
    opened = (listed(), surface(START_NS), snapshot(coins, dollars))
    found = fold((*opened, *events))
    assert found is not None
    return found


def parts_of(pnl: Pnl) -> dict[str, float]:
    """Every part that is not zero, to a millionth of a dollar."""
    values = msgspec.structs.asdict(pnl)
    return {name: values[name] for name in (*PARTS, "residual") if abs(values[name]) > 1e-6}


def test_a_coin_account_short_an_inverse_perpetual() -> None:
    """Coins earn equity times the move, the inverse hedge a (1/S0 - 1/S1) coins at the end."""
    found = attributed(
        fill(INVERSE, "-90000", "90000"),
        risk(START_NS, 90_000, 900_000.0, INVERSE=90_000),
        risk(START_NS + 1, 100_000, 990_000.0, INVERSE=100_000),
        coins="10",
    )
    coin, hedge = 10 * 10_000.0, -90_000 * (1 / 90_000 - 1 / 100_000) * 100_000
    assert parts_of(found.total) == pytest.approx({"coin": coin, "hedge": hedge})
    assert found.by_underlying["BTC"].actual == pytest.approx(990_000 - 900_000)
    assert found.unallocated == pytest.approx(0, abs=1e-6)


def test_a_linear_trade_pays_spread_and_fee_and_earns_the_move() -> None:
    """Bought 50 above the mark that followed: the spread is execution, the move is hedge."""
    found = attributed(
        risk(START_NS, 90_000, 1_000.0, LINEAR=90_010),
        fill(LINEAR, "2", "90060", fee="7", fee_currency="USD"),
        risk(START_NS + 1, 90_000, 893.0, LINEAR=90_010),
        risk(START_NS + 2, 90_500, 1_853.0, LINEAR=90_490),
        dollars="1000",
    )
    expected = {"execution": -100.0, "fees": -7.0, "hedge": 960.0}
    assert parts_of(found.total) == pytest.approx(expected)
    assert parts_of(found.by_underlying["BTC"]) == pytest.approx(expected)


def test_a_fee_in_coin_counts_at_the_price_that_followed() -> None:
    """A fee of 0.001 coin is worth 90 USD at 90,000 and is no execution."""
    found = attributed(
        risk(START_NS, 90_000, 90_000.0),
        fill(INVERSE, "9000", "90000", fee="0.001", fee_currency="BTC"),
        risk(START_NS + 1, 90_000, 89_910.0, INVERSE=90_000),
        coins="1",
    )
    assert parts_of(found.total) == pytest.approx({"fees": -90.0})


def test_a_deposit_is_no_profit() -> None:
    """One coin deposited between two marks earns the move of its price, and nothing else."""
    deposited = CashTransferred(
        ts_event=0,
        ts_init=0,
        account_id=MAIN,
        currency="BTC",
        amount=D(1),
        kind="deposit",
        cursor=5,
    )
    found = attributed(
        risk(START_NS, 90_000, 90_000.0),
        deposited,
        risk(START_NS + 1, 91_000, 182_000.0),
        coins="1",
    )
    assert parts_of(found.total) == pytest.approx({"coin": 2_000.0})
    assert found.equity_start_usd == 180_000.0
    assert found.unallocated == pytest.approx(0, abs=1e-6)


def test_a_coin_without_a_price_counts_as_nothing() -> None:
    """Dust in a coin that nobody prices stops no attribution."""
    opened = (listed(), surface(START_NS), snapshot("1", "0"))
    dust = CashTransferred(
        ts_event=0,
        ts_init=0,
        account_id=MAIN,
        currency="DOGE",
        amount=D(1),
        kind="airdrop",
        cursor=5,
    )
    found = fold((*opened, dust, risk(START_NS, 9e4, 9e4), risk(START_NS + 1, 9.1e4, 9.1e4)))
    assert found is not None
    assert parts_of(found.total) == pytest.approx({"coin": 1_000.0})


def unit_value(forward: float, days: float, vol: float, strike: float = STRIKE) -> float:
    """Black-76 of the call, USD."""
    return price_one(forward, strike, YEARS - days * DAY_YEARS, vol, is_call=True)


def test_a_quiet_day_of_a_linear_option_is_theta() -> None:
    """With forward and volatility unchanged all but the third order of time is theta."""
    gained = 3 * (unit_value(90_000, 0.01, VOL) - unit_value(90_000, 0, VOL))
    later_ns = START_NS + DAY_NS // 100
    found = attributed(
        fill(LINEAR_CALL, "3", "2500"),
        risk(START_NS, 90_000, 0.0),
        risk(later_ns, 90_000, gained),
        dollars="10000",
    )
    theta = greeks_one(90_000, STRIKE, YEARS, VOL, is_call=True).theta
    assert found.total.theta == pytest.approx(3 * theta * 0.01 * DAY_YEARS)
    assert found.total.residual == pytest.approx(0, abs=0.01)
    assert found.total.gamma == found.total.vega == found.total.coin == 0


def test_a_new_surface_is_vega_and_volga() -> None:
    """A revaluation by four points is vega dv + volga dv^2 / 2, the rest is residual."""
    gained = unit_value(90_000, 0, VOL + 0.04) - unit_value(90_000, 0, VOL)
    found = attributed(
        fill(LINEAR_CALL, "1", "2500"),
        risk(START_NS, 90_000, 0.0),
        surface(START_NS, vol=VOL + 0.04),
        risk(START_NS, 90_000, gained),
        dollars="10000",
    )
    at = greeks_one(90_000, STRIKE, YEARS, VOL, is_call=True)
    expected = (0.04 * at.vega, 0.5 * 0.04**2 * at.volga)
    assert (found.total.vega, found.total.volga) == pytest.approx(expected)
    assert found.total.residual == pytest.approx(gained - sum(expected), abs=1e-6)


def test_an_inverse_option_moves_by_its_net_delta_and_the_coins_by_its_value() -> None:
    """Delta is N(d1) - mark; the value held in coin is part of the coins' own P&L."""
    step = 1.0
    value0, value1 = unit_value(90_000, 0, VOL), unit_value(90_000 + step, 0, VOL)
    found = attributed(
        fill(CALL, "2", "0.03"),
        risk(START_NS, 90_000, 0.0),
        risk(START_NS, 90_000 + step, 2 * (value1 - value0) - 0.06 * step),
        coins="0",
    )
    delta = greeks_one(90_000, STRIKE, YEARS, VOL, is_call=True).delta
    mark_coin = value0 / 90_000
    assert found.total.delta == pytest.approx(2 * (delta - mark_coin) * step)
    assert found.total.coin == pytest.approx((2 * mark_coin - 0.06) * step)
    assert found.total.residual == pytest.approx(0, abs=1e-6)


def test_a_delivery_counts_against_the_index_at_which_the_option_was_held() -> None:
    """Delivered at 95,000 with the index at 96,000: payoff in coin less what was counted."""
    payoff_coin, counted = round(5_000 / 95_000, 8), 6_000.0
    gained = payoff_coin * 96_000 - counted
    found = attributed(
        fill(CALL, "1", "0.03"),
        risk(EXPIRY_NS, 96_000, 0.0),
        delivered(95_000),
        risk(EXPIRY_NS + 1, 96_000, gained),
        coins="1",
    )
    assert parts_of(found.total) == pytest.approx({"delivery": gained}, abs=1e-3)


def delivered(price: int) -> OptionDelivered:
    """The expiry's delivery at a price."""
    return OptionDelivered(
        ts_event=EXPIRY_NS,
        ts_init=EXPIRY_NS,
        account_id=MAIN,
        underlying="BTC",
        expiry_ns=EXPIRY_NS,
        delivery_price_usd=D(price),
        cursor=9,
    )


def test_funding_is_what_was_paid_and_a_session_moves_nothing() -> None:
    """0.01 coin of funding costs 900 USD; the session transfer swaps open profit for cash."""
    found = attributed(
        fill(INVERSE, "-90000", "90000"),
        risk(START_NS, 90_000, 900_000.0, INVERSE=90_000),
        FundingPaid(
            ts_event=START_NS,
            ts_init=START_NS,
            account_id=MAIN,
            instrument_id=INVERSE.instrument_id,
            amount=D("0.01"),
            currency="BTC",
            cursor=5,
        ),
        SessionSettled(
            ts_event=START_NS,
            ts_init=START_NS,
            account_id=MAIN,
            instrument_id=INVERSE.instrument_id,
            price=D(96_000),
            cursor=6,
        ),
        risk(START_NS + 1, 90_000, 899_100.0, INVERSE=90_000),
        coins="10",
    )
    assert parts_of(found.total) == pytest.approx({"funding": -900.0}, abs=1e-3)


def test_what_is_told_twice_or_belongs_to_another_counts_once_or_not_at_all() -> None:
    """A repeated fill is booked once; another account's events change nothing."""
    once = fill(LINEAR, "2", "90060")
    foreign = msgspec.structs.replace(once, account_id=AccountId("other"))
    first = risk(START_NS, 90_000, 1_000.0)
    last = risk(START_NS + 1, 90_000, 900.0, LINEAR=90_010)
    other = msgspec.structs.replace(last, account_id=AccountId("other"), equity_usd=5.0)
    found = attributed(first, once, once, foreign, last, other, dollars="1000")
    assert parts_of(found.total) == pytest.approx({"execution": -100.0})


def test_without_a_valuation_there_is_no_attribution() -> None:
    """Before the first published equity the result is None."""
    book = PnlBook()
    book.apply(snapshot("1", "0"))
    assert book.result() is None


moves = st.lists(
    st.tuples(
        st.floats(-0.03, 0.03),
        st.floats(0.2, 1.2),
        st.sampled_from((CALL, LINEAR_CALL, INVERSE, LINEAR, None)),
        st.integers(-5, 5).filter(bool),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(moves=moves)
def test_the_parts_always_sum_to_the_change_of_equity(
    moves: list[tuple[float, float, object, int]],
) -> None:
    """Whatever is traded and however prices move, total and underlyings sum to 1e-6 USD."""
    spot, events = 90_000.0, list[Event]()
    events.append(risk(START_NS, spot, 1e6))
    for number, (move, vol, traded, size) in enumerate(moves, start=1):
        now_ns = START_NS + number * DAY_NS // 4
        spot = round(spot * (1 + move), 1)
        item = next((one for one in (CALL, LINEAR_CALL, INVERSE, LINEAR) if one is traded), None)
        if item is not None:
            events.append(_traded(item.symbol, size, spot, number, now_ns))
        marks = {"INVERSE": spot * 1.001, "LINEAR": spot * 0.999}
        events += [surface(now_ns, spot=spot, vol=vol), risk(now_ns, spot, 1e6 + number, **marks)]
    found = attributed(*events, coins="3", dollars="500")
    for pnl in (found.total, *found.by_underlying.values()):
        values = msgspec.structs.asdict(pnl)
        parts = sum(values[name] for name in (*PARTS, "residual"))
        assert parts == pytest.approx(pnl.actual, abs=1e-6)
    assert found.total.actual == pytest.approx(len(moves))
    last = next(event for event in reversed(events) if isinstance(event, PortfolioRisk))
    assert found.equity_end_usd == last.equity_usd


def _traded(symbol: str, size: int, spot: float, number: int, now_ns: int) -> Fill:
    item = {one.symbol: one for one in (CALL, LINEAR_CALL, INVERSE, LINEAR)}[symbol]
    price = {CALL.symbol: "0.03", LINEAR_CALL.symbol: "2500"}.get(symbol, str(spot))
    quantity = str(size * 1000) if item is INVERSE else str(size)
    return fill(item, quantity, price, number=number, now_ns=now_ns, fee="0.0001")
