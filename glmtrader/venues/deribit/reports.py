"""The account as the venue sees it, asked over REST: input of reconciliation.

A report's parts come from several requests. It is told only when positions and settled cash were
the same before and after everything else was read; otherwise it is read again (a deposit that is
in the cash but not yet in the log would be booked twice by books that open on it). A network error
is never an answer: the report is tried again, and in the end the adapter fails rather than guess.

The venue keeps finished orders for about half an hour under their label and trades for a day
before they move to its archive; older trades are asked for in both places. An order that is found
neither open, nor by label, nor in the trades did nothing that is not in the trades.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from glmtrader.domain.ids import AccountId, ClientOrderId, InstrumentId
from glmtrader.domain.instruments import HOUR_NS, MINUTE_NS
from glmtrader.domain.order_events import VenueBalance, VenueOrder, VenueReport
from glmtrader.errors import ProtocolError, VenueRefusedError, VenueUnavailableError
from glmtrader.kernel.clock import Clock
from glmtrader.venues.deribit.account_frames import (
    LogEntry,
    OrderData,
    PositionData,
    Summaries,
    SummaryData,
    TransactionLog,
    UserTradeData,
    UserTrades,
)
from glmtrader.venues.deribit.cashflows import cashflows_of
from glmtrader.venues.deribit.counters import Counters
from glmtrader.venues.deribit.names import MS_NS, id_of
from glmtrader.venues.deribit.order_codec import ORDER_NOT_FOUND, fills_of, venue_order_of
from glmtrader.venues.deribit.rest import Rest

TRADES_A_PAGE: Final = 1000
LOG_LINES_A_PAGE: Final = 250
PAGES_MAX: Final = 100
COHERENCE_ATTEMPTS_MAX: Final = 4
RECENT_NS: Final = 23 * HOUR_NS
"""Younger trades are in the venue's recent records for certain; older ones may be archived."""


class ReportRequest(msgspec.Struct, frozen=True):
    """What was asked for."""

    reason: str
    since_cursor: int
    resolve: tuple[ClientOrderId, ...]


class _Holdings(msgspec.Struct, frozen=True):
    """What the account holds at one moment, as nearly as two requests can say."""

    positions: dict[InstrumentId, Decimal]
    summaries: tuple[SummaryData, ...]

    @property
    def key(self) -> tuple[dict[InstrumentId, Decimal], dict[str, Decimal]]:
        """What changes with a trade or a booking alone: marks and funding move all the time."""
        return self.positions, {item.currency: item.balance for item in self.summaries}


