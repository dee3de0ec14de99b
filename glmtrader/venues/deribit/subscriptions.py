"""Which channels are wanted and which are on: differences sent in bounded batches.

The wanted set outlives a connection; what is on does not. Channels of the account must all be
granted, or the connection is not fit for trading; a public one that is not granted is counted.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import NoReturn

from glmtrader.errors import ProtocolError, VenueRefusedError
from glmtrader.venues.deribit.counters import Counters
from glmtrader.venues.deribit.outbox import Lane
from glmtrader.venues.deribit.session import Session

ACCOUNT_CHANNELS = ("user.orders.any.any.raw", "user.trades.any.any.raw")


class Subscriptions:
    """The channels of one session."""

    def __init__(self, session: Session, *, batch_max: int, counters: Counters) -> None:
        self._session = session
        self._batch_max = batch_max
        self._counters = counters
        self._wanted: dict[str, None] = {}
        self._active: dict[str, None] = {}
        self._refused: dict[str, None] = {}
        self._renewing: dict[str, None] = {}
        self._changed = asyncio.Event()

    @property
    def active(self) -> tuple[str, ...]:
        """Channels that the venue granted on this connection."""
        return tuple(self._active)

    def want(self, channels: Iterable[str]) -> None:
        """Replace what is wanted; the difference is asked for by `run`."""
        self._wanted = dict.fromkeys(channels)
        self._refused.clear()
        self._changed.set()

    def renew(self, channel: str) -> None:
        """Unsubscribe and subscribe again, for a new snapshot."""
        if channel in self._active:
            self._renewing[channel] = None
            self._changed.set()

    def connection_ended(self) -> None:
        """Nothing is on any more."""
        self._active.clear()
        self._refused.clear()
        self._renewing.clear()

    async def catch_up(self) -> None:
        """Ask for the difference between wanted and on; one pass.

        Raises:
            VenueRefusedError: an account channel was refused.
            ProtocolError: an account channel was silently left out.
        """
        self._changed.clear()
        gone = [
            channel
            for channel in self._active
            if channel not in self._wanted or channel in self._renewing
        ]
        self._renewing.clear()
        for channel in gone:
            self._active.pop(channel, None)
        for batch in self._batches([channel for channel in gone if not _is_private(channel)]):
            await self._ask("public/unsubscribe", batch)
        fresh = [
            channel
            for channel in self._wanted
            if channel not in self._active and channel not in self._refused
        ]
        for batch in self._batches([channel for channel in fresh if _is_private(channel)]):
            await self._subscribe("private/subscribe", batch)
        for batch in self._batches([channel for channel in fresh if not _is_private(channel)]):
            await self._subscribe("public/subscribe", batch)

    async def run(self) -> NoReturn:
        """Follow changes of what is wanted until the connection ends."""
        while True:
            await self._changed.wait()
            await self.catch_up()

    def _batches(self, channels: Sequence[str]) -> list[Sequence[str]]:
        size = self._batch_max
        return [channels[start : start + size] for start in range(0, len(channels), size)]

    async def _subscribe(self, method: str, batch: Sequence[str]) -> None:
        try:
            granted = await self._ask(method, batch)
        except VenueRefusedError as error:
            if any(_is_private(channel) for channel in batch):
                raise
            self._counters.warn("subscribe_refused", str(error))
            granted = []
        for channel in batch:
            if channel in granted:
                self._active[channel] = None
            elif _is_private(channel):
                raise ProtocolError(f"the venue did not grant {channel}: fills would be lost")
            else:
                self._refused[channel] = None
                self._counters.warn("channel_refused", channel)

    async def _ask(self, method: str, batch: Sequence[str]) -> list[str]:
        params = {"channels": list(batch)}
        return await self._session.call(method, params, list[str], lane=Lane.SUBSCRIBE)


def _is_private(channel: str) -> bool:
    return channel.startswith("user.")
