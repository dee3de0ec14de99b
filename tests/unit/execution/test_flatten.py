"""The kill switch that flattens: every position is closed through the gate, and nothing else."""

from decimal import Decimal

from execution_world import BUY_STRADDLE, CALL, HEDGE, PERPETUAL, PUT, SELL_STRADDLE, World

from glmtrader.domain.order_events import ExecutionCommand, OrderCommand
from glmtrader.domain.orders import OrderPurpose
from glmtrader.domain.risk_events import KillSwitchSet, RiskVeto, TradingMode
from glmtrader.execution.flatten import FLATTEN

D = Decimal
HELD = (CALL, PUT, PERPETUAL)


def kill(world: World, *, engaged: bool = True, flatten: bool = True) -> None:
    """Set the switch."""
    now_ns = world.clock.now_ns()
    world.bus.publish(
        KillSwitchSet(
            ts_event=now_ns, ts_init=now_ns, engaged=engaged, flatten=flatten, source="test"
        )
    )


def holding() -> World:
    """A world that holds a straddle and a short perpetual."""
    world = World().opened()
    world.give(BUY_STRADDLE)
    world.give(HEDGE, 2)
    world.run(2.0)
    assert [world.position(item) for item in HELD] == [D("0.2"), D("0.2"), D(-1000)]
    return world


def test_flatten_closes_every_position() -> None:
    """Options and perpetuals are closed, all as closing orders that the gate approved."""
    world = holding()
    kill(world)
    world.run(5.0)
    assert [world.position(item) for item in HELD] == [0, 0, 0]
    closing = world.venue.submitted[3:]
    assert {order.purpose for order in closing} == {OrderPurpose.CLOSE}
    assert all(order.reduce_only for order in closing)
    assert world.service.is_killed
    world.check_agrees()


def test_flatten_buys_back_what_is_short() -> None:
    """A short straddle is bought back."""
    world = World().opened()
    world.give(SELL_STRADDLE)
    world.run(2.0)
    kill(world)
    world.run(5.0)
    assert world.position(CALL) == world.position(PUT) == 0


def test_nothing_but_closes_leaves_while_flattening() -> None:
    """Openings and hedges are refused as under any kill switch."""
    world = holding()
    kill(world)
    world.run(5.0)
    sent = len(world.venue.submitted)
    world.give(BUY_STRADDLE, 3)
    world.give(HEDGE, 4)
    world.run(5.0)
    assert len(world.venue.submitted) == sent


def test_kill_without_flatten_keeps_positions() -> None:
    """A switch that does not flatten sends nothing."""
    world = holding()
    kill(world, flatten=False)
    world.run(60.0)
    assert len(world.venue.submitted) == 3


def test_flatten_goes_on_until_flat() -> None:
    """What could not be closed is tried again, round by round, never twice at once."""
    world = holding()
    world.venue.script_default = "none"
    kill(world)
    world.run(40.0)
    assert world.position(CALL) == D("0.2")
    world.venue.script_default = "fill"
    world.refresh()
    world.run(60.0)
    assert [world.position(item) for item in HELD] == [0, 0, 0]
    world.check_agrees()


def test_flatten_waits_for_an_order_whose_outcome_is_unknown() -> None:
    """A position with an order in doubt is closed when the venue has told of it, and once."""
    world = World().opened()
    world.venue.scripts.append("late")
    world.give(HEDGE)
    world.run(1.5)
    kill(world)
    world.run(30.0)
    assert world.position(PERPETUAL) == 0
    assert [order.quantity for order in world.venue.submitted] == [D(1000), D(1000)]


def test_flatten_waits_for_the_venue_to_be_reconciled() -> None:
    """While fenced nothing leaves; the closes follow the reconnection."""
    world = holding()
    world.venue.status("connected")
    world.run(1.0)
    world.venue.status("disconnected")
    world.run(1.0)
    kill(world)
    world.run(20.0)
    assert len(world.venue.submitted) == 3
    world.refresh()
    world.venue.status("connected")
    world.run(5.0)
    assert [world.position(item) for item in HELD] == [0, 0, 0]


def test_flatten_is_taken_up_by_the_next_process() -> None:
    """A process that died while flattening goes on with it after its start."""
    world = holding()
    world.venue.script_default = "none"
    kill(world)
    world.run(1.5)
    world.journal.commit()
    world.kill()
    world.venue.script_default = "fill"
    world.boot()
    world.run(30.0)
    assert world.mode() is TradingMode.OPEN
    assert [world.position(item) for item in HELD] == [0, 0, 0]
    world.check_agrees()


def test_cleared_switch_ends_flattening() -> None:
    """What a person clears in the middle closes nothing more."""
    world = holding()
    kill(world)
    kill(world, engaged=False)
    world.run(30.0)
    assert [world.position(item) for item in HELD] == [D("0.2"), D("0.2"), D(-1000)]
    assert not world.service.is_killed


def test_vetoed_closes_are_asked_again_at_the_pace_of_reports() -> None:
    """A gate that refuses a close is not asked in a loop."""
    world = holding()
    world.risk.refuses = lambda _: True
    kill(world)
    world.run(65.0)
    assert 3 <= len(world.seen(RiskVeto)) <= 3 * 6


def test_flattening_is_journaled_as_intents() -> None:
    """Every closing order has its command in the journal, by the kill switch."""
    world = holding()
    kill(world)
    world.run(5.0)
    commands = [event for event in world.seen(ExecutionCommand) if event.strategy_id == FLATTEN]
    orders = [event.order for event in world.seen(OrderCommand)][3:]
    assert {event.intent_id for event in commands} == {order.intent_id for order in orders}
    assert {event.approved_by for event in commands} == {"kill switch"}
