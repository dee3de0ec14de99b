"""Events of a small hand-made journal: one account, one expiry, a flat surface."""

from decimal import Decimal
from typing import Final

from glmtrader.domain.ids import AccountId, InstrumentId, TradeId, VenueOrderId, instrument_id
from glmtrader.domain.instruments import DAY_NS, Instrument, InstrumentKind, TickStep
from glmtrader.domain.market_events import InstrumentsListed, SurfaceSlice, VolatilitySurface
from glmtrader.domain.order_events import Fill
from glmtrader.domain.orders import Side
from glmtrader.domain.risk_events import (
    BalanceEntry,
    LedgerSnapshot,
    PortfolioRisk,
    UnderlyingRisk,
)

D = Decimal
MAIN: Final = AccountId("main")
START_NS: Final = 20_500 * DAY_NS
EXPIRY_NS: Final = START_NS + 7 * DAY_NS
STRIKE: Final = 90_000.0
VOL: Final = 0.5


def _instrument(symbol: str, kind: InstrumentKind, unit: str, settled: str) -> Instrument:
    is_option = "option" in kind.value
    return Instrument(
        instrument_id=instrument_id("sim", symbol),
        venue="sim",
        symbol=symbol,
        kind=kind,
        underlying="BTC",
        price_currency=settled if is_option else "USD",
        settlement_currency=settled,
        quantity_currency=unit,
        contract_size=D(1),
        lot=D("0.1"),
        quantity_min=D("0.1"),
        tick_steps=(TickStep(D(0), D("0.0001")),),
        strike=D(90_000) if is_option else None,
        is_call=True if is_option else None,
        expiry_ns=EXPIRY_NS if is_option else None,
    )


INVERSE = _instrument("INVERSE", InstrumentKind.INVERSE_PERPETUAL, "USD", "BTC")
LINEAR = _instrument("LINEAR", InstrumentKind.LINEAR_PERPETUAL, "BTC", "USD")
CALL = _instrument("CALL", InstrumentKind.INVERSE_OPTION, "BTC", "BTC")
LINEAR_CALL = _instrument("LINEAR_CALL", InstrumentKind.LINEAR_OPTION, "BTC", "USD")


def listed() -> InstrumentsListed:
    """All four instruments."""
    items = (INVERSE, LINEAR, CALL, LINEAR_CALL)
    return InstrumentsListed(ts_event=0, ts_init=0, venue="sim", listed=items, delisted=())


def snapshot(coins: str, dollars: str) -> LedgerSnapshot:
    """Flat books with cash."""
    cash = {"BTC": D(coins), "USD": D(dollars)}
    return LedgerSnapshot(
        ts_event=START_NS,
        ts_init=START_NS,
        account_id=MAIN,
        balances=tuple(BalanceEntry(currency=key, amount=value) for key, value in cash.items()),
        positions=(),
        cursor=0,
        booked=(),
        fees_paid=(),
        funding_paid=(),
        equity_peak=None,
    )


def surface(now_ns: int, *, spot: float = 90_000.0, vol: float = VOL) -> VolatilitySurface:
    """A flat surface whose forward is the spot."""
    part = SurfaceSlice(
        expiry_ns=EXPIRY_NS,
        years=(EXPIRY_NS - now_ns) / (365 * DAY_NS),
        forward=spot,
        strikes=(60_000.0, 120_000.0),
        mid_vols=(vol, vol),
        atm_vol=vol,
        straddle_strike=None,
        straddle_bid=None,
        straddle_ask=None,
    )
    return VolatilitySurface(
        ts_event=now_ns,
        ts_init=now_ns,
        underlying="BTC",
        venue="sim",
        index_usd=spot,
        slices=(part,),
        quotes_used=2,
        quotes_refused={},
        unavailable=None,
    )


def fill(
    item: Instrument,
    quantity: str,
    price: str,
    *,
    fee: str = "0",
    fee_currency: str = "BTC",
    number: int = 1,
    now_ns: int = START_NS,
) -> Fill:
    """A trade of signed quantity."""
    signed = D(quantity)
    return Fill(
        ts_event=now_ns,
        ts_init=now_ns,
        account_id=MAIN,
        client_order_id=None,
        venue_order_id=VenueOrderId("v"),
        trade_id=TradeId(f"{item.symbol}-{number}"),
        instrument_id=item.instrument_id,
        side=Side.BUY if signed > 0 else Side.SELL,
        quantity=abs(signed),
        price=D(price),
        fee=D(fee),
        fee_currency=fee_currency,
        is_maker=False,
        cursor=number,
        index_usd=None,
    )


def risk(now_ns: int, spot: float, equity_usd: float, **marks: float) -> PortfolioRisk:
    """A published valuation; `marks` by the perpetual's symbol."""
    row = UnderlyingRisk(
        underlying="BTC",
        price_usd=float(spot),
        delta_coin=0.0,
        delta_usd=0.0,
        gamma_per_usd=0.0,
        vega_per_vol=0.0,
        theta_per_year=0.0,
        rho_per_rate=0.0,
        gross_delta_usd=0.0,
        option_premium_usd=0.0,
        has_options=True,
    )
    return PortfolioRisk(
        ts_event=now_ns,
        ts_init=now_ns,
        account_id=MAIN,
        trigger="test",
        equity_usd=equity_usd,
        equity=equity_usd,
        numeraire="USD",
        by_underlying=(row,),
        total_delta_usd=0.0,
        total_gamma_usd=0.0,
        total_vega_usd=0.0,
        total_theta_usd=0.0,
        leverage=0.0,
        margin_used_pct=None,
        drawdown_pct=0.0,
        scenario_loss_usd=0.0,
        greeks_age_ns=None,
        degraded=None,
        marks_usd={InstrumentId(f"sim:{name}"): mark for name, mark in marks.items()},
    )
