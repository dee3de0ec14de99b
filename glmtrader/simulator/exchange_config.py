"""Configuration of the simulated exchange, and the form in which its whole state is written."""

from decimal import Decimal

import msgspec

from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import HOUR_NS, SECOND_NS, Instrument
from glmtrader.simulator.account import AccountState
from glmtrader.simulator.exchange_types import ExchangeOrder, PlatformState, Transaction
from glmtrader.simulator.fees import FeeSchedule
from glmtrader.simulator.margin import MarginRates

STATE_VERSION = 1
"""Version of `ExchangeState`; a state of another version is refused."""


class AccountConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One account: its credentials and what was deposited, by currency."""

    name: str
    api_key: str
    api_secret: str
    balances: dict[str, Decimal]

    def __repr__(self) -> str:
        return f"AccountConfig(name={self.name!r})"


class ExchangeConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How the exchange behaves.

    Attributes:
        funding_booking_ns: accrued funding is booked at multiples of this (and at settlement).
        settlement_of_day_ns: time of day (UTC) of the session settlement.
        settlement_lock_ns: for this long after it, new orders get `settlement_in_progress`.
        option_quote_age_ns_max: older option quotes fill nobody; None for no limit.
        history_max: transactions kept an account. closed_orders_max: closed orders kept in all.
        open_orders_max: resting orders an account.
    """

    accounts: tuple[AccountConfig, ...]
    fees: FeeSchedule = FeeSchedule()
    margin: MarginRates = MarginRates()
    funding_booking_ns: int = HOUR_NS
    settlement_of_day_ns: int = 8 * HOUR_NS
    settlement_lock_ns: int = 3 * SECOND_NS
    option_quote_age_ns_max: int | None = None
    history_max: int = 2_000
    closed_orders_max: int = 2_000
    open_orders_max: int = 500


class ExchangeState(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the exchange must remember; the market itself belongs to the model.

    Attributes:
        known: instruments listed, or held past their listing; listed: those of them that are.
        trade_seqs: by instrument.
        order_numbers, trade_numbers: counters by underlying; order_priority: of arrivals.
    """

    version: int
    now_ns: int
    platform: PlatformState
    platform_reason: str
    settling_until_ns: int
    halted: tuple[InstrumentId, ...]
    known: tuple[Instrument, ...]
    listed: tuple[InstrumentId, ...]
    accounts: tuple[AccountState, ...]
    orders: tuple[ExchangeOrder, ...]
    transactions: dict[str, tuple[Transaction, ...]]
    cursor: int
    order_priority: int
    order_numbers: dict[str, int]
    trade_numbers: dict[str, int]
    trade_seqs: dict[InstrumentId, int]
    last_prices: dict[InstrumentId, Decimal]
