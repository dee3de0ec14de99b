"""Subscriptions: one feed a channel (and account), encoded once for all who listen."""

from typing import Final, Protocol

from glmtrader.domain.instruments import SECOND_NS
from glmtrader.simulator.deribit.backend import Backend
from glmtrader.simulator.deribit.channels import Channel, Interval, Topic, parse
from glmtrader.simulator.deribit.event_feeds import EVENT_FEEDS, is_event_feed
from glmtrader.simulator.deribit.feeds import Feed, make_market_feed
from glmtrader.simulator.deribit.fill_faults import FillShaper
from glmtrader.simulator.deribit.wire import notification
from glmtrader.simulator.exchange_types import (
    ExchangeEvent,
    OrderChanged,
    PlatformState,
    PublicTrade,
)

AGGREGATED_NS: Final = SECOND_NS
"""How often an `agg2` channel, or a portfolio, speaks."""


class Member(Protocol):
    """Somebody who hears notifications."""

    def send(self, data: bytes) -> None:
        """Queue a message."""


class _Subscription:
    """A channel that somebody listens to."""

    def __init__(self, backend: Backend, channel: Channel, account: str) -> None:
        self.channel = channel
        self.members: dict[Member, None] = {}
        self.feed: Feed
        if channel.topic in EVENT_FEEDS:
            self.feed = EVENT_FEEDS[channel.topic](backend, channel, account)
        else:
            self.feed = make_market_feed(backend, channel)
        self.hears_events = is_event_feed(self.feed)
        self._backend = backend
        self._next_ns = 0
        self._shaper: FillShaper | None = None
        if channel.topic is Topic.USER_TRADES:
            self._shaper = FillShaper(backend.faults, channel.name)

    def pump(self) -> None:
        """Send what is new."""
        now_ns = self._backend.exchange.now_ns
        if self._backend.faults.is_stalled(self.channel.name, now_ns) or self._is_gone():
            return
        messages = self.feed.poll()
        if self._shaper is not None:
            messages = self._shaper.shape(messages, now_ns)
        for message in messages:
            data = notification(self.channel.name, message)
            for member in list(self.members):
                member.send(data)

    def _is_gone(self) -> bool:
        """An expired option's channels fall silent: nothing can be asked of it any more."""
        instrument = self.channel.instrument
        if instrument is None or self.hears_events:
            return False
        return not self._backend.exchange.is_known(instrument.instrument_id)

    def is_due(self, now_ns: int) -> bool:
        """Whether a step is its turn to speak."""
        slow = self.channel.interval is Interval.AGGREGATED
        if not slow and self.channel.topic is not Topic.USER_PORTFOLIO:
            return True
        if now_ns < self._next_ns:
            return False
        self._next_ns = now_ns + AGGREGATED_NS
        return True


class Broadcaster:
    """Who listens to what."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._subscriptions: dict[tuple[str, str], _Subscription] = {}

    def understand(self, name: str) -> Channel | None:
        """The channel of a name; None when there is none."""
        return parse(name, self._backend.names, self._backend.exchange)

    def join(self, member: Member, channel: Channel, account: str) -> list[bytes]:
        """Add a subscriber; returns its first messages."""
        key = (account if channel.is_private else "", channel.name)
        subscription = self._subscriptions.get(key)
        if subscription is None:
            subscription = _Subscription(self._backend, channel, key[0])
            self._subscriptions[key] = subscription
        if member in subscription.members:
            return []
        subscription.members[member] = None
        return [notification(channel.name, message) for message in subscription.feed.opening()]

    def leave(self, member: Member, name: str) -> bool:
        """Remove a subscriber from a channel; whether it was one."""
        left = False
        for key in [key for key in self._subscriptions if key[1] == name]:
            subscription = self._subscriptions[key]
            if member in subscription.members:
                left = True
                del subscription.members[member]
                if not subscription.members:
                    del self._subscriptions[key]
        return left

    def events(self, events: list[ExchangeEvent]) -> None:
        """Tell events at once to the channels that are not aggregated."""
        touched = {_instrument_of(event) for event in events}
        for subscription in list(self._subscriptions.values()):
            channel = subscription.channel
            if subscription.hears_events:
                for event in events:
                    subscription.feed.note(event)
            if channel.interval is not Interval.RAW or channel.topic is Topic.USER_PORTFOLIO:
                continue
            instrument = channel.instrument
            concerned = instrument is not None and instrument.instrument_id in touched
            if subscription.hears_events or concerned:
                subscription.pump()

    def step(self) -> None:
        """Let every channel speak whose turn it is; in maintenance only the platform's."""
        silent = self._backend.exchange.platform is PlatformState.MAINTENANCE
        now_ns = self._backend.exchange.now_ns
        for subscription in list(self._subscriptions.values()):
            if silent and not subscription.hears_events:
                continue
            if subscription.is_due(now_ns):
                subscription.pump()


def _instrument_of(event: ExchangeEvent) -> str | None:
    match event:
        case OrderChanged(order=order):
            return order.instrument_id
        case PublicTrade():
            return event.instrument_id
    return None
