"""Host names and addresses of the simulated network, and the socket that opens nothing."""

import errno
import os
import socket
from types import TracebackType
from typing import Any, Self

from glmtrader.kernel.simloop.errors import SimUnsupportedError

ANY_ADDRESSES = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - recognised, never bound
LOOPBACK_ADDRESSES = frozenset({"localhost", "127.0.0.1", "::1"})
HOSTS_MAX = 60_000

Address = tuple[str, int]


class NameTable:
    """Host names with made-up addresses, given in the order in which hosts appear."""

    def __init__(self) -> None:
        self._address_of: dict[str, str] = {}
        self._name_of: dict[str, str] = {}
        self._unresolvable: dict[str, None] = {}

    def add(self, name: str) -> str:
        """Return the address of `name`, giving it one at its first appearance."""
        address = self._address_of.get(name)
        if address is None:
            number = len(self._address_of) + 1
            assert number < HOSTS_MAX, f"more than {HOSTS_MAX} hosts in one simulation"
            address = f"10.0.{number // 250}.{number % 250 + 1}"
            self._address_of[name] = address
            self._name_of[address] = name
        return address

    def set_resolvable(self, name: str, *, resolvable: bool) -> None:
        """Make look-ups of `name` fail, or succeed again."""
        if resolvable:
            self._unresolvable.pop(name, None)
        else:
            self._unresolvable[name] = None

    def resolve(self, name: str) -> str:
        """Return the address that a look-up of `name` gives.

        Raises:
            socket.gaierror: No such host, or its look-up is made to fail.
        """
        if name in self._name_of or name in LOOPBACK_ADDRESSES | ANY_ADDRESSES:
            return "127.0.0.1" if name in LOOPBACK_ADDRESSES else name
        if name not in self._address_of or name in self._unresolvable:
            raise socket.gaierror(socket.EAI_NONAME, f"no simulated host is named {name!r}")
        return self._address_of[name]

    def host_of(self, address: str, *, local: str) -> str:
        """Return the host behind an address or name, as seen from the host `local`.

        Raises:
            OSError: No host has that address.
        """
        if address in LOOPBACK_ADDRESSES | ANY_ADDRESSES:
            return local
        if address in self._address_of:
            return address
        if address not in self._name_of:
            raise OSError(errno.EHOSTUNREACH, f"no simulated host has the address {address}")
        return self._name_of[address]


class SimSocket:
    """What `socket.socket` is inside a simulation: addresses and options, no descriptor.

    asyncio clients create one, connect it through `loop.sock_connect` and hand it to
    `loop.create_connection`. Every blocking operation of a real socket is refused.
    """

    def __init__(
        self,
        family: int = socket.AF_INET,
        type: int = socket.SOCK_STREAM,  # noqa: A002 - the standard library's argument
        proto: int = 0,
        fileno: int | None = None,
    ) -> None:
        if fileno is not None:
            raise SimUnsupportedError("a simulation cannot adopt a real file descriptor")
        self.family = family if family > 0 else socket.AF_INET
        self.type = type if type > 0 else socket.SOCK_STREAM
        self.proto = max(proto, 0)
        self.endpoint: Any = None
        self.local: Address | None = None
        self.remote: Address | None = None
        self.closed = False
        self._options: dict[tuple[int, int], Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        raise SimUnsupportedError(f"socket.{name} would reach a real network; use the loop's calls")

    def bind(self, address: Address) -> None:
        """Remember the local address."""
        self.local = address

    def close(self) -> None:
        """Reset the connection if the socket has one that no transport took over."""
        self.closed = True
        if self.endpoint is not None:
            endpoint, self.endpoint = self.endpoint, None
            endpoint.abort()

    def detach(self) -> int:
        """Close without closing anything; -1 is what a closed socket returns."""
        return -1

    def fileno(self) -> int:
        """Return -1: there is no descriptor."""
        return -1

    def getpeername(self) -> Address:
        """Return the remote address.

        Raises:
            OSError: Not connected.
        """
        if self.remote is None:
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
        return self.remote

    def getsockname(self) -> Address:
        """Return the local address."""
        return self.local or ("0.0.0.0", 0)  # noqa: S104 - what an unbound socket says

    def getsockopt(self, level: int, option: int, buflen: int = 0) -> Any:  # noqa: ARG002 - the standard library's signature
        """Return an option set before, 0 otherwise."""
        return self._options.get((level, option), 0)

    def setsockopt(self, level: int, option: int, value: Any, optlen: int = 0) -> None:  # noqa: ARG002 - the standard library's signature
        """Remember an option; none changes the simulation."""
        self._options[level, option] = value

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 - the standard library's signature
        """Accept either: no operation of this socket blocks."""

    def settimeout(self, value: float | None) -> None:
        """Accept any: no operation of this socket blocks."""

    def gettimeout(self) -> float:
        """Return 0.0, non-blocking."""
        return 0.0
