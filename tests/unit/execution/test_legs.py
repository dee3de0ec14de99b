"""From an intent to legs, and the price of each."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from execution_world import (
    BUY_STRADDLE,
    CALL,
    EXPIRY_NS,
    HEDGE,
    NOW_NS,
    OPTIONS,
    PERPETUAL,
    PUT,
    SLICE,
    intent,
    option,
)

from glmtrader.domain.decisions import Action, IntentType
from glmtrader.domain.instruments import MINUTE_NS, Instrument
from glmtrader.domain.orders import OrderPurpose, Side
from glmtrader.execution.legs import Leg, LegRequest, Refusal, plan_legs
from glmtrader.execution.pricing import CrossRequest, cross_price, harder_first
from glmtrader.market.quote_book import Quote
from glmtrader.quant import black76

D = Decimal
BROKEN = msgspec.structs.replace(SLICE, mid_vols=(0.5, float("nan"), 0.5))


def request(wanted: Any, **changes: Any) -> LegRequest:
    base = LegRequest(
        intent=wanted,
        options=OPTIONS,
        named=PERPETUAL,
        slice=SLICE,
        held={},
        strangle_delta=0.25,
        now_ns=NOW_NS,
    )
    return msgspec.structs.replace(base, **changes)


def symbols(legs: tuple[Leg, ...] | Refusal) -> list[str]:
    assert not isinstance(legs, Refusal), legs
    return [leg.instrument.symbol for leg in legs]


def reason(legs: object) -> str:
    assert isinstance(legs, Refusal)
    return legs.reason


@pytest.mark.parametrize(
    ("forward", "strike"), [(61_000.0, 60_000), (66_000.0, 65_000), (99_000.0, 70_000)]
)
def test_straddle_is_at_the_strike_nearest_the_forward(forward: float, strike: int) -> None:
    """Put and call of one strike, the nearest to the expiry's forward."""
    surface = msgspec.structs.replace(SLICE, forward=forward)
    legs = plan_legs(request(BUY_STRADDLE, slice=surface))
    assert symbols(legs) == [f"BTC-X-{strike}-P", f"BTC-X-{strike}-C"]


def test_straddle_skips_a_strike_with_one_leg() -> None:
    """A strike of which only one leg is listed is no straddle."""
    options = tuple(item for item in OPTIONS if item != CALL)
    legs = plan_legs(request(BUY_STRADDLE, options=options))
    assert symbols(legs) == ["BTC-X-60000-P", "BTC-X-60000-C"]


def test_named_strike_is_taken_or_refused() -> None:
    """The strike that the decision was made on is not silently exchanged for another."""
    named = msgspec.structs.replace(BUY_STRADDLE, strike_usd=70_000.0)
    assert symbols(plan_legs(request(named))) == ["BTC-X-70000-P", "BTC-X-70000-C"]
    named = msgspec.structs.replace(BUY_STRADDLE, strike_usd=71_000.0)
    assert reason(plan_legs(request(named))) == "missing_leg"


def test_strangle_takes_the_deltas_nearest_the_target() -> None:
    """Out of the money on both sides, each at the strike whose delta is nearest."""
    options = tuple(
        option(strike, is_call=is_call)
        for strike in range(50_000, 81_000, 1_000)
        for is_call in (True, False)
    )
    wanted = intent(IntentType.INCREASE_SHORT_GAMMA, Action.SELL_STRANGLE)
    legs = plan_legs(request(wanted, options=options))
    assert not isinstance(legs, Refusal)
    assert {leg.side for leg in legs} == {Side.SELL}
    for leg in legs:
        strike = float(leg.instrument.strike or 0)
        is_call = bool(leg.instrument.is_call)
        delta = float(black76.greeks(65_000.0, strike, 7 / 365, 0.51, is_call).delta)
        assert abs(abs(delta) - 0.25) < 0.07
        assert (strike > 65_000) is is_call


def test_strangle_without_one_wing_is_refused() -> None:
    """No out-of-the-money put: no strangle."""
    wanted = intent(IntentType.INCREASE_LONG_GAMMA, Action.BUY_STRANGLE)
    options = (CALL, option(70_000, is_call=True))
    assert reason(plan_legs(request(wanted, options=options))) == "missing_leg"


def test_reduction_closes_each_side_up_to_the_quantity() -> None:
    """Calls and puts that are held are closed up to the quantity, nearest strike first."""
    far = option(70_000, is_call=True)
    held = {
        CALL.instrument_id: D("0.1"),
        far.instrument_id: D("0.5"),
        PUT.instrument_id: D("0.4"),
        option(60_000, is_call=False).instrument_id: D("-0.4"),
    }
    wanted = intent(IntentType.REDUCE_LONG_GAMMA, Action.SELL_STRADDLE, "0.3", strike_usd=65_000.0)
    legs = plan_legs(request(wanted, held=held))
    assert not isinstance(legs, Refusal)
    closing = {leg.instrument.instrument_id: leg.quantity for leg in legs}
    assert closing == {
        CALL.instrument_id: D("0.1"),
        PUT.instrument_id: D("0.3"),
        far.instrument_id: D("0.2"),
    }
    assert {(leg.side, leg.purpose) for leg in legs} == {(Side.SELL, OrderPurpose.CLOSE)}


def test_short_reduction_buys_back() -> None:
    """Reducing short gamma buys what is held short."""
    wanted = intent(IntentType.REDUCE_SHORT_GAMMA, Action.BUY_STRADDLE, "0.2")
    legs = plan_legs(request(wanted, held={CALL.instrument_id: D("-0.2")}))
    assert not isinstance(legs, Refusal)
    assert [(leg.side, leg.quantity) for leg in legs] == [(Side.BUY, D("0.2"))]


