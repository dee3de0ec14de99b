"""Every rule denies what it is for, and lets reducing orders pass where it must."""

from decimal import Decimal

import msgspec
import pytest
from risk_cases import (
    ACCOUNT,
    CALL,
    ETH_PERPETUAL,
    FAR_CALL,
    PERPETUAL,
    PUT,
    SPOT,
    World,
    fill,
    mark,
    option,
    update,
    with_limits,
)

from glmtrader.domain.instruments import DAY_NS, MINUTE_NS, SECOND_NS, Instrument
from glmtrader.domain.market_events import MacroState
from glmtrader.domain.orders import OrderPurpose, OrderStatus, OrderType, Side
from glmtrader.domain.risk_events import KillSwitchSet, RiskVeto, TradingMode
from glmtrader.domain.system_events import ComponentFailed, VenueStatusChanged
from glmtrader.risk.approval import Approved

CLOSE, HEDGE = OrderPurpose.CLOSE, OrderPurpose.HEDGE
D = Decimal


def held(item: Instrument, quantity: str, **limits: float) -> World:
    """A world with a position, under limits of which only the named ones bind."""
    world = World(with_limits(**limits)).start()
    world.hold(item, quantity)
    return world


def mood(world: World, fomo: float | None) -> None:
    now_ns = world.clock.now_ns()
    world.send(
        MacroState(
            ts_event=now_ns,
            ts_init=now_ns,
            underlying="BTC",
            macro_regime=None,
            regime_score=None,
            sentiment_score=None,
            fomo_score=fomo,
            funding_rate_8h=None,
        )
    )


def kill(world: World, *, engaged: bool, flatten: bool = False) -> None:
    now_ns = world.clock.now_ns()
    world.send(
        KillSwitchSet(
            ts_event=now_ns, ts_init=now_ns, engaged=engaged, flatten=flatten, source="test"
        )
    )


def test_a_flat_account_may_trade() -> None:
    """No rule wants a position before there can be one."""
    world = World().start()
    assert world.ask(CALL, "1") == "approved"
    assert world.ask(PERPETUAL, "-1000") == "approved"


def test_price_zero_is_refused() -> None:
    """A hundred coins of perpetual at price 0 are no bargain."""
    world = World(with_limits()).start()
    order = msgspec.structs.replace(world.order(PERPETUAL, "-9000000"), price=D(0))
    answer = world.review(order)
    assert isinstance(answer, RiskVeto)
    assert answer.rule == "tradable"


def test_a_fence_stops_everything() -> None:
    """Until reconciled not even a close passes."""
    world = held(CALL, "1")
    world.mode(TradingMode.FENCED)
    assert world.ask(CALL, "1") == "trading_mode"
    assert world.ask(CALL, "-1", purpose=CLOSE) == "trading_mode"


def test_reduce_only_passes_reductions_alone() -> None:
    """Reduce-only refuses an opening and passes a close and a hedge."""
    world = held(CALL, "1")
    world.mode(TradingMode.REDUCE_ONLY)
    assert world.ask(CALL, "1") == "trading_mode"
    assert world.ask(PERPETUAL, "-10000", purpose=HEDGE) == "approved"
    assert world.ask(CALL, "-1", purpose=CLOSE) == "approved"


def test_kill_switch_stops_everything_until_cleared() -> None:
    """Engaged it refuses all; with flatten closes pass; cleared it is as before."""
    world = held(CALL, "1")
    kill(world, engaged=True)
    assert world.ask(CALL, "-0.5", purpose=CLOSE) == "kill_switch"
    kill(world, engaged=True, flatten=True)
    assert world.ask(CALL, "0.5") == "kill_switch"
    assert world.ask(CALL, "-0.5", purpose=CLOSE) == "approved"
    kill(world, engaged=False)
    assert world.ask(CALL, "0.5") == "approved"


def test_a_fatal_failure_halts_for_good() -> None:
    """After a core component crashed, reconciliation cannot open trading again."""
    world = World().start()
    failed = ComponentFailed(
        ts_event=0, ts_init=0, component="market", error="boom", fatal=True, restarts=0
    )
    world.send(failed)
    world.mode(TradingMode.OPEN)
    assert world.ask(CALL, "1") == "trading_mode"


