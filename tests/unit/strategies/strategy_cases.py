"""States, instruments and events of a small market, for the tests of strategies."""

from decimal import Decimal
from typing import Any

import msgspec

from glmtrader.domain.decisions import MarketState, Staleness, StraddlePosition
from glmtrader.domain.ids import (
    AccountId,
    ClientOrderId,
    InstrumentId,
    StrategyId,
    TradeId,
    VenueOrderId,
    instrument_id,
)
from glmtrader.domain.instruments import (
    DAY_NS,
    HOUR_NS,
    SECOND_NS,
    YEAR_NS,
    Instrument,
    InstrumentKind,
    TickStep,
)
from glmtrader.domain.market_events import SurfaceSlice, VolatilityForecast, VolatilitySurface
from glmtrader.domain.order_events import Fill
from glmtrader.domain.orders import Side
from glmtrader.domain.risk_events import PortfolioRisk, UnderlyingRisk
from glmtrader.strategies import pq_vol

D = Decimal
NOW_NS = 1_767_600_000 * SECOND_NS  # Monday 2026-01-05 08:00 UTC
EXPIRY_NS = NOW_NS + 7 * DAY_NS
ACCOUNT = AccountId("main")
STRATEGY = StrategyId("pq")
SPOT = 90_000.0


def option(
    strike: int, *, is_call: bool, expiry_ns: int = EXPIRY_NS, underlying: str = "BTC"
) -> Instrument:
    """An inverse option."""
    symbol = f"{underlying}-{expiry_ns // DAY_NS}-{strike}-{'C' if is_call else 'P'}"
    return Instrument(
        instrument_id=instrument_id("sim", symbol),
        venue="sim",
        symbol=symbol,
        kind=InstrumentKind.INVERSE_OPTION,
        underlying=underlying,
        price_currency=underlying,
        settlement_currency=underlying,
        quantity_currency=underlying,
        contract_size=D(1),
        lot=D("0.1"),
        quantity_min=D("0.1"),
        tick_steps=(TickStep(D(0), D("0.0001")),),
        strike=D(strike),
        is_call=is_call,
        expiry_ns=expiry_ns,
    )


def perpetual(underlying: str = "BTC", *, inverse: bool = True) -> Instrument:
    """A perpetual: ten dollars a lot where inverse, a thousandth of a coin where linear."""
    symbol = f"{underlying}-PERPETUAL" if inverse else f"{underlying}_USDC-PERPETUAL"
    kind = InstrumentKind.INVERSE_PERPETUAL if inverse else InstrumentKind.LINEAR_PERPETUAL
    step = D(10) if inverse else D("0.001")
    return Instrument(
        instrument_id=instrument_id("sim", symbol),
        venue="sim",
        symbol=symbol,
        kind=kind,
        underlying=underlying,
        price_currency="USD",
        settlement_currency=underlying if inverse else "USD",
        quantity_currency="USD" if inverse else underlying,
        contract_size=step,
        lot=step,
        quantity_min=step,
        tick_steps=(TickStep(D(0), D("0.5")),),
    )


CALL, PUT = option(90_000, is_call=True), option(90_000, is_call=False)
PERPETUAL = perpetual()

FRESH = Staleness(surface_ns=0, forecast_ns=0, macro_ns=None, portfolio_ns=0)

QUIET = MarketState(
    strategy_id=STRATEGY,
    account_id=ACCOUNT,
    underlying="BTC",
    now_ns=NOW_NS,
    horizon_ns=7 * DAY_NS,
    expiry_ns=EXPIRY_NS,
    spot_usd=SPOT,
    strike_usd=90_000.0,
    p_vol=0.50,
    p_vol_bid=0.49,
    p_vol_ask=0.51,
    q_var=0.26,
    q_vol=0.51,
    q_vol_low=0.40,
    q_vol_high=0.65,
    q_straddle=0.50,
    confidence=0.7,
    model_id="model",
    pq_spread=0.01,
    cost_vol=0.02,
    net_edge_long=0.50 - 0.51 - 0.02,
    net_edge_short=0.49 - 0.50 - 0.02,
    macro_regime=None,
    regime_score=None,
    sentiment_score=None,
    fomo_score=None,
    total_delta=0.0,
    total_gamma=0.0,
    total_vega=0.0,
    leverage=0.1,
    drawdown_pct=0.0,
    position=D(0),
    inflight=D(0),
    straddles=(),
    hedge_instrument=None,
    legs_inflight_ns=None,
    trading_halted=None,
    staleness=FRESH,
    memory=pq_vol.initial_memory(),
)
"""A flat account, everything known and fresh, and no edge."""


def state(**changes: Any) -> MarketState:
    """The quiet state with other inputs; edges follow the forecast, quotes and cost."""
    changed = msgspec.structs.replace(QUIET, **changes)
    q, bid, ask, cost = (
        changed.q_straddle,
        changed.p_vol_bid,
        changed.p_vol_ask,
        changed.cost_vol,
    )
    edges = {
        "net_edge_long": None if q is None or ask is None or cost is None else q - ask - cost,
        "net_edge_short": None if q is None or bid is None or cost is None else bid - q - cost,
    }
    return msgspec.structs.replace(changed, **{**edges, **changes})


def cheap(**changes: Any) -> MarketState:
    """Volatility is cheap: a net edge of four points to the long side."""
    return state(**{"q_straddle": 0.57, **changes})


def dear(**changes: Any) -> MarketState:
    """Volatility is dear: a net edge of four points to the short side."""
    return state(**{"q_straddle": 0.43, **changes})


