"""The exchange's books: accounts, the one sequence of bookings, and trades by number.

Every booking of every account takes the next number of one cursor, so that fills, funding,
settlements and deliveries of an account are in one order.
"""

from collections import deque
from collections.abc import Iterable
from decimal import Decimal

import msgspec

from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import Instrument
from glmtrader.domain.pnl import ZERO
from glmtrader.simulator.account import AccountState, ExchangeAccount
from glmtrader.simulator.exchange_types import (
    AccountTrade,
    CashBooked,
    ExchangeOrder,
    PublicTrade,
    Transaction,
    TransactionKind,
)
from glmtrader.simulator.fees import FeeSchedule, trade_fee
from glmtrader.simulator.refusals import ExchangeRefusedError


class Bookkeeper:
    """Books what happens to accounts.

    Args:
        fees: the schedule.
        history_max: transactions kept for each account; older ones are forgotten.
    """

    def __init__(self, fees: FeeSchedule, *, history_max: int) -> None:
        self._fees = fees
        self._history_max = history_max
        self.accounts: dict[str, ExchangeAccount] = {}
        self.history: dict[str, deque[Transaction]] = {}
        self.cursor = 0

    def open_account(self, state: AccountState, history: Iterable[Transaction] = ()) -> None:
        """Add an account with its history."""
        assert state.name not in self.accounts, f"account {state.name} exists twice"
        self.accounts[state.name] = ExchangeAccount(state)
        self.history[state.name] = deque(history, maxlen=self._history_max)

    def deposit(self, name: str, balances: dict[str, Decimal], ts_ns: int) -> None:
        """Pay starting balances in."""
        for currency, amount in sorted(balances.items()):
            self.transfer(name, currency, amount, ts_ns)

    def transfer(self, name: str, currency: str, amount: Decimal, ts_ns: int) -> CashBooked:
        """Pay in a positive amount, or out a negative one."""
        account = self.account(name)
        account.state.cash[currency] = account.cash(currency) + amount
        kind = TransactionKind.WITHDRAWAL if amount < 0 else TransactionKind.DEPOSIT
        return CashBooked(transaction=self._book(account, kind, currency, amount, ts_ns))

    def account(self, name: str) -> ExchangeAccount:
        """The account of a name.

        Raises:
            ExchangeRefusedError: there is none.
        """
        found = self.accounts.get(name)
        if found is None:
            raise ExchangeRefusedError("invalid_credentials", f"there is no account {name!r}")
        return found

    def book_trade(
        self, order: ExchangeOrder, instrument: Instrument, public: PublicTrade, *, is_maker: bool
    ) -> AccountTrade:
        """Book one account's side of an execution; `order` is as it is afterwards."""
        account = self.account(order.account)
        fee = self.fee(instrument, public.amount, public.price, public.index_usd, is_maker=is_maker)
        signed = order.side.sign * public.amount
        change, profit = account.book_trade(instrument, signed, public.price, fee)
        trade = AccountTrade(
            trade_id=public.trade_id,
            trade_seq=public.trade_seq,
            cursor=self.cursor + 1,
            ts_ns=public.ts_ns,
            account=order.account,
            order_id=order.order_id,
            label=order.label,
            instrument_id=order.instrument_id,
            side=order.side,
            amount=public.amount,
            price=public.price,
            fee=fee,
            fee_currency=instrument.settlement_currency,
            is_maker=is_maker,
            profit=profit,
            mark_price=public.mark_price,
            index_usd=public.index_usd,
            order_state=order.state,
        )
        booked = self._book(
            account, TransactionKind.TRADE, trade.fee_currency, change, public.ts_ns, trade
        )
        assert booked.cursor == trade.cursor, "a trade carries the cursor of its booking"
        return trade

    def fee(
        self,
        instrument: Instrument,
        amount: Decimal,
        price: Decimal,
        index_usd: Decimal,
        *,
        is_maker: bool,
    ) -> Decimal:
        """The fee of a trade by the schedule."""
        return trade_fee(
            self._fees,
            instrument,
            amount=amount,
            price=price,
            index_usd=index_usd,
            is_maker=is_maker,
        )

    def book_funding(self, instrument: Instrument, ts_ns: int) -> list[CashBooked]:
        """Book every account's accrued funding of a perpetual; nothing below 1e-8 is booked."""
        events = []
        for account in self.accounts.values():
            change = account.book_funding(instrument)
            if change != 0:
                currency = instrument.settlement_currency
                booked = self._book(account, TransactionKind.FUNDING, currency, change, ts_ns)
                events.append(self._about(booked, instrument_id=instrument.instrument_id))
        return events

    def settle_session(
        self, instrument: Instrument, price: Decimal, ts_ns: int
    ) -> list[CashBooked]:
        """Settle a perpetual's session for everybody who holds it."""
        events = []
        for account in self.accounts.values():
            if account.quantity(instrument.instrument_id) == 0:
                continue
            change = account.settle_session(instrument, price)
            currency = instrument.settlement_currency
            booked = self._book(account, TransactionKind.SETTLEMENT, currency, change, ts_ns)
            about = self._about(booked, instrument_id=instrument.instrument_id, price=price)
            events.append(about)
        return events

    def end_session(self) -> None:
        """Start a new session for everybody."""
        for account in self.accounts.values():
            account.end_session()

    def deliver(
        self, options: list[Instrument], price_usd: Decimal, ts_ns: int
    ) -> list[CashBooked]:
        """Deliver all options of one expiry at one price: one booking for each holder."""
        events = []
        for account in self.accounts.values():
            held = [item for item in options if account.quantity(item.instrument_id) != 0]
            if not held:
                continue
            delivered = tuple(account.deliver(item, price_usd) for item in held)
            change = sum((item.payoff for item in delivered), ZERO)
            currency = held[0].settlement_currency
            booked = self._book(account, TransactionKind.DELIVERY, currency, change, ts_ns)
            event = self._about(
                booked,
                price=price_usd,
                underlying=held[0].underlying,
                expiry_ns=held[0].expiry_ns,
                delivered=delivered,
            )
            events.append(event)
        return events

    def since(self, name: str, cursor: int) -> tuple[Transaction, ...]:
        """An account's transactions with that cursor or a later one, ascending."""
        self.account(name)
        found = []
        for item in reversed(self.history[name]):
            if item.cursor < cursor:
                break
            found.append(item)
        return tuple(reversed(found))

    def held(self) -> set[InstrumentId]:
        """Every instrument somebody holds."""
        return {name for account in self.accounts.values() for name in account.state.positions}

    def _book(
        self,
        account: ExchangeAccount,
        kind: TransactionKind,
        currency: str,
        change: Decimal,
        ts_ns: int,
        trade: AccountTrade | None = None,
    ) -> Transaction:
        self.cursor += 1
        transaction = Transaction(
            cursor=self.cursor,
            ts_ns=ts_ns,
            account=account.name,
            kind=kind,
            currency=currency,
            change=change,
            cash=account.cash(currency),
            instrument_id=None if trade is None else trade.instrument_id,
            trade=trade,
        )
        self.history[account.name].append(transaction)
        return transaction

    def _about(self, booked: Transaction, **about: object) -> CashBooked:
        """Say more about the newest transaction of an account."""
        transaction = msgspec.structs.replace(booked, **about)
        history = self.history[booked.account]
        assert history[-1] is booked, "only the newest booking can be described"
        history[-1] = transaction
        return CashBooked(transaction=transaction)
