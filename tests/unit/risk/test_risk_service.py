"""The service on the real bus: intents, books, broadcasts, alerts, restarts."""

from decimal import Decimal

import msgspec
import pytest
from risk_cases import (
    ACCOUNT,
    CALL,
    EXPIRY_NS,
    FAR_CALL,
    PERPETUAL,
    PUT,
    SPOT,
    STRATEGY,
    World,
    commanded,
    fill,
    intent,
    mark,
    report,
    update,
    with_limits,
)

from glmtrader.domain.decisions import Action, IntentType
from glmtrader.domain.event import Event
from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import MINUTE_NS
from glmtrader.domain.order_events import (
    ExecutionCommand,
    FundingPaid,
    IntentCompleted,
    OptionDelivered,
    SessionSettled,
)
from glmtrader.domain.orders import OrderPurpose, OrderStatus
from glmtrader.domain.risk_events import (
    KillSwitchSet,
    LedgerSnapshot,
    PortfolioRisk,
    PositionUpdate,
    RiskAlert,
    RiskVeto,
    TradingMode,
    TradingModeChanged,
)
from glmtrader.domain.strategy_events import StrategyIntent, StrategySignal
from glmtrader.domain.system_events import ComponentFailed
from glmtrader.risk.approval import Approved
from glmtrader.risk.service import RiskService

D = Decimal


def reducing(quantity: str, number: int = 1) -> StrategyIntent:
    return intent(
        quantity,
        intent_type=IntentType.REDUCE_LONG_GAMMA,
        action=Action.SELL_STRADDLE,
        number=number,
    )


def command(world: World) -> ExecutionCommand:
    event = world.last(ExecutionCommand)
    assert isinstance(event, ExecutionCommand)
    return event


def veto(world: World) -> RiskVeto:
    event = world.last(RiskVeto)
    assert isinstance(event, RiskVeto)
    return event


def signal(world: World, kind: str, item: InstrumentId, quantity: str = "1") -> None:
    now_ns = world.clock.now_ns()
    world.send(
        StrategySignal(
            ts_event=now_ns,
            ts_init=now_ns,
            strategy_id=STRATEGY,
            account_id=ACCOUNT.account_id,
            instrument_id=item,
            signal_type=kind,
            quantity=D(quantity),
            confidence=0.5,
        )
    )


def test_an_intent_becomes_a_command() -> None:
    """An approved intent is commanded whole, with its approver."""
    world = World().start()
    world.send(intent("1"))
    assert command(world).intent.quantity == D(1)
    assert command(world).approved_by == "risk"


def test_an_intent_is_resized_to_the_room_there_is() -> None:
    """Five straddles asked, three fit: three are commanded, and what was asked is kept."""
    world = World(with_limits(straddles_max=3.0)).start()
    world.send(intent("5"))
    assert (command(world).intent.quantity, command(world).quantity_asked) == (D(3), D(5))


def test_intents_in_flight_take_room() -> None:
    """An approved intent counts until it is completed, and is not counted beside its orders."""
    world = World(with_limits(straddles_max=3.0)).start()
    world.send(intent("2"), intent("2", number=2))
    assert command(world).intent.quantity == D(1)
    world.send(intent("1", number=3))
    assert veto(world).rule == "position"
    for number in (1, 2):
        done = IntentCompleted(
            ts_event=0,
            ts_init=0,
            intent_id=intent("1", number=number).intent_id,
            strategy_id=STRATEGY,
            outcome="not_filled",
            quantity_done=D(0),
            detail="",
        )
        world.send(done)
    world.send(intent("3", number=4))
    assert command(world).intent.quantity == D(3)


def test_positions_take_room_of_intents() -> None:
    """Straddles held count against the limit; reducing them passes."""
    world = World(with_limits(straddles_max=3.0)).start()
    world.hold(CALL, "3")
    world.hold(PUT, "3")
    world.send(intent("1"))
    assert veto(world).rule == "position"
    world.send(reducing("2", number=2))
    assert command(world).intent.quantity == D(2)


def test_an_intent_of_nothing_is_refused() -> None:
    """A quantity of zero is no intent."""
    world = World().start()
    world.send(intent("0"))
    assert veto(world).rule == "intent"


def test_intents_are_refused_while_fenced() -> None:
    """Before reconciliation no intent passes, not even a reduction."""
    world = World().start()
    world.mode(TradingMode.FENCED)
    world.send(reducing("1"))
    assert veto(world).rule == "trading_mode"


