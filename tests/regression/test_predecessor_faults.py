"""Faults of the systems that came before this one; each is held against the real code by name.

The numbers are those of the list of known faults. Left out are faults of rooms that do not exist
here (the grid, the sentiment service, containers).
"""

import ast
import asyncio
import pickle
import re
import sys
import tomllib
from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np
import pytest
from risk_cases import (
    CALL,
    ETH_PERPETUAL,
    PERPETUAL,
    PUT,
    SPOT,
    World,
    with_limits,
)
from strategy_cases import (
    NOW_NS,
    SECOND_NS,
    cheap,
    fill,
    forecast,
    portfolio,
    stale,
    state,
    surface,
)
from strategy_cases import PERPETUAL as HEDGE_PERPETUAL

from glmtrader.domain.decisions import IntentType, MarketState
from glmtrader.domain.instruments import DAY_NS, HOUR_NS
from glmtrader.domain.market_events import MacroState
from glmtrader.domain.orders import OrderPurpose
from glmtrader.domain.risk_events import (
    KillSwitchSet,
    PortfolioRisk,
    PositionUpdate,
    RiskAlert,
    RiskVeto,
)
from glmtrader.domain.system_events import ComponentFailed, TimerFired
from glmtrader.errors import ArtefactError
from glmtrader.forecast.artefact import load_model
from glmtrader.kernel.bus import Bus
from glmtrader.kernel.clock import VirtualClock
from glmtrader.kernel.inbox import Inbox
from glmtrader.kernel.journal import decode, encode
from glmtrader.market.quote_book import QuoteBook
from glmtrader.quant.black76 import greeks, implied_vol, price
from glmtrader.quant.chain_quotes import ChainQuotes
from glmtrader.quant.surface import fit_surface
from glmtrader.quant.trading_clock import BTC_CLOCK
from glmtrader.risk.approval import Approved
from glmtrader.simulator.contracts import linear_perpetual
from glmtrader.strategies import delta_hedger, pq_vol
from glmtrader.strategies.holdings import Holdings, straddles, with_fill
from glmtrader.strategies.views import MarketViews

ROOT = Path(__file__).parents[2]
D = Decimal
CLOSE, HEDGE = OrderPurpose.CLOSE, OrderPurpose.HEDGE


def macro(fomo: float | None, ts_ns: int = 0) -> MacroState:
    return MacroState(
        ts_event=ts_ns,
        ts_init=ts_ns,
        underlying="BTC",
        macro_regime=None,
        regime_score=None,
        sentiment_score=fomo,
        fomo_score=fomo,
        funding_rate_8h=None,
    )


def timer(number: int) -> TimerFired:
    return TimerFired(ts_event=number, ts_init=number, component="x", key=str(number))


def newest_risk(world: World) -> PortfolioRisk:
    found = world.last(PortfolioRisk)
    assert isinstance(found, PortfolioRisk)
    return found


def test_r2_every_event_can_be_published_and_written() -> None:
    """Times, decimals and nested records encode to bytes and come back equal."""
    for event in (surface(), forecast(), portfolio(delta=0.1), fill(CALL, "0.1"), macro(None)):
        assert decode(type(event).__name__, encode(event), seq=1) == event


def test_r3_a_reader_receives_what_is_published_and_sleeps_in_between() -> None:
    """A subscription gives every message once, and waits without spinning when there is none."""

    async def scenario() -> list[int]:
        bus, read = Bus(VirtualClock(0)), list[int]()
        subscription = bus.subscribe(TimerFired, name="reader")

        async def reader() -> None:
            async for _, event in subscription:
                read.append(event.ts_event)

        async with asyncio.TaskGroup() as group:
            task = group.create_task(reader())
            for number in range(3):
                await asyncio.sleep(0)
                assert not task.done()
                bus.publish(timer(number))
                bus.drain()
            bus.close()
        return read

    assert asyncio.run(asyncio.wait_for(scenario(), 5.0)) == [0, 1, 2]


def test_r4_every_component_gets_every_message() -> None:
    """Messages are fanned out to all who asked for them, never split among them."""
    bus, got = Bus(VirtualClock(0)), dict[str, list[int]]()

    def component(name: str) -> None:
        async def run(inbox: Inbox) -> None:
            async for event in inbox:
                got.setdefault(name, []).append(event.ts_event)

        bus.register(name, run, TimerFired)

    for name in ("strategies", "risk", "execution"):
        component(name)
    for number in range(10):
        bus.publish(timer(number))
    bus.drain()
    assert got == {name: list(range(10)) for name in ("strategies", "risk", "execution")}


