"""Connected, or on the way to it: opens sessions one after the other and tells how that stands.

Two facts are told in `VenueStatusChanged`. Of our way to the venue: `connected` once for each new
session, when account channels flow and the dead man's switch is armed, and `disconnected` with the
reason when that ends. Of the platform: `locked`, `maintenance` or `open`, only while we are
connected, so that none of them speaks for a connection that is lost. A moved clock offset comes
with the platform's state as it is. A refusal of our credentials ends it: trying again changes
nothing.
"""

import asyncio
from typing import Final, NoReturn

import aiohttp

from glmtrader.domain.instruments import SECOND_NS
from glmtrader.domain.system_events import VenueStatusChanged
from glmtrader.errors import ProtocolError, VenueRefusedError, VenueUnavailableError
from glmtrader.kernel.clock import Clock
from glmtrader.venues.deribit.backoff import Backoff
from glmtrader.venues.deribit.config import DeribitConfig
from glmtrader.venues.deribit.counters import Counters
from glmtrader.venues.deribit.frames import PlatformStateData, PlatformStatus
from glmtrader.venues.deribit.handshake import keep_session, open_session
from glmtrader.venues.deribit.limits import OrderLimiter
from glmtrader.venues.deribit.names import VENUE, index_name
from glmtrader.venues.deribit.outbox import Lane
from glmtrader.venues.deribit.platform import Platform
from glmtrader.venues.deribit.session import Session
from glmtrader.venues.deribit.streams import PublicStreams
from glmtrader.venues.deribit.subscriptions import Subscriptions
from glmtrader.venues.port import Publish

PLATFORM_CHANNEL: Final = "platform_state"


class Connection:
    """Keeps one session open, subscribed and reported on."""

    def __init__(
        self,
        config: DeribitConfig,
        *,
        clock: Clock,
        session: Session,
        subscriptions: Subscriptions,
        limiter: OrderLimiter,
        counters: Counters,
        publish: Publish,
    ) -> None:
        self._config = config
        self._clock = clock
        self._session = session
        self._subscriptions = subscriptions
        self._limiter = limiter
        self._counters = counters
        self._publish = publish
        self._platform = Platform([index_name(coin) for coin in config.underlyings])
        self._is_up: bool | None = None
        times = config.timeouts
        self._backoff = Backoff(clock, min_s=times.reconnect_min_s, max_s=times.reconnect_max_s)

    async def run(self, http: aiohttp.ClientSession, streams: PublicStreams) -> NoReturn:
        """Connect, serve, and connect again, until cancelled.

        Raises:
            VenueRefusedError: the venue does not let us in, or not with a dead man's switch.
        """
        while True:
            try:
                await self._session.run(http, self._serve)
            except (VenueUnavailableError, ProtocolError) as error:
                self._counters.warn("disconnected", str(error))
                self._tell_down(str(error))
            except VenueRefusedError as error:
                self._tell_down(str(error))
                raise
            finally:
                self._subscriptions.connection_ended()
                streams.connection_ended()
            await self._backoff.wait(self._limiter.wait_ns(self._clock.now_ns()) / SECOND_NS)

    def ended(self) -> None:
        """Nothing keeps us connected any more: whoever trades must know, however it came."""
        self._tell_down("the adapter ended")

    def platform_changed(self, data: PlatformStateData) -> None:
        """A notification of the platform's state; before `connected` it is only kept."""
        view = self._platform.apply(data)
        if view is not None and self._is_up:
            self._tell(view.status, view.detail)

    async def _serve(self) -> None:
        self._platform.session_began()
        renew_s = await open_session(self._session, self._config, self._clock)
        await self._subscriptions.catch_up()
        await self._ask_platform()
        self._session.ready = self._config.credentials is not None
        self._backoff.reset()
        self._is_up = True
        self._tell("connected", "trading" if self._session.ready else "market data alone")
        if self._platform.view.status != "open":
            self._tell_platform()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._subscriptions.run())
            group.create_task(
                keep_session(
                    self._session,
                    self._config,
                    self._clock,
                    renew_s=renew_s,
                    on_clock=self._tell_platform,
                )
            )

    async def _ask_platform(self) -> None:
        """A lock that began before we connected is not notified again."""
        try:
            status = await self._session.call(
                "public/status", {}, PlatformStatus, lane=Lane.REQUEST
            )
        except (VenueRefusedError, ProtocolError) as error:
            self._counters.warn("platform_status_unknown", str(error))
            return
        self._platform.replace(status)

    def _tell_platform(self) -> None:
        self._tell(self._platform.view.status, self._platform.view.detail)

    def _tell_down(self, reason: str) -> None:
        """Once for each time that it goes down, and for a first attempt that fails."""
        if self._is_up is not False:
            self._tell("disconnected", reason)
        self._is_up = False

    def _tell(self, status: str, detail: str) -> None:
        now_ns = self._clock.now_ns()
        self._publish(
            VenueStatusChanged(
                ts_event=now_ns,
                ts_init=now_ns,
                venue=VENUE,
                status=status,
                detail=detail,
                clock_offset_ns=self._session.clock_offset_ns,
            )
        )
