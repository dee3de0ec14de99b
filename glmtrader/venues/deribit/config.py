"""What of the Deribit connection is configuration: addresses, credentials, intervals, limits.

Defaults are the real venue's addresses and published limits; every number carries its unit.
"""

from typing import Annotated, Final

import msgspec

from glmtrader.config.secret import Secret
from glmtrader.domain.validation import require

PRODUCTION_WS_URL: Final = "wss://www.deribit.com/ws/api/v2"
PRODUCTION_REST_URL: Final = "https://www.deribit.com"
TESTNET_WS_URL: Final = "wss://test.deribit.com/ws/api/v2"
TESTNET_REST_URL: Final = "https://test.deribit.com"

CANDLE_MINUTES: Final = (1, 3, 5, 10, 15, 30, 60, 120, 180, 360, 720)
"""Bar lengths that the venue keeps."""

Positive = Annotated[float, msgspec.Meta(gt=0)]
PositiveInt = Annotated[int, msgspec.Meta(gt=0)]


class DeribitCredentials(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An API key; scopes needed: `account:read trade:read_write`, never a withdrawal scope."""

    client_id: str
    client_secret: Secret


class DeribitLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Credits by kind of request; the published limits of the lowest tier.

    Attributes:
        orders_per_s, orders_burst: requests that reach the matching engine.
        subscribes_per_s, subscribes_burst: subscribing and leaving.
        requests_per_s, requests_burst: all others, on the WebSocket and over REST each.
        logs_per_s, logs_burst: readings of the transaction log.
        listings_per_s, listings_burst: readings of the instrument list.
        pause_s: no new order for this long after the venue said `too_many_requests`.
        pending_max: requests without an answer; beyond it new ones are refused here.
        send_queue_max: frames waiting for the socket.
        channels_per_request_max: channels in one subscribe request.
    """

    orders_per_s: Positive = 5.0
    orders_burst: PositiveInt = 20
    subscribes_per_s: Positive = 3.0
    subscribes_burst: PositiveInt = 10
    requests_per_s: Positive = 20.0
    requests_burst: PositiveInt = 100
    logs_per_s: Positive = 1.0
    logs_burst: PositiveInt = 8
    listings_per_s: Positive = 1.0
    listings_burst: PositiveInt = 50
    pause_s: Positive = 10.0
    pending_max: PositiveInt = 1024
    send_queue_max: PositiveInt = 1024
    channels_per_request_max: PositiveInt = 100


class DeribitTimeouts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long to wait, in seconds.

    Attributes:
        heartbeat_s: interval asked of the venue, which allows no less than 10.
        silence_s: without any frame for this long, the connection is dead.
        accept_delay_max_s: the venue accepts no order later than this after it was sent; orders
            carry a `valid_until` at least `accept_margin_s` before that.
        reconnect_min_s, reconnect_max_s: back-off between attempts, doubling.
    """

    connect_s: Positive = 10.0
    request_s: Positive = 5.0
    order_s: Positive = 4.0
    rest_s: Positive = 10.0
    heartbeat_s: Annotated[int, msgspec.Meta(ge=10)] = 10
    silence_s: Positive = 15.0
    accept_delay_max_s: Positive = 12.0
    accept_margin_s: Positive = 2.0
    reconnect_min_s: Positive = 0.5
    reconnect_max_s: Positive = 30.0


class DeribitConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One account at Deribit.

    Attributes:
        account_id: name of the account in this system.
        underlyings: coins whose inverse options and perpetual are followed.
        currencies: settlement currencies reconciled; None takes the underlyings.
        credentials: None connects for public market data alone; orders are then never sent.
        proxy_url: `http://` or `socks5://`, for WebSocket and REST alike.
        chain_interval_s: between two snapshots of a chain.
        instruments_interval_s: between two looks at what is listed.
        candle_interval_s, candle_history_days: bars published at start and afterwards; 0 days
            publishes none.
        perpetual_books: follow the perpetual's order book, gap-checked, beside its ticker.
    """

    account_id: str = "deribit-main"
    ws_url: str = PRODUCTION_WS_URL
    rest_url: str = PRODUCTION_REST_URL
    underlyings: tuple[str, ...] = ("BTC",)
    currencies: tuple[str, ...] | None = None
    credentials: DeribitCredentials | None = None
    proxy_url: str | None = None
    chain_interval_s: Positive = 5.0
    instruments_interval_s: Positive = 300.0
    candle_interval_s: PositiveInt = 300
    candle_history_days: Annotated[int, msgspec.Meta(ge=0, le=60)] = 10
    perpetual_books: bool = False
    limits: DeribitLimits = DeribitLimits()
    timeouts: DeribitTimeouts = DeribitTimeouts()

    def __post_init__(self) -> None:
        require(*((False, fault) for fault in _faults(self)))

    @property
    def settlement_currencies(self) -> tuple[str, ...]:
        """Currencies whose trades, cash flows and balances are reconciled."""
        return self.underlyings if self.currencies is None else self.currencies


def _faults(config: DeribitConfig) -> list[str]:
    faults = []
    if not config.underlyings:
        faults.append("underlyings is empty: name at least one coin, for example BTC")
    if not config.ws_url.startswith(("ws://", "wss://")):
        faults.append(f"ws_url {config.ws_url!r} must start with wss:// or ws://")
    if not config.rest_url.startswith(("http://", "https://")):
        faults.append(f"rest_url {config.rest_url!r} must start with https:// or http://")
    proxy = config.proxy_url
    if proxy is not None and not proxy.startswith(("http://", "socks5://")):
        faults.append("proxy_url must start with http:// or socks5://")
    if config.candle_interval_s not in [60 * minutes for minutes in CANDLE_MINUTES]:
        faults.append(f"candle_interval_s {config.candle_interval_s} is none of the venue's bars")
    times = config.timeouts
    if times.accept_margin_s >= times.accept_delay_max_s:
        faults.append("accept_margin_s must be less than accept_delay_max_s")
    if times.silence_s <= times.heartbeat_s:
        faults.append("silence_s must be more than heartbeat_s, or quiet markets disconnect")
    return faults
