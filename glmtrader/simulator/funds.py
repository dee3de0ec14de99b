"""What accounts are worth and what they must keep: position views, summaries, the funds check.

Standard margin: every position alone, open orders at their worst side, option value no collateral.
"""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import Instrument
from glmtrader.domain.orders import Side
from glmtrader.domain.pnl import ZERO, delivery_payoff, money
from glmtrader.domain.risk_events import PositionEntry
from glmtrader.simulator.account import ExchangeAccount
from glmtrader.simulator.bookkeeping import Bookkeeper
from glmtrader.simulator.crowd import Crowd
from glmtrader.simulator.exchange_types import AccountSummary, ExchangeOrder, PositionView
from glmtrader.simulator.listing import Listing
from glmtrader.simulator.margin import Margin, MarginRates, margin
from glmtrader.simulator.refusals import ExchangeRefusedError


class _Carried(msgspec.Struct, frozen=True, kw_only=True):
    """What one position is worth and needs on the marks of one moment, in its currency."""

    entry: PositionEntry
    instrument: Instrument
    profit: Decimal
    value: Decimal
    initial: Decimal
    maintenance: Decimal


class Funds:
    """Values accounts on the marks of the moment, each position once a move of the market."""

    def __init__(
        self, rates: MarginRates, listing: Listing, crowd: Crowd, keeper: Bookkeeper
    ) -> None:
        self._rates = rates
        self._listing = listing
        self._crowd = crowd
        self._keeper = keeper
        self._carried: dict[str, dict[InstrumentId, _Carried]] = {}
        self._carried_at = crowd.moves

    def mark(self, instrument: Instrument) -> Decimal:
        """The mark price; an option that nobody marks is worth its intrinsic value."""
        mark = self._crowd.mark(instrument)
        if mark is not None:
            return mark
        return money(delivery_payoff(instrument, self._crowd.underlying_usd(instrument)))

    def position(self, account: ExchangeAccount, instrument: Instrument) -> PositionView:
        """One open position."""
        quantity = account.quantity(instrument.instrument_id)
        average = account.average_price(instrument)
        assert average is not None, f"{account.name} holds no {instrument.instrument_id}"
        mark = self.mark(instrument)
        needed = self._margin(instrument, quantity)
        worth = money(quantity * mark) if instrument.is_option else ZERO
        profit = (
            worth - money(quantity * average)
            if instrument.is_option
            else account.open_profit(instrument, mark)
        )
        return PositionView(
            instrument_id=instrument.instrument_id,
            quantity=quantity,
            average_price=average,
            mark_price=mark,
            index_usd=self._crowd.index_usd(instrument.underlying),
            floating_pnl=profit,
            value=worth if instrument.is_option else profit,
            initial_margin=money(needed.initial),
            maintenance_margin=money(needed.maintenance),
        )

    def positions(self, name: str) -> list[PositionView]:
        """All open positions of an account, by name."""
        account = self._keeper.account(name)
        held = sorted(account.state.positions)
        return [self.position(account, self._listing.get(item)) for item in held]

    def summary(
        self, name: str, currency: str, open_orders: Iterable[ExchangeOrder]
    ) -> AccountSummary:
        """One currency of an account, with its open orders at their worst."""
        account = self._keeper.account(name)
        upl, value, maintenance = self._worth(account, currency)
        cash = account.cash(currency)
        accrued = self._accrued(account, currency)
        session_rpl = account.state.session_rpl.get(currency, ZERO)
        margin_balance = cash + upl - accrued
        initial = self._initial(account, currency, list(open_orders))
        return AccountSummary(
            account=name,
            currency=currency,
            balance=cash - session_rpl,
            cash=cash,
            session_rpl=session_rpl,
            session_upl=upl - accrued,
            options_value=value,
            margin_balance=margin_balance,
            equity=margin_balance + value,
            initial_margin=initial,
            maintenance_margin=maintenance,
            available_funds=margin_balance - initial,
        )

    def check(
        self,
        name: str,
        instrument: Instrument,
        side: Side,
        amount: Decimal,
        price: Decimal | None,
        open_orders: list[ExchangeOrder],
    ) -> None:
        """Refuse an order that the account could not carry if it filled with all others.

        An order that can only bring the position towards zero always passes.

        Raises:
            ExchangeRefusedError: not enough funds.
        """
        account = self._keeper.account(name)
        held = account.quantity(instrument.instrument_id)
        mine = [item for item in open_orders if item.instrument_id == instrument.instrument_id]
        pending = sum((item.remaining for item in mine if item.side is side), ZERO)
        if side.sign * held + pending + amount <= 0:
            return
        currency = instrument.settlement_currency
        extra = {side: amount}
        needed = self._initial(account, currency, open_orders, {instrument: extra})
        if instrument.is_option and side is Side.BUY:
            paid = self.mark(instrument) if price is None else price
            needed += paid * amount
        at = self.mark(instrument) if price is None else price
        index = self._crowd.index_usd(instrument.underlying)
        needed += self._keeper.fee(instrument, amount, at, index, is_maker=False)
        upl, _, _ = self._worth(account, currency)
        balance = account.cash(currency) + upl - self._accrued(account, currency)
        if needed > balance:
            raise ExchangeRefusedError(
                "not_enough_funds",
                f"{money(needed)} {currency} needed with all orders, {money(balance)} there",
            )

    def _margin(self, instrument: Instrument, quantity: Decimal) -> Margin:
        return margin(
            self._rates,
            instrument,
            quantity,
            mark=self.mark(instrument),
            underlying_usd=self._crowd.underlying_usd(instrument),
        )

    def _held(self, account: ExchangeAccount, currency: str) -> list[_Carried]:
        """What the account holds in a currency; a position that did not change is read once."""
        if self._carried_at != self._crowd.moves:
            self._carried_at = self._crowd.moves
            self._carried.clear()
        held = []
        known = self._carried.setdefault(account.name, {})
        for name, entry in account.state.positions.items():
            found = known.get(name)
            if found is None or found.entry is not entry:
                found = known[name] = self._carry(account, entry)
            if found.instrument.settlement_currency == currency:
                held.append(found)
        return held

    def _carry(self, account: ExchangeAccount, entry: PositionEntry) -> _Carried:
        instrument = self._listing.get(entry.instrument_id)
        mark = self.mark(instrument)
        needed = self._margin(instrument, entry.quantity)
        is_option = instrument.is_option
        return _Carried(
            entry=entry,
            instrument=instrument,
            profit=ZERO if is_option else account.open_profit(instrument, mark),
            value=money(entry.quantity * mark) if is_option else ZERO,
            initial=money(needed.initial),
            maintenance=money(needed.maintenance),
        )

    def _worth(self, account: ExchangeAccount, currency: str) -> tuple[Decimal, Decimal, Decimal]:
        """Unrealised profit of perpetuals, value of options, maintenance margin of all."""
        held = self._held(account, currency)
        return (
            sum((item.profit for item in held), ZERO),
            sum((item.value for item in held), ZERO),
            sum((item.maintenance for item in held), ZERO),
        )

    def _accrued(self, account: ExchangeAccount, currency: str) -> Decimal:
        accrued = account.state.funding_accrued
        return money(
            sum(
                (
                    amount
                    for name, amount in accrued.items()
                    if self._listing.get(name).settlement_currency == currency
                ),
                ZERO,
            )
        )

    def _initial(
        self,
        account: ExchangeAccount,
        currency: str,
        open_orders: list[ExchangeOrder],
        extra: dict[Instrument, dict[Side, Decimal]] | None = None,
    ) -> Decimal:
        """Initial margin of positions and orders, with the premium of resting option buys."""
        pending: dict[Instrument, dict[Side, Decimal]] = {
            instrument: dict(sides) for instrument, sides in (extra or {}).items()
        }
        reserved = ZERO
        for order in open_orders:
            instrument = self._listing.get(order.instrument_id)
            if instrument.settlement_currency != currency or order.reduce_only:
                continue
            sides = pending.setdefault(instrument, {})
            sides[order.side] = sides.get(order.side, ZERO) + order.remaining
            if instrument.is_option and order.side is Side.BUY and order.price is not None:
                reserved += order.price * order.remaining
        ends = [self._worst(account, instrument, sides) for instrument, sides in pending.items()]
        names = {instrument.instrument_id for instrument in pending}
        held = self._held(account, currency)
        still = (item.initial for item in held if item.entry.instrument_id not in names)
        return reserved + sum(ends, ZERO) + sum(still, ZERO)

    def _worst(
        self, account: ExchangeAccount, instrument: Instrument, sides: dict[Side, Decimal]
    ) -> Decimal:
        held = account.quantity(instrument.instrument_id)
        ends = (held, held + sides.get(Side.BUY, ZERO), held - sides.get(Side.SELL, ZERO))
        return money(max(self._margin(instrument, end).initial for end in ends))
