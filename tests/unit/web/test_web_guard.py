"""Who may ask: addresses, localhost and the configured name."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from web_cases import make_views

from glmtrader.cli import exit_code
from glmtrader.kernel.bus import Bus
from glmtrader.kernel.clock import VirtualClock
from glmtrader.web.errors import AddressUnavailableError
from glmtrader.web.guard import is_own_host
from glmtrader.web.server import ApiServer


@pytest.mark.parametrize(
    "header",
    ["127.0.0.1", "127.0.0.1:8080", "localhost:8080", "LOCALHOST", "[::1]:8080", "desk.lan:8080"],
)
def test_addresses_localhost_and_the_configured_name_are_served(header: str) -> None:
    assert is_own_host(header, "desk.lan")


@pytest.mark.parametrize(
    "header", ["", "evil.example", "localhost.evil", "127.0.0.1.evil", "[evil]", "desk.lan.evil"]
)
def test_other_names_are_not(header: str) -> None:
    assert not is_own_host(header, "desk.lan")


@given(st.text())
def test_any_header_is_judged_without_an_error(header: str) -> None:
    """Garbage is foreign or an address; it is never an exception."""
    assert is_own_host(header, "127.0.0.1") in (True, False)


def test_a_taken_port_ends_with_exit_code_2_and_names_the_way_out() -> None:
    """A configuration error that says which port, and both ways out."""
    clock = VirtualClock(0)
    bus = Bus(clock)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = ApiServer(make_views(), "127.0.0.1", port, clock=clock, bus=bus)
        with pytest.raises(AddressUnavailableError) as refused:
            server.bind()
    assert exit_code(refused.value) == 2
    for part in (str(port), "port = 0", "enabled = false"):
        assert part in str(refused.value)


def test_a_foreign_address_is_refused_at_bind() -> None:
    """An address of no interface here is the same clear error."""
    clock = VirtualClock(0)
    server = ApiServer(make_views(), "192.0.2.1", 0, clock=clock, bus=Bus(clock))
    with pytest.raises(AddressUnavailableError, match=r"192\.0\.2\.1"):
        server.bind()
