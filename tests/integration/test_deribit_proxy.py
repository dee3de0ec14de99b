"""The adapter behind an outbound proxy: WebSocket and REST both go through it, and only it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from deribit_run import running

from glmtrader.domain.market_events import ChainSnapshot, InstrumentsListed

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Target = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[Streams]]


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        return
    finally:
        writer.close()


async def http_target(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> Streams:
    """An absolute-form request: connect to its host and pass it on in origin form."""
    head = await reader.readuntil(b"\r\n\r\n")
    line, _, rest = head.partition(b"\r\n")
    method, url, version = line.decode().split()
    parts = urlsplit(url)
    streams = await asyncio.open_connection(parts.hostname, parts.port)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    streams[1].write(f"{method} {path} {version}\r\n".encode() + rest)
    return streams


async def socks_target(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Streams:
    """RFC 1928 without authentication, IPv4 addresses and names."""
    _, methods = await reader.readexactly(2)
    await reader.readexactly(methods)
    writer.write(b"\x05\x00")
    _, _, _, kind = await reader.readexactly(4)
    if kind == 1:
        host = ".".join(str(byte) for byte in await reader.readexactly(4))
    else:
        host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
    port = int.from_bytes(await reader.readexactly(2), "big")
    streams = await asyncio.open_connection(host, port)
    writer.write(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
    return streams


@asynccontextmanager
async def proxy(target: Target) -> AsyncIterator[tuple[int, list[int]]]:
    """A proxy's port, and a list that grows with each connection through it."""
    served: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await target(reader, writer)
        served.append(1)
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], served
    finally:
        server.close()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("scheme", "target"), [("http", http_target), ("socks5", socks_target)], ids=["http", "socks5"]
)
async def test_everything_goes_through_the_proxy(scheme: str, target: Target) -> None:
    """Instruments (ccxt), the chain (native REST) and the WebSocket, each by its own connection."""
    async with (
        proxy(target) as (port, served),
        running(proxy_url=f"{scheme}://127.0.0.1:{port}") as run,
    ):
        await run.connected()
        await run.until(lambda: run.of(ChainSnapshot))
        assert run.of(InstrumentsListed)
        assert len(served) >= 2


@pytest.mark.asyncio
async def test_without_its_proxy_nothing_connects() -> None:
    """A dead proxy is never gone around."""
    async with running(proxy_url="http://127.0.0.1:9") as run:
        await run.until(lambda: run.venue.counters["listing_failed"])
        assert run.events == []
        assert run.server.sockets == []