def held(
    quantity: str = "0.5",
    *,
    q_straddle: float | None = 0.57,
    bid: float | None = 0.49,
    ask: float | None = 0.51,
    days: float = 7.0,
) -> StraddlePosition:
    """A straddle held for a day; the edge it was opened on is still there for a long."""
    return StraddlePosition(
        expiry_ns=NOW_NS + round(days * DAY_NS),
        strike_usd=90_000.0,
        call_id=CALL.instrument_id,
        put_id=PUT.instrument_id,
        quantity=D(quantity),
        opened_ns=NOW_NS - DAY_NS,
        p_vol_bid=bid,
        p_vol_ask=ask,
        q_straddle=q_straddle,
    )


def stale(**ages_s: float | None) -> Staleness:
    """Fresh inputs but for those named, by age in seconds."""
    ages = {f"{name}_ns": None if s is None else round(s * SECOND_NS) for name, s in ages_s.items()}
    return msgspec.structs.replace(FRESH, **ages)


def surface_slice(
    days: float,
    *,
    now_ns: int = NOW_NS,
    vol: float | None = 0.5,
    bid: float | None = 0.49,
    ask: float | None = 0.51,
) -> SurfaceSlice:
    """One expiry of a flat surface."""
    expiry_ns = now_ns + round(days * DAY_NS)
    return SurfaceSlice(
        expiry_ns=expiry_ns,
        years=(expiry_ns - now_ns) / YEAR_NS,
        forward=SPOT,
        strikes=(80_000.0, 90_000.0, 100_000.0),
        mid_vols=(0.5, 0.5, 0.5),
        atm_vol=vol,
        straddle_strike=90_000.0,
        straddle_bid=bid,
        straddle_ask=ask,
    )


def surface(
    *slices: SurfaceSlice, now_ns: int = NOW_NS, underlying: str = "BTC"
) -> VolatilitySurface:
    """A surface of these expiries; of the one in seven days where none is given."""
    return VolatilitySurface(
        ts_event=now_ns,
        ts_init=now_ns,
        underlying=underlying,
        venue="sim",
        index_usd=SPOT,
        slices=slices or (surface_slice((EXPIRY_NS - now_ns) / DAY_NS, now_ns=now_ns),),
        quotes_used=6,
        quotes_refused={},
        unavailable=None,
    )


def forecast(
    *, q_straddle: float = 0.57, now_ns: int = NOW_NS, underlying: str = "BTC"
) -> VolatilityForecast:
    """Q over seven days."""
    return VolatilityForecast(
        ts_event=now_ns,
        ts_init=now_ns,
        underlying=underlying,
        horizon_ns=7 * DAY_NS,
        q_var=0.36,
        q_vol=0.58,
        q_vol_low=0.45,
        q_vol_high=0.75,
        q_straddle=q_straddle,
        confidence=0.7,
        model_id="model",
        candles_until_ns=now_ns,
    )


def portfolio(
    *, delta: float = 0.0, gamma: float = 0.0, now_ns: int = NOW_NS, **changes: Any
) -> PortfolioRisk:
    """Risk of the account with this delta in BTC."""
    risk = UnderlyingRisk(
        underlying="BTC",
        price_usd=SPOT,
        delta_coin=delta,
        delta_usd=delta * SPOT,
        gamma_per_usd=gamma,
        vega_per_vol=0.0,
        theta_per_year=0.0,
        rho_per_rate=0.0,
        gross_delta_usd=abs(delta) * SPOT,
        option_premium_usd=0.0,
        has_options=gamma != 0.0,
    )
    base = PortfolioRisk(
        ts_event=now_ns,
        ts_init=now_ns,
        account_id=ACCOUNT,
        trigger="tick",
        equity_usd=90_000.0,
        equity=1.0,
        numeraire="BTC",
        by_underlying=(risk,),
        total_delta_usd=delta * SPOT,
        total_gamma_usd=gamma,
        total_vega_usd=0.0,
        total_theta_usd=0.0,
        leverage=abs(delta),
        margin_used_pct=0.1,
        drawdown_pct=0.0,
        scenario_loss_usd=0.0,
        greeks_age_ns=0,
        degraded=None,
    )
    return msgspec.structs.replace(base, **changes)


def fill(
    item: Instrument,
    quantity: str,
    *,
    now_ns: int = NOW_NS,
    order: str | None = "pq-1-1-0-0",
    trade: str = "t1",
) -> Fill:
    """A fill of signed quantity."""
    signed = D(quantity)
    return Fill(
        ts_event=now_ns,
        ts_init=now_ns,
        account_id=ACCOUNT,
        client_order_id=None if order is None else ClientOrderId(order),
        venue_order_id=VenueOrderId("v"),
        trade_id=TradeId(trade),
        instrument_id=InstrumentId(item.instrument_id),
        side=Side.BUY if signed > 0 else Side.SELL,
        quantity=abs(signed),
        price=D("0.03"),
        fee=D(0),
        fee_currency=item.settlement_currency,
        is_maker=False,
        cursor=now_ns,
        index_usd=None,
    )


__all__ = [
    "ACCOUNT",
    "CALL",
    "DAY_NS",
    "EXPIRY_NS",
    "HOUR_NS",
    "NOW_NS",
    "PERPETUAL",
    "PUT",
    "QUIET",
    "SECOND_NS",
    "SPOT",
    "STRATEGY",
    "D",
    "cheap",
    "dear",
    "fill",
    "forecast",
    "held",
    "option",
    "perpetual",
    "portfolio",
    "stale",
    "state",
    "surface",
    "surface_slice",
]
