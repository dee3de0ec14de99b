"""Builds the MarketState of one strategy instance at one moment; pure in its arguments."""

from decimal import Decimal

from glmtrader.domain.decisions import MarketState, Staleness, StraddlePosition
from glmtrader.domain.event import Event
from glmtrader.domain.instruments import YEAR_NS, Instrument
from glmtrader.domain.market_events import SurfaceSlice, VolatilityForecast, VolatilitySurface
from glmtrader.domain.risk_events import PortfolioRisk, UnderlyingRisk
from glmtrader.quant.trading_clock import TradingClock
from glmtrader.strategies.costs import cost_vol
from glmtrader.strategies.holdings import Straddle, straddles
from glmtrader.strategies.horizon import ForecastAtExpiry, forecast_at, traded_slice
from glmtrader.strategies.registry import ExpiryWindow, StrategyInstance
from glmtrader.strategies.views import MarketViews, StrategyBook


def build_state(
    instance: StrategyInstance,
    window: ExpiryWindow | None,
    views: MarketViews,
    book: StrategyBook,
    *,
    now_ns: int,
    clock: TradingClock,
    legs_inflight_ns: int | None,
) -> MarketState:
    """Put everything a decision may see into one frozen value; what is not known is None."""
    surface = views.surfaces.get(instance.underlying)
    forecast = views.forecasts.get(instance.underlying)
    macro = views.macro.get(instance.underlying)
    portfolio = views.portfolios.get(instance.account_id)
    chosen = _slice(surface, window, now_ns)
    ahead = _ahead(forecast, chosen, now_ns, clock)
    cost = None if chosen is None else _cost(instance, chosen, now_ns)
    risk = None if portfolio is None else _risk_of(portfolio, instance.underlying)
    pairs = straddles(book.holdings, views.instruments) if window is not None else ()
    return MarketState(
        strategy_id=instance.strategy_id,
        account_id=instance.account_id,
        underlying=instance.underlying,
        now_ns=now_ns,
        horizon_ns=None if chosen is None else chosen.expiry_ns - now_ns,
        expiry_ns=None if chosen is None else chosen.expiry_ns,
        spot_usd=_spot(surface, risk),
        strike_usd=None if chosen is None else chosen.straddle_strike,
        p_vol=None if chosen is None else chosen.atm_vol,
        p_vol_bid=None if chosen is None else chosen.straddle_bid,
        p_vol_ask=None if chosen is None else chosen.straddle_ask,
        q_var=None if ahead is None else ahead.q_var,
        q_vol=None if ahead is None else ahead.q_vol,
        q_vol_low=None if ahead is None else ahead.q_vol_low,
        q_vol_high=None if ahead is None else ahead.q_vol_high,
        q_straddle=None if ahead is None else ahead.q_straddle,
        confidence=None if forecast is None else forecast.confidence,
        model_id=None if forecast is None else forecast.model_id,
        pq_spread=_spread(chosen, ahead),
        cost_vol=cost,
        net_edge_long=_edge_long(chosen, ahead, cost),
        net_edge_short=_edge_short(chosen, ahead, cost),
        macro_regime=None if macro is None else macro.macro_regime,
        regime_score=None if macro is None else macro.regime_score,
        sentiment_score=None if macro is None else macro.sentiment_score,
        fomo_score=None if macro is None else macro.fomo_score,
        total_delta=None if risk is None else risk.delta_coin,
        total_gamma=None if risk is None else risk.gamma_per_usd,
        total_vega=None if risk is None else risk.vega_per_vol,
        leverage=None if portfolio is None else portfolio.leverage,
        drawdown_pct=None if portfolio is None else portfolio.drawdown_pct,
        position=sum((pair.quantity for pair in pairs if pair.is_whole), Decimal(0)),
        inflight=sum(book.inflight.values(), Decimal(0)),
        straddles=tuple(_held(pair, surface, forecast, now_ns, clock) for pair in pairs),
        hedge_instrument=None if window is not None else _hedge_instrument(instance, views),
        legs_inflight_ns=legs_inflight_ns,
        trading_halted=views.halted(instance.account_id),
        staleness=_staleness(instance, views, now_ns),
        memory=book.memory,
    )


