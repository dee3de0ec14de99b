"""Working an intent leg by leg, as a pure state machine: what to do next, given what has filled.

    WORKING leg 0 --done--> WORKING leg 1 --done--> DONE
         |                       |
         | nothing filled        +--budget over--> FINISHING (wider cap) --done--> DONE
         v                                              |
       DONE                                             +--budget over, or a veto--> UNWINDING
                                                                                        |
                                                             DONE <--balanced, or over--+

The policy when one leg of a pair fills and the other does not: try the missing leg again at
`cap_finish_vol`; if that fails too, take the surplus of the filled leg back at `cap_unwind_vol`;
what then still stands is named in `IntentCompleted`, and the hedger neutralises its delta. Legs of
a reduction and a hedge stand alone: they are finished at the wider cap and never unwound. The
second leg of a pair is only ever bought for what the first one filled.

One order lives at a time. While its outcome is unknown nothing follows it. Fills are handed in
from the order records at every step, so that a late one is counted like any other.
"""

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum

import msgspec

from glmtrader.domain.ids import ClientOrderId
from glmtrader.domain.order_events import ExecutionCommand
from glmtrader.domain.orders import OrderPurpose, Side
from glmtrader.execution.legs import Leg
from glmtrader.execution.policy import ExecutionPolicy

ZERO = Decimal(0)
STEPS_MAX = 32
"""More changes of phase than the legs of any intent can need; beyond it the machine is broken."""


class Phase(StrEnum):
    """How hard the current leg is being worked."""

    WORKING = "working"
    FINISHING = "finishing"
    UNWINDING = "unwinding"
    DONE = "done"


class LegFill(msgspec.Struct, frozen=True):
    """What a leg has done: `gross` in its own direction, `net` less what was taken back."""

    gross: Decimal = ZERO
    net: Decimal = ZERO


class IntentWork(msgspec.Struct, frozen=True, kw_only=True):
    """An intent in execution.

    Attributes:
        paired: the legs make one position; one without the other is a fault to repair.
        leg: index of the leg being worked; orders_made: orders ever named, by leg.
        tries: attempts in this phase, those that found no price included.
        deadline_ns: of this phase of this leg. next_try_ns: not before.
        live: the order whose outcome is awaited.
        vetoed: a rule refused this phase; more tries would be refused too.
        stopped: why nothing more is to be sent, else empty.
        last_refusal: why the last try sent nothing, for people.
    """

    command: ExecutionCommand
    legs: tuple[Leg, ...]
    paired: bool
    orders_made: tuple[int, ...]
    deadline_ns: int
    next_try_ns: int
    phase: Phase = Phase.WORKING
    leg: int = 0
    tries: int = 0
    live: ClientOrderId | None = None
    vetoed: bool = False
    stopped: str = ""
    last_refusal: str = ""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Send one order for `leg`; its name is (intent, leg, attempt)."""

    leg: int
    attempt: int
    side: Side
    quantity: Decimal
    purpose: OrderPurpose
    cap_vol: float


class Wait(msgspec.Struct, frozen=True):
    """Nothing to do until then; None: until the live order is settled."""

    until_ns: int | None


class Done(msgspec.Struct, frozen=True):
    """Finished; the fields are `IntentCompleted`'s."""

    outcome: str
    quantity: Decimal
    detail: str


Step = Place | Wait | Done


def begin(
    command: ExecutionCommand, legs: Sequence[Leg], policy: ExecutionPolicy, *, now_ns: int
) -> IntentWork:
    """Start working an intent's legs, in the order given."""
    assert legs, f"intent {command.intent_id} has no legs"
    return IntentWork(
        command=command,
        legs=tuple(legs),
        paired=legs[0].purpose is OrderPurpose.OPEN,
        orders_made=(0,) * len(legs),
        deadline_ns=now_ns + policy.leg_budget_ns,
        next_try_ns=now_ns,
    )


def resume(
    command: ExecutionCommand,
    legs: Sequence[Leg],
    orders_made: Sequence[int],
    policy: ExecutionPolicy,
    *,
    now_ns: int,
) -> IntentWork:
    """Pick up an intent after a restart: its decision is stale, so nothing new is opened.

    A pair is balanced by unwinding, and a reduction is carried through, lest one leg of what it
    closes stays alone; a hedge ends with what it has done.
    """
    work = begin(command, legs, policy, now_ns=now_ns)
    phase = Phase.UNWINDING if work.paired else Phase.WORKING
    ends = legs[0].purpose is OrderPurpose.HEDGE
    return msgspec.structs.replace(
        work,
        orders_made=tuple(orders_made),
        phase=phase,
        deadline_ns=now_ns + _budget_ns(phase, policy),
        stopped="interrupted by a restart" if ends else "",
        last_refusal="interrupted by a restart",
    )


