"""Greeks of the portfolio and how well they are hedged, from the newest risk event. Pure.

What counts as hedged is the no-trade band of the hedger that is running, not a constant: it is
computed anew from its parameters and the newest gamma and price.
"""

from decimal import Decimal
from typing import Final

import msgspec

from glmtrader.domain.risk_events import PortfolioRisk, UnderlyingRisk
from glmtrader.domain.strategy_events import DecisionMade
from glmtrader.strategies import delta_hedger
from glmtrader.web.errors import NotKnownYetError
from glmtrader.web.responses import (
    HedgeReport,
    PortfolioGreeks,
    UnderlyingGreeks,
    UnderlyingHedge,
    utc_text,
)
from glmtrader.web.views import ViewCache

WELL_HEDGED_PART: Final = 0.4
"""Up to this part of the band a delta is well hedged, and above it acceptable."""

_params_decoder = msgspec.json.Decoder(delta_hedger.DeltaHedgerParams)


def portfolio_greeks(views: ViewCache, now_ns: int) -> PortfolioGreeks:
    """Totals in USD with the underlyings beside them.

    Raises:
        NotKnownYetError: the account was not valued yet.
    """
    del now_ns  # the answer is as old as the event says
    risk = _risk(views)
    hedges = [underlying_hedge(views, row) for row in risk.by_underlying]
    return PortfolioGreeks(
        total_delta=risk.total_delta_usd,
        total_gamma=risk.total_gamma_usd,
        total_vega=risk.total_vega_usd,
        total_theta=risk.total_theta_usd,
        total_rho=sum(row.rho_per_rate for row in risk.by_underlying),
        timestamp=utc_text(risk.ts_event),
        hedge_status=_overall(hedges),
        by_underlying=[_greeks(row) for row in risk.by_underlying],
        equity_usd=risk.equity_usd,
        leverage=risk.leverage,
        drawdown_pct=risk.drawdown_pct,
        margin_used_pct=risk.margin_used_pct,
        scenario_loss_usd=risk.scenario_loss_usd,
        greeks_age_ms=None if risk.greeks_age_ns is None else risk.greeks_age_ns / 1e6,
        degraded=risk.degraded,
    )


def hedge_status(views: ViewCache, now_ns: int) -> HedgeReport:
    """Every underlying's delta against its band; the worst one speaks for the whole.

    Raises:
        NotKnownYetError: the account was not valued yet.
    """
    del now_ns  # the answer is as old as the event says
    risk = _risk(views)
    hedges = [underlying_hedge(views, row) for row in risk.by_underlying]
    excess_usd = [
        item.hedge_quantity_coin * row.price_usd
        for item, row in zip(hedges, risk.by_underlying, strict=True)
    ]
    worst = max(hedges, key=_urgency, default=None)
    return HedgeReport(
        total_delta=risk.total_delta_usd,
        status="well_hedged" if worst is None else worst.status,
        recommended_action="none" if worst is None else worst.recommended_action,
        hedge_quantity=sum(excess_usd),
        timestamp=utc_text(risk.ts_event),
        by_underlying=hedges,
    )


def underlying_hedge(views: ViewCache, row: UnderlyingRisk) -> UnderlyingHedge:
    """One underlying against the band of its hedger."""
    hedger = _hedger(views, row.underlying)
    band = None if hedger is None else _band(hedger, row)
    status, action = _status(row.delta_coin, band)
    excess = 0.0 if band is None else max(abs(row.delta_coin) - band, 0.0)
    instrument = None if hedger is None else hedger.state.hedge_instrument
    quantity = None
    if instrument is not None:
        wanted = instrument.quantity_of_coins(Decimal(repr(excess)), Decimal(repr(row.price_usd)))
        quantity = instrument.quantity_down(wanted)
    return UnderlyingHedge(
        underlying=row.underlying,
        delta_coin=row.delta_coin,
        delta_usd=row.delta_usd,
        band_delta_coin=band,
        status=status,
        recommended_action=action,
        hedge_quantity_coin=excess,
        hedge_quantity=quantity,
        hedge_unit=None if instrument is None else instrument.quantity_currency,
        hedge_instrument=None if instrument is None else instrument.instrument_id,
    )


def _risk(views: ViewCache) -> PortfolioRisk:
    if views.portfolio is None:
        raise NotKnownYetError("the account was not valued yet: it waits for books and prices")
    return views.portfolio


def _hedger(views: ViewCache, underlying: str) -> DecisionMade | None:
    """The newest decision of the hedger of an underlying; None if none has decided."""
    found = [
        event
        for event in views.decisions.values()
        if event.strategy == delta_hedger.NAME and event.state.underlying == underlying
    ]
    return max(found, key=lambda event: event.ts_event, default=None)


def _band(hedger: DecisionMade, row: UnderlyingRisk) -> float:
    state = msgspec.structs.replace(
        hedger.state, total_gamma=row.gamma_per_usd, spot_usd=row.price_usd
    )
    return delta_hedger.band_half_width(state, _params_decoder.decode(hedger.params))


def _status(delta_coin: float, band: float | None) -> tuple[str, str]:
    """Status and recommended action of one delta."""
    if band is None:
        return "unknown", "monitor"
    if abs(delta_coin) <= WELL_HEDGED_PART * band:
        return "well_hedged", "none"
    if delta_coin > band:
        return "long_delta", "sell_futures"
    if delta_coin < -band:
        return "short_delta", "buy_futures"
    return "acceptable", "monitor"


def _urgency(item: UnderlyingHedge) -> tuple[bool, float, bool, bool]:
    """Outside the band first, by USD; then what nobody hedges; then what is merely acceptable."""
    outside = item.status in ("long_delta", "short_delta")
    size_usd = abs(item.delta_usd) if outside else 0.0
    return outside, size_usd, item.status == "unknown", item.status == "acceptable"


def _overall(hedges: list[UnderlyingHedge]) -> str:
    if any(item.status in ("long_delta", "short_delta") for item in hedges):
        return "needs_hedge"
    return "unknown" if any(item.status == "unknown" for item in hedges) else "neutral"


def _greeks(row: UnderlyingRisk) -> UnderlyingGreeks:
    return UnderlyingGreeks(
        underlying=row.underlying,
        price_usd=row.price_usd,
        delta_coin=row.delta_coin,
        delta_usd=row.delta_usd,
        gamma_per_usd=row.gamma_per_usd,
        vega_per_vol=row.vega_per_vol,
        theta_per_year=row.theta_per_year,
        rho_per_rate=row.rho_per_rate,
    )
