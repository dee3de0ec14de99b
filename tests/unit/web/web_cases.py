"""Events made by hand, put into real views, for the pure side of the web."""

from decimal import Decimal

import msgspec
import numpy as np

from glmtrader.domain.decisions import (
    Action,
    Decision,
    Intent,
    IntentType,
    MarketState,
    Staleness,
)
from glmtrader.domain.event import Event
from glmtrader.domain.ids import AccountId, InstrumentId, IntentId, StrategyId, instrument_id
from glmtrader.domain.instruments import (
    DAY_NS,
    MINUTE_NS,
    Instrument,
    InstrumentKind,
    TickStep,
)
from glmtrader.domain.market_events import (
    ChainSnapshot,
    InstrumentsListed,
    MarketTick,
    SurfaceSlice,
    VolatilitySurface,
)
from glmtrader.domain.risk_events import (
    LedgerSnapshot,
    PortfolioRisk,
    PositionEntry,
    PositionUpdate,
    UnderlyingRisk,
)
from glmtrader.domain.strategy_events import DecisionMade
from glmtrader.kernel.bus import Bus
from glmtrader.kernel.clock import VirtualClock
from glmtrader.strategies.delta_hedger import BandKind, DeltaHedgerParams
from glmtrader.web.views import ViewCache, WebScope

NOW_NS = 20_500 * DAY_NS
EXPIRY_NS = NOW_NS + 7 * DAY_NS
ACCOUNT = AccountId("main")
SPOT = 90_000.0
BAND = 0.05
D = Decimal


def make_views(*events: Event, underlyings: tuple[str, ...] = ("BTC", "ETH")) -> ViewCache:
    """Views that have read these events, in this order."""
    clock = VirtualClock(NOW_NS)
    scope = WebScope(
        account_id=ACCOUNT,
        underlyings=underlyings,
        quote_age_ns_max=MINUTE_NS,
        surface_age_ns_max=5 * MINUTE_NS,
    )
    views = ViewCache(Bus(clock), clock, scope)
    for seq, event in enumerate(events, start=1):
        views.apply(seq, event)
    return views


def option(strike: int, *, is_call: bool) -> Instrument:
    """An inverse option of the one expiry."""
    return _instrument(
        f"BTC-7D-{strike}-{'C' if is_call else 'P'}",
        InstrumentKind.INVERSE_OPTION,
        "BTC",
        terms={"strike": D(strike), "is_call": is_call, "expiry_ns": EXPIRY_NS},
    )


def perpetual(underlying: str = "BTC") -> Instrument:
    """An inverse perpetual, in lots of 10 USD."""
    return _instrument(
        f"{underlying}-PERPETUAL", InstrumentKind.INVERSE_PERPETUAL, underlying, terms={}
    )


def _instrument(
    symbol: str, kind: InstrumentKind, underlying: str, terms: dict[str, object]
) -> Instrument:
    is_option = kind is InstrumentKind.INVERSE_OPTION
    fields = {
        "instrument_id": instrument_id("sim", symbol),
        "venue": "sim",
        "symbol": symbol,
        "kind": kind,
        "underlying": underlying,
        "price_currency": underlying if is_option else "USD",
        "settlement_currency": underlying,
        "quantity_currency": underlying if is_option else "USD",
        "contract_size": D(1),
        "lot": D("0.1") if is_option else D(10),
        "quantity_min": D("0.1") if is_option else D(10),
        "tick_steps": (TickStep(D(0), D("0.0001")),),
    }
    return msgspec.convert(fields | terms, Instrument)


def listed(*instruments: Instrument, delisted: tuple[InstrumentId, ...] = ()) -> InstrumentsListed:
    return InstrumentsListed(
        ts_event=NOW_NS, ts_init=NOW_NS, venue="sim", listed=instruments, delisted=delisted
    )


def tick(instrument: Instrument, ts_ns: int = NOW_NS) -> MarketTick:
    return MarketTick(
        ts_event=ts_ns,
        ts_init=ts_ns,
        instrument_id=instrument.instrument_id,
        bid=D(1),
        ask=D(2),
        bid_quantity=D(1),
        ask_quantity=D(1),
        mark=None,
        index_usd=None,
    )


def surface(vol: float = 0.5, ts_ns: int = NOW_NS) -> VolatilitySurface:
    """Flat, at one expiry."""
    strikes = (80_000.0, 90_000.0, 100_000.0)
    part = SurfaceSlice(
        expiry_ns=EXPIRY_NS,
        years=7 / 365,
        forward=SPOT,
        strikes=strikes,
        mid_vols=(vol,) * 3,
        atm_vol=vol,
        straddle_strike=90_000.0,
        straddle_bid=vol - 0.01,
        straddle_ask=vol + 0.01,
    )
    return VolatilitySurface(
        ts_event=ts_ns,
        ts_init=ts_ns,
        underlying="BTC",
        venue="sim",
        index_usd=SPOT,
        slices=(part,),
        quotes_used=6,
        quotes_refused={},
        unavailable=None,
    )