def test_unlisted_and_expired_are_refused() -> None:
    """What is not listed, or has expired, is not traded, not even to close."""
    world = held(CALL, "1")
    assert world.ask(option(123_000, is_call=True), "1", price=D("0.01")) == "tradable"
    world.wait(8 * DAY_NS)
    assert world.ask(CALL, "-1", purpose=CLOSE) == "tradable"


def test_a_client_id_is_approved_once() -> None:
    """The same order a second time is refused, also after it was cancelled."""
    world = World().start()
    order = world.order(CALL, "1")
    assert isinstance(world.review(order), Approved)
    world.send(update(order, OrderStatus.CANCELLED, world.clock.now_ns()))
    answer = world.review(order)
    assert isinstance(answer, RiskVeto)
    assert answer.rule == "tradable"


def test_missing_volatility_fails_closed() -> None:
    """An option that no surface prices cannot be opened."""
    world = World().start()
    world.service.inputs.surfaces = type(world.service.inputs.surfaces)()
    assert world.ask(CALL, "1") == "data"


def test_stale_data_refuses_increases_and_degrades_reductions() -> None:
    """On stale input an opening is refused; a close passes, marked degraded, in a wider collar."""
    world = held(CALL, "1")
    wide = mark(CALL) - D("0.0100")
    assert world.ask(CALL, "-0.1", price=wide, purpose=CLOSE) == "price_collar"
    world.wait(10 * MINUTE_NS)
    assert world.ask(CALL, "1") == "data"
    answer = world.review(world.order(CALL, "-0.1", price=wide, purpose=CLOSE))
    assert isinstance(answer, Approved)
    assert answer.degraded


def test_fresh_reductions_are_not_degraded() -> None:
    """Degraded is said only where it is true."""
    world = held(CALL, "1")
    approved = world.review(world.order(CALL, "-0.1", purpose=CLOSE))
    assert isinstance(approved, Approved)
    assert not approved.degraded


@pytest.mark.parametrize("status", ["disconnected", "maintenance", "locked"])
def test_a_venue_that_is_down_gets_no_openings(status: str) -> None:
    """Nothing is opened on a venue that takes no orders; a close may try."""
    world = held(CALL, "1")
    now_ns = world.clock.now_ns()
    down = VenueStatusChanged(
        ts_event=now_ns,
        ts_init=now_ns,
        venue="sim",
        status=status,
        detail="",
        clock_offset_ns=None,
    )
    world.send(down)
    assert world.ask(CALL, "1") == "venue_health"
    assert world.ask(CALL, "-1", purpose=CLOSE) == "approved"
    world.send(msgspec.structs.replace(down, status="connected"))
    assert world.ask(CALL, "1") == "approved"


def test_clocks_that_disagree_open_nothing() -> None:
    """An offset beyond the limit refuses openings, not closes."""
    world = held(CALL, "1")
    skewed = VenueStatusChanged(
        ts_event=0,
        ts_init=0,
        venue="sim",
        status="connected",
        detail="",
        clock_offset_ns=-2 * SECOND_NS,
    )
    world.send(skewed)
    assert world.ask(CALL, "1") == "venue_health"
    assert world.ask(CALL, "-1", purpose=CLOSE) == "approved"


@pytest.mark.parametrize(
    ("item", "quantity", "price"),
    [
        (CALL, "1", mark(CALL) + D("0.0100")),
        (CALL, "-1", mark(CALL) - D("0.0100")),
        (PERPETUAL, "1000", D(91500)),
        (PERPETUAL, "-1000", D(88500)),
    ],
)
def test_prices_beyond_the_collar_are_refused(
    item: Instrument, quantity: str, price: Decimal
) -> None:
    """Too far on the losing side of the mark: ten vol points, or one per cent."""
    assert World(with_limits()).start().ask(item, quantity, price=price) == "price_collar"


