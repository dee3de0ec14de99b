"""Deribit's view of an account's bookings: balance apart from the running session.

The exchange puts everything realised into cash at once. Deribit's cash balance leaves realised
perpetual profit and funding aside until the settlement at 08:00 UTC. The books here go through an
account's transactions once and keep, by perpetual, what the running session has realised.
"""

from decimal import Decimal
from typing import Final

import msgspec

from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import DAY_NS
from glmtrader.domain.pnl import ZERO
from glmtrader.simulator.exchange import SimulatedExchange
from glmtrader.simulator.exchange_types import Transaction, TransactionKind

CLOSED_PLACE: Final = 900
"""Log numbers of perpetuals that were flat at the settlement come after those of a booking."""


class SessionEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of Deribit's transaction log.

    Attributes:
        number: unique, ascending. balance: cash without the session's results, after it.
        change: of that balance.
        cashflow: realised profit of a perpetual trade; premium of an option trade.
        funding: of the session until then, of this perpetual.
        session_rpl: realised in the session in this currency, funding included.
        position: held afterwards. amount: delivered or settled.
    """

    number: int
    kind: TransactionKind
    source: Transaction
    instrument_id: InstrumentId | None
    balance: Decimal
    change: Decimal
    cashflow: Decimal
    funding: Decimal
    session_rpl: Decimal
    position: Decimal
    amount: Decimal


class InstrumentSession(msgspec.Struct, frozen=True, kw_only=True):
    """What a perpetual realised since the last settlement: trading profit and funding."""

    profit: Decimal = ZERO
    funding: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        """Both."""
        return self.profit + self.funding


EMPTY: Final = InstrumentSession()


class SessionBook:
    """Transaction logs by account, made again only when something was booked."""

    def __init__(self, exchange: SimulatedExchange) -> None:
        self._exchange = exchange
        self._made: dict[str, tuple[tuple[int, int], _Account]] = {}

    def entries(self, account: str, currency: str | None = None) -> list[SessionEntry]:
        """The log, oldest first."""
        entries = self._account(account).entries
        return [item for item in entries if currency in (None, "any", item.source.currency)]

    def running(self, account: str, instrument_id: InstrumentId) -> InstrumentSession:
        """What the running session of a perpetual has realised."""
        return self._account(account).running.get(instrument_id, EMPTY)

    def _account(self, account: str) -> "_Account":
        offset_ns = self._exchange.config.settlement_of_day_ns
        now_ns = self._exchange.now_ns
        key = (self._exchange.cursor, _session_of(now_ns, offset_ns))
        made = self._made.get(account)
        if made is None or made[0] != key:
            book = _Account(offset_ns)
            for item in self._exchange.transactions(account):
                book.add(item)
            book.reach(now_ns)
            made = self._made[account] = (key, book)
        return made[1]


class _Account:
    """One account's log in the making."""

    def __init__(self, settlement_of_day_ns: int) -> None:
        self.entries: list[SessionEntry] = []
        self.running: dict[InstrumentId, InstrumentSession] = {}
        self._offset_ns = settlement_of_day_ns
        self._positions: dict[InstrumentId, Decimal] = {}
        self._cash: dict[str, Decimal] = {}
        self._latest: dict[InstrumentId, Transaction] = {}
        self._last: Transaction | None = None

    def add(self, item: Transaction) -> None:
        """Go through the next booking."""
        self.reach(item.ts_ns)
        self._last = item
        if item.instrument_id is not None:
            self._latest[item.instrument_id] = item
        if item.kind is not TransactionKind.DELIVERY:
            self._cash[item.currency] = item.cash
        match item.kind:
            case TransactionKind.TRADE:
                self._trade(item)
            case TransactionKind.FUNDING:
                self._funding(item)
            case TransactionKind.SETTLEMENT:
                self._settlement(item)
            case TransactionKind.DELIVERY:
                self._delivery(item)
            case TransactionKind.DEPOSIT | TransactionKind.WITHDRAWAL:
                self._append(item, item.instrument_id, change=item.change)

    def reach(self, ts_ns: int) -> None:
        """Time passes: a session's end moves what closed perpetuals realised to the balance."""
        last = self._last
        if last is None or not self.running:
            return
        session = _session_of(last.ts_ns, self._offset_ns)
        if session == _session_of(ts_ns, self._offset_ns):
            return
        end_ns = (session + 1) * DAY_NS + self._offset_ns
        for place, name in enumerate(sorted(self.running)):
            realised = self.running.pop(name)
            source = msgspec.structs.replace(
                self._latest[name],
                cursor=last.cursor,
                ts_ns=end_ns,
                kind=TransactionKind.SETTLEMENT,
                change=ZERO,
                trade=None,
                price=None,
            )
            self._append(
                source,
                name,
                change=realised.total,
                cashflow=realised.profit,
                funding=realised.funding,
                place=CLOSED_PLACE + place,
            )

    def _trade(self, item: Transaction) -> None:
        trade = item.trade
        assert trade is not None, f"booking {item.cursor} is a trade without one"
        name = trade.instrument_id
        held = self._positions.get(name, ZERO) + trade.side.sign * trade.amount
        self._positions[name] = held
        change, cashflow = item.change, item.change + trade.fee
        if _is_perpetual(name):
            self._realise(name, profit=trade.profit)
            change, cashflow = -trade.fee, trade.profit
        self._append(
            item, name, change=change, cashflow=cashflow, position=held, amount=trade.amount
        )

    def _funding(self, item: Transaction) -> None:
        assert item.instrument_id is not None, f"booking {item.cursor} is funding of nothing"
        self._realise(item.instrument_id, funding=item.change)

    def _realise(
        self, name: InstrumentId, *, profit: Decimal = ZERO, funding: Decimal = ZERO
    ) -> None:
        before = self.running.get(name, EMPTY)
        self.running[name] = InstrumentSession(
            profit=before.profit + profit, funding=before.funding + funding
        )

    def _settlement(self, item: Transaction) -> None:
        name = item.instrument_id
        assert name is not None, f"booking {item.cursor} settles nothing"
        realised = self.running.pop(name, EMPTY)
        held = self._positions.get(name, ZERO)
        self._append(
            item,
            name,
            change=item.change + realised.total,
            cashflow=item.change + realised.profit,
            funding=realised.funding,
            position=held,
            amount=abs(held),
        )

    def _delivery(self, item: Transaction) -> None:
        assert len(item.delivered) < CLOSED_PLACE, "log numbers leave room for 900 a booking"
        self._cash[item.currency] = item.cash - item.change
        for place, part in enumerate(item.delivered):
            self._positions.pop(part.instrument_id, None)
            self._cash[item.currency] += part.payoff
            self._append(
                item,
                part.instrument_id,
                change=part.payoff,
                cashflow=part.payoff,
                amount=abs(part.quantity),
                place=place,
            )

    def _append(
        self,
        item: Transaction,
        name: InstrumentId | None,
        *,
        change: Decimal,
        cashflow: Decimal = ZERO,
        funding: Decimal = ZERO,
        position: Decimal = ZERO,
        amount: Decimal = ZERO,
        place: int = 0,
    ) -> None:
        rpl = sum(
            (
                realised.total
                for held, realised in self.running.items()
                if self._latest[held].currency == item.currency
            ),
            ZERO,
        )
        self.entries.append(
            SessionEntry(
                number=item.cursor * 1_000 + place,
                kind=item.kind,
                source=item,
                instrument_id=name,
                balance=self._cash[item.currency] - rpl,
                change=change,
                cashflow=cashflow,
                funding=funding,
                session_rpl=rpl,
                position=position,
                amount=amount,
            )
        )


def _is_perpetual(name: InstrumentId) -> bool:
    return name.endswith(("-PERPETUAL", "-PERP"))


def _session_of(ts_ns: int, offset_ns: int) -> int:
    """Number of the session a moment belongs to; the settlement itself ends the old one."""
    return (ts_ns - 1 - offset_ns) // DAY_NS