def _staleness(instance: StrategyInstance, views: MarketViews, now_ns: int) -> Staleness:
    """Age of each input by its own time; of a forecast, by the last bar in it."""
    forecast = views.forecasts.get(instance.underlying)
    return Staleness(
        surface_ns=_age(views.surfaces.get(instance.underlying), now_ns),
        forecast_ns=None if forecast is None else now_ns - forecast.candles_until_ns,
        macro_ns=_age(views.macro.get(instance.underlying), now_ns),
        portfolio_ns=_age(views.portfolios.get(instance.account_id), now_ns),
    )


def _slice(
    surface: VolatilitySurface | None, window: ExpiryWindow | None, now_ns: int
) -> SurfaceSlice | None:
    if surface is None or window is None:
        return None
    return traded_slice(
        surface,
        now_ns=now_ns,
        days_min=window.days_min,
        days_target=window.days_target,
        days_max=window.days_max,
    )


def _cost(instance: StrategyInstance, chosen: SurfaceSlice, now_ns: int) -> float:
    assert chosen.straddle_strike is not None, "a traded slice has a quoted straddle"
    assert chosen.atm_vol is not None, "a traded slice has an ATM volatility"
    return cost_vol(
        forward=chosen.forward,
        strike=chosen.straddle_strike,
        years=(chosen.expiry_ns - now_ns) / YEAR_NS,
        sigma=chosen.atm_vol,
        assumptions=instance.costs,
    )


def _ahead(
    forecast: VolatilityForecast | None,
    chosen: SurfaceSlice | None,
    now_ns: int,
    clock: TradingClock,
) -> ForecastAtExpiry | None:
    if forecast is None or chosen is None:
        return None
    return forecast_at(forecast, now_ns=now_ns, expiry_ns=chosen.expiry_ns, clock=clock)


def _risk_of(portfolio: PortfolioRisk, underlying: str) -> UnderlyingRisk | None:
    rows = portfolio.by_underlying
    return next((item for item in rows if item.underlying == underlying), None)


def _spot(surface: VolatilitySurface | None, risk: UnderlyingRisk | None) -> float | None:
    """The price the portfolio was last valued at, else the surface's index."""
    if risk is not None:
        return risk.price_usd
    return None if surface is None else surface.index_usd


def _spread(chosen: SurfaceSlice | None, ahead: ForecastAtExpiry | None) -> float | None:
    if chosen is None or chosen.atm_vol is None or ahead is None:
        return None
    return ahead.q_vol - chosen.atm_vol


def _edge_long(
    chosen: SurfaceSlice | None, ahead: ForecastAtExpiry | None, cost: float | None
) -> float | None:
    if chosen is None or chosen.straddle_ask is None or ahead is None or cost is None:
        return None
    return ahead.q_straddle - chosen.straddle_ask - cost


def _edge_short(
    chosen: SurfaceSlice | None, ahead: ForecastAtExpiry | None, cost: float | None
) -> float | None:
    if chosen is None or chosen.straddle_bid is None or ahead is None or cost is None:
        return None
    return chosen.straddle_bid - ahead.q_straddle - cost


def _held(
    pair: Straddle,
    surface: VolatilitySurface | None,
    forecast: VolatilityForecast | None,
    now_ns: int,
    clock: TradingClock,
) -> StraddlePosition:
    """A held straddle with what the market and the forecast say of its own expiry."""
    slices = () if surface is None else surface.slices
    match = next((item for item in slices if item.expiry_ns == pair.expiry_ns), None)
    q_straddle = None
    if forecast is not None and pair.expiry_ns > now_ns:
        ahead = forecast_at(forecast, now_ns=now_ns, expiry_ns=pair.expiry_ns, clock=clock)
        q_straddle = ahead.q_straddle
    return StraddlePosition(
        expiry_ns=pair.expiry_ns,
        strike_usd=pair.strike_usd,
        call_id=pair.call_id,
        put_id=pair.put_id,
        quantity=pair.quantity,
        opened_ns=pair.opened_ns,
        p_vol_bid=None if match is None else match.straddle_bid,
        p_vol_ask=None if match is None else match.straddle_ask,
        q_straddle=q_straddle,
    )


def _hedge_instrument(instance: StrategyInstance, views: MarketViews) -> Instrument | None:
    """The perpetual of this underlying; the account's venue is the only one listed with it."""
    found = [item for (_, coin), item in views.perpetuals.items() if coin == instance.underlying]
    return found[0] if len(found) == 1 else None


def _age(event: Event | None, now_ns: int) -> int | None:
    return None if event is None else now_ns - event.ts_event
