"""The leg-by-leg policy as a pure machine: it ends, it is bounded, and it leaves no leg unsaid."""

from collections.abc import Sequence
from decimal import Decimal

import pytest
from execution_world import BUY_STRADDLE, CALL, NOW_NS, PUT, command
from hypothesis import given
from hypothesis import strategies as st

from glmtrader.domain.ids import client_order_id
from glmtrader.domain.instruments import SECOND_NS
from glmtrader.domain.orders import OrderPurpose, Side
from glmtrader.execution.leg_machine import (
    Done,
    IntentWork,
    LegFill,
    Phase,
    Place,
    Wait,
    advance,
    begin,
    placed,
    rebased,
    refused,
    resume,
    settled,
    stop,
)
from glmtrader.execution.legs import Leg
from glmtrader.execution.policy import ExecutionPolicy

D = Decimal
POLICY = ExecutionPolicy()
COMMAND = command(BUY_STRADDLE)
STEPS_MAX = 200


def legs(purpose: OrderPurpose = OrderPurpose.OPEN) -> tuple[Leg, ...]:
    return tuple(
        Leg(instrument=item, side=Side.BUY, quantity=D("0.3"), purpose=purpose)
        for item in (PUT, CALL)
    )


class Play:
    """Plays a venue against the machine: each attempt fills some lots, is vetoed or unpriced."""

    def __init__(self, work: IntentWork, answers: Sequence[str | int]) -> None:
        self.work = work
        self.answers = list(answers)
        self.gross = [D(0), D(0)]
        self.back = [D(0), D(0)]
        self.placed: list[Place] = []
        self.now_ns = NOW_NS

    def fills(self) -> list[LegFill]:
        pairs = zip(self.gross, self.back, strict=True)
        return [LegFill(done, done - undone) for done, undone in pairs]

    def run(self) -> Done:
        for _ in range(STEPS_MAX):
            self.work, step = advance(self.work, self.fills(), POLICY, now_ns=self.now_ns)
            if isinstance(step, Done):
                return step
            if isinstance(step, Wait):
                assert step.until_ns is not None
                assert step.until_ns > self.now_ns
                self.now_ns = step.until_ns
            else:
                self.attempt(step)
        raise AssertionError("the machine does not end")

    def attempt(self, step: Place) -> None:
        answer = self.answers.pop(0) if self.answers else 0
        if isinstance(answer, str):
            self.work = refused(
                self.work, answer, vetoed=answer == "veto", now_ns=self.now_ns, policy=POLICY
            )
            return
        self.placed.append(step)
        name = client_order_id(COMMAND.intent_id, step.leg, step.attempt)
        self.work = placed(self.work, name)
        waiting = advance(self.work, self.fills(), POLICY, now_ns=self.now_ns + 10**15)
        assert waiting == (self.work, Wait(None)), "one live order at a time"
        book = self.gross if step.side is Side.BUY else self.back
        book[step.leg] += min(step.quantity, D(answer) / 10)
        self.now_ns += SECOND_NS // 10
        self.work = settled(self.work, now_ns=self.now_ns, policy=POLICY)


def play(answers: Sequence[str | int], purpose: OrderPurpose = OrderPurpose.OPEN) -> Play:
    return Play(begin(COMMAND, legs(purpose), POLICY, now_ns=NOW_NS), answers)


def test_caps_widen_with_the_need() -> None:
    """First the cap, then the finishing cap for the missing leg, then the unwinding cap."""
    game = play([3, 0, 0, 0, 0, 0, 0, 3])
    assert game.run().outcome == "unwound"
    caps = [step.cap_vol for step in game.placed]
    assert caps == [0.02] * 4 + [0.05] * 3 + [0.10]
    assert [step.leg for step in game.placed] == [0] + [1] * 6 + [0]


def test_second_leg_is_traded_only_for_what_the_first_filled() -> None:
    """A first leg that fills in part makes a smaller straddle, and the outcome says so."""
    game = play([1, 0, 0, 3])
    done = game.run()
    assert game.placed[-1].quantity == D("0.1")
    assert (done.outcome, done.quantity) == ("partly_filled", D("0.1"))


