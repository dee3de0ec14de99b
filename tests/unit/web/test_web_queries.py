"""The pure answers: from views to structs, real values or none."""

import math
from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st
from web_cases import (
    BAND,
    NOW_NS,
    SPOT,
    chain,
    decision,
    hedger,
    ledger,
    listed,
    make_views,
    option,
    portfolio,
    position,
    row,
    state,
    surface,
)

from glmtrader.quant.black76_scalar import greeks_one, price_one
from glmtrader.web.errors import NotKnownYetError, UnknownUnderlyingError
from glmtrader.web.hedge import hedge_status, portfolio_greeks
from glmtrader.web.holdings import option_positions
from glmtrader.web.queries import pq_spread, underlying_named, volatility_surface
from glmtrader.web.responses import utc_text
from glmtrader.web.strategy_state import pq_trader_state

CALL = option(90_000, is_call=True)
YEARS = 7 / 365
VIEWS = make_views()


@pytest.mark.parametrize("text", ["BTC", "btc", "BTC/USDT", "btc/usdc", "BTC/USD"])
def test_a_coin_and_its_dollar_pairs_are_one_underlying(text: str) -> None:
    assert underlying_named(text, make_views()) == "BTC"


@given(st.text())
def test_any_text_is_a_known_underlying_or_refused(text: str) -> None:
    """Nothing else comes out, whatever goes in."""
    base, *quote = text.upper().split("/")
    traded = base in VIEWS.scope.underlyings and quote in ([], ["USD"], ["USDC"], ["USDT"])
    with nullcontext() if traded else pytest.raises(UnknownUnderlyingError, match="BTC, ETH"):
        assert underlying_named(text, VIEWS) == base


@pytest.mark.parametrize("text", ["", "/", "BTC/", "/USDT", "BTC/EUR", "BTC//USDT", "BTC-USDT"])
def test_what_is_no_coin_or_dollar_pair_is_refused(text: str) -> None:
    with pytest.raises(UnknownUnderlyingError):
        underlying_named(text, make_views())


@pytest.mark.parametrize(
    ("delta", "status", "action", "overall"),
    [
        (0.0, "well_hedged", "none", "neutral"),
        (0.4 * BAND, "well_hedged", "none", "neutral"),
        (-0.9 * BAND, "acceptable", "monitor", "neutral"),
        (BAND, "acceptable", "monitor", "neutral"),
        (2 * BAND, "long_delta", "sell_futures", "needs_hedge"),
        (-2 * BAND, "short_delta", "buy_futures", "needs_hedge"),
    ],
)
def test_hedge_status_by_the_hedgers_own_band(
    delta: float, status: str, action: str, overall: str
) -> None:
    """The recommendation is what the running hedger will do."""
    views = make_views(hedger(), portfolio(row("BTC", delta)))
    report = hedge_status(views, NOW_NS)
    assert (report.status, report.recommended_action) == (status, action)
    assert portfolio_greeks(views, NOW_NS).hedge_status == overall
    excess = max(abs(delta) - BAND, 0.0)
    assert report.hedge_quantity == pytest.approx(excess * SPOT)
    quantity = report.by_underlying[0].hedge_quantity
    assert quantity is not None
    assert quantity % 10 == 0
    assert excess * SPOT - 10 < float(quantity) <= excess * SPOT + 1e-9


def test_without_a_hedger_the_status_is_unknown() -> None:
    """No band, no verdict."""
    report = hedge_status(make_views(portfolio(row("BTC", 0.0))), NOW_NS)
    assert report.status == "unknown"
    assert report.by_underlying[0].band_delta_coin is None


def test_the_underlying_with_most_to_hedge_in_usd_speaks_for_the_whole() -> None:
    """Coins are never compared with coins of another kind."""
    rows = (row("BTC", 2 * BAND, 90_000.0), row("ETH", -3 * BAND, 3_000.0))
    report = hedge_status(make_views(hedger(), hedger("ETH"), portfolio(*rows)), NOW_NS)
    assert report.status == "long_delta"
    assert report.hedge_quantity == pytest.approx(BAND * 90_000 + 2 * BAND * 3_000)
    assert report.total_delta == pytest.approx(2 * BAND * 90_000 - 3 * BAND * 3_000)