def test_closes_keep_the_collar_too() -> None:
    """A close skips every limit but the collar."""
    world = held(PERPETUAL, "10000")
    assert world.ask(PERPETUAL, "-10000", price=D(80000), purpose=CLOSE) == "price_collar"
    assert world.ask(PERPETUAL, "-10000", price=D(89000), purpose=CLOSE) == "approved"


def test_prices_on_the_harmless_side_pass() -> None:
    """A bid far below the market merely does not fill."""
    assert World(with_limits()).start().ask(PERPETUAL, "1000", price=D(50000)) == "approved"


def test_collar_holds_against_the_book_as_well() -> None:
    """With the mark far above a book, a buyer is still held to the touch."""
    world = World(with_limits()).start()
    world.quote(FAR_CALL, D("0.0200"), D("0.0001"), SPOT)
    assert world.ask(FAR_CALL, "1", price=D("0.0400")) == "price_collar"


def test_market_orders_close_and_nothing_else() -> None:
    """A market order has no bound: it may close at the touch, never open."""
    world = held(PERPETUAL, "10000")
    opening = msgspec.structs.replace(
        world.order(PERPETUAL, "1000"), order_type=OrderType.MARKET, price=None
    )
    closing = msgspec.structs.replace(
        world.order(PERPETUAL, "-1000", purpose=CLOSE), order_type=OrderType.MARKET, price=None
    )
    answer = world.review(opening)
    assert isinstance(answer, RiskVeto)
    assert answer.rule == "price_collar"
    assert isinstance(world.review(closing), Approved)


def test_leverage_denies_and_says_how_much_fits() -> None:
    """Gross delta-notional beyond the limit is refused with the quantity that would pass."""
    world = World(with_limits(leverage_max=1.0)).start()
    answer = world.review(world.order(PERPETUAL, "1000000"))
    assert isinstance(answer, RiskVeto)
    assert answer.rule == "leverage"
    assert D(answer.details["quantity_allowed"]) == D(900_000)
    assert world.ask(PERPETUAL, "900000") == "approved"


def test_leverage_does_not_stop_reductions() -> None:
    """Above the leverage limit closes and hedges still pass."""
    world = held(CALL, "100", leverage_max=0.1)
    assert world.ask(CALL, "1") == "leverage"
    assert world.ask(PERPETUAL, "-1000000", purpose=HEDGE) == "approved"
    assert world.ask(CALL, "-50", purpose=CLOSE) == "approved"


def test_leverage_nets_no_option_against_a_perpetual() -> None:
    """Gross means gross: a hedged book still counts both sides."""
    world = held(CALL, "10", leverage_max=1.0)
    world.hold(PERPETUAL, "-450000")
    assert world.ask(PERPETUAL, "-100000") == "leverage"


def test_short_positions_have_notional() -> None:
    """A short counts towards leverage like a long."""
    world = held(PERPETUAL, "-800000", leverage_max=1.0)
    assert world.ask(PERPETUAL, "-200000") == "leverage"


def test_order_notional() -> None:
    """One order of two million dollars is refused; a close or hedge of that size is not."""
    world = held(CALL, "100", order_notional_usd_max=1e6)
    assert world.ask(PERPETUAL, "2000000") == "order_notional"
    assert world.ask(PERPETUAL, "-2000000", purpose=HEDGE) == "approved"
    assert world.ask(CALL, "-60", purpose=CLOSE) == "approved"


def test_position_notional() -> None:
    """Notional in one instrument is bounded; closing out of it is not."""
    world = held(PERPETUAL, "900000", position_notional_usd_max=1e6)
    answer = world.review(world.order(PERPETUAL, "200000"))
    assert isinstance(answer, RiskVeto)
    assert (answer.rule, answer.details["quantity_allowed"]) == ("position", "100000")
    assert world.ask(PERPETUAL, "-900000", purpose=CLOSE) == "approved"


def test_position_counts_straddles_of_the_underlying() -> None:
    """Calls of any strike count together; puts on their own; selling down is a close."""
    world = held(CALL, "3", straddles_max=4.0)
    assert world.ask(FAR_CALL, "2") == "position"
    assert world.ask(PUT, "2") == "approved"
    assert world.ask(CALL, "-3", purpose=CLOSE) == "approved"


