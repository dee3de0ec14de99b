"""The simulated event loop: virtual time with in-memory servers, connections and name look-ups."""

import asyncio
import signal
import socket
from collections.abc import Callable, Sequence
from typing import Any, TypeVarTuple

from glmtrader.kernel.simloop.addresses import (
    ANY_ADDRESSES,
    LOOPBACK_ADDRESSES,
    Address,
    SimSocket,
)
from glmtrader.kernel.simloop.clock import SimClock
from glmtrader.kernel.simloop.errors import SimUnsupportedError
from glmtrader.kernel.simloop.network import SimNetwork
from glmtrader.kernel.simloop.scheduler import VirtualTimeLoop
from glmtrader.kernel.simloop.server import SimServer
from glmtrader.kernel.simloop.transport import SimTransport

Ts = TypeVarTuple("Ts")
ProtocolFactory = Callable[[], asyncio.BaseProtocol]


class SimLoop(VirtualTimeLoop):
    """An asyncio loop without a socket, a thread or a wait, the same in every run of a seed.

    TLS is passed through: contexts are accepted, shown to the protocols, and encrypt nothing.
    Datagrams, pipes, child processes and raw descriptors are refused with `SimUnsupportedError`.

    Args:
        seed: Seeds the network and, where asked for, the order of task steps.
        start_ns: UTC nanoseconds at which the simulation begins.
        network: The network; one of `seed` with default links where absent.
        clock: The clock; a new one from `start_ns` where absent.
        permute_task_steps: See `VirtualTimeLoop`.
        step_cost_ns: See `VirtualTimeLoop`.
        gc_interval_iterations: See `VirtualTimeLoop`.
    """

    def __init__(
        self,
        seed: int,
        start_ns: int,
        *,
        network: SimNetwork | None = None,
        clock: SimClock | None = None,
        permute_task_steps: bool = False,
        step_cost_ns: int = 0,
        gc_interval_iterations: int = 0,
    ) -> None:
        super().__init__(
            seed,
            clock or SimClock(start_ns),
            permute_task_steps=permute_task_steps,
            step_cost_ns=step_cost_ns,
            gc_interval_iterations=gc_interval_iterations,
        )
        assert self.clock.start_ns == start_ns, "the clock handed in starts elsewhere"
        self.network = network or SimNetwork(seed)
        self.network.attach(self)
        self._signal_handlers_by_number: dict[int, tuple[Callable[..., object], Any]] = {}

    async def getaddrinfo(  # type: ignore[override]  # typeshed's tuple of five is a union of kinds
        self, host: Any, port: Any, **_hints: Any
    ) -> list[tuple[socket.AddressFamily, socket.SocketKind, int, str, Address]]:
        """Look a simulated host name up.

        Raises:
            socket.gaierror: No such host.
        """
        name = _text(host)
        own = self.network.current_host()
        await self.wait_ns(self.network.link(own, "dns").latency_ns())
        address = (self.network.names.resolve(name), int(port or 0))
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address)]

    async def getnameinfo(self, sockaddr: Any, flags: int = 0) -> tuple[str, str]:  # noqa: ARG002 - asyncio's signature
        """Return the host name and the port of an address."""
        own = self.network.current_host()
        return self.network.names.host_of(sockaddr[0], local=own), str(sockaddr[1])

    async def sock_connect(self, sock: Any, address: Any) -> None:
        """Connect a `SimSocket`.

        Raises:
            OSError: Unreachable, refused or timed out.
            SimUnsupportedError: The socket is a real one.
        """
        if not isinstance(sock, SimSocket):
            raise SimUnsupportedError(
                f"{type(sock).__name__} is a real socket: make it after the simulation has begun"
            )
        transport = await self.network.connect((address[0], address[1]))
        sock.endpoint = transport
        sock.local = transport.get_extra_info("sockname")
        sock.remote = transport.get_extra_info("peername")

    async def create_connection(
        self,
        protocol_factory: ProtocolFactory,
        host: str | None = None,
        port: int | None = None,
        *,
        ssl: Any = None,
        sock: Any = None,
        **_options: Any,
    ) -> tuple[SimTransport, Any]:
        """Connect to a simulated host, or take a connected `SimSocket` over.

        Raises:
            OSError: The host is unknown, unreachable, refuses or does not answer.
        """
        if sock is None:
            found = await self.getaddrinfo(host, port)
            sock = SimSocket()
            await self.sock_connect(sock, found[0][4])
        transport, sock.endpoint = sock.endpoint, None
        assert isinstance(transport, SimTransport), "the socket handed in is not connected"
        protocol = protocol_factory()
        await transport.begin(protocol, ssl or None)
        return transport, protocol

    async def create_server(  # type: ignore[override]  # typeshed overloads host against sock
        self,
        protocol_factory: ProtocolFactory,
        host: str | Sequence[str] | None = None,
        port: int | None = None,
        *,
        ssl: Any = None,
        sock: Any = None,
        start_serving: bool = True,
        **_options: Any,
    ) -> SimServer:
        """Listen on a port of simulated hosts; no host, or a loopback, means the current one.

        Raises:
            OSError: The port is taken.
            SimUnsupportedError: A socket was handed in.
        """
        if sock is not None:
            raise SimUnsupportedError("a simulated server takes a host and a port, not a socket")
        hosts = [host] if host is None or isinstance(host, str) else list(host)
        places = tuple((self._local_host(name), int(port or 0)) for name in hosts)
        server = SimServer(self, self.network, protocol_factory, places, ssl)
        if start_serving:
            server.listen()
        return server

    async def start_tls(  # type: ignore[override]  # typeshed demands asyncio's own transports
        self, transport: SimTransport, protocol: asyncio.BaseProtocol, sslcontext: Any, **_: Any
    ) -> SimTransport:
        """Hand the same transport back: TLS is passed through."""
        transport.secure(sslcontext)
        transport.set_protocol(protocol)
        return transport

    async def create_datagram_endpoint(self, *_: Any, **__: Any) -> Any:
        """Refuse: the simulated network carries streams.

        Raises:
            SimUnsupportedError: Always.
        """
        raise SimUnsupportedError("the simulated network carries streams, not datagrams")

    def close(self) -> None:
        """Close the loop; ports and connections still open end silently."""
        self.network.drop_all()
        super().close()

    def add_signal_handler(self, sig: int, callback: Callable[[*Ts], object], *args: *Ts) -> None:
        """Keep a handler for `deliver_signal`; the process's own signals stay untouched."""
        self._signal_handlers_by_number[sig] = (callback, args)

    def remove_signal_handler(self, sig: int) -> bool:
        """Forget a handler; tell whether there was one."""
        return self._signal_handlers_by_number.pop(sig, None) is not None

    def deliver_signal(self, sig: int) -> None:
        """Let the simulated process receive a signal.

        Raises:
            SimUnsupportedError: Nobody handles it, and a simulation cannot be killed by one.
        """
        if sig not in self._signal_handlers_by_number:
            raise SimUnsupportedError(f"no handler is set for {signal.Signals(sig).name}")
        callback, args = self._signal_handlers_by_number[sig]
        self.call_soon(callback, *args)

    def _local_host(self, host: str | None) -> str:
        if host is None or host in ANY_ADDRESSES | LOOPBACK_ADDRESSES:
            return self.network.current_host()
        self.network.names.add(host)
        return host


def current_network() -> SimNetwork:
    """Return the network of the running simulation.

    Raises:
        SimUnsupportedError: The running loop is a real one.
    """
    loop = asyncio.get_running_loop()
    if not isinstance(loop, SimLoop):
        raise SimUnsupportedError(f"{type(loop).__name__} is a real loop; use run_simulated")
    return loop.network


def _text(host: Any) -> str:
    if isinstance(host, bytes):
        return host.decode("ascii")
    return str(host or "")