def test_intents_on_stale_prices_fail_closed() -> None:
    """Without a fresh price nothing increases; a reduction passes to its orders."""
    world = World().start()
    world.wait(5 * MINUTE_NS)
    world.send(intent("1"))
    assert veto(world).rule == "data"
    world.send(reducing("1", number=2))
    assert command(world).intent_id == "pq-1-2"


def test_intents_are_limited_by_the_hour() -> None:
    """The third within the hour is refused."""
    world = World(with_limits(intents_per_hour_max=2)).start()
    world.send(*(intent("0.1", number=n) for n in (1, 2, 3)))
    assert (veto(world).rule, veto(world).intent_id) == ("intent_rate", "pq-1-3")


def test_signals_meet_the_same_veto() -> None:
    """The older form becomes an intent, or a veto; `hold` asks for nothing."""
    world = World().start()
    signal(world, "hold", CALL.instrument_id)
    assert world.count(ExecutionCommand) == 0
    signal(world, "buy", CALL.instrument_id)
    assert command(world).intent.instrument_id == CALL.instrument_id
    signal(world, "close", PUT.instrument_id)
    assert veto(world).rule == "signal"
    world.mode(TradingMode.HALTED)
    signal(world, "buy", CALL.instrument_id)
    assert veto(world).rule == "trading_mode"


def test_a_fill_updates_position_and_risk() -> None:
    """Every fill is answered by a position and a valuation."""
    world = World().start()
    world.hold(PERPETUAL, "-9000")
    position, risk = world.last(PositionUpdate), world.last(PortfolioRisk)
    assert isinstance(position, PositionUpdate)
    assert isinstance(risk, PortfolioRisk)
    assert (position.quantity, position.average_price) == (D(-9000), D(90000))
    assert risk.trigger == "fill"


def test_a_repeated_fill_changes_nothing() -> None:
    """Stream and history tell of one trade; it is booked once and announced once."""
    world = World().start()
    one = fill(PERPETUAL, "9000", D(90000), world.clock.now_ns(), trade_id="same")
    world.send(one, one)
    assert world.count(PositionUpdate) == 1
    assert world.service.books(ACCOUNT.account_id).positions() == {PERPETUAL.instrument_id: D(9000)}


def test_price_moves_are_broadcast_and_small_ones_are_not() -> None:
    """Risk is sent again after five basis points, so that a moving market triggers hedges."""
    world = World().start()
    world.hold(CALL, "1")
    before = world.count(PortfolioRisk)
    world.quote(PERPETUAL, D(90010), D("0.5"), 90_010.0)
    assert world.count(PortfolioRisk) == before
    world.quote(PERPETUAL, D(90100), D("0.5"), 90_100.0)
    assert world.count(PortfolioRisk) == before + 1


def test_cash_follows_funding_session_and_delivery() -> None:
    """Funding, the daily settlement and a delivery move cash by exactly what they say."""
    world = World().start()
    world.hold(PERPETUAL, "9000")
    world.hold(CALL, "1", D("0.03"))
    now_ns = world.clock.now_ns()
    funding = FundingPaid(
        ts_event=0,
        ts_init=0,
        account_id=ACCOUNT.account_id,
        instrument_id=PERPETUAL.instrument_id,
        amount=D("0.001"),
        currency="BTC",
        cursor=now_ns + 1,
    )
    session = SessionSettled(
        ts_event=0,
        ts_init=0,
        account_id=ACCOUNT.account_id,
        instrument_id=PERPETUAL.instrument_id,
        price=D(100_000),
        cursor=now_ns + 2,
    )
    delivered = OptionDelivered(
        ts_event=0,
        ts_init=0,
        account_id=ACCOUNT.account_id,
        underlying="BTC",
        expiry_ns=EXPIRY_NS,
        delivery_price_usd=D(100_000),
        cursor=now_ns + 3,
    )
    world.send(funding, session, delivered, funding, session, delivered)
    books = world.service.books(ACCOUNT.account_id)
    assert books.cash() == {"BTC": D(10) - D("0.03") - D("0.001") + D("0.01") + D("0.1")}
    assert books.positions() == {PERPETUAL.instrument_id: D(9000)}


def test_books_open_on_a_history_that_explains_the_position() -> None:
    """A perpetual held at the first report gets its entry from the reported fills."""
    fresh = World().start()
    now_ns = fresh.clock.now_ns()
    fresh.service.desks[ACCOUNT.account_id].is_opened = False
    history = fill(PERPETUAL, "9000", D(80_000), now_ns, trade_id="old")
    told = msgspec.structs.replace(
        report(now_ns, "3"), fills=(history,), positions={PERPETUAL.instrument_id: D(9000)}
    )
    fresh.send(told, history)
    books = fresh.service.books(ACCOUNT.account_id)
    assert books.cash() == {"BTC": D(3)}
    assert books.ledger.position(PERPETUAL.instrument_id).entry_value == D(9000) / 80_000


