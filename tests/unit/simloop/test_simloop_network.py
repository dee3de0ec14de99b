"""The simulated network: bytes, faults and how unmodified aiohttp sees them."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from glmtrader.kernel.simloop import (
    LinkProfile,
    SimLoop,
    SimLoopError,
    SimOptions,
    SimUnsupportedError,
    current_network,
    run_simulated,
)

START_NS = 1_767_225_600_000_000_000
VENUE = "venue.example"
SECOND_NS = 1_000_000_000


def simulated(main: Callable[[], Coroutine[Any, Any, Any]], seed: int = 1, **link: Any) -> Any:
    options = SimOptions(link=LinkProfile(**link))
    return run_simulated(main, seed=seed, start_ns=START_NS, options=options)


async def _serve(delay_s: float = 0.0) -> web.AppRunner:
    async def hello(request: web.Request) -> web.Response:
        await asyncio.sleep(delay_s)
        return web.json_response({"scheme": request.scheme, "remote": request.remote})

    app = web.Application()
    app.router.add_route("*", "/", hello)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    await web.TCPSite(runner, VENUE, 443, ssl_context=context).start()
    return runner


async def _get(timeout_s: float = 10.0, method: str = "GET") -> Any:
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.request(method, f"https://{VENUE}/") as reply,
    ):
        return await reply.json()


def test_https_passes_through_and_both_sides_see_it() -> None:
    """A TLS URL works without a key, and the handler sees https and the client's address."""

    async def main() -> Any:
        runner = await _serve()
        answer = await _get()
        await runner.cleanup()
        assert current_network().connections() == ()
        return answer

    assert simulated(main) == {"scheme": "https", "remote": "10.0.0.3"}


def test_latency_is_paid_in_virtual_time() -> None:
    """Look-up, two delays of the handshake, the request and the reply: five one-way delays."""

    async def main() -> float:
        runner = await _serve()
        loop = asyncio.get_running_loop()
        began = loop.time()
        await _get()
        took = loop.time() - began
        await runner.cleanup()
        return took

    assert simulated(main, latency_ns=50_000_000) == pytest.approx(0.25, abs=0.001)


def test_an_unknown_name_and_a_failed_lookup_are_dns_errors() -> None:
    """The client reports what a real resolver would."""

    async def main() -> None:
        with pytest.raises(aiohttp.ClientConnectorDNSError):
            await _get()
        runner = await _serve()
        current_network().set_resolvable(VENUE, resolvable=False)
        with pytest.raises(aiohttp.ClientConnectorDNSError):
            await _get()
        current_network().set_resolvable(VENUE, resolvable=True)
        await _get()
        await runner.cleanup()

    simulated(main)


def test_a_closed_port_refuses() -> None:
    """A host that exists without a listener refuses the connection."""

    async def main() -> None:
        current_network().names.add(VENUE)
        with pytest.raises(aiohttp.ClientConnectorError) as caught:
            await _get()
        assert isinstance(caught.value.os_error, ConnectionRefusedError)
        assert current_network().counts.refused == 1

    simulated(main)


def test_a_partition_times_out_and_heals() -> None:
    """During a partition a request times out; after it the next one works."""

    async def main() -> None:
        runner = await _serve()
        network = current_network()
        network.partition("client", VENUE)
        with pytest.raises(TimeoutError):
            await _get(timeout_s=5.0)
        network.heal("client", VENUE)
        await _get()
        await runner.cleanup()

    simulated(main)


def test_a_partition_under_way_hides_the_reply_not_the_request() -> None:
    """A one-way partition loses only the answer: the server did act, which is the hard case."""
    acted: list[str] = []

    async def main() -> None:
        async def act(request: web.Request) -> web.Response:
            acted.append(request.path)
            return web.Response()

        app = web.Application()
        app.router.add_get("/", act)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, VENUE, 443).start()
        loop = asyncio.get_running_loop()
        network = current_network()
        # After the look-up and the handshake, which take one and two of the 10 ms delays.
        loop.call_later(0.035, network.partition_one_way, VENUE, "client")
        with pytest.raises(TimeoutError):
            await _get(timeout_s=5.0)
        network.heal(VENUE, "client")
        await runner.cleanup()

    simulated(main, latency_ns=10_000_000)
    assert acted == ["/"]


def test_a_reset_surfaces_as_a_client_error() -> None:
    """Resetting a connection with a request under way disconnects the client."""

    async def main() -> None:
        runner = await _serve(delay_s=60.0)
        network = current_network()
        asyncio.get_running_loop().call_later(1.0, network.reset, "client", VENUE)
        with pytest.raises(aiohttp.ClientConnectionError):
            await _get(timeout_s=30.0, method="POST")  # aiohttp repeats an idempotent GET itself
        assert network.counts.resets == 1
        await runner.cleanup()

    simulated(main)


