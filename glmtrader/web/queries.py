"""P against Q and the surface behind it, from the newest events. Pure."""

import math
from typing import Final

import numpy as np

from glmtrader.domain.instruments import DAY_NS, YEAR_NS
from glmtrader.domain.market_events import (
    ChainSnapshot,
    FloatArray,
    SurfaceSlice,
    VolatilitySurface,
)
from glmtrader.quant.implied_vol import implied_vol
from glmtrader.risk.portfolio import DOLLARS
from glmtrader.strategies import pq_vol
from glmtrader.web.errors import NotKnownYetError, UnknownUnderlyingError
from glmtrader.web.responses import PqSpread, SurfacePoint, SurfaceReport, SurfaceTerm, utc_text
from glmtrader.web.views import ViewCache

_SIGNALS: Final = {1: "buy_volatility", 0: "hold", -1: "sell_volatility"}

UNDERLYING_LENGTH_MAX: Final = 24
"""Longer names are refused unread: no coin and no pair has one."""


def underlying_named(text: str, views: ViewCache) -> str:
    """The underlying meant by `BTC` or by a pair in dollars such as `BTC/USDT`.

    Raises:
        UnknownUnderlyingError: this run does not trade it.
    """
    base, _, quote = text.upper().partition("/")
    fits = len(text) <= UNDERLYING_LENGTH_MAX and ("/" not in text or quote in DOLLARS)
    if fits and base in views.scope.underlyings:
        return base
    known = ", ".join(views.scope.underlyings)
    raise UnknownUnderlyingError(
        f"{text[:UNDERLYING_LENGTH_MAX]!r} is not traded here: ask for {known},"
        " alone or as a pair like BTC/USDT"
    )


def pq_spread(views: ViewCache, now_ns: int, underlying: str) -> PqSpread:
    """What the newest decision of the P/Q trader on this underlying saw and said.

    Raises:
        NotKnownYetError: there is none since the start.
    """
    del now_ns  # the answer is as old as the decision says
    found = [
        event
        for event in views.decisions.values()
        if event.strategy == pq_vol.NAME and event.state.underlying == underlying
    ]
    if not found:
        raise NotKnownYetError(f"no {pq_vol.NAME} decision on {underlying} since the start")
    event = max(found, key=lambda item: item.ts_event)
    state, intent = event.state, event.decision.intent
    horizon_ns = state.horizon_ns
    return PqSpread(
        underlying=underlying,
        p_vol=state.p_vol,
        q_vol=state.q_vol,
        spread=state.pq_spread,
        signal=_SIGNALS[intent.direction],
        confidence=state.confidence,
        intent_type=intent.intent_type.value,
        intent_reason=intent.reason,
        macro_regime=state.macro_regime,
        regime_score=state.regime_score,
        fomo_score=state.fomo_score,
        timestamp=utc_text(event.ts_event),
        p_vol_bid=state.p_vol_bid,
        p_vol_ask=state.p_vol_ask,
        q_vol_low=state.q_vol_low,
        q_vol_high=state.q_vol_high,
        q_straddle=state.q_straddle,
        cost_vol=state.cost_vol,
        net_edge_long=state.net_edge_long,
        net_edge_short=state.net_edge_short,
        distance_to_action_vol=intent.distance_to_action_vol,
        sentiment_score=state.sentiment_score,
        horizon_days=None if horizon_ns is None else horizon_ns / DAY_NS,
        expiry=None if state.expiry_ns is None else utc_text(state.expiry_ns),
        strategy_id=event.strategy_id,
        intent_id=event.intent_id,
        model_id=state.model_id,
    )


def volatility_surface(views: ViewCache, now_ns: int, underlying: str) -> SurfaceReport:
    """The newest surface, each strike with the quotes of the very chain it was fitted to.

    Raises:
        NotKnownYetError: no surface since the start.
    """
    del now_ns  # the answer is as old as the surface says
    surface = views.surfaces.get(underlying)
    if surface is None:
        raise NotKnownYetError(f"no option chain of {underlying} since the start")
    chain = views.surface_chains.get(underlying)
    quotes = {} if chain is None else _quotes(chain, surface)
    points = [point for part in surface.slices for point in _points(part, quotes)]
    currency = None
    if chain is not None:
        currency = underlying if chain.inverse else "USD"
    return SurfaceReport(
        underlying=underlying,
        atm_iv=next((part.atm_vol for part in surface.slices if part.atm_vol is not None), None),
        timestamp=utc_text(surface.ts_event),
        surface_data=points,
        term_structure=[_term(part) for part in surface.slices],
        index_usd=surface.index_usd,
        price_currency=currency,
        quotes_used=surface.quotes_used,
        quotes_refused=surface.quotes_refused,
        unavailable=surface.unavailable,
    )


_Quotes = dict[tuple[int, float, bool], tuple[float | None, float | None]]
"""Mid price and volatility implied by it, by expiry, strike and side."""


def _quotes(chain: ChainSnapshot, surface: VolatilitySurface) -> _Quotes:
    """Mid prices of one chain and their volatilities at the forwards that the fit found."""
    expiries = chain.expiry_ns.tolist()
    fitted = {part.expiry_ns: part.forward for part in surface.slices}
    forward = np.array([fitted.get(expiry, math.nan) for expiry in expiries])
    two_sided = (chain.bid > 0) & (chain.ask >= chain.bid)
    mid = np.where(two_sided, (chain.bid + chain.ask) / 2, math.nan)
    usd = mid * forward if chain.inverse else mid
    years = (chain.expiry_ns - chain.ts_event) / YEAR_NS
    vols = implied_vol(usd, forward, chain.strike, years, chain.is_call)
    keys = zip(expiries, chain.strike.tolist(), chain.is_call.tolist(), strict=True)
    return dict(zip(keys, zip(_known(mid), _known(vols), strict=True), strict=True))


def _known(values: FloatArray) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values.tolist()]


def _points(part: SurfaceSlice, quotes: _Quotes) -> list[SurfacePoint]:
    expiry = utc_text(part.expiry_ns)
    points = []
    for strike, mid_vol in zip(part.strikes, part.mid_vols, strict=True):
        call_price, call_iv = quotes.get((part.expiry_ns, strike, True), (None, None))
        put_price, put_iv = quotes.get((part.expiry_ns, strike, False), (None, None))
        points.append(
            SurfacePoint(
                strike=strike,
                expiry=expiry,
                call_iv=call_iv,
                put_iv=put_iv,
                call_price=call_price,
                put_price=put_price,
                mid_vol=mid_vol,
            )
        )
    return points


def _term(part: SurfaceSlice) -> SurfaceTerm:
    return SurfaceTerm(
        expiry=utc_text(part.expiry_ns),
        forward=part.forward,
        atm_iv=part.atm_vol,
        straddle_strike=part.straddle_strike,
        straddle_bid_iv=part.straddle_bid,
        straddle_ask_iv=part.straddle_ask,
    )
