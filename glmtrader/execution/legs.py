"""From an intent to legs: which instruments, which side, how much; or the reason why not.

Pure: listed instruments, the surface's slice and the positions held are handed in. Prices are
`execution.pricing`'s business.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec
import numpy as np

from glmtrader.domain.decisions import Action, Intent, IntentType
from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import Instrument
from glmtrader.domain.market_events import SurfaceSlice
from glmtrader.domain.orders import OrderPurpose, Side
from glmtrader.quant import black76

LEGS_MAX = 8
"""A reduction may find more strikes held than this; the rest waits for the next intent."""


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """One instrument to trade for an intent; `quantity` is whole lots, > 0."""

    instrument: Instrument
    side: Side
    quantity: Decimal
    purpose: OrderPurpose


class Refusal(msgspec.Struct, frozen=True):
    """Why something cannot be traded: a snake_case reason, and a sentence with the values."""

    reason: str
    detail: str


class LegRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that choosing legs may depend on.

    Attributes:
        options: listed options of the intent's expiry. named: the listed instrument that the
            intent names: what to hedge with, or the one position to reduce.
        slice: P at that expiry; None where the surface has none.
        held: signed positions of the account.
    """

    intent: Intent
    options: Sequence[Instrument]
    named: Instrument | None
    slice: SurfaceSlice | None
    held: Mapping[InstrumentId, Decimal]
    strangle_delta: float
    now_ns: int


def plan_legs(request: LegRequest) -> tuple[Leg, ...] | Refusal:
    """The legs of an intent, or the reason why there are none."""
    intent = request.intent
    if intent.quantity <= 0:
        return Refusal("no_quantity", f"quantity {intent.quantity} is not positive")
    if intent.intent_type is IntentType.HEDGE_DELTA:
        return _hedge(request)
    if intent.intent_type.is_reduction and intent.instrument_id is not None:
        return _reduction_of_one(request)
    if intent.expiry_ns is None:
        return Refusal("no_expiry", f"{intent.intent_type} names no expiry")
    if intent.expiry_ns <= request.now_ns:
        return Refusal("expired", f"expiry {intent.expiry_ns} has passed at {request.now_ns}")
    return _reduction(request) if intent.intent_type.is_reduction else _opening(request)


def _opening(request: LegRequest) -> tuple[Leg, ...] | Refusal:
    pair = _pair_for(request)
    return pair if isinstance(pair, Refusal) else _opened(request, pair)


def legs_left(request: LegRequest, begun: Sequence[Leg]) -> tuple[Leg, ...]:
    """What a reduction by expiry still has to close beside the legs that it has begun.

    Calls and puts each up to what the intent asks for, less what the begun legs take; none where
    the intent is no reduction of an expiry, or the expiry has passed.
    """
    intent = request.intent
    is_over = intent.expiry_ns is None or intent.expiry_ns <= request.now_ns
    if not intent.intent_type.is_reduction or intent.instrument_id is not None or is_over:
        return ()
    names = {leg.instrument.instrument_id for leg in begun}
    left = {True: intent.quantity, False: intent.quantity}
    for leg in begun:
        left[bool(leg.instrument.is_call)] -= leg.quantity
    held = [entry for entry in _held_nearest_first(request) if entry[0].instrument_id not in names]
    return _closing(held, left, _reducing_side(intent))


def _pair_for(request: LegRequest) -> tuple[Instrument, Instrument] | Refusal:
    intent = request.intent
    if intent.action in (Action.BUY_STRADDLE, Action.SELL_STRADDLE):
        return _straddle(request)
    if intent.action in (Action.BUY_STRANGLE, Action.SELL_STRANGLE):
        return _strangle(request)
    return Refusal("no_legs", f"{intent.intent_type} with action {intent.action} has no legs")


def _hedge(request: LegRequest) -> tuple[Leg, ...] | Refusal:
    instrument, intent = request.named, request.intent
    if instrument is None:
        return Refusal("missing_leg", f"no listed instrument to hedge with: {intent.instrument_id}")
    if intent.action not in (Action.BUY, Action.SELL):
        return Refusal("no_legs", f"a hedge cannot {intent.action}")
    quantity = instrument.quantity_down(intent.quantity)
    if quantity == 0:
        return _too_small(instrument, intent.quantity)
    side = Side.BUY if intent.action is Action.BUY else Side.SELL
    leg = Leg(instrument=instrument, side=side, quantity=quantity, purpose=OrderPurpose.HEDGE)
    return (leg,)


def _pairs(options: Sequence[Instrument]) -> dict[Decimal, tuple[Instrument, Instrument]]:
    """Put and call by strike, where both are listed."""
    puts = {item.strike: item for item in options if item.is_call is False}
    calls = {item.strike: item for item in options if item.is_call}
    return {
        strike: (puts[strike], calls[strike])
        for strike in puts
        if strike is not None and strike in calls
    }


def _straddle(request: LegRequest) -> tuple[Instrument, Instrument] | Refusal:
    """The pair at the intent's strike, or at the strike nearest the forward."""
    pairs = _pairs(request.options)
    if request.intent.strike_usd is not None:
        strike = Decimal(repr(request.intent.strike_usd))
        pair = pairs.get(strike)
        if pair is None:
            return Refusal("missing_leg", f"call and put at {strike} are not both listed")
        return pair
    if request.slice is None:
        return Refusal("no_forward", f"no surface at expiry {request.intent.expiry_ns}")
    if not pairs:
        return Refusal("missing_leg", f"no strike of {request.intent.expiry_ns} lists both legs")
    forward = Decimal(repr(request.slice.forward))
    return pairs[min(pairs, key=lambda strike: (abs(strike - forward), strike))]