def test_in_flight_counts_at_its_worst() -> None:
    """Two approved orders on opposite sides do not net: either may fill alone."""
    world = World(with_limits(position_notional_usd_max=1e6)).start()
    assert world.ask(PERPETUAL, "900000") == "approved"
    assert world.ask(PERPETUAL, "-900000") == "approved"
    assert world.ask(PERPETUAL, "200000") == "position"


def test_unknown_orders_count_in_full_until_resolved() -> None:
    """An order of unknown outcome is exposure; once found cancelled it is not."""
    world = World(with_limits(position_notional_usd_max=1e6)).start()
    order = world.order(PERPETUAL, "900000")
    world.review(order)
    now_ns = world.clock.now_ns()
    world.send(update(order, OrderStatus.UNKNOWN, now_ns))
    assert world.ask(PERPETUAL, "200000") == "position"
    world.send(update(order, OrderStatus.CANCELLED, now_ns))
    assert world.ask(PERPETUAL, "200000") == "approved"


def test_a_fill_announced_before_it_arrives_still_counts() -> None:
    """Cancelled with a part filled: the part counts although its fill is outstanding."""
    world = World(with_limits(position_notional_usd_max=1e6)).start()
    order = world.order(PERPETUAL, "900000")
    world.review(order)
    now_ns = world.clock.now_ns()
    world.send(update(order, OrderStatus.CANCELLED, now_ns, filled="850000"))
    assert world.ask(PERPETUAL, "200000") == "position"
    world.send(fill(PERPETUAL, "850000", D(90000), now_ns, trade_id="x", order=order))
    assert world.ask(PERPETUAL, "200000") == "position"
    assert world.ask(PERPETUAL, "150000") == "approved"


def test_an_order_that_appears_late_counts_again() -> None:
    """Presumed dead, then found resting at the venue: it is exposure again."""
    world = World(with_limits(position_notional_usd_max=1e6)).start()
    order = world.order(PERPETUAL, "900000")
    world.review(order)
    now_ns = world.clock.now_ns()
    world.send(update(order, OrderStatus.EXPIRED, now_ns))
    world.send(update(order, OrderStatus.ACCEPTED, now_ns))
    assert world.ask(PERPETUAL, "200000") == "position"


def test_margin_of_short_options() -> None:
    """Selling more than the collateral carries is refused; closes of shorts pass."""
    world = held(CALL, "-40", margin_used_pct_max=0.8)
    assert world.ask(PUT, "-20") == "margin"
    assert world.ask(CALL, "40", purpose=CLOSE) == "approved"


def test_hedges_do_not_skip_margin() -> None:
    """A hedge that cannot be margined is refused, because the venue would refuse it."""
    world = held(CALL, "-60", margin_used_pct_max=0.8)
    assert world.ask(PERPETUAL, "1000000", purpose=HEDGE) == "margin"


def test_margin_includes_the_premium_of_what_is_bought() -> None:
    """A premium beyond the cash cannot be paid."""
    world = World(with_limits(margin_used_pct_max=0.5)).start()
    assert world.ask(CALL, "200") == "margin"


def test_premium_of_long_options() -> None:
    """Long options worth more than their part of equity are refused; selling them passes."""
    world = held(CALL, "30", premium_pct_max=0.1)
    assert world.ask(CALL, "10") == "premium"
    assert world.ask(CALL, "-10", purpose=CLOSE) == "approved"


def test_drawdown_on_market_losses_stops_increases_alone() -> None:
    """A market loss with nothing realised stops openings; hedges and closes pass (R10, R12)."""
    world = held(PERPETUAL, "1800000", drawdown_pct_max=0.2)
    world.hold(CALL, "1")
    world.market(70_000.0)
    price = D(70_000)
    assert world.ask(PERPETUAL, "1000", price=price) == "drawdown"
    assert world.ask(PERPETUAL, "-100000", price=price, purpose=HEDGE) == "approved"
    assert world.ask(PERPETUAL, "-1000000", price=price, purpose=CLOSE) == "approved"


