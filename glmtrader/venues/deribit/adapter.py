"""`DeribitVenue`: Deribit behind the venue port.

It owns its connection and tasks. It was never run against the real venue or its test network;
what the tests drive is recorded public traffic, scripted servers and the simulated venue.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

import aiohttp
import msgspec

from glmtrader.domain.ids import AccountId, ClientOrderId, InstrumentId
from glmtrader.domain.instruments import DAY_NS, SECOND_NS
from glmtrader.domain.market_events import Candle
from glmtrader.errors import VenueUnavailableError
from glmtrader.kernel.clock import Clock
from glmtrader.risk.approval import Approved
from glmtrader.venues.deribit.backoff import Backoff
from glmtrader.venues.deribit.books import OrderBook
from glmtrader.venues.deribit.candles import history
from glmtrader.venues.deribit.config import DeribitConfig
from glmtrader.venues.deribit.connection import PLATFORM_CHANNEL, Connection
from glmtrader.venues.deribit.counters import Counters
from glmtrader.venues.deribit.feeds import Feeds
from glmtrader.venues.deribit.http import open_http
from glmtrader.venues.deribit.limits import OrderLimiter
from glmtrader.venues.deribit.names import VENUE, name_of, perpetual_name
from glmtrader.venues.deribit.orders import OrderDesk
from glmtrader.venues.deribit.outbox import Lane
from glmtrader.venues.deribit.reporter import Reporter
from glmtrader.venues.deribit.reports import ReportReader, ReportRequest
from glmtrader.venues.deribit.rest import Rest
from glmtrader.venues.deribit.rpc import Answered, Reply
from glmtrader.venues.deribit.session import Session, first_cause
from glmtrader.venues.deribit.streams import PublicStreams
from glmtrader.venues.deribit.subscriptions import ACCOUNT_CHANNELS, Subscriptions
from glmtrader.venues.port import Publish

TICKER_INTERVAL: Final = "100ms"


class DeribitVenue:
    """One account at Deribit, connected; implements `glmtrader.venues.port.Venue`.

    Args:
        config: addresses, credentials, intervals, limits.
        clock: the process clock.
        publish: the bus's publish.
    """

    def __init__(self, config: DeribitConfig, *, clock: Clock, publish: Publish) -> None:
        self._config = config
        self._clock = clock
        self._account_id = AccountId(config.account_id)
        self.counters = Counters()
        self._listing_changed = asyncio.Event()
        self._limiter = OrderLimiter(config.limits, now_ns=clock.now_ns())
        self._session = Session(
            config,
            clock=clock,
            limiter=self._limiter,
            counters=self.counters,
            on_notification=self._take,
        )
        self._subscriptions = Subscriptions(
            self._session,
            batch_max=config.limits.channels_per_request_max,
            counters=self.counters,
        )
        self._connection = Connection(
            config,
            clock=clock,
            session=self._session,
            subscriptions=self._subscriptions,
            limiter=self._limiter,
            counters=self.counters,
            publish=publish,
        )
        self._streams = PublicStreams(
            clock=clock,
            counters=self.counters,
            publish=publish,
            on_gap=self._subscriptions.renew,
            on_platform=self._connection.platform_changed,
            on_listing=self._listing_changed.set,
        )
        self._desk = OrderDesk(
            config,
            account_id=self._account_id,
            clock=clock,
            session=self._session,
            counters=self.counters,
            publish=publish,
        )
        self._reporter = Reporter(config, clock=clock, counters=self.counters, publish=publish)
        self._publish = publish
        self._subscriptions.want(self._channels(()))

    @property
    def name(self) -> str:
        """`deribit`."""
        return VENUE

    @property
    def account_id(self) -> AccountId:
        """The account traded through this connection."""
        return self._account_id

    @property
    def accept_delay_max_ns(self) -> int:
        """After this long an unknown order was never accepted: its `valid_until` has passed."""
        return round(self._config.timeouts.accept_delay_max_s * SECOND_NS)

    def book(self, instrument_id: InstrumentId) -> OrderBook | None:
        """The gap-checked book of an instrument, where `perpetual_books` is on and it is ready."""
        book = self._streams.books.get(name_of(instrument_id))
        return book if book is not None and book.ready else None

    async def run(self) -> None:
        """Connect, publish and keep connected until cancelled; says `disconnected` in the end.

        Raises:
            VenueRefusedError: credentials, scopes or the dead man's switch are refused.
            VenueError: the account could not be read for about a minute and a half.
        """
        async with open_http(self._config) as http:
            rest = self._rest(http)
            try:
                await self._run(http, rest)
            except BaseExceptionGroup as failures:
                raise first_cause(failures) from failures
            finally:
                self._connection.ended()
                await rest.close()

    def submit(self, approved: Approved, *, now_ns: int) -> None:
        """Send an approved order over the authenticated WebSocket; the outcome is an event."""
        assert approved.order.account_id == self._account_id, "an order of another account"
        self._desk.submit(approved.order, now_ns=now_ns)

    def cancel(self, client_order_id: ClientOrderId) -> None:
        """Ask to cancel one order; never waits for credit."""
        self._desk.cancel(client_order_id)

    def cancel_all(self) -> None:
        """Cancel every order of the account: on the WebSocket, and over REST if that fails."""
        self._session.withdraw_orders()
        self._session.send("private/cancel_all", {}, self._cancelled_all, lane=Lane.CANCEL)

    def request_report(
        self, reason: str, *, since_cursor: int, resolve: Sequence[ClientOrderId]
    ) -> None:
        """Ask for a complete `VenueReport`; the cursor is a trade time in ms, inclusive."""
        self._reporter.ask(ReportRequest(reason, since_cursor, tuple(resolve)))

    def watch(self, instrument_ids: Sequence[InstrumentId]) -> None:
        """Publish ticks of these instruments beside the perpetuals, until the next call."""
        self._subscriptions.want(self._channels(instrument_ids))

    async def candle_history(self, underlying: str, interval_ns: int, days: int) -> list[Candle]:
        """Completed bars of the perpetual over the last `days`, ascending; needs no `run`.

        Raises:
            VenueError: the venue does not give them.
        """
        since_ns = (self._clock.now_ns() // interval_ns) * interval_ns - days * DAY_NS
        async with open_http(self._config) as http:
            rest = self._rest(http)
            try:
                return await history(
                    rest, self._clock, underlying, interval_ns=interval_ns, since_ns=since_ns
                )
            finally:
                await rest.close()

    async def _run(self, http: aiohttp.ClientSession, rest: Rest) -> None:
        feeds = Feeds(
            self._config,
            clock=self._clock,
            http=http,
            rest=rest,
            streams=self._streams,
            counters=self.counters,
            publish=self._publish,
            listing_changed=self._listing_changed,
        )
        reader = ReportReader(
            rest,
            account_id=self._account_id,
            currencies=self._config.settlement_currencies,
            clock=self._clock,
            counters=self.counters,
        )
        await self._list_first(feeds)
        async with asyncio.TaskGroup() as group:
            group.create_task(feeds.run())
            group.create_task(self._connection.run(http, self._streams))
            if self._config.credentials is not None:
                group.create_task(self._reporter.run(reader, rest))

    async def _list_first(self, feeds: Feeds) -> None:
        """Instruments are told before anything else about them, however long that takes."""
        times = self._config.timeouts
        backoff = Backoff(self._clock, min_s=times.reconnect_min_s, max_s=times.reconnect_max_s)
        while True:
            try:
                await feeds.list_instruments()
            except VenueUnavailableError as error:
                self.counters.warn("listing_failed", str(error))
                await backoff.wait()
            else:
                return

    def _rest(self, http: aiohttp.ClientSession) -> Rest:
        return Rest(
            self._config,
            clock=self._clock,
            http=http,
            limiter=self._limiter,
            offset_ns=lambda: self._session.clock_offset_ns or 0,
        )

    def _take(self, channel: str, data: msgspec.Raw) -> None:
        if channel.startswith("user.trades"):
            self._desk.take_trades(data)
        elif channel.startswith("user.orders"):
            self._desk.take_orders(data)
        else:
            self._streams.take(channel, data)

    def _cancelled_all(self, reply: Reply) -> None:
        if not isinstance(reply, Answered):
            self.counters.warn("cancel_all_by_rest", str(reply))
            self._reporter.cancel_everything()

    def _channels(self, watched: Sequence[InstrumentId]) -> dict[str, None]:
        """All channels, each once, account channels first."""
        perpetuals = [perpetual_name(coin) for coin in self._config.underlyings]
        names = [*perpetuals, *(name_of(item) for item in watched)]
        account = ACCOUNT_CHANNELS if self._config.credentials is not None else ()
        books = perpetuals if self._config.perpetual_books else []
        return dict.fromkeys(
            [
                *account,
                PLATFORM_CHANNEL,
                *(f"instrument.state.any.{coin}" for coin in self._config.underlyings),
                *(f"ticker.{name}.{TICKER_INTERVAL}" for name in names),
                *(f"book.{name}.{TICKER_INTERVAL}" for name in books),
            ]
        )