def _strangle(request: LegRequest) -> tuple[Instrument, Instrument] | Refusal:
    """The put and the call whose absolute delta is nearest the one asked for."""
    if request.slice is None:
        return Refusal("no_forward", f"no surface at expiry {request.intent.expiry_ns}")
    legs = [
        _nearest_delta(request, request.slice, is_call=is_call, delta=request.strangle_delta)
        for is_call in (False, True)
    ]
    put, call = legs
    if put is None or call is None:
        missing = "put" if put is None else "call"
        return Refusal("missing_leg", f"no out-of-the-money {missing} is listed")
    return put, call


def _nearest_delta(
    request: LegRequest, surface: SurfaceSlice, *, is_call: bool, delta: float
) -> Instrument | None:
    options = [
        item
        for item in request.options
        if item.strike is not None
        and item.is_call is is_call
        and (item.strike > surface.forward) is is_call
    ]
    if not options:
        return None
    strikes = np.array([float(item.strike or 0) for item in options])
    vols = np.interp(strikes, surface.strikes, surface.mid_vols)
    years = (request.options[0].years(request.now_ns),)
    deltas = black76.greeks(surface.forward, strikes, years, vols, is_call).delta
    return options[int(np.argmin(np.abs(np.abs(deltas) - delta)))]


def _opened(request: LegRequest, pair: tuple[Instrument, Instrument]) -> tuple[Leg, ...] | Refusal:
    intent = request.intent
    sells = intent.action in (Action.SELL_STRADDLE, Action.SELL_STRANGLE)
    quantity = min(item.quantity_down(intent.quantity) for item in pair)
    if quantity == 0:
        return _too_small(pair[0], intent.quantity)
    return tuple(
        Leg(
            instrument=item,
            side=Side.SELL if sells else Side.BUY,
            quantity=quantity,
            purpose=OrderPurpose.OPEN,
        )
        for item in pair
    )


def _reduction(request: LegRequest) -> tuple[Leg, ...] | Refusal:
    """Close what is held of the expiry, calls and puts each up to the quantity asked for."""
    intent, held = request.intent, _held_nearest_first(request)
    if not held:
        return Refusal("nothing_held", f"nothing to close for {intent.intent_type} at its expiry")
    left = {True: intent.quantity, False: intent.quantity}
    legs = _closing(held, left, _reducing_side(intent))
    return legs or _too_small(held[0][0], intent.quantity)


def _reducing_side(intent: Intent) -> Side:
    return Side.SELL if intent.intent_type is IntentType.REDUCE_LONG_GAMMA else Side.BUY


def _held_nearest_first(request: LegRequest) -> list[tuple[Instrument, Decimal]]:
    """What is held in the intent's direction, the strikes nearest its own first."""
    intent = request.intent
    sign = -_reducing_side(intent).sign
    held = [
        (item, quantity * sign)
        for item in request.options
        if (quantity := request.held.get(item.instrument_id, Decimal(0))) * sign > 0
    ]
    target = Decimal(repr(intent.strike_usd)) if intent.strike_usd is not None else Decimal(0)
    held.sort(key=lambda entry: (abs((entry[0].strike or target) - target), bool(entry[0].is_call)))
    return held


def _reduction_of_one(request: LegRequest) -> tuple[Leg, ...] | Refusal:
    """Close what is held of the instrument named, whatever its kind, up to the quantity."""
    instrument, intent = request.named, request.intent
    if instrument is None:
        return Refusal("missing_leg", f"{intent.instrument_id} is not listed")
    side = _reducing_side(intent)
    held = request.held.get(instrument.instrument_id, Decimal(0)) * -side.sign
    if held <= 0:
        return Refusal("nothing_held", f"nothing of {instrument.instrument_id} to close")
    quantity = instrument.quantity_down(min(held, intent.quantity))
    if quantity == 0:
        return _too_small(instrument, held)
    leg = Leg(instrument=instrument, side=side, quantity=quantity, purpose=OrderPurpose.CLOSE)
    return (leg,)


def _closing(
    held: Sequence[tuple[Instrument, Decimal]], wanted: Mapping[bool, Decimal], side: Side
) -> tuple[Leg, ...]:
    """Closing legs for calls (True) and puts (False), each up to what is wanted of its kind."""
    left = dict(wanted)
    legs = []
    for instrument, size in held[:LEGS_MAX]:
        is_call = bool(instrument.is_call)
        closing = instrument.quantity_down(min(size, left[is_call]))
        if closing > 0:
            left[is_call] -= closing
            legs.append(
                Leg(instrument=instrument, side=side, quantity=closing, purpose=OrderPurpose.CLOSE)
            )
    return tuple(legs)


def _too_small(instrument: Instrument, quantity: Decimal) -> Refusal:
    return Refusal(
        "below_minimum",
        f"{quantity} of {instrument.instrument_id} is below its minimum {instrument.quantity_min}",
    )
