"""The listening side: what `loop.create_server` returns in a simulation."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from glmtrader.kernel.simloop.addresses import SimSocket
from glmtrader.kernel.simloop.network import SimNetwork
from glmtrader.kernel.simloop.scheduler import VirtualTimeLoop
from glmtrader.kernel.simloop.transport import SimTransport


class SimServer(asyncio.AbstractServer):
    """Accepts connections on ports of simulated hosts.

    Args:
        loop: The loop that runs the protocols.
        network: Where the ports are.
        protocol_factory: Makes one protocol for each connection.
        places: Host names and ports to listen on.
        sslcontext: Shown to the protocols as the extra of that name; nothing is encrypted.
    """

    def __init__(
        self,
        loop: VirtualTimeLoop,
        network: SimNetwork,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        places: tuple[tuple[str, int], ...],
        sslcontext: Any,
    ) -> None:
        self._loop = loop
        self._network = network
        self._protocol_factory = protocol_factory
        self._places = places
        self._sslcontext = sslcontext
        self._bound: list[tuple[str, int]] = []
        self._accepted: dict[SimTransport, None] = {}
        self._waiters: list[asyncio.Future[None]] = []
        self.sockets: tuple[SimSocket, ...] = ()

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop of this server."""
        return self._loop

    def is_serving(self) -> bool:
        """Tell whether connections are accepted."""
        return bool(self._bound)

    def listen(self) -> None:
        """Bind the ports; a second call does nothing.

        Raises:
            OSError: A port is taken.
        """
        if self._bound:
            return
        sockets = []
        for host, port in self._places:
            address = self._network.listen(host, port, self._accept)
            self._bound.append((host, address[1]))
            sock = SimSocket()
            sock.bind(address)
            sockets.append(sock)
        self.sockets = tuple(sockets)

    async def start_serving(self) -> None:
        """Bind the ports."""
        self.listen()

    async def serve_forever(self) -> None:
        """Serve until cancelled."""
        self.listen()
        try:
            await self._loop.create_future()
        finally:
            self.close()
            await self.wait_closed()

    def close(self) -> None:
        """Accept nothing more; open connections go on."""
        for host, port in self._bound:
            self._network.unlisten(host, port)
        self._bound.clear()
        self.sockets = ()
        self._wake_if_done()

    async def wait_closed(self) -> None:
        """Wait until the server is closed and its last connection is gone (as Python 3.12 does)."""
        if self._bound or self._accepted:
            waiter = self._loop.create_future()
            self._waiters.append(waiter)
            await waiter

    def close_clients(self) -> None:
        """Close every accepted connection."""
        for transport in tuple(self._accepted):
            transport.close()

    def abort_clients(self) -> None:
        """Reset every accepted connection."""
        for transport in tuple(self._accepted):
            transport.abort()

    def _accept(self, transport: SimTransport) -> None:
        self._accepted[transport] = None
        transport.notify_lost(partial(self._forget, transport))
        transport.begin(self._protocol_factory(), self._sslcontext)

    def _forget(self, transport: SimTransport) -> None:
        self._accepted.pop(transport, None)
        self._wake_if_done()

    def _wake_if_done(self) -> None:
        if self._bound or self._accepted:
            return
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
