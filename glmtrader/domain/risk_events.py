"""What the risk service says: vetoes, alerts, positions and the risk of the portfolio."""

from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

import msgspec

from glmtrader.domain.event import Event
from glmtrader.domain.ids import AccountId, ClientOrderId, InstrumentId, IntentId, StrategyId


class RiskVeto(Event, frozen=True, kw_only=True):
    """An intent or an order was refused.

    Attributes:
        rule: the rule that said no. details: its numbers, as strings by name.
    """

    topic: ClassVar[str] = "risk.veto"

    intent_id: IntentId
    strategy_id: StrategyId
    client_order_id: ClientOrderId | None
    rule: str
    reason: str
    details: dict[str, str]


class Severity(StrEnum):
    """How loud an alert is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class RiskAlert(Event, frozen=True, kw_only=True):
    """Something a person should know; `clears_by` says what ends it."""

    topic: ClassVar[str] = "risk.alert"

    alert_type: str
    severity: Severity
    message: str
    current_value: str
    threshold_value: str
    clears_by: str


class TradingMode(StrEnum):
    """What the risk service lets pass."""

    FENCED = "fenced"
    """Nothing: start-up or reconnection, until reconciled."""

    OPEN = "open"
    """Everything within the limits."""

    REDUCE_ONLY = "reduce_only"
    """Only orders that reduce."""

    HALTED = "halted"
    """Only closes and hedges, until a person or a start releases it: what is held can be taken
    off and kept neutral, nothing is added. While the books are in doubt only closes that the
    venue itself holds to reducing; after a core component crashed, only closes."""


class TradingModeChanged(Event, frozen=True, kw_only=True):
    """Trading of an account was opened, fenced or halted.

    Attributes:
        books_in_doubt: of a halt: positions or cash are not known to be what the venue has.
        released_by: the person who ended a halt; without one a halt outlasts every other mode.
    """

    topic: ClassVar[str] = "risk.mode"

    account_id: AccountId
    mode: TradingMode
    reason: str
    books_in_doubt: bool = False
    released_by: str = ""


class KillSwitchSet(Event, frozen=True, kw_only=True):
    """A person (or a rule) engaged or cleared the kill switch; it survives restarts."""

    topic: ClassVar[str] = "risk.kill"

    engaged: bool
    flatten: bool
    source: str


class PositionUpdate(Event, frozen=True, kw_only=True):
    """A position after a booking.

    Attributes:
        average_price: of the open quantity, in the instrument's price unit; None when flat.
        realized_pnl: cumulative, before fees, in `settlement_currency`.
    """

    topic: ClassVar[str] = "position.update"

    account_id: AccountId
    strategy_id: StrategyId | None
    instrument_id: InstrumentId
    quantity: Decimal
    average_price: Decimal | None
    realized_pnl: Decimal
    settlement_currency: str


class UnderlyingRisk(msgspec.Struct, frozen=True, kw_only=True):
    """Greeks of everything held on one underlying.

    Attributes:
        delta_coin: sum of q (N(d1) - mark) over options plus perpetuals in coin (numeraire
            coin); for numeraire USD the coin equity is added: what hedging must bring to zero.
        gamma_per_usd, vega_per_vol, theta_per_year, rho_per_rate: in USD, per unit named.
        delta_usd: delta_coin x price.
        price_usd: the price these were computed at.
        has_options: whether anything here has gamma.
    """

    underlying: str
    price_usd: float
    delta_coin: float
    delta_usd: float
    gamma_per_usd: float
    vega_per_vol: float
    theta_per_year: float
    rho_per_rate: float
    gross_delta_usd: float
    option_premium_usd: float
    has_options: bool


class PortfolioRisk(Event, frozen=True, kw_only=True):
    """Risk of one account, sent on price moves as well as on fills.

    Attributes:
        total_*_usd: sums over underlyings of delta x price and so on; coins are never added.
        leverage: gross notional over equity. drawdown_pct: fraction below the equity peak, on
            mark-to-market equity in the account's numeraire.
        margin_used_pct: initial margin over equity; None where no model applies.
        scenario_loss_usd: worst of the spot x volatility grid, >= 0.
        equity_usd: marked to market; equity: in the numeraire.
        greeks_age_ns: age of the surface the greeks were computed on; None without options.
        degraded: some price was stale or missing; the reason.
        marks_usd: of the perpetuals held, in USD; empty in journals older than this field.
    """

    topic: ClassVar[str] = "portfolio.risk"

    account_id: AccountId
    trigger: str
    equity_usd: float
    equity: float
    numeraire: str
    by_underlying: tuple[UnderlyingRisk, ...]
    total_delta_usd: float
    total_gamma_usd: float
    total_vega_usd: float
    total_theta_usd: float
    leverage: float
    margin_used_pct: float | None
    drawdown_pct: float
    scenario_loss_usd: float
    greeks_age_ns: int | None
    degraded: str | None
    marks_usd: dict[InstrumentId, float] = msgspec.field(default_factory=dict)


class BalanceEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Native-coin balance of the ledger."""

    currency: str
    amount: Decimal


class PositionEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A position of the ledger, exact: `entry_value` is signed cost, see `domain.ledger`."""

    instrument_id: InstrumentId
    quantity: Decimal
    entry_value: Decimal
    realized_pnl: Decimal


class BookedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A booking at or after the ledger's cursor, by the name that keeps it from being repeated."""

    name: str
    cursor: int


class LedgerSnapshot(Event, frozen=True, kw_only=True):
    """The whole ledger at one point of the journal, so that a restart folds from here.

    Attributes:
        cursor: every booking before it is in these books; `booked` names those at or after it.
    """

    topic: ClassVar[str] = "state.ledger"

    account_id: AccountId
    balances: tuple[BalanceEntry, ...]
    positions: tuple[PositionEntry, ...]
    cursor: int
    booked: tuple[BookedEntry, ...]
    fees_paid: tuple[BalanceEntry, ...]
    funding_paid: tuple[BalanceEntry, ...]
    equity_peak: float | None
