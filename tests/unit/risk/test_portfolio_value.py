"""Equity and greeks of an account, against finite differences and closed forms."""

from decimal import Decimal

import pytest
from risk_cases import CALL, ETH_PERPETUAL, FAR_CALL, PERPETUAL, PUT, SPOT, World, mark

from glmtrader.domain.instruments import DAY_NS
from glmtrader.domain.orders import OrderPurpose
from glmtrader.domain.risk_events import PortfolioRisk, UnderlyingRisk
from glmtrader.risk import pricing


def risk_of(world: World) -> PortfolioRisk:
    event = world.last(PortfolioRisk)
    assert isinstance(event, PortfolioRisk)
    return event


def btc(world: World) -> UnderlyingRisk:
    return next(row for row in risk_of(world).by_underlying if row.underlying == "BTC")


def as_price(value: float) -> Decimal:
    return Decimal(repr(value))


def straddle(world: World) -> World:
    world.hold(CALL, "2")
    world.hold(PUT, "2")
    world.hold(FAR_CALL, "-3")
    world.hold(PERPETUAL, "-20000")
    return world


def test_delta_is_the_derivative_of_equity_in_coin() -> None:
    """`delta_coin` is S dE/dS: premium included, perpetuals in coin (numeraire coin)."""
    world = straddle(World().start())
    delta = btc(world).delta_coin
    equities = []
    for step in (SPOT * (1 - 1e-4), SPOT * (1 + 1e-4)):
        world.market(step)
        equities.append(risk_of(world).equity)
    slope = (equities[1] - equities[0]) / 2e-4
    assert delta == pytest.approx(slope, rel=1e-4)


def test_gamma_and_vega_by_hand() -> None:
    """An at-the-money straddle of one has twice the gamma and vega of its call."""
    world = World().start()
    world.hold(CALL, "1")
    call = btc(world)
    world.hold(PUT, "1")
    both = btc(world)
    assert both.gamma_per_usd == pytest.approx(2 * call.gamma_per_usd)
    assert both.vega_per_vol == pytest.approx(2 * call.vega_per_vol)


def test_moved_follows_a_full_valuation() -> None:
    """Between valuations equity and delta are followed to a few parts in a million."""
    world = straddle(World().start())
    world.quote(PERPETUAL, as_price(SPOT * 1.002), as_price(0.5), SPOT * 1.002)
    followed = risk_of(world)
    assert followed.trigger == "price"
    world.market(SPOT * 1.002)
    full = risk_of(world)
    assert followed.equity == pytest.approx(full.equity, rel=2e-6)
    assert followed.by_underlying[0].delta_coin == pytest.approx(
        full.by_underlying[0].delta_coin, abs=2e-3
    )


def test_market_losses_show_in_drawdown() -> None:
    """Drawdown is measured on mark-to-market equity, not on cost (R12)."""
    world = World().start()
    world.hold(PERPETUAL, "450000")
    world.market(80_000.0)
    risk = risk_of(world)
    lost = 450_000 / 80_000 - 450_000 / 90_000
    assert risk.equity == pytest.approx(10 - lost, rel=1e-9)
    assert risk.drawdown_pct == pytest.approx(lost / 10, rel=1e-9)


def test_underlyings_are_summed_in_dollars() -> None:
    """Deltas of BTC and ETH stay apart, and their sum is in USD (R15)."""
    world = World().start()
    world.hold(PERPETUAL, "9000")
    world.hold(ETH_PERPETUAL, "-6000", price=as_price(3000.0))
    risk = risk_of(world)
    deltas = {row.underlying: row.delta_coin for row in risk.by_underlying}
    assert deltas == pytest.approx({"BTC": 0.1, "ETH": -2.0})
    assert risk.total_delta_usd == pytest.approx(9000 - 6000)


def test_leverage_counts_shorts() -> None:
    """A short has notional: leverage is gross over equity (R11)."""
    world = World().start()
    world.hold(PERPETUAL, "-1800000")
    assert risk_of(world).leverage == pytest.approx(2.0)


def test_scenario_loss_of_a_long_straddle_is_its_premium_at_most() -> None:
    """A bought straddle cannot lose more than its premium in any cell."""
    world = World().start()
    world.hold(CALL, "1")
    world.hold(PUT, "1")
    premium_usd = float(mark(CALL) + mark(PUT)) * SPOT
    assert 0 < risk_of(world).scenario_loss_usd < premium_usd


def test_scenarios_agree_with_a_price_move() -> None:
    """The grid's cell of -10 % at unchanged volatility is what a 10 % fall costs."""
    world = straddle(World().start())
    before = risk_of(world)
    cell = len(pricing.VOL_FACTORS) * list(pricing.SPOT_SHOCKS).index(-0.1) + 1
    predicted = float(world.service.desks[before.account_id].book.scenario_usd[cell])
    world.market(SPOT * 0.9)
    after = risk_of(world)
    assert (after.equity - before.equity) * SPOT * 0.9 == pytest.approx(predicted, rel=1e-6)


def test_an_account_in_dollars_counts_its_coins() -> None:
    """For numeraire USD the coin equity itself is delta."""
    world = World(numeraire="USD").start()
    assert btc(world).delta_coin == pytest.approx(10.0)
    assert risk_of(world).scenario_loss_usd == pytest.approx(0.3 * 10 * SPOT)


def test_an_expired_option_counts_at_its_payoff_until_delivered() -> None:
    """Between expiry and delivery it is worth its intrinsic value, without delta, and said so."""
    world = World().start()
    world.hold(CALL, "1", as_price(0.01))
    world.hold(PERPETUAL, "-9000")
    world.wait(8 * DAY_NS)
    world.quote(PERPETUAL, as_price(100_000.0), as_price(0.5), 100_000.0)
    risk = risk_of(world)
    assert risk.degraded == f"awaiting delivery: {CALL.symbol}"
    assert btc(world).delta_coin == pytest.approx(-0.09)
    assert btc(world).option_premium_usd == pytest.approx(10_000)
    hedge = world.ask(PERPETUAL, "4000", price=as_price(100_000.0), purpose=OrderPurpose.HEDGE)
    assert hedge == "approved"
