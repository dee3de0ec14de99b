"""The in-memory stream transport: an `asyncio.Transport` between two simulated hosts."""

import asyncio
import errno
import os
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any

from glmtrader.kernel.simloop.errors import SimUnsupportedError
from glmtrader.kernel.simloop.pipe import Mark, Pipe
from glmtrader.kernel.simloop.scheduler import VirtualTimeLoop

HIGH_WATER_BYTES = 65_536


class SimTransport(asyncio.Transport):
    """One end of a connection.

    `outgoing` and `incoming` are set by the connection that creates both ends. TLS is passed
    through: a context handed to the loop is only shown as the extra `sslcontext`.
    """

    outgoing: Pipe
    incoming: Pipe
    _extra: dict[str, Any]

    def __init__(
        self,
        loop: VirtualTimeLoop,
        extra: dict[str, Any],
        context: Context | None,
        on_lost: Callable[[], None],
    ) -> None:
        super().__init__(extra)
        self._loop = loop
        self._context = context or copy_context()
        self._on_lost = [on_lost]
        self._protocol: asyncio.Protocol | None = None
        self._is_open = False
        self._is_closing = False
        self._is_lost = False
        self._is_reading = True
        self._is_write_paused = False
        self._high_bytes = HIGH_WATER_BYTES
        self._low_bytes = HIGH_WATER_BYTES // 4

    def notify_lost(self, callback: Callable[[], None]) -> None:
        """Call `callback` when the connection is lost, before the protocol hears of it."""
        self._on_lost.append(callback)

    def begin(self, protocol: asyncio.BaseProtocol, sslcontext: Any) -> asyncio.Future[None]:
        """Attach the protocol; the future is done once it saw `connection_made`."""
        self.secure(sslcontext)
        self.set_protocol(protocol)
        made = self._loop.create_future()
        self._loop.call_soon(self._make, made, context=self._context)
        return made

    def _make(self, made: asyncio.Future[None]) -> None:
        assert self._protocol is not None, "begin() attached the protocol"
        self._protocol.connection_made(self)
        self._is_open = True
        self.incoming.resume()
        if not made.done():
            made.set_result(None)

    def secure(self, sslcontext: Any) -> None:
        """Show a TLS context to the protocol; the bytes stay as they are."""
        self._extra["sslcontext"] = sslcontext

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand what arrives from now on to `protocol`.

        Raises:
            SimUnsupportedError: It is not a plain streaming protocol.
        """
        if not isinstance(protocol, asyncio.Protocol):
            raise SimUnsupportedError(f"{type(protocol).__name__} is not an asyncio.Protocol")
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the attached protocol."""
        assert self._protocol is not None, "a transport is handed out with its protocol"
        return self._protocol

    def is_closing(self) -> bool:
        """Tell whether the end is closed or closing."""
        return self._is_closing

    def is_reading(self) -> bool:
        """Tell whether the protocol receives data."""
        return self._is_reading and not self._is_closing

    def pause_reading(self) -> None:
        """Stop delivering; the peer's window fills."""
        self._is_reading = False

    def resume_reading(self) -> None:
        """Deliver again."""
        if not self._is_reading:
            self._is_reading = True
            self.incoming.resume()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set when the protocol is told to pause and to resume writing."""
        if high is None:
            high = HIGH_WATER_BYTES if low is None else 4 * low
        self._high_bytes = high
        self._low_bytes = high // 4 if low is None else low
        if not self._high_bytes >= self._low_bytes >= 0:
            raise ValueError(f"limits must be high >= low >= 0, got {high} and {low}")

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Return the low and the high limit."""
        return self._low_bytes, self._high_bytes

    def get_write_buffer_size(self) -> int:
        """Return the bytes that wait for the window."""
        return self.outgoing.backlog_bytes

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes; on a closing end they go nowhere, as in asyncio."""
        if self._is_closing or not data:
            return
        self.outgoing.write(bytes(data))
        if not self._is_write_paused and self.outgoing.backlog_bytes > self._high_bytes:
            self._is_write_paused = True
            self.get_protocol().pause_writing()

    def can_write_eof(self) -> bool:
        """Tell that half-closing works, except under TLS, which has none."""
        return self._extra.get("sslcontext") is None

    def write_eof(self) -> None:
        """Send an end of stream and keep reading."""
        self.outgoing.finish()

    def close(self) -> None:
        """Send what is buffered and an end of stream, then lose the connection."""
        if self._is_closing:
            return
        self._is_closing = True
        self.outgoing.finish()
        self.sent_more()
        self.incoming.resume()

    def abort(self) -> None:
        """Reset the connection."""
        if self._is_lost:
            return
        self.outgoing.reset()
        self.lose(None)

    def lose(self, error: Exception | None) -> None:
        """Tell the protocol, once, that the connection is gone."""
        self._is_closing = True
        if self._is_lost:
            return
        self._is_lost = True
        self.outgoing.discard_backlog()
        self._loop.call_soon(self._tell_lost, error, context=self._context)

    def vanish(self) -> None:
        """End without a word to the local protocol: its process is dead."""
        self._protocol = None
        self.abort()

    def drop(self) -> None:
        """End because the simulation has: no byte leaves and nobody is told."""
        self._is_closing = self._is_lost = True
        self._protocol = None

    def _tell_lost(self, error: Exception | None) -> None:
        self._is_open = True
        self.incoming.resume()
        for callback in self._on_lost:
            callback()
        if self._protocol is not None:
            self._protocol.connection_lost(error)

    def is_receiving(self) -> bool:
        """Tell the incoming pipe whether to deliver; a closing end reads and discards."""
        return (self._is_open and self._is_reading) or self._is_closing

    def receive(self, data: bytes) -> None:
        """Hand arriving bytes to the protocol; a dead end answers with a reset."""
        if self._is_lost:
            self.outgoing.reset()
        elif not self._is_closing:
            assert self._protocol is not None, "is_receiving() is false before begin()"
            self._context.run(self._protocol.data_received, data)

    def receive_mark(self, mark: Mark) -> None:
        """Act on an end of stream or a reset."""
        if mark is Mark.RST:
            self.lose(ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)))
        elif not self._is_closing:
            assert self._protocol is not None, "is_receiving() is false before begin()"
            if not self._context.run(self._protocol.eof_received):
                self.close()

    def sent_more(self) -> None:
        """Resume the writer, or finish closing, after the buffer shrank."""
        waiting_bytes = self.outgoing.backlog_bytes
        if self._is_closing:
            if not waiting_bytes:
                self.lose(None)
        elif self._is_write_paused and waiting_bytes <= self._low_bytes:
            self._is_write_paused = False
            self._context.run(self.get_protocol().resume_writing)

    def timed_out(self) -> None:
        """Lose the connection because bytes stayed unacknowledged."""
        self.lose(TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)))
