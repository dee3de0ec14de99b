"""What the API answers, as frozen structs: the field names of its JSON.

Volatilities are fractions a year, `total_*` of a portfolio are USD, times are RFC 3339 UTC. None
(null) is what is not known; nothing here has a default that could stand in for it.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from glmtrader.domain.instruments import MILLISECOND_NS, SECOND_NS


def utc_text(ts_ns: int) -> str:
    """UTC time to the millisecond, RFC 3339."""
    moment = datetime.fromtimestamp(ts_ns // SECOND_NS, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ts_ns % SECOND_NS // MILLISECOND_NS:03d}Z"


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """Base of every answer."""


class FeedHealth(Response, frozen=True):
    """One feed: age of its newest event in process time; None before the first."""

    name: str
    age_ms: float | None
    age_ms_max: float
    fresh: bool


class CoreHealth(Response, frozen=True):
    """The dispatcher: number of the last event, what waits, and when something last came out."""

    sequence: int
    queue_depth: int
    last_dispatch_age_ms: float | None
    answers: bool


class HealthReport(Response, frozen=True):
    """Whether feeds are fresh and the core answers; `reasons` is empty exactly when healthy."""

    healthy: bool
    reasons: list[str]
    mode: str | None
    mode_reason: str | None
    feeds: list[FeedHealth]
    core: CoreHealth
    venues: dict[str, str]
    version: str
    timestamp: str


class PqSpread(Response, frozen=True):
    """P against Q as the newest decision on this underlying saw them, and what it decided.

    Attributes:
        spread: q_vol - p_vol. signal: buy_volatility, sell_volatility or hold.
        net_edge_long, net_edge_short: after cost, in volatility.
    """

    underlying: str
    p_vol: float | None
    q_vol: float | None
    spread: float | None
    signal: str
    confidence: float | None
    intent_type: str
    intent_reason: str
    macro_regime: str | None
    regime_score: float | None
    fomo_score: float | None
    timestamp: str
    p_vol_bid: float | None
    p_vol_ask: float | None
    q_vol_low: float | None
    q_vol_high: float | None
    q_straddle: float | None
    cost_vol: float | None
    net_edge_long: float | None
    net_edge_short: float | None
    distance_to_action_vol: float | None
    sentiment_score: float | None
    horizon_days: float | None
    expiry: str | None
    strategy_id: str
    intent_id: str
    model_id: str | None


class SurfacePoint(Response, frozen=True):
    """One strike of one expiry.

    Attributes:
        mid_vol: of the fitted surface. call_iv, put_iv: implied by each one's own mid price.
        call_price, put_price: mid, in `price_currency`; None unless both sides are quoted.
    """

    strike: float
    expiry: str
    call_iv: float | None
    put_iv: float | None
    call_price: float | None
    put_price: float | None
    mid_vol: float


class SurfaceTerm(Response, frozen=True):
    """One expiry: its forward, and volatility at it."""

    expiry: str
    forward: float
    atm_iv: float | None
    straddle_strike: float | None
    straddle_bid_iv: float | None
    straddle_ask_iv: float | None


class SurfaceReport(Response, frozen=True):
    """The volatility surface of one coherent chain; `atm_iv` is the nearest expiry's."""

    underlying: str
    atm_iv: float | None
    timestamp: str
    surface_data: list[SurfacePoint]
    term_structure: list[SurfaceTerm]
    index_usd: float
    price_currency: str | None
    quotes_used: int
    quotes_refused: dict[str, int]
    unavailable: str | None


class UnderlyingGreeks(Response, frozen=True):
    """Greeks of one underlying; delta in coin and in USD, the others in USD per unit named."""

    underlying: str
    price_usd: float
    delta_coin: float
    delta_usd: float
    gamma_per_usd: float
    vega_per_vol: float
    theta_per_year: float
    rho_per_rate: float


class PortfolioGreeks(Response, frozen=True):
    """Greeks of the account with `by_underlying` beside them.

    Attributes:
        total_delta, total_gamma, total_vega, total_theta, total_rho: in USD: delta x price, gamma
            per 1 USD, vega per 1.00 of volatility, theta a year, rho per 1.00 of rate.
        hedge_status: neutral, needs_hedge, or unknown where no hedger has decided.
    """

    total_delta: float
    total_gamma: float
    total_vega: float
    total_theta: float
    total_rho: float
    timestamp: str
    hedge_status: str
    by_underlying: list[UnderlyingGreeks]
    equity_usd: float
    leverage: float
    drawdown_pct: float
    margin_used_pct: float | None
    scenario_loss_usd: float
    greeks_age_ms: float | None
    degraded: str | None