def test_a_positions_greeks_and_profit_are_black_76_at_the_surface() -> None:
    """Delta is N(d1) less the mark, as an inverse option's is; profit is against the average."""
    views = make_views(
        listed(CALL), surface(), portfolio(row("BTC", 0.0)), position(CALL, "-0.5", "0.03")
    )
    (found,) = option_positions(views, NOW_NS).positions
    price = price_one(SPOT, 90_000.0, YEARS, 0.5, is_call=True)
    greeks = greeks_one(SPOT, 90_000.0, YEARS, 0.5, is_call=True)
    assert found.greeks is not None
    assert found.mark_price == pytest.approx(price / SPOT)
    assert found.greeks.delta_coin == pytest.approx(-0.5 * (greeks.delta - price / SPOT))
    assert found.unrealized_pnl == pytest.approx(-0.5 * (price / SPOT - 0.03))
    assert found.unrealized_pnl_usd == pytest.approx(-0.5 * (price - 0.03 * SPOT))


def test_a_position_without_a_surface_has_no_greeks_and_no_profit() -> None:
    """Unknown is null."""
    (found,) = option_positions(
        make_views(listed(CALL), position(CALL, "0.5", "0.03")), NOW_NS
    ).positions
    assert (found.greeks, found.mark_price, found.unrealized_pnl) == (None, None, None)


def test_the_average_price_after_a_restart_is_the_ledgers() -> None:
    """Entry value over quantity."""
    views = make_views(ledger((CALL, "0.4", "0.01")), listed(CALL))
    (found,) = option_positions(views, NOW_NS).positions
    assert str(found.avg_price) == "0.025"


def test_surface_shows_vols_of_the_quotes_themselves() -> None:
    """A two-sided quote gives its own volatility, a one-sided or crossed one none."""
    price = price_one(SPOT, 90_000.0, YEARS, 0.6, is_call=True) / SPOT
    quotes = chain([price - 0.001, 0.03], [price + 0.001, 0.02])
    report = volatility_surface(make_views(quotes, surface(0.5)), NOW_NS, "BTC")
    at_money = next(point for point in report.surface_data if point.strike == 90_000.0)
    assert at_money.call_iv == pytest.approx(0.6)
    assert (at_money.put_iv, at_money.put_price) == (None, None)
    assert at_money.mid_vol == 0.5
    nan = chain([math.nan, math.nan], [0.02, 0.02])
    report = volatility_surface(make_views(nan, surface()), NOW_NS, "BTC")
    assert {point.call_iv for point in report.surface_data} == {None}


def test_of_two_traders_on_one_underlying_the_newer_decision_is_shown() -> None:
    older = decision("pq_vol", "pqa", state(), reason="old")
    newer = decision("pq_vol", "pqb", state(), reason="new", ts_ns=NOW_NS + 1)
    views = make_views(newer, older)
    assert pq_spread(views, NOW_NS, "BTC").intent_reason == "new"
    assert [item.strategy_id for item in pq_trader_state(views, NOW_NS).instances] == [
        "pqa",
        "pqb",
    ]


def test_another_underlyings_decision_is_not_an_answer() -> None:
    views = make_views(decision("pq_vol", "pq", state("ETH")))
    with pytest.raises(NotKnownYetError, match="BTC"):
        pq_spread(views, NOW_NS, "BTC")


@pytest.mark.parametrize("seconds", [0, 1_770_000_000, 4_000_000_000])
def test_times_are_utc_to_the_millisecond(seconds: int) -> None:
    """Truncated, never rounded into the next second."""
    text = utc_text(seconds * 1_000_000_000 + 999_999_999)
    assert text.endswith(".999Z")
    assert utc_text(0) == "1970-01-01T00:00:00.000Z"