def test_r8_price_zero_passes_no_veto() -> None:
    """Selling a hundred coins of perpetual at price 0 is refused."""
    world = World(with_limits()).start()
    answer = world.review(msgspec.structs.replace(world.order(PERPETUAL, "-9000000"), price=D(0)))
    assert isinstance(answer, RiskVeto)


def test_r9_a_flat_account_may_trade() -> None:
    """No rule demands a position before there can be one."""
    assert World().start().ask(CALL, "0.1") == "approved"


def test_r10_a_hedge_passes_in_drawdown() -> None:
    """In a drawdown that stops every opening, what reduces risk still passes."""
    world = World(with_limits(drawdown_pct_max=0.1)).start()
    world.hold(PERPETUAL, "1800000")
    world.hold(CALL, "1")
    world.market(75_000.0)
    at = D(75_000)
    assert world.ask(PERPETUAL, "1000", price=at) == "drawdown"
    assert world.ask(PERPETUAL, "-10000", price=at, purpose=HEDGE) == "approved"
    assert world.ask(PERPETUAL, "-10000", price=at, purpose=CLOSE) == "approved"


def test_r11_shorts_have_notional_and_profits_are_realised() -> None:
    """A short counts in leverage with its average price; what it earns is booked."""
    world = World().start()
    world.hold(PERPETUAL, "-900000")
    position = world.last(PositionUpdate)
    assert isinstance(position, PositionUpdate)
    assert position.average_price == D(90_000)
    assert newest_risk(world).leverage == pytest.approx(1.0)
    world.hold(PERPETUAL, "900000", price=D(80_000))
    closed = world.last(PositionUpdate)
    assert isinstance(closed, PositionUpdate)
    assert float(closed.realized_pnl) == pytest.approx(900_000 / 80_000 - 10.0)


def test_r12_market_losses_are_drawdown() -> None:
    """Nothing is sold, the price falls, and the drawdown shows it."""
    world = World().start()
    world.hold(PERPETUAL, "450000")
    assert newest_risk(world).drawdown_pct == pytest.approx(0.0, abs=1e-9)
    world.market(80_000.0)
    assert newest_risk(world).drawdown_pct == pytest.approx((450 / 80 - 5) / 10, rel=1e-6)


def test_r13_the_drawdown_alarm_itself_works() -> None:
    world = World().start()
    world.hold(PERPETUAL, "1800000")
    world.market(70_000.0)
    assert [e.alert_type for e in world.seen if isinstance(e, RiskAlert)].count("drawdown") == 1


def test_r14_greeks_of_what_is_held_reach_the_report() -> None:
    """A long straddle has gamma and vega in the report that the hedger reads."""
    world = World().start()
    for leg in (CALL, PUT):
        world.hold(leg, "1")
    (bitcoin,) = [row for row in newest_risk(world).by_underlying if row.underlying == "BTC"]
    assert bitcoin.has_options
    assert bitcoin.gamma_per_usd > 0.0
    assert bitcoin.vega_per_vol > 0.0


def test_r15_coins_are_never_added() -> None:
    """Five ETH and a hundredth of a BTC are two deltas, and a sum in dollars."""
    world = World().start()
    world.hold(PERPETUAL, "900")
    world.hold(ETH_PERPETUAL, "15000", price=D(3000))
    risk = newest_risk(world)
    deltas = {row.underlying: row.delta_coin for row in risk.by_underlying}
    assert deltas == pytest.approx({"BTC": 0.01, "ETH": 5.0})
    assert risk.total_delta_usd == pytest.approx(900 + 15_000)


def hedger_book(delta: float, memory: str, now_ns: int = NOW_NS) -> MarketState:
    return state(total_delta=delta, hedge_instrument=HEDGE_PERPETUAL, memory=memory, now_ns=now_ns)


def test_r16_the_hedger_survives_its_second_event() -> None:
    """Its memory of the first hedge is read back, and the second one follows."""
    params, memory = delta_hedger.DeltaHedgerParams(), delta_hedger.initial_memory()
    for number in range(5):
        given = hedger_book(0.2, memory, NOW_NS + number * 2 * SECOND_NS)
        decision = delta_hedger.decide(given, params)
        assert decision.intent.intent_type is IntentType.HEDGE_DELTA
        memory = decision.memory