@pytest.mark.parametrize(
    ("wanted", "changes", "why"),
    [
        (msgspec.structs.replace(BUY_STRADDLE, quantity=D(0)), {}, "no_quantity"),
        (msgspec.structs.replace(BUY_STRADDLE, expiry_ns=None), {}, "no_expiry"),
        (BUY_STRADDLE, {"now_ns": EXPIRY_NS}, "expired"),
        (BUY_STRADDLE, {"slice": None}, "no_forward"),
        (BUY_STRADDLE, {"options": ()}, "missing_leg"),
        (msgspec.structs.replace(BUY_STRADDLE, action=Action.NONE), {}, "no_legs"),
        (HEDGE, {"named": None}, "missing_leg"),
        (msgspec.structs.replace(HEDGE, quantity=D(9)), {}, "below_minimum"),
        (msgspec.structs.replace(HEDGE, action=Action.NONE), {}, "no_legs"),
    ],
)
def test_legs_are_refused_with_a_reason(wanted: Any, changes: dict[str, Any], why: str) -> None:
    """What cannot be traded says why."""
    assert reason(plan_legs(request(wanted, **changes))) == why


def quote(bid: str | None, ask: str | None, mark: str | None = "0.0275", **sizes: str) -> Quote:
    return Quote(
        bid=None if bid is None else D(bid),
        ask=None if ask is None else D(ask),
        bid_quantity=D(sizes.get("bid_quantity", "1")),
        ask_quantity=D(sizes.get("ask_quantity", "1")),
        mark=None if mark is None else D(mark),
        index_usd=None,
        ts_ns=NOW_NS,
    )


def price(item: Instrument, side: Side, top: Quote | None, **changes: Any) -> Decimal | Refusal:
    base = CrossRequest(
        instrument=item,
        side=side,
        quote=top,
        slice=SLICE,
        slice_is_last=False,
        degraded_factor=None,
        cap_vol=0.02,
        hedge_slippage=0.0005,
        hedge_collar=0.005,
        quote_age_max_ns=MINUTE_NS,
        now_ns=NOW_NS,
    )
    return cross_price(msgspec.structs.replace(base, **changes))


@pytest.mark.parametrize(("side", "touch"), [(Side.BUY, "0.0280"), (Side.SELL, "0.0270")])
def test_price_is_the_far_touch(side: Side, touch: str) -> None:
    """Within the cap an order crosses to the far touch and no further."""
    assert price(CALL, side, quote("0.0270", "0.0280")) == D(touch)


def test_cap_is_what_its_volatility_is_worth() -> None:
    """The last price that is taken lies `cap_vol` of Black-76 above the mark, on the tick."""
    usd = black76.price(65_000.0, 65_000.0, 7 / 365, [0.5, 0.52], True)  # noqa: FBT003  is_call
    cap = D("0.0275") + D(float(usd[1] - usd[0]) / 65_000.0)
    last = CALL.price_down(cap)
    step = CALL.tick_at(last)
    assert price(CALL, Side.BUY, quote("0.0270", str(last))) == last
    beyond = price(CALL, Side.BUY, quote("0.0270", str(last + step)))
    assert reason(beyond) == "beyond_cap"
    wider = price(CALL, Side.BUY, quote("0.0270", str(last + step)), cap_vol=0.05)
    assert wider == last + step


def test_model_price_stands_in_for_a_missing_mark() -> None:
    """Without a mark the cap is measured from the surface's own price."""
    assert price(CALL, Side.BUY, quote("0.0270", "0.0280", None)) == D("0.0280")
    assert reason(price(CALL, Side.BUY, quote("0.0270", "0.05", None))) == "beyond_cap"


def test_hedge_price_goes_through_the_touch_within_the_collar() -> None:
    """A perpetual is crossed by the slippage, never beyond the collar around its mark."""
    top = quote("64999.5", "65000", "65000")
    assert price(PERPETUAL, Side.BUY, top) == D("65032.5")
    assert price(PERPETUAL, Side.BUY, quote("65300", "65310", "65000")) == D("65325.0")
    assert reason(price(PERPETUAL, Side.BUY, quote("1", "65400", "65000"))) == "beyond_cap"
    assert reason(price(PERPETUAL, Side.BUY, quote("1", "2", None))) == "no_mark"


@pytest.mark.parametrize(
    ("top", "changes", "why"),
    [
        (None, {}, "no_quote"),
        (quote("0.0270", None), {}, "one_sided"),
        (quote("0.0290", "0.0280"), {}, "crossed"),
        (quote("0.0270", "0.0280"), {"now_ns": NOW_NS + 2 * MINUTE_NS}, "stale_quote"),
        (quote("0.0270", "0.0280"), {"now_ns": EXPIRY_NS}, "expired"),
        (quote("0.0270", "0.0280"), {"slice": None}, "no_surface"),
        (quote("0.0270", "0.0280"), {"slice": BROKEN}, "no_model_price"),
    ],
)
def test_price_is_refused_with_a_reason(top: Quote, changes: dict[str, Any], why: str) -> None:
    """No price is made of a quote that cannot be trusted."""
    assert reason(price(CALL, Side.BUY, top, **changes)) == why


def test_harder_leg_comes_first() -> None:
    """The leg with less size at the far touch is traded first, then the wider one."""
    legs = plan_legs(request(BUY_STRADDLE))
    assert not isinstance(legs, Refusal)
    thin = quote("0.0270", "0.0280", ask_quantity="0.1")
    wide = quote("0.0250", "0.0300")
    good = quote("0.0270", "0.0280")
    for hard in (thin, wide):
        ordered = harder_first(legs, {CALL.instrument_id: hard, PUT.instrument_id: good})
        assert [leg.instrument for leg in ordered] == [CALL, PUT]