def test_books_stay_closed_on_a_position_nobody_explains() -> None:
    """Without its history a position keeps the account closed, with a critical alert."""
    world = World().start()
    desk = world.service.desks[ACCOUNT.account_id]
    desk.is_opened, desk.missing = False, "the books are not opened yet"
    told = msgspec.structs.replace(
        report(world.clock.now_ns(), "3"), positions={PERPETUAL.instrument_id: D(9000)}
    )
    world.send(told)
    alert = world.last(RiskAlert)
    assert isinstance(alert, RiskAlert)
    assert alert.alert_type == "books"
    assert world.ask(CALL, "1") == "data"


def test_the_drawdown_alarm_is_raised_once() -> None:
    """The alarm itself works (R13), and does not repeat while it lasts."""
    world = World().start()
    world.hold(PERPETUAL, "1800000")
    world.market(70_000.0)
    world.market(69_000.0)
    alerts = [e for e in world.seen if isinstance(e, RiskAlert) and e.alert_type == "drawdown"]
    assert len(alerts) == 1


def test_a_fatal_failure_is_announced() -> None:
    """Every account is halted by event, so that execution cancels."""
    world = World().start()
    failed = ComponentFailed(
        ts_event=0, ts_init=0, component="market", error="boom", fatal=True, restarts=0
    )
    world.send(failed)
    mode = world.last(TradingModeChanged)
    assert isinstance(mode, TradingModeChanged)
    assert (mode.mode, "boom" in mode.reason) == (TradingMode.HALTED, True)


def test_snapshots_are_written_by_timer_and_at_the_end() -> None:
    """Books that changed are written down within a minute and when the bus closes."""
    world = World().start()
    world.wait(MINUTE_NS + 1)
    before = world.count(LedgerSnapshot)
    world.hold(CALL, "2")
    world.wait(MINUTE_NS + 1)
    assert world.count(LedgerSnapshot) == before + 1
    world.hold(CALL, "1")
    world.bus.close()
    assert world.count(LedgerSnapshot) == before + 2


def test_books_that_stay_the_same_are_written_once_an_hour() -> None:
    """Without a booking the ledger is written down once an hour, not with every heartbeat."""
    world = World().start()
    world.wait(MINUTE_NS + 1)
    before = world.count(LedgerSnapshot)
    world.wait(2 * 60 * MINUTE_NS)
    assert world.count(LedgerSnapshot) == before + 2


def test_a_quiet_market_is_valued_every_five_minutes_a_moving_one_every_minute() -> None:
    """A heartbeat values anew after a price was heard, or when five minutes have passed."""
    world = World().start()
    world.hold(CALL, "2")
    world.wait(MINUTE_NS + 1)
    before = world.count(PortfolioRisk)
    world.wait(10 * MINUTE_NS)
    assert world.count(PortfolioRisk) == before + 2
    world.quote(PERPETUAL, D("90001"), D("0.5"), 90_001.0)
    world.wait(MINUTE_NS + 1)
    assert world.count(PortfolioRisk) == before + 3


def restarted(world: World) -> RiskService:
    """A new service, folded from everything the old world journaled, written and read back."""
    kinds = tuple({type(event) for event in world.seen if type(event).journaled})
    decoder = msgspec.json.Decoder(kinds[0] if len(kinds) == 1 else _union(kinds))
    journal = [
        decoder.decode(msgspec.json.encode(event)) for event in world.seen if event.journaled
    ]
    service = world.make_service()
    service.restore(journal)
    return service


def _union(kinds: tuple[type[Event], ...]) -> object:
    union: object = kinds[0]
    for kind in kinds[1:]:
        union |= kind
    return union


def test_a_restart_has_the_same_books() -> None:
    """Cash, positions, cursor and names booked survive, whether or not a snapshot came last."""
    world = World().start()
    world.hold(CALL, "2")
    world.wait(MINUTE_NS + 1)
    world.hold(PERPETUAL, "-9000")
    old, new = world.service.desks, restarted(world).desks
    assert new[ACCOUNT.account_id].ledger == old[ACCOUNT.account_id].ledger
    assert new[ACCOUNT.account_id].equity_peak == old[ACCOUNT.account_id].equity_peak
    assert new[ACCOUNT.account_id].mode is TradingMode.FENCED