def test_surplus_alone_is_taken_back() -> None:
    """When the second leg fills in part, only the difference is unwound."""
    game = play([3, 2, 0, 0, 0, 0, 0, 3])
    done = game.run()
    assert (game.placed[-1].side, game.placed[-1].quantity) == (Side.SELL, D("0.1"))
    assert (done.outcome, done.quantity) == ("partly_filled", D("0.2"))
    assert "0.1 of a filled leg taken back" in done.detail


def test_leg_that_cannot_be_taken_back_is_named() -> None:
    """What still stands alone in the end is said with its size."""
    done = play([3]).run()
    assert (done.outcome, done.quantity) == ("partly_filled", D(0))
    assert "0.3 of one leg stands without the other" in done.detail


@pytest.mark.parametrize("purpose", [OrderPurpose.CLOSE, OrderPurpose.HEDGE])
def test_legs_that_stand_alone_are_never_unwound(purpose: OrderPurpose) -> None:
    """A reduction of which one leg fails keeps what it has closed."""
    game = play([3], purpose)
    done = game.run()
    assert {step.side for step in game.placed} == {Side.BUY}
    assert done.outcome == "partly_filled"


def test_refusal_is_tried_again_and_a_veto_is_not() -> None:
    """No price may come back in a second; a rule that refuses ends the phase."""
    assert play(["beyond_cap", 3, 3]).run().outcome == "filled"
    game = play(["veto"])
    assert game.run().outcome == "vetoed"
    assert game.placed == []


def test_stopped_work_ends_after_its_live_order() -> None:
    """Stopping sends nothing more, and waits for what is out."""
    work = placed(
        begin(COMMAND, legs(), POLICY, now_ns=NOW_NS), client_order_id(COMMAND.intent_id, 0, 0)
    )
    work = stop(work, "kill switch")
    nothing = [LegFill(), LegFill()]
    assert advance(work, nothing, POLICY, now_ns=NOW_NS)[1] == Wait(None)
    work = settled(work, now_ns=NOW_NS, policy=POLICY)
    _, step = advance(work, nothing, POLICY, now_ns=NOW_NS)
    assert isinstance(step, Done)
    assert "kill switch" in step.detail


def test_resumed_pair_opens_nothing_and_names_orders_anew() -> None:
    """After a restart a pair is only balanced, with attempts that were never used."""
    work = resume(COMMAND, legs(), (2, 1), POLICY, now_ns=NOW_NS)
    fills = [LegFill(D("0.3"), D("0.3")), LegFill(D("0.1"), D("0.1"))]
    work, first = advance(work, fills, POLICY, now_ns=NOW_NS)
    assert isinstance(first, Place)
    assert (first.leg, first.attempt, first.side) == (0, 2, Side.SELL)
    assert first.quantity == D("0.2")
    balanced = [LegFill(D("0.3"), D("0.1")), LegFill(D("0.1"), D("0.1"))]
    assert isinstance(advance(work, balanced, POLICY, now_ns=NOW_NS)[1], Done)


def test_fence_does_not_eat_the_budget() -> None:
    """After a fence the current phase has its whole time again."""
    work = begin(COMMAND, legs(), POLICY, now_ns=NOW_NS)
    later_ns = NOW_NS + 10 * POLICY.leg_budget_ns
    work = rebased(work, POLICY, now_ns=later_ns)
    assert work.phase is Phase.WORKING
    assert work.deadline_ns == later_ns + POLICY.leg_budget_ns


@given(
    st.lists(st.sampled_from(["veto", "beyond_cap", 0, 1, 2, 3]), max_size=60),
    st.sampled_from(OrderPurpose),
)
def test_machine_ends_bounded_and_truthful(answers: list[str | int], purpose: OrderPurpose) -> None:
    """Whatever the venue answers: no leg overfills, names repeat never, the outcome is true."""
    game = play(answers, purpose)
    done = game.run()
    names = [(step.leg, step.attempt) for step in game.placed]
    assert len(names) == len(set(names))
    fills = game.fills()
    assert all(D(0) <= item.net <= D("0.3") for item in fills)
    if done.outcome == "filled":
        assert [item.net for item in fills] == [D("0.3")] * 2
    if done.outcome in ("unwound", "not_filled", "vetoed"):
        assert [item.net for item in fills] == [D(0)] * 2
    assert ("without the other" in done.detail) is (
        fills[0].net != fills[1].net and purpose is OrderPurpose.OPEN
    )
