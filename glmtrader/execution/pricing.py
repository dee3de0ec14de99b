"""The price of a crossing order: the far touch, bounded by a cap, on the instrument's tick.

An option's cap is in volatility: the venue's mark (the model's price where there is none) plus
what `cap_vol` is worth by Black-76 at this strike. A perpetual's is a collar around its mark.
What reduces has a price on the last quote and surface too, however old: with a wider cap, and
where the quote is old at that cap, because the touch may have moved. Risk's collar has the last
word. What opens has no price then.
Pure: the quote and the surface's slice are handed in.
"""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec
import numpy as np

from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import Instrument
from glmtrader.domain.market_events import SurfaceSlice
from glmtrader.domain.orders import Side
from glmtrader.execution.legs import Leg, Refusal
from glmtrader.market.quote_book import Quote
from glmtrader.quant import black76_scalar

VOL_MIN = 0.01
"""A cap below the reference does not go under this volatility; the price stays defined."""


class CrossRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What the price of a crossing order depends on; `cap_vol` is used for options alone.

    Attributes:
        slice: of the newest surface, or the last one known of this expiry (`slice_is_last`).
        degraded_factor: how much wider the cap is on old input; None: no price on old input.
    """

    instrument: Instrument
    side: Side
    quote: Quote | None
    slice: SurfaceSlice | None
    slice_is_last: bool
    degraded_factor: float | None
    cap_vol: float
    hedge_slippage: float
    hedge_collar: float
    quote_age_max_ns: int
    now_ns: int

    @property
    def is_stale(self) -> bool:
        """Whether there is no quote, or none that is young enough."""
        return self.quote is None or self.now_ns - self.quote.ts_ns > self.quote_age_max_ns

    @property
    def widening(self) -> float:
        """What caps are multiplied by."""
        lacks_surface = self.instrument.is_option and (self.slice is None or self.slice_is_last)
        return (self.degraded_factor or 1.0) if self.is_stale or lacks_surface else 1.0


def cross_price(request: CrossRequest) -> Decimal | Refusal:
    """A limit that trades at the far touch now, or the reason why there is none."""
    instrument, quote = request.instrument, request.quote
    if instrument.is_expired(request.now_ns):
        return Refusal("expired", f"{instrument.instrument_id} has expired")
    if quote is None:
        return Refusal("no_quote", f"{instrument.instrument_id} was never quoted")
    if request.is_stale and request.degraded_factor is None:
        age_ms = (request.now_ns - quote.ts_ns) // 1_000_000
        return Refusal("stale_quote", f"quote of {instrument.instrument_id} is {age_ms} ms old")
    touch = quote.ask if request.side is Side.BUY else quote.bid
    if touch is None or touch <= 0:
        side = "offers" if request.side is Side.BUY else "bids for"
        return Refusal("one_sided", f"nobody {side} {instrument.instrument_id}")
    if quote.bid is not None and quote.ask is not None and quote.bid > quote.ask:
        return Refusal("crossed", f"bid {quote.bid} of {instrument.instrument_id} above its ask")
    cap = _option_cap(request, quote) if instrument.is_option else _collar(request, quote)
    return cap if isinstance(cap, Refusal) else _within(request, touch, cap)


def harder_first(
    legs: Sequence[Leg], quotes: Mapping[InstrumentId, Quote | None]
) -> tuple[Leg, ...]:
    """Legs in the order in which to trade them: the one most likely to fail comes first.

    What fails first leaves nothing to unwind. Least size at the far touch, against what is
    wanted, is hardest; then the widest spread.
    """
    return tuple(sorted(legs, key=lambda leg: _ease(leg, quotes.get(leg.instrument.instrument_id))))


def _ease(leg: Leg, quote: Quote | None) -> tuple[Decimal, Decimal]:
    if quote is None or quote.bid is None or quote.ask is None or quote.ask <= 0:
        return (Decimal(-1), Decimal(0))
    size = quote.ask_quantity if leg.side is Side.BUY else quote.bid_quantity
    cover = min(Decimal(1), (size or Decimal(0)) / leg.quantity)
    return (cover, -(quote.ask - quote.bid) / quote.ask)


def _within(request: CrossRequest, touch: Decimal, cap: Decimal) -> Decimal | Refusal:
    """Through the touch by the allowed slippage, on the tick, never beyond the cap."""
    instrument = request.instrument
    slippage = Decimal(0)
    if not instrument.is_option:
        slippage = touch * Decimal(repr(request.hedge_slippage))
    if request.side is Side.BUY:
        bound = instrument.price_down(cap)
        price = bound if request.is_stale else min(instrument.price_up(touch + slippage), bound)
        reaches = price >= touch
    else:
        bound = instrument.price_up(cap)
        at_cap = request.is_stale and bound > 0
        price = bound if at_cap else max(instrument.price_down(touch - slippage), bound)
        reaches = price <= touch
    if not reaches or price <= 0:
        return Refusal(
            "beyond_cap",
            f"far touch {touch} of {instrument.instrument_id} is beyond the cap {cap:f}",
        )
    return price


def _collar(request: CrossRequest, quote: Quote) -> Decimal | Refusal:
    reference = quote.mark if quote.mark is not None else quote.index_usd
    if reference is None:
        return Refusal("no_mark", f"{request.instrument.instrument_id} has no mark and no index")
    width = request.hedge_collar * request.widening
    return reference * (1 + request.side.sign * Decimal(repr(width)))


def _option_cap(request: CrossRequest, quote: Quote) -> Decimal | Refusal:
    """Reference price moved by what `cap_vol` is worth, in the instrument's price unit."""
    instrument, surface = request.instrument, request.slice
    assert instrument.strike is not None, "an option has a strike"
    is_old = surface is None or request.slice_is_last
    if is_old and request.degraded_factor is None:
        return Refusal("no_surface", f"no surface at the expiry of {instrument.instrument_id}")
    if surface is None:
        return _cap_without_surface(request, quote)
    strike, forward = float(instrument.strike), surface.forward
    vol = float(np.interp(strike, surface.strikes, surface.mid_vols))
    vol_at_cap = max(VOL_MIN, vol + request.side.sign * request.cap_vol * request.widening)
    years, is_call = instrument.years(request.now_ns), bool(instrument.is_call)
    model = black76_scalar.price_one(forward, strike, years, vol, is_call)
    moved = black76_scalar.price_one(forward, strike, years, vol_at_cap, is_call) - model
    if not (math.isfinite(model) and math.isfinite(moved)):
        if request.degraded_factor is not None:
            return _cap_without_surface(request, quote)
        return Refusal("no_model_price", f"{instrument.instrument_id}: {vol} at forward {forward}")
    unit = forward if instrument.is_inverse else 1.0
    reference = quote.mark if quote.mark is not None else Decimal(repr(model / unit))
    return reference + Decimal(repr(moved / unit))


def _cap_without_surface(request: CrossRequest, quote: Quote) -> Decimal | Refusal:
    """`cap_vol` as a fraction of the venue's mark, as the price collar of risk has it then."""
    reference = quote.mark
    if reference is None and quote.bid is not None and quote.ask is not None:
        reference = (quote.bid + quote.ask) / 2
    if reference is None:
        return Refusal("no_mark", f"{request.instrument.instrument_id} has no mark and no mid")
    width = request.cap_vol * request.widening
    return reference * (1 + request.side.sign * Decimal(repr(width)))
