"""What is asked for again and again over REST: listings, chains, candles.

A failed look is counted and tried again; nothing is told in its place, so that the staleness
budget of whoever depends on it decides.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn

import aiohttp
import msgspec

from glmtrader.domain.instruments import SECOND_NS
from glmtrader.errors import ProtocolError, VenueError
from glmtrader.kernel.clock import Clock
from glmtrader.venues.deribit.backoff import Backoff
from glmtrader.venues.deribit.candles import CandleFeed
from glmtrader.venues.deribit.chain import chain_of
from glmtrader.venues.deribit.config import DeribitConfig
from glmtrader.venues.deribit.counters import Counters
from glmtrader.venues.deribit.frames import BookSummaryData, InstrumentData
from glmtrader.venues.deribit.http import public_get
from glmtrader.venues.deribit.listing import Listing
from glmtrader.venues.deribit.rest import Rest
from glmtrader.venues.deribit.streams import PublicStreams
from glmtrader.venues.port import Publish

LISTING_PAUSE_S = 1.0
"""Listings change in bursts (an expiry opens a hundred strikes): one look serves them all."""

_decode_summaries = msgspec.json.Decoder(list[BookSummaryData]).decode


class Feeds:
    """The polled feeds of all underlyings."""

    def __init__(
        self,
        config: DeribitConfig,
        *,
        clock: Clock,
        http: aiohttp.ClientSession,
        rest: Rest,
        streams: PublicStreams,
        counters: Counters,
        publish: Publish,
        listing_changed: asyncio.Event,
    ) -> None:
        self._config = config
        self._clock = clock
        self._http = http
        self._rest = rest
        self._streams = streams
        self._counters = counters
        self._publish = publish
        self._listing_changed = listing_changed
        self._listing = Listing(counters)

    async def list_instruments(self) -> None:
        """Look at what is listed, and tell what changed."""
        listed: list[InstrumentData] = []
        for currency in dict.fromkeys(
            self._config.underlyings + self._config.settlement_currencies
        ):
            params = {"currency": currency, "expired": "false"}
            listed += await self._rest.public("get_instruments", params, list[InstrumentData])
        event = self._listing.replace(listed, now_ns=self._clock.now_ns())
        if event is not None:
            self._publish(event)

    async def run(self) -> None:
        """Keep listings, chains and candles coming until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._list())
            for underlying in self._config.underlyings:
                group.create_task(self._chains(underlying))
                if self._config.candle_history_days:
                    group.create_task(self._candles(underlying))

    async def _list(self) -> NoReturn:
        interval_ns = round(self._config.instruments_interval_s * SECOND_NS)
        while True:
            due_ns = self._clock.now_ns() + interval_ns
            timer = self._clock.call_at(due_ns, self._listing_changed.set)
            await self._listing_changed.wait()
            timer.cancel()
            await self._clock.sleep(LISTING_PAUSE_S)
            self._listing_changed.clear()
            await self._attempt("listing", self.list_instruments)

    async def _chains(self, underlying: str) -> NoReturn:
        interval_ns = round(self._config.chain_interval_s * SECOND_NS)
        while True:
            started_ns = self._clock.now_ns()
            await self._attempt("chain", lambda: self._chain(underlying))
            left_ns = started_ns + interval_ns - self._clock.now_ns()
            await self._clock.sleep(max(left_ns, interval_ns // 10) / SECOND_NS)

    async def _chain(self, underlying: str) -> None:
        params = {"currency": underlying, "kind": "option"}
        method = "public/get_book_summary_by_currency"
        raw = await public_get(self._http, self._config, method, params)
        try:
            rows = _decode_summaries(raw)
        except msgspec.MsgspecError as error:
            raise ProtocolError(f"book summaries of {underlying}: {error}") from error
        result = chain_of(
            underlying,
            rows,
            instruments=self._listing.by_name,
            ticks=self._streams.ticks,
            now_ns=self._clock.now_ns(),
        )
        if result.unlisted:
            self._counters.count("chain_row_unlisted")
            self._listing_changed.set()
        if result.chain is None:
            raise ProtocolError(f"no chain of {underlying}: {result.unavailable}")
        self._publish(result.chain)

    async def _candles(self, underlying: str) -> NoReturn:
        feed = CandleFeed(
            self._rest,
            self._clock,
            self._publish,
            underlying,
            interval_ns=self._config.candle_interval_s * SECOND_NS,
            history_days=self._config.candle_history_days,
        )
        times = self._config.timeouts
        backoff = Backoff(self._clock, min_s=times.reconnect_min_s, max_s=times.reconnect_max_s)
        while True:
            if await self._attempt("candles", feed.step):
                backoff.reset()
                await self._clock.sleep(feed.wait_s())
            else:
                await backoff.wait()

    async def _attempt(self, what: str, step: Callable[[], Awaitable[None]]) -> bool:
        try:
            await step()
        except VenueError as error:
            self._counters.warn(f"feed_failed:{what}", str(error))
            return False
        return True
