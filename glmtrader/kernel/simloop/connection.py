"""A connection of the simulated network: two transports joined by two pipes."""

from collections.abc import Callable
from contextvars import Context

import msgspec

from glmtrader.kernel.simloop.addresses import Address
from glmtrader.kernel.simloop.links import Link
from glmtrader.kernel.simloop.pipe import Pipe
from glmtrader.kernel.simloop.scheduler import VirtualTimeLoop
from glmtrader.kernel.simloop.transport import SimTransport


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """Who talks to whom, by host name and by address."""

    client_host: str
    server_host: str
    client_address: Address
    server_address: Address


class SimConnection:
    """Both ends of one stream.

    Attributes:
        number: Order of appearance, from 1.
        route: The hosts and addresses at the ends.
        client: The end that connected.
        server: The end that accepted.
    """

    def __init__(
        self,
        loop: VirtualTimeLoop,
        number: int,
        route: Route,
        links: tuple[Link, Link],
        record: Callable[[int, bytes], None],
        on_lost: Callable[["SimConnection"], None],
        server_context: Context,
    ) -> None:
        self.number = number
        self.route = route
        self._ends_lost = 0
        self._on_lost = on_lost
        self.client = SimTransport(
            loop, _extra(route.client_address, route.server_address), None, self._end_lost
        )
        self.server = SimTransport(
            loop, _extra(route.server_address, route.client_address), server_context, self._end_lost
        )
        forth, back = links
        self.client.outgoing = self.server.incoming = Pipe(
            loop, forth, self.client, self.server, lambda data: record(2 * number, data)
        )
        self.server.outgoing = self.client.incoming = Pipe(
            loop, back, self.server, self.client, lambda data: record(2 * number + 1, data)
        )

    def joins(self, host_a: str, host_b: str) -> bool:
        """Tell whether the connection runs between the two hosts, in either role."""
        ends = (self.route.client_host, self.route.server_host)
        return ends in {(host_a, host_b), (host_b, host_a)}

    def resume(self) -> None:
        """Go on after a link healed."""
        self.client.outgoing.resume()
        self.server.outgoing.resume()

    def reset(self, error: Exception) -> None:
        """Lose both ends at once, and what was under way."""
        for end in (self.client, self.server):
            end.outgoing.discard()
            end.lose(error)

    def _end_lost(self) -> None:
        self._ends_lost += 1
        if self._ends_lost == 2:
            self.client.outgoing.discard()
            self.server.outgoing.discard()
            self._on_lost(self)


def _extra(own: Address, peer: Address) -> dict[str, object]:
    return {"sockname": own, "peername": peer}
