"""What the rules look at: the facts of one order, and the account at that moment. Values alone."""

import msgspec

from glmtrader.domain.decisions import Intent
from glmtrader.domain.instruments import Instrument
from glmtrader.domain.market_events import FloatArray
from glmtrader.domain.orders import Order
from glmtrader.domain.risk_events import TradingMode
from glmtrader.market.quote_book import Quote
from glmtrader.risk.pricing import UnitRisk
from glmtrader.risk.reduces import Reduction


class OrderFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One order and its instrument.

    Attributes:
        instrument: None where it was never heard of. is_listed: tradable as far as listing goes.
        is_repeated: an order of this client id was approved before.
        quote, quote_age_ns: the newest, however old; None where there never was one.
        unit: of the instrument, None where it cannot be priced.
        quantity: signed. low, high: the position with every sale, or every buy, in flight filled.
        worst_before, worst_after: largest absolute position that what is in flight can lead to,
            without and with the order.
    """

    order: Order
    instrument: Instrument | None
    is_listed: bool
    is_repeated: bool
    reduction: Reduction
    quote: Quote | None
    quote_age_ns: int | None
    unit: UnitRisk | None
    quantity: float
    low: float
    high: float
    worst_before: float
    worst_after: float


class RiskView(msgspec.Struct, frozen=True, kw_only=True):
    """One account at one moment, everything in flight counted at its worst.

    Attributes:
        halted: which core component crashed, None while all of them run.
        books_in_doubt: of a halted account: its books may differ from the venue's.
        equity_usd, collateral_usd, drawdown_pct: None where they cannot be computed.
        missing: which input of the account is missing or stale, None when all is there.
        calls, puts, pending_straddles: of the order's underlying, coins.
        fomo_score: None where no source is configured.
        venue_down: why orders cannot be taken, None when they can.
    """

    now_ns: int
    mode: TradingMode
    books_in_doubt: bool
    halted: str | None
    kill_engaged: bool
    kill_flatten: bool
    equity_usd: float | None
    collateral_usd: float | None
    drawdown_pct: float | None
    missing: str | None
    gross_usd: float
    margin_usd: float
    premium_usd: float
    scenario_usd: FloatArray
    scenario_worst_usd: float
    calls: float
    puts: float
    pending_straddles: float
    open_orders: int
    orders_last_minute: int
    intents_last_hour: int
    fomo_score: float | None
    venue_down: str | None
    clock_offset_ns: int | None


class GateState(msgspec.Struct, frozen=True, kw_only=True):
    """What stops or lets pass everything, whatever the account: halt and kill switch."""

    halted: str | None = None
    kill_engaged: bool = False
    kill_flatten: bool = False


class IntentFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One intent.

    Attributes:
        price_usd: of its underlying; None where it is missing or stale.
        is_straddle: options of both kinds, opened or closed.
    """

    intent: Intent
    price_usd: float | None
    is_straddle: bool
