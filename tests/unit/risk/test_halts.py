"""What a halt lets pass, what ends it, and what an event that cannot be booked does."""

from decimal import Decimal

import msgspec
import pytest
from risk_cases import (
    ACCOUNT,
    CALL,
    PERPETUAL,
    World,
    fill,
    intent,
    option,
    with_limits,
)

from glmtrader.domain.decisions import Action, IntentType
from glmtrader.domain.market_events import InstrumentsListed
from glmtrader.domain.order_events import ExecutionCommand
from glmtrader.domain.orders import OrderPurpose
from glmtrader.domain.risk_events import RiskAlert, Severity, TradingMode, TradingModeChanged
from glmtrader.domain.system_events import ComponentFailed
from glmtrader.risk.approval import Approved

CLOSE, HEDGE = OrderPurpose.CLOSE, OrderPurpose.HEDGE
D = Decimal


def holding_a_call() -> World:
    """An open account long one call, under limits that refuse nothing."""
    world = World(with_limits()).start()
    world.hold(CALL, "1")
    return world


def halts(world: World) -> list[RiskAlert]:
    """Alerts of a halt so far."""
    return [e for e in world.seen if isinstance(e, RiskAlert) and e.alert_type == "halted"]


def crashed() -> ComponentFailed:
    """A core component failed for good."""
    return ComponentFailed(
        ts_event=0, ts_init=0, component="market", error="boom", fatal=True, restarts=0
    )


def test_a_halt_lets_closes_and_hedges_pass() -> None:
    """Halted while the books agree: what is held can be taken off and kept neutral."""
    world = holding_a_call()
    world.mode(TradingMode.HALTED)
    assert world.ask(CALL, "1") == "trading_mode"
    assert world.ask(PERPETUAL, "-10000", purpose=HEDGE) == "approved"
    assert world.ask(CALL, "-1", purpose=CLOSE) == "approved"


def test_a_halt_lets_reducing_intents_pass() -> None:
    """The first gate lets a reduction through, and nothing that increases."""
    world = holding_a_call()
    world.mode(TradingMode.HALTED)
    reduces = IntentType.REDUCE_LONG_GAMMA
    world.send(intent("1"))
    assert world.count(ExecutionCommand) == 0
    world.send(intent("1", intent_type=reduces, action=Action.SELL_STRADDLE, number=2))
    assert world.count(ExecutionCommand) == 1


def test_books_in_doubt_let_only_reduce_only_closes_pass() -> None:
    """By wrong books a close may open: the venue itself must hold it to reducing."""
    world = holding_a_call()
    world.mode(TradingMode.HALTED, books_in_doubt=True)
    assert world.ask(PERPETUAL, "-10000", purpose=HEDGE) == "trading_mode"
    assert world.ask(CALL, "-0.5", purpose=CLOSE) == "trading_mode"
    order = msgspec.structs.replace(world.order(CALL, "-0.5", purpose=CLOSE), reduce_only=True)
    assert isinstance(world.review(order), Approved)


def test_a_crashed_component_leaves_closes() -> None:
    """Prices may be frozen: nothing is hedged by them, but a position can be left."""
    world = holding_a_call()
    world.send(crashed())
    assert world.ask(PERPETUAL, "-10000", purpose=HEDGE) == "trading_mode"
    assert world.ask(CALL, "-1", purpose=CLOSE) == "approved"


@pytest.mark.parametrize("later", [TradingMode.FENCED, TradingMode.OPEN, TradingMode.REDUCE_ONLY])
def test_no_queued_mode_ends_a_halt(later: TradingMode) -> None:
    """Whatever reconciliation still had in the queue, a halt stays a halt."""
    world = holding_a_call()
    world.mode(TradingMode.HALTED)
    world.mode(later)
    world.mode(TradingMode.OPEN)
    assert world.ask(CALL, "1") == "trading_mode"


def test_a_person_ends_a_halt() -> None:
    """Released into a fence, the account opens when reconciliation says so."""
    world = holding_a_call()
    world.mode(TradingMode.HALTED, books_in_doubt=True)
    world.mode(TradingMode.FENCED, released_by="operator")
    assert world.ask(CALL, "-1", purpose=CLOSE) == "trading_mode"
    world.mode(TradingMode.OPEN)
    assert world.ask(CALL, "1") == "approved"
    world.mode(TradingMode.HALTED)
    assert world.ask(CALL, "-1", purpose=CLOSE) == "approved"


def test_every_halt_raises_one_critical_alert() -> None:
    """Whoever halts an account, a person hears of it: once while it lasts, and of the next."""
    world = World().start()
    world.mode(TradingMode.HALTED)
    world.mode(TradingMode.HALTED)
    assert [alert.severity for alert in halts(world)] == [Severity.CRITICAL]
    world.mode(TradingMode.FENCED, released_by="operator")
    world.send(crashed())
    assert len(halts(world)) == 2
    assert "boom" in halts(world)[-1].message


def test_a_fill_of_something_never_listed_halts_and_kills_nothing() -> None:
    """It cannot be booked: the account halts with that reason, and the service goes on."""
    world = holding_a_call()
    stranger = option(123_000, is_call=True)
    world.send(fill(stranger, "1", D("0.01"), world.clock.now_ns(), trade_id="x"))
    mode = world.last(TradingModeChanged)
    assert isinstance(mode, TradingModeChanged)
    assert (mode.mode, mode.books_in_doubt) == (TradingMode.HALTED, True)
    assert stranger.instrument_id in mode.reason
    assert world.ask(CALL, "1") == "trading_mode"
    world.hold(CALL, "-1")
    assert world.service.books(ACCOUNT.account_id).positions() == {}


def test_a_restart_after_a_fill_that_could_not_be_booked() -> None:
    """It is booked once its instrument is known; until then the other books are kept."""
    world = holding_a_call()
    stranger = option(123_000, is_call=True)
    world.send(fill(stranger, "1", D("0.01"), world.clock.now_ns(), trade_id="x"))
    service = world.make_service()
    service.restore([event for event in world.seen if event.journaled])
    assert service.books(ACCOUNT.account_id).positions() == {CALL.instrument_id: D(1)}
    listed = InstrumentsListed(ts_event=0, ts_init=0, venue="sim", listed=(stranger,), delisted=())
    service = world.make_service()
    service.restore([event for event in (*world.seen, listed) if event.journaled])
    assert service.books(ACCOUNT.account_id).positions() == {
        CALL.instrument_id: D(1),
        stranger.instrument_id: D(1),
    }