def row(underlying: str, delta_coin: float, price_usd: float = SPOT) -> UnderlyingRisk:
    return UnderlyingRisk(
        underlying=underlying,
        price_usd=price_usd,
        delta_coin=delta_coin,
        delta_usd=delta_coin * price_usd,
        gamma_per_usd=1e-5,
        vega_per_vol=100.0,
        theta_per_year=-1000.0,
        rho_per_rate=3.0,
        gross_delta_usd=abs(delta_coin) * price_usd,
        option_premium_usd=0.0,
        has_options=True,
    )


def portfolio(*rows: UnderlyingRisk, account_id: AccountId = ACCOUNT) -> PortfolioRisk:
    return PortfolioRisk(
        ts_event=NOW_NS,
        ts_init=NOW_NS,
        account_id=account_id,
        trigger="price",
        equity_usd=90_000.0,
        equity=1.0,
        numeraire="BTC",
        by_underlying=rows,
        total_delta_usd=sum(item.delta_usd for item in rows),
        total_gamma_usd=sum(item.gamma_per_usd for item in rows),
        total_vega_usd=sum(item.vega_per_vol for item in rows),
        total_theta_usd=sum(item.theta_per_year for item in rows),
        leverage=1.0,
        margin_used_pct=None,
        drawdown_pct=0.0,
        scenario_loss_usd=0.0,
        greeks_age_ns=None,
        degraded=None,
    )


def position(instrument: Instrument, quantity: str, average: str | None) -> PositionUpdate:
    return PositionUpdate(
        ts_event=NOW_NS,
        ts_init=NOW_NS,
        account_id=ACCOUNT,
        strategy_id=StrategyId("pq"),
        instrument_id=instrument.instrument_id,
        quantity=D(quantity),
        average_price=None if average is None else D(average),
        realized_pnl=D(0),
        settlement_currency=instrument.settlement_currency,
    )


def ledger(*entries: tuple[Instrument, str, str]) -> LedgerSnapshot:
    """Books that hold (instrument, quantity, entry value)."""
    return LedgerSnapshot(
        ts_event=NOW_NS,
        ts_init=NOW_NS,
        account_id=ACCOUNT,
        balances=(),
        positions=tuple(
            PositionEntry(
                instrument_id=item.instrument_id,
                quantity=D(quantity),
                entry_value=D(entry_value),
                realized_pnl=D(0),
            )
            for item, quantity, entry_value in entries
        ),
        cursor=0,
        booked=(),
        fees_paid=(),
        funding_paid=(),
        equity_peak=None,
    )


def state(underlying: str = "BTC", hedge_instrument: Instrument | None = None) -> MarketState:
    """A state in which nothing but the underlying is known."""
    known = {
        "strategy_id": "s",
        "account_id": ACCOUNT,
        "underlying": underlying,
        "now_ns": NOW_NS,
        "position": D(0),
        "inflight": D(0),
        "straddles": (),
        "hedge_instrument": hedge_instrument,
        "staleness": Staleness(surface_ns=None, forecast_ns=None, macro_ns=None, portfolio_ns=None),
        "memory": "{}",
    }
    absent = dict.fromkeys(MarketState.__struct_fields__)
    return MarketState(**(absent | known))  # type: ignore[arg-type]


def decision(
    strategy: str,
    strategy_id: str,
    seen: MarketState,
    *,
    params: str = "{}",
    ts_ns: int = NOW_NS,
    reason: str = "threshold_not_met",
) -> DecisionMade:
    """A recorded hold."""
    intent = Intent(
        intent_type=IntentType.HOLD,
        action=Action.NONE,
        direction=0,
        quantity=D(0),
        confidence=0.0,
        reason=reason,
        expiry_ns=None,
        strike_usd=None,
        instrument_id=None,
        distance_to_action_vol=None,
        metadata={},
    )
    return DecisionMade(
        ts_event=ts_ns,
        ts_init=ts_ns,
        intent_id=IntentId(f"{strategy_id}-1-1"),
        strategy=strategy,
        strategy_id=StrategyId(strategy_id),
        state=seen,
        params=params,
        decision=Decision(intent=intent, memory="{}"),
    )


def hedger(underlying: str = "BTC") -> DecisionMade:
    """A hedger with a fixed band of `BAND` coins."""
    params = DeltaHedgerParams(band=BandKind.FIXED, band_delta_coin=BAND)
    seen = state(underlying, perpetual(underlying))
    return decision(
        "delta_hedger", f"h{underlying.lower()}", seen, params=msgspec.json.encode(params).decode()
    )


def chain(bid: list[float], ask: list[float], ts_ns: int = NOW_NS) -> ChainSnapshot:
    """Call and put at 90,000, in coin."""
    two = np.array([1.0, 1.0])
    return ChainSnapshot(
        ts_event=ts_ns,
        ts_init=ts_ns,
        underlying="BTC",
        venue="sim",
        instrument_ids=(
            option(90_000, is_call=True).instrument_id,
            option(90_000, is_call=False).instrument_id,
        ),
        expiry_ns=np.array([EXPIRY_NS, EXPIRY_NS]),
        strike=90_000 * two,
        is_call=np.array([True, False]),
        bid=np.array(bid),
        ask=np.array(ask),
        mark=np.array(bid),
        bid_quantity=two,
        ask_quantity=two,
        forward=SPOT * two,
        inverse=True,
        index_usd=SPOT,
    )