def test_r17_a_price_move_alone_is_reported_to_the_hedger() -> None:
    """Without any fill, a moving market sends risk again, with the delta that gamma made of it."""
    world = World().start()
    for leg in (CALL, PUT):
        world.hold(leg, "1")
    before = newest_risk(world).by_underlying[0].delta_coin
    count = world.count(PortfolioRisk)
    world.quote(PERPETUAL, D(91_500), D("0.5"), 91_500.0)
    assert world.count(PortfolioRisk) > count
    assert newest_risk(world).by_underlying[0].delta_coin > before + 0.05


@pytest.mark.parametrize("is_call", [True, False])
def test_r18_theta_is_the_derivative_of_the_price_in_time(*, is_call: bool) -> None:
    """For puts as for calls, in sign and size, over strikes on both sides."""
    strikes = np.array([70_000.0, 90_000.0, 110_000.0])
    years, step, sigma = 30 / 365, 1e-5, 0.6
    theta = greeks(SPOT, strikes, years, sigma, is_call).theta
    later = price(SPOT, strikes, years - step, sigma, is_call)
    sooner = price(SPOT, strikes, years + step, sigma, is_call)
    np.testing.assert_allclose(theta, (later - sooner) / (2 * step), rtol=1e-5)


def test_r19_implied_volatility_is_exact_or_says_that_there_is_none() -> None:
    """Nothing is off by a tenth of a point, nothing answers with its first guess."""
    strike, years, sigma = (
        axis.ravel()
        for axis in np.meshgrid(
            np.linspace(50_000.0, 150_000.0, 21), [1 / 365, 7 / 365, 0.25], [0.2, 0.6, 1.5]
        )
    )
    is_call = strike >= SPOT
    value = price(SPOT, strike, years, sigma, is_call)
    found = implied_vol(value, SPOT, strike, years, is_call)
    priced = value > 1e-8 * SPOT
    assert priced.sum() > 100
    np.testing.assert_allclose(found[priced], sigma[priced], atol=1e-7)
    below_intrinsic = implied_vol(9_999.0, 100_000.0, 90_000.0, 0.1, is_call=True)
    assert np.isnan(below_intrinsic)


def quotes(vol: float, days: tuple[float, ...]) -> ChainQuotes:
    strikes = np.arange(70_000.0, 112_000.0, 2_000.0)
    strike = np.tile(np.repeat(strikes, 2), len(days))
    is_call = np.tile([False, True], len(strikes) * len(days))
    ahead = np.repeat(np.array(days), 2 * len(strikes))
    years = np.maximum(ahead, 1.0) / 365
    sides = {
        name: price(SPOT, strike, years, vol + shift, is_call) / SPOT
        for name, shift in (("bid", -0.01), ("mark", 0.0), ("ask", 0.01))
    }
    return ChainQuotes(
        now_ns=NOW_NS,
        expiry_ns=NOW_NS + (ahead * DAY_NS).astype(np.int64),
        strike=strike,
        is_call=is_call,
        forward=np.full(len(strike), SPOT),
        inverse=True,
        **sides,
    )


@pytest.mark.parametrize("vol", [0.35, 0.6, 0.9])
def test_r20_p_is_what_the_quotes_say_and_past_expiries_are_none(vol: float) -> None:
    """The surface follows the market's volatility, and an expiry that has passed is refused."""
    fit = fit_surface(quotes(vol, (-1.0, 7.0, 30.0)), BTC_CLOCK)
    assert [item.expiry_ns for item in fit.slices] == [NOW_NS + 7 * DAY_NS, NOW_NS + 30 * DAY_NS]
    for item in fit.slices:
        assert fit.atm_vol(item.expiry_ns) == pytest.approx(vol, abs=1e-4)


def test_r21_at_the_money_is_nearest_the_forward_not_the_middle_of_the_list() -> None:
    """With most strikes far below, the straddle is still the one at the forward."""
    whole = quotes(0.5, (7.0,))
    low = whole.strike <= 92_000.0
    columns = {
        name: getattr(whole, name)[low]
        for name in ("expiry_ns", "strike", "is_call", "bid", "ask", "forward", "mark")
    }
    fit = fit_surface(ChainQuotes(now_ns=NOW_NS, inverse=True, **columns), BTC_CLOCK)
    found = fit.straddle_quote(fit.slices[0].expiry_ns)
    assert getattr(found, "strike", None) == 90_000.0


def test_r22_a_straddle_is_one_position() -> None:
    """A tenth of a call and a tenth of a put are a tenth of a straddle, not two tenths."""
    held: Holdings = {}
    for item in (CALL, PUT):
        held = with_fill(held, fill(item, "0.1"))
    known = {item.instrument_id: item for item in (CALL, PUT)}
    (pair,) = straddles(held, known)
    assert pair.quantity == D("0.1")


