"""Answers requests for reports one after the other, and the account-wide cancel of last resort."""

import asyncio
from collections import deque
from typing import Any, Final, NoReturn

from glmtrader.errors import VenueError, VenueRefusedError
from glmtrader.kernel.clock import Clock
from glmtrader.venues.deribit.backoff import Backoff
from glmtrader.venues.deribit.config import DeribitConfig
from glmtrader.venues.deribit.counters import Counters
from glmtrader.venues.deribit.reports import ReportReader, ReportRequest
from glmtrader.venues.deribit.rest import Rest
from glmtrader.venues.port import Publish

REQUESTS_MAX: Final = 4
"""Waiting; each asks for all that its successors ask for and no more, so the oldest may go."""

ATTEMPTS_MAX: Final = 8
"""With the default back-off about a minute and a half; then the adapter fails as a whole."""

REFUSALS_MAX: Final = 3
"""The venue's own no rarely changes with time."""


class Reporter:
    """Publishes a `VenueReport` for each request, in the order of asking.

    While the venue is slow or away, requests that wait too long are superseded by newer ones.
    """

    def __init__(
        self, config: DeribitConfig, *, clock: Clock, counters: Counters, publish: Publish
    ) -> None:
        self._config = config
        self._clock = clock
        self._counters = counters
        self._publish = publish
        self._requests: deque[ReportRequest] = deque()
        self._asked = asyncio.Event()
        self._cancel_wanted = asyncio.Event()

    def ask(self, request: ReportRequest) -> None:
        """Queue a request; with too many waiting the oldest is dropped and counted."""
        if len(self._requests) >= REQUESTS_MAX:
            self._requests.popleft()
            self._counters.count("report_superseded")
        self._requests.append(request)
        self._asked.set()

    def cancel_everything(self) -> None:
        """Cancel all orders over REST: the WebSocket cannot."""
        self._cancel_wanted.set()

    async def run(self, reader: ReportReader, rest: Rest) -> None:
        """Answer until cancelled; what is unanswered then was asked of a connection that is gone.

        Raises:
            VenueError: a report failed too often, with the last reason.
        """
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._report(reader))
                group.create_task(self._cancel(rest))
        finally:
            self._requests.clear()

    async def _report(self, reader: ReportReader) -> NoReturn:
        while True:
            await self._asked.wait()
            self._asked.clear()
            while self._requests:
                request = self._requests.popleft()
                await self._answer(reader, request)

    async def _answer(self, reader: ReportReader, request: ReportRequest) -> None:
        backoff = self._backoff()
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                self._publish(await reader.read(request))
            except VenueError as error:
                self._counters.warn("report_failed", str(error))
                refused = isinstance(error, VenueRefusedError)
                if attempt >= (REFUSALS_MAX if refused else ATTEMPTS_MAX):
                    raise
                await backoff.wait()
            else:
                return

    async def _cancel(self, rest: Rest) -> NoReturn:
        """Tried until it succeeds, over restarts of the adapter too: a kill has no last attempt."""
        backoff = self._backoff()
        while True:
            await self._cancel_wanted.wait()
            self._cancel_wanted.clear()
            done = False
            try:
                done = await self._cancelled(rest)
            finally:
                if not done:
                    self._cancel_wanted.set()
            if done:
                backoff.reset()
            else:
                await backoff.wait()

    async def _cancelled(self, rest: Rest) -> bool:
        try:
            await rest.private("cancel_all", {}, Any)
        except VenueError as error:
            self._counters.warn("cancel_all_failed", str(error))
            return False
        return True

    def _backoff(self) -> Backoff:
        times = self._config.timeouts
        return Backoff(self._clock, min_s=times.reconnect_min_s, max_s=times.reconnect_max_s)
