"""The market service: first of the core components, so that all others see the market it leaves.

It keeps the catalogue and the quote book, refuses ticks that cannot be true, and turns every chain
snapshot into a `VolatilitySurface`, always from that one coherent snapshot.
"""

import math
from collections import Counter
from collections.abc import Callable
from typing import ClassVar

import numpy as np

from glmtrader.domain.event import Event
from glmtrader.domain.market_events import (
    ChainSnapshot,
    InstrumentsListed,
    MarketTick,
    SurfaceSlice,
    VolatilitySurface,
)
from glmtrader.kernel.inbox import Inbox
from glmtrader.market.quote_book import Catalogue, QuoteBook
from glmtrader.quant.chain_quotes import ChainQuotes
from glmtrader.quant.surface import Unavailable, VolSurfaceFit, fit_surface
from glmtrader.quant.trading_clock import TradingClock


class MarketService:
    """Keeps the market views and publishes P.

    Args:
        catalogue, quotes: the views to keep; read by the components after this one.
        clock: the trading clock in which total variance is interpolated.
        publish: the bus's publish.
    """

    EVENTS: ClassVar[tuple[type[Event], ...]] = (InstrumentsListed, MarketTick, ChainSnapshot)

    def __init__(
        self,
        catalogue: Catalogue,
        quotes: QuoteBook,
        *,
        clock: TradingClock,
        publish: Callable[[Event], None],
    ) -> None:
        self._catalogue = catalogue
        self._quotes = quotes
        self._clock = clock
        self._publish = publish
        self.refused: Counter[str] = Counter()

    async def run(self, inbox: Inbox) -> None:
        """Take events for ever; awaits nothing but its inbox."""
        async for event in inbox:
            self.handle(event)

    def handle(self, event: Event) -> None:
        """Update the views; a chain also gives a surface."""
        match event:
            case MarketTick():
                self._take_tick(event)
            case ChainSnapshot():
                self._take_chain(event)
            case InstrumentsListed():
                self._catalogue.apply(event)
            case _:
                pass

    def _take_tick(self, tick: MarketTick) -> None:
        listed = self._catalogue.is_listed(tick.instrument_id)
        refusal = tick_fault(tick) if listed else "unlisted"
        if refusal is not None:
            self.refused[refusal] += 1
            return
        instrument = self._catalogue.get(tick.instrument_id)
        assert instrument is not None, "what is listed is in the catalogue"
        self._quotes.apply_tick(tick, instrument.underlying)

    def _take_chain(self, chain: ChainSnapshot) -> None:
        """Keep a chain and publish its surface; without an index none of its rows means a thing."""
        if not 0 < chain.index_usd < math.inf:
            self.refused["chain_without_index"] += 1
            return
        self._quotes.apply_chain(chain)
        self._publish(surface_of(chain, self._clock))


def tick_fault(tick: MarketTick) -> str | None:
    """Why a top of book cannot be true; None if it can.

    Returns:
        `not_a_number`, `not_positive`, `crossed`, or None.
    """
    for price in (tick.bid, tick.ask, tick.mark, tick.index_usd):
        if price is not None and not (price.is_finite() and price > 0):
            return "not_positive" if price.is_finite() else "not_a_number"
    for size in (tick.bid_quantity, tick.ask_quantity):
        if size is not None and not (size.is_finite() and size >= 0):
            return "not_positive" if size.is_finite() else "not_a_number"
    if tick.bid is not None and tick.ask is not None and tick.bid > tick.ask:
        return "crossed"
    return None


def surface_of(chain: ChainSnapshot, clock: TradingClock) -> VolatilitySurface:
    """P of one snapshot; bad quotes are refused and counted, too few of them are `unavailable`."""
    quotes = ChainQuotes(
        now_ns=chain.ts_event,
        expiry_ns=chain.expiry_ns,
        strike=chain.strike,
        is_call=chain.is_call,
        bid=chain.bid,
        ask=chain.ask,
        forward=chain.forward,
        mark=chain.mark,
        inverse=chain.inverse,
    )
    fit = fit_surface(quotes, clock)
    slices = tuple(_slice(fit, expiry) for expiry in _expiries(fit))
    refused = {reason.name.lower(): count for reason, count in sorted(fit.refusals.items())}
    first_refusal = next(iter(fit.unavailable.values()), None)
    return VolatilitySurface(
        ts_event=chain.ts_event,
        ts_init=chain.ts_init,
        underlying=chain.underlying,
        venue=chain.venue,
        index_usd=chain.index_usd,
        slices=slices,
        quotes_used=len(chain.instrument_ids) - sum(refused.values()),
        quotes_refused=refused,
        unavailable=None if slices else _why_none(first_refusal),
    )


def _expiries(fit: VolSurfaceFit) -> list[int]:
    return [fitted.expiry_ns for fitted in fit.slices]


def _slice(fit: VolSurfaceFit, expiry_ns: int) -> SurfaceSlice:
    fitted = fit.slice_at(expiry_ns)
    assert not isinstance(fitted, Unavailable), "only fitted expiries are listed"
    atm = fit.atm_vol(expiry_ns)
    straddle = fit.straddle_quote(expiry_ns)
    quoted = None if isinstance(straddle, Unavailable) else straddle
    assert np.isfinite(fitted.mid_vol).all(), f"expiry {expiry_ns}: a fitted volatility is NaN"
    return SurfaceSlice(
        expiry_ns=expiry_ns,
        years=fitted.years,
        forward=fitted.forward,
        strikes=tuple(fitted.strikes.tolist()),
        mid_vols=tuple(fitted.mid_vol.tolist()),
        atm_vol=None if isinstance(atm, Unavailable) else atm,
        straddle_strike=None if quoted is None else quoted.strike,
        straddle_bid=None if quoted is None else quoted.bid_vol,
        straddle_ask=None if quoted is None else quoted.ask_vol,
    )


def _why_none(refusal: Unavailable | None) -> str:
    return "the chain is empty" if refusal is None else f"{refusal.reason}: {refusal.detail}"
