"""A halted account opens nothing, goes on comparing, and may still close and hedge."""

from decimal import Decimal

import pytest
from execution_world import (
    ACCOUNT,
    BUY_STRADDLE,
    CALL,
    HEDGE,
    PERPETUAL,
    PUT,
    SELL_STRADDLE,
    World,
    intent,
)

from glmtrader.domain.decisions import Action, IntentType
from glmtrader.domain.order_events import IntentCompleted
from glmtrader.domain.risk_events import KillSwitchSet, TradingMode, TradingModeChanged
from glmtrader.domain.system_events import ComponentFailed

D = Decimal
CLOSE = intent(IntentType.REDUCE_LONG_GAMMA, Action.SELL_STRADDLE)


def halt(world: World) -> None:
    """Halt from outside, as the risk service does."""
    now_ns = world.clock.now_ns()
    world.bus.publish(
        TradingModeChanged(
            ts_event=now_ns,
            ts_init=now_ns,
            account_id=ACCOUNT,
            mode=TradingMode.HALTED,
            reason="test",
        )
    )


def holding() -> World:
    """A world that holds a straddle."""
    world = World().opened()
    world.give(BUY_STRADDLE)
    world.run(2.0)
    assert world.position(CALL) == world.position(PUT) == D("0.2")
    return world


@pytest.mark.parametrize("seconds", [4.0, 20.0])
def test_difference_that_passes_does_not_halt(seconds: float) -> None:
    """Books that differ for seconds fence the account, and it opens when they agree."""
    world = World().opened()
    world.venue.ledger.balances["BTC"] = D("1.5")
    world.run(30.0)
    assert world.mode() is TradingMode.FENCED
    world.run(seconds)
    world.venue.ledger.balances["BTC"] = D(0)
    world.run(10.0)
    assert world.mode() is TradingMode.OPEN
    assert TradingMode.HALTED not in {event.mode for event in world.seen(TradingModeChanged)}


def test_halted_account_closes_and_hedges() -> None:
    """Where the books equal the venue's a halt lets a reduction and a hedge pass."""
    world = holding()
    halt(world)
    world.run(1.0)
    world.give(CLOSE, 2)
    world.give(HEDGE, 3)
    world.run(5.0)
    assert world.mode() is TradingMode.HALTED
    assert world.position(CALL) == world.position(PUT) == 0
    assert world.position(PERPETUAL) == D(-1000)


def test_halted_account_opens_nothing() -> None:
    """An increase is refused with the halt as its reason."""
    world = World().opened()
    halt(world)
    world.run(1.0)
    world.give(BUY_STRADDLE)
    world.run(5.0)
    assert world.venue.submitted == []
    (event,) = world.seen(IntentCompleted)
    assert "trading is halted" in event.detail


def test_halt_on_differing_books_hedges_only_when_they_agree() -> None:
    """On books in doubt a close goes to the gate as reduce-only; a hedge waits for a comparison."""
    world = holding()
    world.venue.ledger.balances["BTC"] += D("1.5")
    world.run(90.0)
    assert world.mode() is TradingMode.HALTED
    world.refresh()
    world.give(HEDGE, 2)
    world.give(CLOSE, 3)
    world.run(5.0)
    assert world.position(PERPETUAL) == 0
    assert all(order.reduce_only for order in world.venue.submitted[2:])
    assert world.position(CALL) == world.position(PUT) == 0
    world.venue.ledger.balances["BTC"] -= D("1.5")
    world.run(40.0)
    world.refresh()
    world.give(HEDGE, 4)
    world.run(5.0)
    assert world.mode() is TradingMode.HALTED
    assert world.position(PERPETUAL) == D(-1000)


def test_halted_account_is_compared_at_the_pace_of_reports() -> None:
    """A difference that stays does not make a halted account ask every other second."""
    world = World().opened()
    world.venue.ledger.balances["BTC"] = D("1.5")
    world.run(90.0)
    asked = len(world.venue.requests)
    world.run(120.0)
    assert 3 <= len(world.venue.requests) - asked <= 5


def test_halt_between_two_legs_takes_the_first_one_back() -> None:
    """No leg is left alone by a halt: the pair is unwound."""
    world = World().opened()
    world.venue.scripts.extend(["fill", "none"])
    world.give(SELL_STRADDLE)
    world.run(0.5)
    halt(world)
    world.run(5.0)
    assert world.completed() == [("unwound", D(0))]
    assert world.position(CALL) == world.position(PUT) == 0


def test_reduction_in_progress_goes_on_through_a_halt() -> None:
    """The second leg of a reduction is closed although trading halted after the first."""
    world = holding()
    world.venue.scripts.extend(["fill", "none"])
    world.give(CLOSE, 2)
    world.run(0.5)
    halt(world)
    world.run(10.0)
    assert world.position(CALL) == world.position(PUT) == 0


def test_nothing_is_sent_after_a_part_of_the_core_crashed() -> None:
    """Books that nobody keeps any more are no ground for a close, whoever asks for it."""
    world = holding()
    now_ns = world.clock.now_ns()
    world.bus.publish(
        ComponentFailed(
            ts_event=now_ns, ts_init=now_ns, component="risk", error="x", fatal=True, restarts=0
        )
    )
    world.run(1.0)
    world.bus.publish(
        KillSwitchSet(ts_event=now_ns, ts_init=now_ns, engaged=True, flatten=True, source="test")
    )
    world.give(CLOSE, 2)
    world.run(40.0)
    assert len(world.venue.submitted) == 2
