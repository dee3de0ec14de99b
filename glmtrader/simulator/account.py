"""One account at the exchange: cash by currency, positions, and what each booking does to them.

The arithmetic of profit is `domain.pnl`, shared with the trader's own ledger, so that both agree to
the last 1e-8. Everything that was realised is in `cash` at once: option premiums, perpetual profit,
funding, fees. `session_rpl` is the part of it that Deribit shows apart until 08:00 UTC: realised
perpetual profit and funding.

Funding accrues continuously on the position and is booked when the exchange says so; what is below
1e-8 stays accrued.
"""

from decimal import Decimal

import msgspec

from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import HOUR_NS, Instrument
from glmtrader.domain.pnl import (
    ZERO,
    average_price,
    delivery_payoff,
    entry_value,
    flat_position,
    money,
    open_pnl,
    trade,
)
from glmtrader.domain.risk_events import PositionEntry
from glmtrader.simulator.exchange_types import DeliveredPosition

FUNDING_PERIOD_NS = 8 * HOUR_NS
"""The period of the quoted funding rate."""


class AccountState(msgspec.Struct, kw_only=True):
    """Everything an account is, in a form that can be written down."""

    name: str
    api_key: str
    api_secret: str
    cash: dict[str, Decimal]
    session_rpl: dict[str, Decimal] = msgspec.field(default_factory=dict)
    positions: dict[InstrumentId, PositionEntry] = msgspec.field(default_factory=dict)
    funding_accrued: dict[InstrumentId, Decimal] = msgspec.field(default_factory=dict)

    def __repr__(self) -> str:
        return f"AccountState(name={self.name!r})"


class ExchangeAccount:
    """Applies bookings to one account's state; each returns the change of cash."""

    def __init__(self, state: AccountState) -> None:
        self.state = state

    @property
    def name(self) -> str:
        """The account's name."""
        return self.state.name

    def cash(self, currency: str) -> Decimal:
        """Cash in a currency, zero where there never was any."""
        return self.state.cash.get(currency, ZERO)

    def quantity(self, instrument_id: InstrumentId) -> Decimal:
        """Signed position; zero when flat."""
        position = self.state.positions.get(instrument_id)
        return ZERO if position is None else position.quantity

    def position(self, instrument_id: InstrumentId) -> PositionEntry:
        """The position, flat if there is none."""
        return self.state.positions.get(instrument_id) or flat_position(instrument_id)

    def average_price(self, instrument: Instrument) -> Decimal | None:
        """Average entry price since the last settlement; None when flat."""
        return average_price(instrument, self.position(instrument.instrument_id))

    def book_trade(
        self, instrument: Instrument, signed: Decimal, price: Decimal, fee: Decimal
    ) -> tuple[Decimal, Decimal]:
        """Book a trade of signed amount.

        Returns:
            Change of cash (fee included) and realised profit (fee apart).
        """
        effect = trade(self.position(instrument.instrument_id), instrument, signed, price)
        self._keep(effect.position)
        currency = instrument.settlement_currency
        if instrument.is_perpetual:
            self._add_session(currency, effect.realized_pnl)
        change = effect.cash[currency] - fee
        self._add_cash(currency, change)
        return change, effect.realized_pnl

    def open_profit(self, instrument: Instrument, price: Decimal) -> Decimal:
        """Unrealised profit at a price, rounded like a payment."""
        held = self.position(instrument.instrument_id)
        if held.quantity == 0:
            return ZERO
        return money(open_pnl(instrument, held.quantity, held.entry_value, price))

    def accrue_funding(
        self, instrument: Instrument, mark: Decimal, rate_8h: Decimal, elapsed_ns: int
    ) -> None:
        """Let funding grow: a long pays `rate_8h` of the position's value over eight hours."""
        quantity = self.quantity(instrument.instrument_id)
        if quantity == 0 or rate_8h == 0 or elapsed_ns == 0:
            return
        value = entry_value(instrument, quantity, mark)
        amount = value * rate_8h * elapsed_ns / FUNDING_PERIOD_NS
        accrued = self.state.funding_accrued
        accrued[instrument.instrument_id] = accrued.get(instrument.instrument_id, ZERO) + amount

    def book_funding(self, instrument: Instrument) -> Decimal:
        """Book what has accrued; returns the change of cash, negative when the account pays."""
        accrued = self.state.funding_accrued.pop(instrument.instrument_id, ZERO)
        paid = money(accrued)
        rest = accrued - paid
        if rest and self.quantity(instrument.instrument_id):
            self.state.funding_accrued[instrument.instrument_id] = rest
        currency = instrument.settlement_currency
        self._add_cash(currency, -paid)
        self._add_session(currency, -paid)
        return -paid

    def settle_session(self, instrument: Instrument, price: Decimal) -> Decimal:
        """Turn a perpetual's open profit into cash; its entry becomes `price`."""
        assert instrument.is_perpetual, f"{instrument.instrument_id} has no session settlement"
        held = self.position(instrument.instrument_id)
        profit = money(open_pnl(instrument, held.quantity, held.entry_value, price))
        after = msgspec.structs.replace(
            held,
            entry_value=entry_value(instrument, held.quantity, price),
            realized_pnl=held.realized_pnl + profit,
        )
        self._keep(after)
        self._add_cash(instrument.settlement_currency, profit)
        return profit

    def end_session(self) -> None:
        """The session's realised profit becomes balance (cash does not move)."""
        self.state.session_rpl.clear()

    def deliver(self, instrument: Instrument, price_usd: Decimal) -> DeliveredPosition:
        """End an option position at the delivery price."""
        held = self.state.positions.pop(instrument.instrument_id)
        payoff = money(held.quantity * delivery_payoff(instrument, price_usd))
        self._add_cash(instrument.settlement_currency, payoff)
        return DeliveredPosition(
            instrument_id=instrument.instrument_id, quantity=held.quantity, payoff=payoff
        )

    def _keep(self, position: PositionEntry) -> None:
        if position.quantity == 0:
            self.state.positions.pop(position.instrument_id, None)
        else:
            self.state.positions[position.instrument_id] = position

    def _add_cash(self, currency: str, change: Decimal) -> None:
        self.state.cash[currency] = self.cash(currency) + change

    def _add_session(self, currency: str, change: Decimal) -> None:
        rpl = self.state.session_rpl
        rpl[currency] = rpl.get(currency, ZERO) + change