def test_a_crashed_host_resets_its_peers_and_frees_its_ports() -> None:
    """A dead process answers with resets, and a new one can listen again."""

    async def main() -> None:
        await _serve(delay_s=60.0)
        network = current_network()
        asyncio.get_running_loop().call_later(1.0, network.crash, VENUE)
        with pytest.raises(aiohttp.ClientConnectionError):
            await _get(timeout_s=30.0)
        with pytest.raises(aiohttp.ClientConnectorError):
            await _get()
        runner = await _serve()
        await _get()
        await runner.cleanup()

    simulated(main)


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1_000):
        writer.write(data)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


def test_a_stall_delays_and_loses_nothing() -> None:
    """What was written during a stall arrives after it."""

    async def main() -> float:
        with current_network().host(VENUE):
            server = await asyncio.start_server(_echo, None, 80)
        reader, writer = await asyncio.open_connection(VENUE, 80)
        current_network().stall("client", VENUE, 5 * SECOND_NS)
        loop = asyncio.get_running_loop()
        began = loop.time()
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()
        return loop.time() - began

    assert 5.0 < simulated(main) < 5.5


def test_an_endless_partition_times_the_sender_out() -> None:
    """Bytes unacknowledged for the link's patience lose the connection with ETIMEDOUT."""

    async def main() -> None:
        with current_network().host(VENUE):
            server = await asyncio.start_server(_echo, None, 80)
        reader, writer = await asyncio.open_connection(VENUE, 80)
        current_network().partition("client", VENUE)
        writer.write(b"hello")
        with pytest.raises(TimeoutError, match="timed out"):
            await reader.read()
        server.close()

    simulated(main, give_up_ns=60 * SECOND_NS)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.binary(min_size=1, max_size=5_000), max_size=20))
def test_bytes_arrive_whole_and_in_order(seed: int, chunks: list[bytes]) -> None:
    """Whatever the cutting, the jitter and the window, the stream is what was written."""

    async def main() -> bytes:
        with current_network().host(VENUE):
            server = await asyncio.start_server(_echo, None, 80)
        reader, writer = await asyncio.open_connection(VENUE, 80)
        for chunk in chunks:
            writer.write(chunk)
        writer.write_eof()
        received = await reader.read()
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()
        return received

    link = {"jitter_ns": 5_000_000, "resegment_probability": 0.9, "window_bytes": 700}
    assert simulated(main, seed, **link) == b"".join(chunks)


def test_a_slow_reader_pauses_the_writer() -> None:
    """Unread bytes fill the window, then the buffer, then `drain` waits until they are read."""

    async def main() -> tuple[int, bool, int]:
        release = asyncio.Event()
        received: list[int] = []

        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await release.wait()
            received.append(len(await reader.read(-1)))
            writer.close()

        with current_network().host(VENUE):
            server = await asyncio.start_server(slow, None, 80, limit=1_024)
        _, writer = await asyncio.open_connection(VENUE, 80)
        writer.write(bytes(500_000))
        draining = asyncio.ensure_future(writer.drain())
        await asyncio.sleep(60.0)
        waiting, blocked = writer.transport.get_write_buffer_size(), not draining.done()
        release.set()
        await draining
        writer.write_eof()
        await asyncio.sleep(1.0)
        writer.close()
        server.close()
        return waiting, blocked, received[0]

    waiting, blocked, received = simulated(main, window_bytes=100_000)
    assert blocked
    assert 300_000 <= waiting < 500_000
    assert received == 500_000


def test_a_writer_that_ignores_pauses_is_stopped() -> None:
    """A sender's buffer is bounded."""

    async def main() -> None:
        with current_network().host(VENUE):
            await asyncio.start_server(_echo, None, 80)
        _, writer = await asyncio.open_connection(VENUE, 80)
        writer.write(bytes(10_000))

    with pytest.raises(SimLoopError, match="must obey pause_writing"):
        simulated(main, window_bytes=1_000, buffer_bytes_max=5_000)


def test_one_port_has_one_server() -> None:
    """A second server on a port of a host is refused; another host may have it."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        first = await loop.create_server(asyncio.Protocol, "a.example", 80)
        with pytest.raises(OSError, match=r"a\.example:80 is taken"):
            await loop.create_server(asyncio.Protocol, "a.example", 80)
        other = await loop.create_server(asyncio.Protocol, "b.example", 80)
        for server in (first, other):
            server.close()
            await server.wait_closed()

    simulated(main)


def test_datagrams_and_blocking_sockets_are_refused() -> None:
    """What would reach a real network says so."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(SimUnsupportedError):
            await loop.create_datagram_endpoint(asyncio.DatagramProtocol)
        with pytest.raises(SimUnsupportedError):
            socket.create_connection((VENUE, 80))
        with pytest.raises(SimUnsupportedError):
            socket.socket().connect(("10.0.0.1", 80))

    simulated(main)


def test_signals_are_delivered_by_the_test() -> None:
    """A handler set on the loop runs when the simulation says so."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimLoop)
        stopped = asyncio.Event()
        loop.add_signal_handler(15, stopped.set)
        loop.deliver_signal(15)
        await stopped.wait()
        assert loop.remove_signal_handler(15)
        with pytest.raises(SimUnsupportedError, match="SIGTERM"):
            loop.deliver_signal(15)

    simulated(main)
