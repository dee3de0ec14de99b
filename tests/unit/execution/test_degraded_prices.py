"""What reduces has a price on old input too; what opens has none."""

from decimal import Decimal

import msgspec
import pytest
from execution_world import (
    BUY_STRADDLE,
    CALL,
    HEDGE,
    NOW_NS,
    PERPETUAL,
    PUT,
    SLICE,
    SURFACE,
    World,
    intent,
)

from glmtrader.domain.decisions import Action, IntentType
from glmtrader.domain.instruments import MINUTE_NS, Instrument
from glmtrader.domain.market_events import SurfaceSlice
from glmtrader.domain.orders import Side
from glmtrader.execution.legs import Refusal
from glmtrader.execution.pricing import CrossRequest, cross_price
from glmtrader.market.quote_book import Quote

D = Decimal
CLOSE = intent(IntentType.REDUCE_LONG_GAMMA, Action.SELL_STRADDLE)


def price(
    item: Instrument,
    side: Side,
    prices: tuple[str, str, str | None],
    *,
    age_ns: int = 0,
    slice: SurfaceSlice | None = SLICE,  # noqa: A002  the field's own name
    factor: float | None = 2.0,
) -> Decimal | Refusal:
    """The price of a reducing order on a quote of that age."""
    bid, ask, mark = prices
    return cross_price(
        CrossRequest(
            instrument=item,
            side=side,
            quote=Quote(
                bid=D(bid),
                ask=D(ask),
                bid_quantity=D(1),
                ask_quantity=D(1),
                mark=None if mark is None else D(mark),
                index_usd=None,
                ts_ns=NOW_NS - age_ns,
            ),
            slice=slice,
            slice_is_last=slice is None,
            degraded_factor=factor,
            cap_vol=0.02,
            hedge_slippage=0.0005,
            hedge_collar=0.005,
            quote_age_max_ns=MINUTE_NS,
            now_ns=NOW_NS,
        )
    )


def test_hedge_on_an_old_quote_goes_to_the_wider_collar() -> None:
    """The touch may have moved: the limit is the collar, twice as wide as on a fresh quote."""
    top = ("64999.5", "65000", "65000")
    assert price(PERPETUAL, Side.SELL, top, age_ns=5 * MINUTE_NS) == D("64350.0")
    assert price(PERPETUAL, Side.BUY, top, age_ns=5 * MINUTE_NS) == D("65650.0")
    assert price(PERPETUAL, Side.BUY, top) == D("65032.5")


def test_close_without_a_surface_is_bounded_by_the_mark() -> None:
    """Without any surface the cap is a fraction of the mark, and the touch within it is taken."""
    near, far = ("0.0270", "0.0280", "0.0275"), ("0.0200", "0.0280", "0.0275")
    assert price(CALL, Side.SELL, near, slice=None) == D("0.0270")
    beyond = price(CALL, Side.SELL, far, slice=None)
    assert isinstance(beyond, Refusal)
    assert beyond.reason == "beyond_cap"


def test_close_without_surface_and_mark_is_bounded_by_the_mid() -> None:
    """The middle of the book stands in for a missing mark."""
    assert price(CALL, Side.SELL, ("0.0270", "0.0280", None), slice=None) == D("0.0270")


def test_close_on_a_surface_that_is_not_a_number_is_bounded_by_the_mark() -> None:
    """A slice that gives no price is as good as none."""
    broken = msgspec.structs.replace(SLICE, mid_vols=(0.5, float("nan"), 0.5))
    assert price(CALL, Side.SELL, ("0.0270", "0.0280", "0.0275"), slice=broken) == D("0.0270")


@pytest.mark.parametrize(
    ("age_ns", "slice_", "why"),
    [(5 * MINUTE_NS, SLICE, "stale_quote"), (0, None, "no_surface")],
)
def test_opening_has_no_price_on_old_input(
    age_ns: int, slice_: SurfaceSlice | None, why: str
) -> None:
    """Without a factor old input is refused."""
    top = ("0.0270", "0.0280", "0.0275")
    refused = price(CALL, Side.BUY, top, age_ns=age_ns, slice=slice_, factor=None)
    assert isinstance(refused, Refusal)
    assert refused.reason == why


def test_closes_and_hedges_go_on_when_quotes_stop() -> None:
    """With the market feed silent for minutes, a straddle is closed and its delta hedged."""
    world = World().opened()
    world.give(BUY_STRADDLE)
    world.run(300.0)
    world.give(CLOSE, 2)
    world.give(HEDGE, 3)
    world.run(5.0)
    assert world.position(CALL) == world.position(PUT) == 0
    assert world.position(PERPETUAL) == D(-1000)


def test_close_uses_the_last_slice_of_an_expiry_that_lost_its_surface() -> None:
    """An expiry that drops out of the surface may still be left, and not entered."""
    world = World().opened()
    world.give(BUY_STRADDLE)
    world.run(2.0)
    world.bus.publish(msgspec.structs.replace(SURFACE, slices=(), unavailable="no quotes"))
    world.give(BUY_STRADDLE, 2)
    world.run(2.0)
    assert len(world.venue.submitted) == 2
    world.give(CLOSE, 3)
    world.run(5.0)
    assert world.position(CALL) == world.position(PUT) == 0