def test_fomo_stops_increases_alone() -> None:
    """In a frenzy nothing increases; without a score, or with 0 after 0.9, nothing is stopped."""
    world = held(CALL, "1")
    mood(world, 0.95)
    assert world.ask(CALL, "1") == "fomo"
    assert world.ask(CALL, "-0.5", purpose=CLOSE) == "approved"
    mood(world, 0.0)
    assert world.ask(CALL, "1") == "approved"
    mood(world, None)
    assert world.ask(CALL, "1") == "approved"


def test_scenario_loss() -> None:
    """Shorts whose worst scenario costs too much are refused; buying them back passes."""
    world = held(CALL, "-10", scenario_loss_pct_max=0.3)
    assert world.ask(CALL, "-10") == "scenario"
    assert world.ask(CALL, "10", purpose=CLOSE) == "approved"


def test_scenario_lets_pass_what_makes_it_better() -> None:
    """Above the limit, an order that only improves the worst case is not refused for it."""
    world = held(CALL, "-20", scenario_loss_pct_max=0.3)
    assert world.ask(FAR_CALL, "5") == "approved"


def test_order_rate_counts_openings_of_a_minute() -> None:
    """The fourth opening in a minute is refused; closes are not counted or stopped."""
    world = held(CALL, "5", orders_per_minute_max=3)
    assert [world.ask(CALL, "0.1") for _ in range(4)][-2:] == ["approved", "order_rate"]
    assert world.ask(CALL, "-1", purpose=CLOSE) == "approved"
    world.wait(MINUTE_NS + 1)
    world.market(SPOT)
    assert world.ask(CALL, "0.1") == "approved"


def test_open_orders_are_bounded() -> None:
    """Beyond the limit nothing more is opened until something finishes; closes pass."""
    world = held(CALL, "5", open_orders_max=2)
    first = world.order(CALL, "0.1")
    world.review(first)
    assert world.ask(CALL, "0.1") == "approved"
    assert world.ask(CALL, "0.1") == "open_orders"
    assert world.ask(CALL, "-1", purpose=CLOSE) == "approved"
    world.send(update(first, OrderStatus.REJECTED, world.clock.now_ns()))


def test_an_approval_nobody_used_stops_counting() -> None:
    """An approved order that never went out is forgotten once its approval is void."""
    world = World(with_limits(position_notional_usd_max=1e6)).start()
    world.ask(PERPETUAL, "900000")
    world.wait(MINUTE_NS + 1)
    world.market(SPOT)
    assert world.ask(PERPETUAL, "900000") == "approved"


def test_deltas_of_coins_are_never_added() -> None:
    """A short delta in ETH does not make selling BTC a hedge, nor the other way round (R15)."""
    world = World(with_limits(order_notional_usd_max=1.0)).start()
    world.hold(CALL, "10")
    assert world.ask(ETH_PERPETUAL, "-3000", purpose=HEDGE) == "order_notional"
    assert world.ask(PERPETUAL, "-3000", purpose=HEDGE) == "approved"


def test_a_hedge_across_zero_is_an_opening() -> None:
    """More than the delta there is does not reduce: all rules apply."""
    world = held(CALL, "1", order_notional_usd_max=1.0)
    assert world.ask(PERPETUAL, "-90000", purpose=HEDGE) == "order_notional"
    assert world.ask(PERPETUAL, "90000", purpose=HEDGE) == "order_notional"


def test_a_close_of_more_than_is_held_is_an_opening() -> None:
    """What is in flight is filled already, as far as a close is concerned."""
    world = held(CALL, "1", order_notional_usd_max=1.0)
    assert world.ask(CALL, "-1.1", purpose=CLOSE) == "order_notional"
    assert world.ask(CALL, "-0.6", purpose=CLOSE) == "approved"
    assert world.ask(CALL, "-0.6", purpose=CLOSE) == "order_notional"


def test_an_unknown_account_is_refused() -> None:
    """An order of an account that is not configured is vetoed, not crashed on."""
    world = World().start()
    order = msgspec.structs.replace(world.order(CALL, "1"), account_id="other", side=Side.BUY)
    answer = world.review(order)
    assert isinstance(answer, RiskVeto)
    assert "other" in answer.reason
    assert ACCOUNT.account_id not in answer.reason
