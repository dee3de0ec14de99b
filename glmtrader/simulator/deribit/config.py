"""Settings of the Deribit server: limits, timings, and the venue's published rate limits."""

import msgspec

from glmtrader.domain.instruments import SECOND_NS


class CreditPool(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of Deribit's credit pools: every request costs, credits come back over time."""

    cost: float
    credits_max: float
    refill_per_s: float


class RateLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Deribit's published defaults of the lowest tier, for each account (or address).

    Attributes:
        matching: orders, edits and cancels: bursts of 20, 5 a second.
        other: everything else: bursts of 100, 20 a second.
        subscribing: subscribe and unsubscribe.
        instruments: `public/get_instruments`. transactions: `private/get_transaction_log`.
    """

    matching: CreditPool = CreditPool(cost=1, credits_max=20, refill_per_s=5)
    other: CreditPool = CreditPool(cost=500, credits_max=50_000, refill_per_s=10_000)
    subscribing: CreditPool = CreditPool(cost=3_000, credits_max=30_000, refill_per_s=10_000)
    instruments: CreditPool = CreditPool(cost=10_000, credits_max=500_000, refill_per_s=10_000)
    transactions: CreditPool = CreditPool(cost=10_000, credits_max=80_000, refill_per_s=10_000)


class ServerConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the server behaves; times are of the process clock.

    Attributes:
        step_ms: between two steps of the market, and of the `100ms` channels.
        rate_limits: None enforces none.
        signature_age_ms_max: of a signed request; None accepts any (a scaled clock is not the
            client's clock).
        token_life_s: of an access token; refresh tokens live `refresh_life_s`.
        heartbeat_s_min: the shortest interval a client may ask for.
        inactivity_s_max: a connection that asked for cancel-on-disconnect and says nothing for so
            long counts as gone.
        queue_frames_max: frames waiting for a slow reader; one more and it is disconnected.
        body_bytes_max: of a request or WebSocket message.
        connections_max: WebSocket connections at once. channels_max: of one connection.
        delayed_max: requests that faults hold at once.
        testnet: what every reply says; a simulation is not the real venue.
    """

    step_ms: float = 100.0
    rate_limits: RateLimits | None = RateLimits()
    signature_age_ms_max: int | None = 60_000
    token_life_s: float = 900.0
    refresh_life_s: float = 7 * 86_400.0
    heartbeat_s_min: float = 10.0
    inactivity_s_max: float = 600.0
    queue_frames_max: int = 4_096
    body_bytes_max: int = 256 * 1024
    connections_max: int = 32
    channels_max: int = 2_000
    delayed_max: int = 100
    testnet: bool = True

    @property
    def step_ns(self) -> int:
        """The step in nanoseconds."""
        return round(self.step_ms * SECOND_NS / 1_000)