def placed(work: IntentWork, client_order_id: ClientOrderId) -> IntentWork:
    """An order for the current leg was approved and is on its way."""
    return msgspec.structs.replace(_counted(work), live=client_order_id, tries=work.tries + 1)


def settled(work: IntentWork, *, now_ns: int, policy: ExecutionPolicy) -> IntentWork:
    """The live order is final and its fills are known."""
    return msgspec.structs.replace(work, live=None, next_try_ns=now_ns + policy.retry_delay_ns)


def refused(
    work: IntentWork, detail: str, *, vetoed: bool, now_ns: int, policy: ExecutionPolicy
) -> IntentWork:
    """Nothing was sent: there was no price, or a rule said no (which ends the phase)."""
    work = _counted(work) if vetoed else work
    return msgspec.structs.replace(
        work,
        tries=work.tries + 1,
        vetoed=vetoed,
        last_refusal=detail,
        next_try_ns=now_ns + policy.retry_delay_ns,
    )


def retreat(work: IntentWork, reason: str, policy: ExecutionPolicy, *, now_ns: int) -> IntentWork:
    """Open nothing more: a pair is balanced by unwinding its first leg, all else goes on."""
    if not work.paired or work.phase in (Phase.UNWINDING, Phase.DONE):
        return work
    return msgspec.structs.replace(
        work,
        phase=Phase.UNWINDING,
        leg=0,
        tries=0,
        vetoed=False,
        deadline_ns=now_ns + policy.unwind_budget_ns,
        next_try_ns=now_ns,
        last_refusal=reason,
    )


def stop(work: IntentWork, reason: str) -> IntentWork:
    """Send nothing more; the intent ends when its live order is settled."""
    return msgspec.structs.replace(work, stopped=work.stopped or reason)


def rebased(work: IntentWork, policy: ExecutionPolicy, *, now_ns: int) -> IntentWork:
    """Give the current phase its whole budget again, after trading was fenced."""
    return msgspec.structs.replace(
        work,
        deadline_ns=now_ns + _budget_ns(work.phase, policy),
        next_try_ns=now_ns,
    )


def advance(
    work: IntentWork, fills: Sequence[LegFill], policy: ExecutionPolicy, *, now_ns: int
) -> tuple[IntentWork, Step]:
    """What to do now; `fills` has one entry a leg."""
    assert len(fills) == len(work.legs), "one LegFill a leg"
    if work.live is not None:
        return work, Wait(None)
    if work.stopped:
        return work, _done(work, fills)
    for _ in range(STEPS_MAX):
        if work.phase is Phase.DONE:
            return work, _done(work, fills)
        remaining = _remaining(work, fills)
        if remaining == 0 or _is_over(work, policy, now_ns):
            work = _next_phase(work, fills, policy, now_ns=now_ns)
        elif now_ns < work.next_try_ns:
            return work, Wait(min(work.next_try_ns, work.deadline_ns))
        else:
            return work, _place(work, remaining, policy)
    raise AssertionError(f"intent {work.command.intent_id} does not end: {work}")


def _is_over(work: IntentWork, policy: ExecutionPolicy, now_ns: int) -> bool:
    unwinds = work.phase is Phase.UNWINDING
    tries_max = policy.unwind_attempts_max if unwinds else policy.leg_attempts_max
    return work.vetoed or work.tries >= tries_max or now_ns >= work.deadline_ns


def _counted(work: IntentWork) -> IntentWork:
    made = list(work.orders_made)
    made[work.leg] += 1
    return msgspec.structs.replace(work, orders_made=tuple(made))


def _remaining(work: IntentWork, fills: Sequence[LegFill]) -> Decimal:
    """What the current leg still lacks, in whole lots; dust counts as nothing."""
    leg = work.legs[work.leg]
    if work.phase is Phase.UNWINDING:
        lacking = fills[work.leg].net - _balanced(fills)
    elif work.paired and work.leg > 0:
        lacking = min(leg.quantity, fills[0].net) - fills[work.leg].net
    else:
        lacking = leg.quantity - fills[work.leg].net
    return leg.instrument.quantity_down(max(ZERO, lacking))


def _balanced(fills: Sequence[LegFill]) -> Decimal:
    """Pairs complete: the smaller leg; a pair of which one leg was never tried has none."""
    return min(item.net for item in fills) if len(fills) > 1 else ZERO