def test_a_fill_journaled_just_before_a_snapshot_is_not_lost() -> None:
    """A snapshot that was written before a fill was booked, and journaled after it."""
    world = World().start()
    service = world.service
    snapshot = world.last(LedgerSnapshot)
    late = fill(PERPETUAL, "9000", D(90000), world.clock.now_ns(), trade_id="late")
    world.send(late)
    world.seen.append(snapshot)
    ledger = restarted(world).desks[ACCOUNT.account_id].ledger
    assert ledger == service.desks[ACCOUNT.account_id].ledger


def test_a_restart_keeps_the_kill_switch() -> None:
    """Engaged before the crash, engaged after it."""
    world = World().start()
    world.send(KillSwitchSet(ts_event=0, ts_init=0, engaged=True, flatten=True, source="test"))
    gate = restarted(world).gate
    assert (gate.kill_engaged, gate.kill_flatten) == (True, True)
    world.send(KillSwitchSet(ts_event=0, ts_init=0, engaged=False, flatten=False, source="test"))
    assert not restarted(world).gate.kill_engaged


def test_a_restart_counts_what_was_in_flight() -> None:
    """An order whose end is not in the journal is still exposure, less what has filled."""
    world = World(with_limits(position_notional_usd_max=1e6)).start()
    order = world.order(PERPETUAL, "900000")
    assert isinstance(world.review(order), Approved)
    now_ns = world.clock.now_ns()
    world.send(commanded(order, now_ns), update(order, OrderStatus.SENT, now_ns))
    world.send(fill(PERPETUAL, "100000", D(90000), now_ns, trade_id="p", order=order))
    desk = restarted(world).desks[ACCOUNT.account_id]
    exposure = desk.book.by_id[PERPETUAL.instrument_id]
    assert (exposure.position, exposure.buys) == (D(100_000), D(800_000))


@pytest.mark.parametrize("spot", [60_000.0, 130_000.0])
def test_hedges_pass_after_a_crash_of_the_market(spot: float) -> None:
    """In drawdown beyond the limit, with greeks moved far, the hedge still passes (R10)."""
    world = World(with_limits(drawdown_pct_max=0.05)).start()
    world.hold(FAR_CALL, "-10")
    world.hold(PUT, "-10", mark(PUT))
    world.market(spot)
    risk = world.last(PortfolioRisk)
    assert isinstance(risk, PortfolioRisk)
    delta = risk.by_underlying[0].delta_coin
    quantity = D(round(-0.9 * delta * spot / 10) * 10)
    price = D(repr(spot))
    opening = world.ask(PERPETUAL, str(quantity), price=price)
    hedge = world.ask(PERPETUAL, str(quantity), price=price, purpose=OrderPurpose.HEDGE)
    assert (opening, hedge) == ("drawdown", "approved")


def test_a_fill_after_a_move_is_valued_with_options_priced_at_the_new_price() -> None:
    """A booking does not put delta back to where it was before the price moved."""
    world = World().start()
    world.hold(CALL, "2")
    moved_usd = SPOT * 1.004
    world.quote(PERPETUAL, D(repr(moved_usd)), D("0.5"), moved_usd)
    followed = world.last(PortfolioRisk)
    world.hold(PERPETUAL, "10", D(repr(moved_usd)))
    booked = world.last(PortfolioRisk)
    assert isinstance(followed, PortfolioRisk)
    assert isinstance(booked, PortfolioRisk)
    before, after = followed.by_underlying[0].delta_coin, booked.by_underlying[0].delta_coin
    assert after - before == pytest.approx(10 / moved_usd, abs=2e-3)


def test_a_fill_after_a_move_is_worth_what_pricing_everything_anew_says() -> None:
    """Only what was traded is counted anew; greeks follow the move to second order."""
    world = World().start()
    world.hold(CALL, "2")
    moved_usd = SPOT * 1.004
    world.quote(PERPETUAL, D(repr(moved_usd)), D("0.5"), moved_usd)
    world.hold(PUT, "-1")
    world.hold(PERPETUAL, "1000", D(repr(moved_usd)))
    booked = world.last(PortfolioRisk)
    world.market(moved_usd)
    priced = world.last(PortfolioRisk)
    assert isinstance(booked, PortfolioRisk)
    assert isinstance(priced, PortfolioRisk)
    assert booked.equity_usd == pytest.approx(priced.equity_usd, rel=1e-5)
    followed, anew = booked.by_underlying[0], priced.by_underlying[0]
    assert followed.delta_coin == pytest.approx(anew.delta_coin, abs=2e-3)
    assert followed.price_usd == anew.price_usd
