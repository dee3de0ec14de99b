"""What makes a connection fit for trading, in order: time, identity, heartbeat, dead man's switch.

Cancel-on-disconnect covers only orders of this very connection and fires on a closed TCP
connection or a missed heartbeat, not on a logout; it is armed and then read back, and without it
no order leaves. Never run against the real venue: renewal of the authentication before it
expires follows its description.
"""

from collections.abc import Callable
from typing import Any, Final, NoReturn

from glmtrader.domain.instruments import SECOND_NS
from glmtrader.errors import ProtocolError, VenueRefusedError, VenueUnavailableError
from glmtrader.kernel.clock import Clock
from glmtrader.kernel.ids import secret_token
from glmtrader.venues.deribit.account_frames import AuthReply, CancelOnDisconnect
from glmtrader.venues.deribit.config import DeribitConfig, DeribitCredentials
from glmtrader.venues.deribit.names import MS_NS
from glmtrader.venues.deribit.outbox import Lane
from glmtrader.venues.deribit.session import Session
from glmtrader.venues.deribit.signing import auth_params

CLOCK_SAMPLES: Final = 3
CLOCK_REFRESH_S: Final = 60.0
CLOCK_MOVE_NS: Final = 100_000_000
TOKEN_LIFE_USED: Final = 0.8
"""Authenticate again after this fraction of the token's life."""


async def measure_clock(session: Session, clock: Clock) -> int:
    """Venue time minus ours in ns, from the fastest of a few exchanges; kept in the session."""
    best_trip_ns, best_offset_ns = None, 0
    for _ in range(CLOCK_SAMPLES):
        asked_ns = clock.now_ns()
        venue_ms = await session.call("public/get_time", {}, int, lane=Lane.URGENT)
        trip_ns = clock.now_ns() - asked_ns
        if best_trip_ns is None or trip_ns < best_trip_ns:
            best_trip_ns = trip_ns
            venue_ns = venue_ms * MS_NS + MS_NS // 2
            best_offset_ns = venue_ns - (asked_ns + trip_ns // 2)
    session.clock_offset_ns = best_offset_ns
    return best_offset_ns


async def open_session(session: Session, config: DeribitConfig, clock: Clock) -> float | None:
    """Bring a fresh connection to the point where it may trade.

    Returns:
        Seconds until the authentication should be renewed; None without credentials.

    Raises:
        VenueRefusedError: wrong credentials or scope, or no cancel-on-disconnect.
    """
    await measure_clock(session, clock)
    heartbeat = {"interval": config.timeouts.heartbeat_s}
    await session.call("public/set_heartbeat", heartbeat, Any, lane=Lane.URGENT)
    if config.credentials is None:
        return None
    renew_s = await authenticate(session, config.credentials, clock)
    await _arm_dead_mans_switch(session)
    return renew_s


async def authenticate(session: Session, credentials: DeribitCredentials, clock: Clock) -> float:
    """Prove who we are; returns after how many seconds to do it again."""
    now_ms = (clock.now_ns() + (session.clock_offset_ns or 0)) // MS_NS
    params = auth_params(credentials, timestamp_ms=now_ms, nonce=secret_token(8))
    try:
        reply = await session.call("public/auth", params, AuthReply, lane=Lane.URGENT)
    except VenueRefusedError as error:
        raise VenueRefusedError(
            f"Deribit does not accept client id {credentials.client_id!r}: {error};"
            " check the key, its secret and whether it belongs to this network",
            code=error.code,
        ) from error
    return reply.expires_in * TOKEN_LIFE_USED


async def keep_session(
    session: Session,
    config: DeribitConfig,
    clock: Clock,
    *,
    renew_s: float | None,
    on_clock: Callable[[], None],
) -> NoReturn:
    """Refresh the clock offset and, in time, the authentication, for as long as it lives.

    Args:
        session: an open one.
        config: with the credentials, if any.
        clock: our clock.
        renew_s: until the authentication should be renewed; None without credentials.
        on_clock: called when the offset has moved by more than `CLOCK_MOVE_NS`.
    """
    told_ns = session.clock_offset_ns or 0
    renew_at_ns = None if renew_s is None else clock.now_ns() + round(renew_s * SECOND_NS)
    while True:
        await clock.sleep(CLOCK_REFRESH_S)
        offset_ns = await measure_clock(session, clock)
        if abs(offset_ns - told_ns) > CLOCK_MOVE_NS:
            told_ns = offset_ns
            on_clock()
        if config.credentials is None or renew_at_ns is None or clock.now_ns() < renew_at_ns:
            continue
        renew_s = await authenticate(session, config.credentials, clock)
        renew_at_ns = clock.now_ns() + round(renew_s * SECOND_NS)


async def _arm_dead_mans_switch(session: Session) -> None:
    scope = {"scope": "connection"}
    try:
        await session.call("private/enable_cancel_on_disconnect", scope, Any, lane=Lane.URGENT)
        armed = await session.call(
            "private/get_cancel_on_disconnect", scope, CancelOnDisconnect, lane=Lane.URGENT
        )
    except ProtocolError as error:
        raise VenueUnavailableError(f"cancel-on-disconnect cannot be verified: {error}") from error
    if not armed.enabled or armed.scope != "connection":
        raise VenueRefusedError(
            f"cancel-on-disconnect is {'on' if armed.enabled else 'off'} for scope"
            f" {armed.scope!r} after arming it: not trading without it",
            code="cancel_on_disconnect",
        )