def _surplus_leg(fills: Sequence[LegFill]) -> int:
    return max(range(len(fills)), key=lambda index: fills[index].net)


def _next_phase(
    work: IntentWork, fills: Sequence[LegFill], policy: ExecutionPolicy, *, now_ns: int
) -> IntentWork:
    if work.paired:
        phase, leg = _next_of_pair(work, fills)
    else:
        phase, leg = _next_alone(work, fills)
    return msgspec.structs.replace(
        work,
        phase=phase,
        leg=leg,
        tries=0,
        vetoed=work.vetoed and phase is Phase.DONE,
        deadline_ns=now_ns + _budget_ns(phase, policy),
        next_try_ns=now_ns,
    )


def _budget_ns(phase: Phase, policy: ExecutionPolicy) -> int:
    return {
        Phase.WORKING: policy.leg_budget_ns,
        Phase.FINISHING: policy.finish_budget_ns,
        Phase.UNWINDING: policy.unwind_budget_ns,
        Phase.DONE: 0,
    }[phase]


def _next_of_pair(work: IntentWork, fills: Sequence[LegFill]) -> tuple[Phase, int]:
    last = len(work.legs) - 1
    if work.phase is Phase.UNWINDING or all(item.net <= 0 for item in fills):
        return Phase.DONE, work.leg
    if work.phase is Phase.WORKING and work.leg < last:
        return Phase.WORKING, work.leg + 1
    if fills[_surplus_leg(fills)].net == _balanced(fills):
        return Phase.DONE, work.leg
    missing = _remaining(work, fills) > 0
    if work.phase is Phase.WORKING and missing and not work.vetoed:
        return Phase.FINISHING, work.leg
    return Phase.UNWINDING, _surplus_leg(fills)


def _next_alone(work: IntentWork, fills: Sequence[LegFill]) -> tuple[Phase, int]:
    closes = work.legs[work.leg].purpose is OrderPurpose.CLOSE
    lacks = _remaining(work, fills) > 0 and not work.vetoed
    if work.phase is Phase.WORKING and closes and lacks:
        return Phase.FINISHING, work.leg
    if work.leg + 1 < len(work.legs):
        return Phase.WORKING, work.leg + 1
    return Phase.DONE, work.leg


def _place(work: IntentWork, quantity: Decimal, policy: ExecutionPolicy) -> Place:
    leg = work.legs[work.leg]
    unwinds = work.phase is Phase.UNWINDING
    caps = {
        Phase.WORKING: policy.cap_vol,
        Phase.FINISHING: policy.cap_finish_vol,
        Phase.UNWINDING: policy.cap_unwind_vol,
    }
    return Place(
        leg=work.leg,
        attempt=work.orders_made[work.leg],
        side=leg.side.opposite if unwinds else leg.side,
        quantity=quantity,
        purpose=OrderPurpose.CLOSE if unwinds else leg.purpose,
        cap_vol=caps[work.phase],
    )


def _done(work: IntentWork, fills: Sequence[LegFill]) -> Done:
    if work.paired:
        quantity, surplus = _balanced(fills), fills[_surplus_leg(fills)].net
    elif len(work.legs) == 1:
        quantity = surplus = fills[0].net
    else:
        quantity = surplus = min(item.net for item in fills)
    complete = all(
        item.net == leg.quantity for item, leg in zip(fills, work.legs, strict=True)
    ) and (not work.paired or len(fills) > 1)
    if complete:
        outcome = "filled"
    elif any(item.net > 0 for item in fills):
        outcome = "partly_filled"
    elif any(item.gross > 0 for item in fills):
        outcome = "unwound"
    else:
        outcome = "vetoed" if work.vetoed else "not_filled"
    return Done(outcome, max(ZERO, quantity), _sentence(work, fills, surplus - quantity))


def _sentence(work: IntentWork, fills: Sequence[LegFill], surplus: Decimal) -> str:
    parts = [
        f"{leg.side} {item.net}/{leg.quantity} {leg.instrument.symbol}"
        for leg, item in zip(work.legs, fills, strict=True)
    ]
    text = ", ".join(parts)
    if any(item.gross != item.net for item in fills):
        taken_back = sum((item.gross - item.net for item in fills), ZERO)
        text += f"; {taken_back} of a filled leg taken back"
    if surplus > 0:
        text += f"; {surplus} of one leg stands without the other"
    reason = work.stopped or work.last_refusal
    return f"{text}; {reason}" if reason else text
