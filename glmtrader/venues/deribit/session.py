"""One WebSocket to Deribit: from connecting to its end, requests and notifications on it.

An error frame, an unknown method or a malformed frame is counted and never ends the receive
loop; silence does. What makes a connection fit for trading is the handshake's business
(`handshake.py`); connecting again is the caller's.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NoReturn, TypeVar

import aiohttp
import msgspec

from glmtrader.domain.instruments import SECOND_NS
from glmtrader.errors import ProtocolError, VenueError, VenueRefusedError, VenueUnavailableError
from glmtrader.kernel.clock import Clock
from glmtrader.venues.deribit.config import DeribitConfig
from glmtrader.venues.deribit.counters import Counters
from glmtrader.venues.deribit.frames import Envelope, RpcError
from glmtrader.venues.deribit.limits import OrderLimiter
from glmtrader.venues.deribit.order_codec import TOO_MANY_REQUESTS, TRANSIENT_CODES
from glmtrader.venues.deribit.outbox import Lane, Outbox, OutgoingFrame
from glmtrader.venues.deribit.rpc import (
    Answered,
    OnReply,
    PendingRequests,
    Refused,
    Reply,
    Unanswered,
)

FRAME_BYTES_MAX: Final = 16 * 1024 * 1024
CLOSE_WAIT_S: Final = 1.0

WITHDRAWN: Final = "not sent: cancelled before it left"
"""Why a withdrawn order was never sent."""

T = TypeVar("T")
OnNotification = Callable[[str, msgspec.Raw], None]

_decode_envelope = msgspec.json.Decoder(Envelope).decode
_encode = msgspec.json.Encoder(decimal_format="number").encode


class Session:
    """The connection that carries market data, private streams and orders.

    Args:
        on_notification: gets channel and undecoded data of each subscription frame; what it
            raises ends the connection.
    """

    def __init__(
        self,
        config: DeribitConfig,
        *,
        clock: Clock,
        limiter: OrderLimiter,
        counters: Counters,
        on_notification: OnNotification,
    ) -> None:
        self._config = config
        self._clock = clock
        self._limiter = limiter
        self._counters = counters
        self._on_notification = on_notification
        self._pending = PendingRequests(clock, capacity=config.limits.pending_max)
        self._outbox = Outbox(
            config.limits, limiter, clock=clock, on_sent=self._sent, on_dropped=self._dropped
        )
        self._open = False
        self._last_frame_ns = clock.now_ns()
        self.ready = False
        """Fit for orders; set by the handshake, cleared when the connection ends."""
        self.clock_offset_ns: int | None = None
        """Venue time minus ours, as last measured; it outlives a connection."""

    def send(
        self,
        method: str,
        params: Mapping[str, object],
        on_reply: OnReply,
        *,
        lane: Lane = Lane.REQUEST,
        timeout_s: float | None = None,
        sendable_until_ns: int | None = None,
    ) -> int | None:
        """Encode a request and queue it; `on_reply` is called, perhaps before this returns.

        Args:
            method: of the venue's JSON-RPC.
            params: its parameters; a Decimal becomes a number with the same digits.
            on_reply: gets the answer, the refusal, or `Unanswered`.
            lane: how it leaves.
            timeout_s: how long an answer may take, from the write; None takes the default.
            sendable_until_ns: drop it unsent when it could not leave by then.

        Returns:
            The request's id while it is queued; None where it was given up at once.
        """
        request_id = self._pending.register(method, on_reply)
        if request_id is None:
            on_reply(Unanswered(f"not sent: {len(self._pending)} requests pend", sent=False))
            return None
        if not self._open or (lane is Lane.ORDER and not self.ready):
            self._pending.drop(request_id, "not sent: not connected")
            return None
        body = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
        self._outbox.put(
            OutgoingFrame(
                request_id=request_id,
                payload=_encode(body).decode(),
                lane=lane,
                timeout_s=timeout_s or self._config.timeouts.request_s,
                sendable_until_ns=sendable_until_ns,
            )
        )
        return request_id

    def withdraw_orders(self, request_id: int | None = None) -> int:
        """Take back one order that has not left yet, or all of them; how many those were."""
        return self._outbox.withdraw_orders(request_id, WITHDRAWN)

    async def call(
        self, method: str, params: Mapping[str, object], result: type[T], *, lane: Lane
    ) -> T:
        """Ask and wait for the decoded result.

        Raises:
            VenueRefusedError: the venue said no. VenueUnavailableError: it said nothing, or
                something that another try may change. ProtocolError: its result is no `result`.
        """
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self.send(method, params, lambda reply: _settle(answer, reply), lane=lane)
        return decode_reply(method, await answer, result)

    async def run(self, http: aiohttp.ClientSession, serve: Callable[[], Awaitable[None]]) -> None:
        """Connect, then run `serve` (the handshake and what follows) beside the loops.

        Raises:
            VenueUnavailableError: the connection could not be made or ended; always, in the end.
            VenueRefusedError: the venue does not let us in; trying again changes nothing.
            ProtocolError: frames that must not be lost could not be read.
        """
        socket = await self._connect(http)
        self._open = True
        self._last_frame_ns = self._clock.now_ns()
        cause = "cancelled"
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._receive(socket))
                group.create_task(self._outbox.run(lambda text: self._write(socket, text)))
                group.create_task(self._watch_silence())
                group.create_task(_as_task(serve))
        except BaseExceptionGroup as failures:
            error = first_cause(failures)
            cause = str(error)
            raise error from failures
        finally:
            self._open = self.ready = False
            self._outbox.clear(f"not sent: connection ended ({cause})")
            self._pending.drop_all(f"connection ended ({cause})")
            await self._close(socket)

    async def _connect(self, http: aiohttp.ClientSession) -> aiohttp.ClientWebSocketResponse:
        connect_s = self._config.timeouts.connect_s
        try:
            async with asyncio.timeout(connect_s):
                return await http.ws_connect(
                    self._config.ws_url,
                    max_msg_size=FRAME_BYTES_MAX,
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_WAIT_S),
                )
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            reason = f"{type(error).__name__} {error}".strip()
            raise VenueUnavailableError(
                f"cannot connect to {self._config.ws_url} within {connect_s:g} s: {reason}"
            ) from error

    async def _close(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        try:
            async with asyncio.timeout(CLOSE_WAIT_S):
                await socket.close()
        except (aiohttp.ClientError, OSError, TimeoutError):
            self._counters.count("close_unfinished")

    async def _write(self, socket: aiohttp.ClientWebSocketResponse, text: str) -> None:
        try:
            await socket.send_str(text)
        except (aiohttp.ClientError, OSError) as error:
            raise VenueUnavailableError(f"cannot write: {error}") from error

    async def _receive(self, socket: aiohttp.ClientWebSocketResponse) -> NoReturn:
        async for message in socket:
            self._last_frame_ns = self._clock.now_ns()
            if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                self.take_frame(message.data)
            else:
                raise VenueUnavailableError(f"socket error: {message.data}")
        raise VenueUnavailableError(f"the venue closed the connection, code {socket.close_code}")

    async def _watch_silence(self) -> NoReturn:
        silence_ns = round(self._config.timeouts.silence_s * SECOND_NS)
        while True:
            left_ns = self._last_frame_ns + silence_ns - self._clock.now_ns()
            if left_ns <= 0:
                raise VenueUnavailableError(
                    f"no frame for {self._config.timeouts.silence_s:g} s: the connection is dead"
                )
            await self._clock.sleep(left_ns / SECOND_NS)

    def take_frame(self, text: str | bytes) -> None:
        """Dispatch one frame; only a failing notification handler gets out of here."""
        try:
            envelope = _decode_envelope(text)
        except msgspec.MsgspecError as error:
            self._counters.warn("frame_malformed", f"{error}: {text[:200]!r}")
            return
        params = envelope.params
        if envelope.method is None:
            self._take_reply(envelope)
        elif envelope.method == "subscription" and params is not None:
            self._on_notification(params.channel, params.data)
        elif envelope.method == "heartbeat":
            if params is not None and params.type == "test_request":
                self.send("public/test", {}, _ignore, lane=Lane.URGENT)
        else:
            self._counters.warn(f"method_unknown:{envelope.method}", repr(text[:200]))

    def _take_reply(self, envelope: Envelope) -> None:
        error = envelope.error
        if error is not None and error.code == TOO_MANY_REQUESTS:
            self._counters.warn("too_many_requests", error.words())
            self._limiter.too_many_requests(self._clock.now_ns())
        reply = Answered(envelope.result) if error is None else Refused(error)
        if envelope.id is None or not self._pending.answer(envelope.id, reply):
            words = "" if error is None else error.words()
            self._counters.warn("reply_unclaimed", f"id {envelope.id} {words}")

    def _sent(self, frame: OutgoingFrame) -> None:
        self._pending.mark_sent(frame.request_id, timeout_s=frame.timeout_s)

    def _dropped(self, frame: OutgoingFrame, reason: str) -> None:
        self._pending.drop(frame.request_id, reason)


def decode_reply(method: str, reply: Reply, result: type[T]) -> T:
    """The decoded result of a reply, or the error that it stands for."""
    if isinstance(reply, Unanswered):
        raise VenueUnavailableError(f"{method}: {reply.reason}")
    if isinstance(reply, Refused):
        raise refusal(method, reply.error)
    try:
        return msgspec.json.decode(reply.result, type=result)
    except msgspec.MsgspecError as error:
        raise ProtocolError(f"{method}: cannot read the result: {error}") from error


def refusal(method: str, error: RpcError) -> VenueError:
    """A refusal as an exception: final, or one that time may change."""
    words = f"{method}: the venue refused: {error.words()}"
    if error.code in TRANSIENT_CODES:
        return VenueUnavailableError(words)
    return VenueRefusedError(words, code=str(error.code))


def _settle(answer: "asyncio.Future[Reply]", reply: Reply) -> None:
    if not answer.done():
        answer.set_result(reply)


def _ignore(_reply: Reply) -> None:
    """The answer to a heartbeat test says nothing that its arrival did not."""


async def _as_task(serve: Callable[[], Awaitable[None]]) -> None:
    await serve()


def first_cause(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The failure to report: a bug first, then a refusal, then whatever ended the connection."""
    leaves = _leaves(failures)
    if not all(isinstance(leaf, VenueError) for leaf in leaves):
        return failures
    ranks = (VenueRefusedError, ProtocolError, VenueUnavailableError, VenueError)
    return min(leaves, key=lambda leaf: [isinstance(leaf, rank) for rank in ranks].index(True))


def _leaves(failures: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    leaves: list[BaseException] = []
    for failure in failures.exceptions:
        leaves.extend(_leaves(failure) if isinstance(failure, BaseExceptionGroup) else [failure])
    return leaves
