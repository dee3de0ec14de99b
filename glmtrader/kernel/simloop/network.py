"""The simulated network: hosts, links, listeners, connections and the faults that tests inject."""

import errno
import hashlib
import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context

import msgspec

from glmtrader.kernel.simloop.addresses import Address, NameTable
from glmtrader.kernel.simloop.connection import Route, SimConnection
from glmtrader.kernel.simloop.links import Link, LinkProfile
from glmtrader.kernel.simloop.scheduler import VirtualTimeLoop
from glmtrader.kernel.simloop.transport import SimTransport

DEFAULT_HOST = "client"
EPHEMERAL_PORT_FIRST = 49_152
PORTS = 16_384
SYN_ATTEMPTS = 7
SYN_RETRY_NS = 1_000_000_000

_current_host: ContextVar[str] = ContextVar("simulated_host", default=DEFAULT_HOST)

Accept = Callable[[SimTransport], None]


class NetworkCounts(msgspec.Struct):
    """What happened on the network so far; a torture test asserts that its faults did fire."""

    connections: int = 0
    refused: int = 0
    segments: int = 0
    delivered_bytes: int = 0
    resets: int = 0
    partitions: int = 0
    heals: int = 0


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    """A bound port: what accepts a connection, and the context that its callbacks run in."""

    accept: Accept
    context: Context