class ReportReader:
    """Reads one report at a time."""

    def __init__(
        self,
        rest: Rest,
        *,
        account_id: AccountId,
        currencies: Sequence[str],
        clock: Clock,
        counters: Counters,
    ) -> None:
        self._rest = rest
        self._account_id = account_id
        self._currencies = tuple(currencies)
        self._clock = clock
        self._counters = counters

    async def read(self, request: ReportRequest) -> VenueReport:
        """A coherent report.

        Raises:
            VenueUnavailableError: no answer, or the account moved during every attempt.
            VenueRefusedError: the key may not read the account.
            ProtocolError: an answer that cannot be read.
        """
        before = await self._holdings()
        for _ in range(COHERENCE_ATTEMPTS_MAX):
            orders = await self._orders(request.resolve)
            trades = await self._trades(request.since_cursor)
            log = await self._log(request.since_cursor)
            after = await self._holdings()
            if after.key == before.key:
                return self._report(request, orders, trades, log, after)
            self._counters.count("report_read_again")
            before = after
        raise VenueUnavailableError(
            "positions or settled cash changed during each of"
            f" {COHERENCE_ATTEMPTS_MAX} readings of the account"
        )

    def _report(
        self,
        request: ReportRequest,
        orders: tuple[VenueOrder, ...],
        trades: list[UserTradeData],
        log: list[LogEntry],
        held: "_Holdings",
    ) -> VenueReport:
        now_ns = self._clock.now_ns()
        flows = cashflows_of(log, account_id=self._account_id, ts_init=now_ns)
        for line in flows.unbooked:
            self._counters.warn("cash_change_unbooked", f"{line.type} {line.change}")
        return VenueReport(
            ts_event=now_ns + self._rest.clock_offset_ns,
            ts_init=now_ns,
            account_id=self._account_id,
            reason=request.reason,
            complete=True,
            orders=orders,
            resolved=request.resolve,
            fills=fills_of(trades, account_id=self._account_id, ts_init=now_ns),
            cashflows=flows.events,
            positions=held.positions,
            balances=tuple(balance_of(item) for item in held.summaries),
        )

    async def _holdings(self) -> "_Holdings":
        return _Holdings(await self._positions(), await self._summaries())

    async def _positions(self) -> dict[InstrumentId, Decimal]:
        found: dict[InstrumentId, Decimal] = {}
        for currency in self._currencies:
            params = {"currency": currency}
            listed = await self._rest.private("get_positions", params, list[PositionData])
            found.update((id_of(item.instrument_name), item.size) for item in listed if item.size)
        return found

    async def _orders(self, resolve: Sequence[ClientOrderId]) -> tuple[VenueOrder, ...]:
        found = {item.order_id: item for item in await self._open_orders()}
        for label in resolve:
            for item in await self._by_label(label):
                found[item.order_id] = item
        return tuple(venue_order_of(item) for item in found.values())

    async def _open_orders(self) -> list[OrderData]:
        return await self._rest.private("get_open_orders", {}, list[OrderData])

    async def _by_label(self, label: ClientOrderId) -> list[OrderData]:
        """Orders of a label; it does not say its currency, so each is asked until one knows."""
        for currency in self._currencies:
            params = {"currency": currency, "label": label}
            try:
                found = await self._rest.private(
                    "get_order_state_by_label", params, list[OrderData]
                )
            except VenueRefusedError as error:
                if error.code != str(ORDER_NOT_FOUND):
                    raise
                continue
            if found:
                return found
        return []

    async def _trades(self, since_cursor: int) -> list[UserTradeData]:
        now_ns = self._clock.now_ns() + self._rest.clock_offset_ns
        archives = (True, False) if since_cursor * MS_NS < now_ns - RECENT_NS else (False,)
        found: list[UserTradeData] = []
        for currency in self._currencies:
            for archive in archives:
                found += await self._trade_pages(currency, since_cursor, now_ns, archive=archive)
        return found

    async def _trade_pages(
        self, currency: str, since_cursor: int, now_ns: int, *, archive: bool
    ) -> list[UserTradeData]:
        found: dict[str, UserTradeData] = {}
        start_ms = since_cursor
        for _ in range(PAGES_MAX):
            params: dict[str, object] = {
                "currency": currency,
                "start_timestamp": start_ms,
                "end_timestamp": (now_ns + MINUTE_NS) // MS_NS,
                "count": TRADES_A_PAGE,
                "sorting": "asc",
            }
            if archive:
                params["historical"] = "true"
            page = await self._rest.private(
                "get_user_trades_by_currency_and_time", params, UserTrades
            )
            fresh = [trade for trade in page.trades if trade.trade_id not in found]
            found.update((trade.trade_id, trade) for trade in fresh)
            if not page.has_more:
                return list(found.values())
            if not fresh:
                raise ProtocolError(f"trades of {currency} since {start_ms}: a page without news")
            start_ms = max(trade.timestamp for trade in fresh)
        raise ProtocolError(f"trades of {currency}: more than {PAGES_MAX} pages")

    async def _log(self, since_cursor: int) -> list[LogEntry]:
        now_ms = (self._clock.now_ns() + self._rest.clock_offset_ns + MINUTE_NS) // MS_NS
        found: list[LogEntry] = []
        for currency in self._currencies:
            found += await self._log_pages(currency, since_cursor, now_ms)
        return found

    async def _log_pages(self, currency: str, start_ms: int, end_ms: int) -> list[LogEntry]:
        found: list[LogEntry] = []
        params: dict[str, object] = {
            "currency": currency,
            "start_timestamp": start_ms,
            "end_timestamp": end_ms,
            "count": LOG_LINES_A_PAGE,
        }
        for _ in range(PAGES_MAX):
            page = await self._rest.private("get_transaction_log", params, TransactionLog)
            found += page.logs
            if page.continuation is None:
                return found
            params["continuation"] = page.continuation
        raise ProtocolError(f"transaction log of {currency}: more than {PAGES_MAX} pages")

    async def _summaries(self) -> tuple[SummaryData, ...]:
        answer = await self._rest.private("get_account_summaries", {}, Summaries)
        return tuple(
            item
            for item in answer.summaries
            if item.currency in self._currencies or item.equity or item.balance
        )


def balance_of(data: SummaryData) -> VenueBalance:
    """One currency's balance; cash includes the session profit that futures have realised.

    Raises:
        ProtocolError: the venue does not say the session's realised profit.
    """
    futures = data.futures_session_rpl
    realised = data.session_rpl if futures is None else futures
    if realised is None:
        raise ProtocolError(f"summary of {data.currency} has no futures_session_rpl")
    return VenueBalance(
        currency=data.currency,
        cash=data.balance + realised,
        equity=data.equity,
        initial_margin=data.initial_margin,
        maintenance_margin=data.maintenance_margin,
    )