def test_r23_a_score_of_zero_replaces_the_old_one() -> None:
    """In what strategies see, and at the gate, which opens again."""
    views = MarketViews()
    views.apply(macro(0.9))
    views.apply(macro(0.0, 1))
    assert views.macro["BTC"].fomo_score == 0.0
    world = World().start()
    world.send(macro(0.9))
    assert world.ask(CALL, "0.1") == "fomo"
    world.send(macro(0.0, 1))
    assert world.ask(CALL, "0.1") == "approved"


def test_r24_the_fomo_brake_can_fire() -> None:
    """A score that a frenzy reaches stops the strategy and the gate; closes pass."""
    decision = pq_vol.decide(cheap(fomo_score=0.95), pq_vol.PQVolParams())
    assert decision.intent.reason == "high_fomo_risk"
    world = World().start()
    world.hold(CALL, "1")
    world.send(macro(0.95))
    assert world.ask(CALL, "0.1") == "fomo"
    assert world.ask(CALL, "-0.1", purpose=CLOSE) == "approved"


def test_r25_quantities_are_rounded_to_the_lot() -> None:
    """0.35 stays 0.35 and 1.5 stays 1.5 where the lot is a thousandth."""
    instrument = linear_perpetual("sim", "BNB", D("0.1"))
    for wanted in (D("0.35"), D("1.5")):
        assert instrument.quantity_down(wanted) == wanted
    assert instrument.quantity_down(D("0.3519")) == D("0.351")


def test_r26_the_kill_switch_exists_and_stops_everything_until_cleared() -> None:
    """It is thrown by an event, leaves the process alive, and flattening passes closes alone."""
    world = World().start()
    world.hold(CALL, "1")

    def kill(*, engaged: bool, flatten: bool) -> None:
        world.send(
            KillSwitchSet(ts_event=0, ts_init=0, engaged=engaged, flatten=flatten, source="test")
        )

    kill(engaged=True, flatten=False)
    assert world.ask(CALL, "0.1") == "kill_switch"
    assert world.ask(CALL, "-0.1", purpose=CLOSE) == "kill_switch"
    kill(engaged=True, flatten=True)
    assert world.ask(CALL, "-0.1", purpose=CLOSE) == "approved"
    kill(engaged=False, flatten=False)
    assert world.ask(CALL, "0.1") == "approved"


def test_r27_a_missing_price_is_missing() -> None:
    """No stand-in: the book has no quote, the strategy holds, the gate refuses."""
    assert QuoteBook().get(CALL.instrument_id) is None
    blind = cheap(p_vol=None, p_vol_bid=None, p_vol_ask=None, staleness=stale(surface=None))
    assert pq_vol.decide(blind, pq_vol.PQVolParams()).intent.reason == "missing_surface"
    world = World().start()
    world.wait(HOUR_NS)
    assert world.ask(CALL, "0.1") == "data"


def test_r28_a_part_that_failed_is_not_swallowed() -> None:
    """A core component that crashes is reported as fatal, and trading halts for good."""
    world = World().start()

    async def broken(inbox: Inbox) -> None:
        async for _ in inbox:
            raise RuntimeError("boom")

    world.bus.register("broken", broken, TimerFired)
    failures = world.bus.subscribe(ComponentFailed, name="witness")
    world.send(timer(1))
    ((_, failed),) = failures._pending.values()
    assert isinstance(failed, ComponentFailed)
    assert (failed.component, failed.fatal, failed.error) == ("broken", True, "RuntimeError: boom")
    assert world.ask(CALL, "0.1") == "trading_mode"
    assert not isinstance(world.review(world.order(CALL, "0.1")), Approved)


class _Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return pytest.fail, ("a pickle was executed",)


def test_r29_no_pickle_is_ever_executed(tmp_path: Path) -> None:
    """A model is data: a pickle in its place is refused unread."""
    path = tmp_path / "model.json"
    path.write_bytes(pickle.dumps(_Bomb()))
    with pytest.raises(ArtefactError):
        load_model(path)


def test_r31_every_import_is_a_declared_dependency() -> None:
    """What the package imports from outside is in its dependencies."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {
        re.split(r"[>=<;\[]", spec)[0].strip().replace("-", "_").lower()
        for spec in project["dependencies"]
    }
    imported = set[str]()
    for path in (ROOT / "glmtrader").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                imported.add(node.module.split(".")[0])
    foreign = imported - set(sys.stdlib_module_names) - {"glmtrader"}
    assert foreign - declared == set()
