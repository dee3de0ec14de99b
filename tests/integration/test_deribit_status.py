"""What the adapter says of its link and of the platform: neither stands for the other."""

import asyncio
from typing import Any

import pytest
from deribit_run import running
from scripted_deribit import RpcFault, ScriptedDeribit

from glmtrader.domain.system_events import VenueStatusChanged
from glmtrader.errors import VenueRefusedError
from glmtrader.venues.deribit import handshake

LOCKED = {"locked": "partial", "locked_indices": ["btc_usd"]}


@pytest.mark.asyncio
async def test_an_adapter_that_fails_as_a_whole_says_that_it_is_disconnected() -> None:
    """A report that is refused for good ends the adapter; the core hears that it is alone."""

    def script(server: ScriptedDeribit) -> None:
        def forbid(_params: dict[str, Any]) -> None:
            raise RpcFault(13021, "forbidden")

        server.answers["private/get_positions"] = forbid

    async with running(script) as run:
        await run.connected()
        run.venue.request_report("test", since_cursor=0, resolve=())
        async with asyncio.timeout(20):
            with pytest.raises(VenueRefusedError, match="forbidden"):
                await run.task
        assert run.statuses() == ["connected", "disconnected"]


@pytest.mark.asyncio
async def test_a_cancelled_adapter_says_that_it_is_disconnected() -> None:
    """Once, with its own reason."""
    async with running() as run:
        await run.connected()
        run.task.cancel()
        await asyncio.gather(run.task, return_exceptions=True)
        assert run.statuses() == ["connected", "disconnected"]
        assert run.of(VenueStatusChanged)[-1].detail == "the adapter ended"


@pytest.mark.asyncio
async def test_an_adapter_that_ends_while_disconnected_says_so_once() -> None:
    """A connection that was lost before is not lost again."""
    async with running() as run:
        await run.connected()
        run.server.answers["public/get_time"] = lambda _params: "never"
        await run.server.drop()
        await run.until(lambda: "disconnected" in run.statuses())
        run.task.cancel()
        await asyncio.gather(run.task, return_exceptions=True)
        assert run.statuses() == ["connected", "disconnected"]


@pytest.mark.asyncio
@pytest.mark.parametrize(("status", "word"), [(LOCKED, "locked"), ({"locked": "false"}, "open")])
async def test_a_moved_clock_comes_with_the_platform_as_it_is(
    status: dict[str, Any], word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A locked platform stays locked, and no second `connected` stands for the same session."""
    monkeypatch.setattr(handshake, "CLOCK_REFRESH_S", 1.0)
    async with running() as run:
        run.server.answers["public/status"] = lambda _params: status
        await run.connected()
        told = len(run.statuses())
        before_ns = run.of(VenueStatusChanged)[-1].clock_offset_ns
        run.server.answers["public/get_time"] = lambda _params: run.server.now_ms() + 5_000
        await run.until(lambda: len(run.statuses()) > told)
        moved = run.of(VenueStatusChanged)[-1]
        assert moved.status == word
        assert run.statuses().count("connected") == 1
        assert before_ns is not None
        assert moved.clock_offset_ns is not None
        assert moved.clock_offset_ns - before_ns > 4_000_000_000


@pytest.mark.asyncio
async def test_a_platform_that_changes_during_the_handshake_is_told_after_it() -> None:
    """`open` must not stand for a session that cannot trade yet; maintenance follows it."""
    changes = [
        {"maintenance": True},
        {"price_index": "btc_usd", "locked": False},
        {"maintenance": False},
        {"maintenance": True},
    ]
    async with running() as run:
        await run.connected()
        await run.server.push("platform_state", {"price_index": "btc_usd", "locked": True})
        await run.until(lambda: "locked" in run.statuses())
        seen = len(run.statuses())
        pushing: list[asyncio.Task[None]] = []

        async def push() -> None:
            for change in changes:
                await run.server.push("platform_state", change)

        def join(params: dict[str, Any]) -> list[str]:
            pushing.append(asyncio.get_running_loop().create_task(push()))
            return list(params["channels"])

        run.server.answers["public/subscribe"] = join
        await run.server.drop()
        await run.connected(times=2)
        await asyncio.gather(*pushing)
        await run.until(lambda: len(run.statuses()) >= seen + 3)
        assert run.statuses()[seen:] == ["disconnected", "connected", "maintenance"]