class UnderlyingHedge(Response, frozen=True):
    """One underlying against its hedger's no-trade band, both in coin.

    Attributes:
        hedge_quantity: what brings delta to the band's edge, in `hedge_unit` of
            `hedge_instrument`, rounded down to its lot; None where no instrument is known.
    """

    underlying: str
    delta_coin: float
    delta_usd: float
    band_delta_coin: float | None
    status: str
    recommended_action: str
    hedge_quantity_coin: float
    hedge_quantity: Decimal | None
    hedge_unit: str | None
    hedge_instrument: str | None


class HedgeReport(Response, frozen=True):
    """The hedge as a whole: `total_delta` and `hedge_quantity` in USD.

    Attributes:
        status: of the underlying with the most to hedge: well_hedged, acceptable, long_delta,
            short_delta, or unknown where no hedger has decided.
        recommended_action: none, monitor, sell_futures or buy_futures.
    """

    total_delta: float
    status: str
    recommended_action: str
    hedge_quantity: float
    timestamp: str
    by_underlying: list[UnderlyingHedge]


class PositionGreeks(Response, frozen=True):
    """Of the whole position, at the newest surface; units as in `UnderlyingGreeks`."""

    delta_coin: float
    gamma_per_usd: float
    vega_per_vol: float
    theta_per_year: float
    rho_per_rate: float


class OptionPosition(Response, frozen=True):
    """One option held; `avg_price`, `mark_price` and `unrealized_pnl` in `currency`.

    Attributes:
        mark_price: at the fitted surface, as equity is; None where its volatility is unknown.
    """

    symbol: str
    quantity: Decimal
    avg_price: Decimal | None
    unrealized_pnl: float | None
    greeks: PositionGreeks | None
    strategy_id: str | None
    underlying: str
    expiry: str | None
    strike: Decimal | None
    is_call: bool | None
    mark_price: float | None
    currency: str
    unrealized_pnl_usd: float | None


class OptionPositions(Response, frozen=True):
    """Every option held by the account."""

    positions: list[OptionPosition]
    total_count: int
    timestamp: str


class CompletedIntent(Response, frozen=True):
    """How the last executed intent of a strategy ended."""

    intent_id: str
    outcome: str
    quantity_done: Decimal
    detail: str
    timestamp: str


class StrategyDecision(Response, frozen=True):
    """A strategy's newest recorded decision, whatever its kind; the time is the decision's."""

    strategy_id: str
    underlying: str
    account_id: str
    intent_id: str
    intent_type: str
    action: str
    direction: int
    quantity: Decimal
    confidence: float
    reason: str
    metadata: dict[str, str]
    trading_halted: str | None
    inflight: Decimal
    params: dict[str, Any]
    memory: dict[str, Any]
    last_completed: CompletedIntent | None
    timestamp: str


class HeldStraddle(Response, frozen=True):
    """One straddle held by a strategy."""

    expiry: str
    strike: float
    quantity: Decimal
    p_vol_bid: float | None
    p_vol_ask: float | None
    q_straddle: float | None
    opened: str


class PqTrader(StrategyDecision, frozen=True):
    """One instance of the P/Q volatility trader; volatilities as in `PqSpread`."""

    position: Decimal
    p_vol: float | None
    q_vol: float | None
    pq_spread: float | None
    net_edge_long: float | None
    net_edge_short: float | None
    cost_vol: float | None
    distance_to_action_vol: float | None
    straddles: list[HeldStraddle]
    unrealized_pnl_usd: float | None


class PqTraderState(Response, frozen=True):
    """Every instance of the P/Q volatility trader that has decided."""

    instances: list[PqTrader]
    timestamp: str


class DeltaHedger(StrategyDecision, frozen=True):
    """One instance of the delta hedger; `hedge` is as of now, not of the decision."""

    total_delta: float | None
    total_gamma: float | None
    hedge: UnderlyingHedge | None


class DeltaHedgerState(Response, frozen=True):
    """Every instance of the delta hedger that has decided."""

    instances: list[DeltaHedger]
    timestamp: str


class Problem(Response, frozen=True):
    """An error, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