class SimNetwork:
    """Hosts by name, joined by links with seeded behaviour.

    Code runs on the host named by `host(...)` in its context, `client` by default; what a server
    accepts runs on the server's host. A host exists once it listened or was added.

    Args:
        seed: Seeds latency and cutting, each link on its own.
        link: The profile of links that `set_link` was not called for.
    """

    def __init__(self, seed: int, link: LinkProfile | None = None) -> None:
        self.names = NameTable()
        self.counts = NetworkCounts()
        self._seed = seed
        self._default_profile = link or LinkProfile()
        self._links: dict[tuple[str, str], Link] = {}
        self._listeners: dict[tuple[str, int], Listener] = {}
        self._connections: dict[int, SimConnection] = {}
        self._stall_numbers = itertools.count(1)
        self._port_numbers = itertools.count()
        self._digest = hashlib.blake2b(digest_size=16)
        self._loop: VirtualTimeLoop | None = None

    @property
    def loop(self) -> VirtualTimeLoop:
        """The loop that carries this network."""
        assert self._loop is not None, "a network serves once a SimLoop was made with it"
        return self._loop

    def attach(self, loop: VirtualTimeLoop) -> None:
        """Bind to the one loop that carries this network."""
        assert self._loop is None, "a network belongs to one loop; make a new one"
        self._loop = loop

    def connections(self) -> tuple[SimConnection, ...]:
        """Return the connections of which an end is alive, oldest first."""
        return tuple(self._connections.values())

    def digest(self) -> str:
        """Return the hash over every delivered segment, its instant and its direction."""
        return self._digest.hexdigest()

    # Hosts and links

    def current_host(self) -> str:
        """Return the host that the calling code runs on."""
        return _current_host.get()

    @contextmanager
    def host(self, name: str) -> Iterator[None]:
        """Run a block, and the tasks it starts, on the host `name`."""
        self.names.add(name)
        token = _current_host.set(name)
        try:
            yield
        finally:
            _current_host.reset(token)

    def set_link(self, host_a: str, host_b: str, profile: LinkProfile) -> None:
        """Set how both directions between two hosts behave from now on."""
        for link in self._both(host_a, host_b):
            link.profile = profile

    def link(self, source: str, destination: str) -> Link:
        """Return the directed link between two hosts."""
        link = self._links.get((source, destination))
        if link is None:
            link = Link(source, destination, self._default_profile, self._seed)
            self._links[source, destination] = link
        return link

    def set_resolvable(self, name: str, *, resolvable: bool) -> None:
        """Make look-ups of a host name fail, or succeed again."""
        self.names.set_resolvable(name, resolvable=resolvable)

    # Faults

    def partition(self, host_a: str, host_b: str) -> None:
        """Let everything between two hosts vanish, both ways, until `heal`."""
        self.counts.partitions += 1
        for link in self._both(host_a, host_b):
            link.block("partition")

    def partition_one_way(self, source: str, destination: str) -> None:
        """Let everything from `source` to `destination` vanish until `heal`."""
        self.counts.partitions += 1
        self.link(source, destination).block("partition")

    def heal(self, host_a: str, host_b: str) -> None:
        """End partitions and stalls between two hosts; what waited is sent again."""
        self.counts.heals += 1
        self._unblock(host_a, host_b, None)

    def stall(self, host_a: str, host_b: str, duration_ns: int) -> None:
        """Let nothing arrive between two hosts for a while; nothing is lost."""
        reason = f"stall {next(self._stall_numbers)}"
        for link in self._both(host_a, host_b):
            link.block(reason)
        until_ns = self.loop.clock.monotonic_ns() + duration_ns
        self.loop.call_at_ns(until_ns, self._unblock, host_a, host_b, reason)

    def reset(self, host_a: str, host_b: str) -> int:
        """Reset every connection between two hosts now; return how many there were."""
        hit = [one for one in self.connections() if one.joins(host_a, host_b)]
        for connection in hit:
            connection.reset(ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)))
        self.counts.resets += len(hit)
        return len(hit)

    def crash(self, host: str) -> int:
        """Let a host's process die: ports close, peers are reset, its protocols hear nothing.

        The caller cancels the tasks that ran there. Returns how many connections it had.
        """
        for key in [key for key in self._listeners if key[0] == host]:
            del self._listeners[key]
        ends: list[SimTransport] = []
        for connection in self.connections():
            if connection.route.client_host == host:
                ends.append(connection.client)
            if connection.route.server_host == host:
                ends.append(connection.server)
        for end in ends:
            end.vanish()
        return len(ends)

    # What the loop calls

    def listen(self, host: str, port: int, accept: Accept) -> Address:
        """Bind a port of a host; port 0 takes a free one.

        Raises:
            OSError: The port is taken.
        """
        address = self.names.add(host)
        port = port or self._free_port()
        if (host, port) in self._listeners:
            raise OSError(errno.EADDRINUSE, f"{host}:{port} is taken by another simulated server")
        context = copy_context()
        context.run(_current_host.set, host)
        self._listeners[host, port] = Listener(accept=accept, context=context)
        return address, port

    def unlisten(self, host: str, port: int) -> None:
        """Free a port."""
        self._listeners.pop((host, port), None)

    async def connect(self, address: Address) -> SimTransport:
        """Shake hands with a listener and return the client's end.

        Raises:
            OSError: Unreachable, refused, or no answer to any attempt.
        """
        client_host = self.current_host()
        server_host = self.names.host_of(address[0], local=client_host)
        forth, back = self.link(client_host, server_host), self.link(server_host, client_host)
        await self._reach(forth, back, address)
        listener = self._listeners.get((server_host, address[1]))
        if listener is None:
            self.counts.refused += 1
            await self.loop.wait_ns(back.latency_ns())
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        route = Route(
            client_host=client_host,
            server_host=server_host,
            client_address=(self.names.add(client_host), self._free_port()),
            server_address=address,
        )
        connection = self._open(route, (forth, back), listener)
        try:
            await self.loop.wait_ns(back.latency_ns())
        except BaseException:
            connection.client.abort()
            raise
        return connection.client

    async def _reach(self, forth: Link, back: Link, address: Address) -> None:
        """Let the first segment arrive, repeating it while a link is blocked."""
        for attempt in range(SYN_ATTEMPTS):
            if not (forth.is_blocked or back.is_blocked):
                await self.loop.wait_ns(forth.latency_ns())
                return
            await self.loop.wait_ns(SYN_RETRY_NS << attempt)
        raise TimeoutError(errno.ETIMEDOUT, f"{address[0]}:{address[1]} does not answer")

    def _open(self, route: Route, links: tuple[Link, Link], listener: Listener) -> SimConnection:
        self.counts.connections += 1
        connection = SimConnection(
            self.loop,
            self.counts.connections,
            route,
            links,
            self._record,
            self._forget,
            listener.context.copy(),
        )
        self._connections[connection.number] = connection
        listener.accept(connection.server)
        return connection

    def drop_all(self) -> None:
        """Forget every port and connection: the loop is closing."""
        self._listeners.clear()
        for connection in self.connections():
            connection.client.drop()
            connection.server.drop()
        self._connections.clear()

    def _forget(self, connection: SimConnection) -> None:
        self._connections.pop(connection.number, None)

    def _record(self, direction: int, data: bytes) -> None:
        self.counts.segments += 1
        self.counts.delivered_bytes += len(data)
        self._digest.update(b"%d %d %d\n" % (direction, self.loop.clock.elapsed_ns, len(data)))
        self._digest.update(data)

    def _both(self, host_a: str, host_b: str) -> tuple[Link, Link]:
        for host in (host_a, host_b):
            self.names.add(host)
        return self.link(host_a, host_b), self.link(host_b, host_a)

    def _unblock(self, host_a: str, host_b: str, reason: str | None) -> None:
        for link in self._both(host_a, host_b):
            link.unblock(reason)
        for connection in self.connections():
            if connection.joins(host_a, host_b):
                connection.resume()

    def _free_port(self) -> int:
        return EPHEMERAL_PORT_FIRST + next(self._port_numbers) % PORTS
