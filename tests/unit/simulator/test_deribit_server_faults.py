"""Every fault hook of the Deribit server does what its name says."""

from typing import Any

import aiohttp
import pytest
from deribit_wire import PERPETUAL, Bench, Client, bench, resting_price

from glmtrader.errors import InputError
from glmtrader.simulator.deribit import Fault, FaultKind

FILLS = "user.trades.any.any.raw"


async def place(client: Client, running: Bench, label: str) -> int:
    """Send a resting bid; returns the request's id."""
    return await client.send(
        "private/buy",
        instrument_name=PERPETUAL,
        amount=10,
        price=resting_price(running.exchange),
        label=label,
    )


def labels(running: Bench) -> list[str]:
    return [order.label for order in running.exchange.open_orders("alice")]


async def fill(client: Client) -> None:
    await client.call("private/buy", instrument_name=PERPETUAL, amount=10, type="market")


async def filled_seqs(client: Client, messages: int) -> list[list[int]]:
    """The sequence numbers of the next fills, by message."""
    return [[trade["trade_seq"] for trade in await client.note(FILLS)] for _ in range(messages)]


@pytest.mark.asyncio
async def test_a_reply_comes_late_although_the_order_was_taken() -> None:
    """timeout_after_accept: the order rests at once, the reply comes after the delay."""
    async with bench() as running:
        client = await running.connect(log_in=True)
        running.server.inject(
            Fault(kind=FaultKind.TIMEOUT_AFTER_ACCEPT, method="private/buy", delay_ms=300)
        )
        number = await place(client, running, "late reply")
        await running.until(lambda: labels(running) == ["late reply"])
        before_ns = running.clock.now_ns()
        assert (await client.reply(number))["result"]["order"]["label"] == "late reply"
        assert running.clock.now_ns() - before_ns > 150_000_000


@pytest.mark.asyncio
async def test_an_order_is_accepted_late_even_without_its_client() -> None:
    """late_accept: the order appears after the delay, with the connection long gone."""
    async with bench() as running:
        client, other = await running.connect(log_in=True), await running.connect(log_in=True)
        running.server.inject(Fault(kind=FaultKind.LATE_ACCEPT, method="private/*", delay_ms=200))
        await place(client, running, "late")
        await client.socket.close()
        by_label = {"currency": "BTC", "label": "late"}
        assert await other.call("private/get_order_state_by_label", **by_label) == []
        await running.until(lambda: labels(running) == ["late"])


@pytest.mark.asyncio
async def test_a_reply_is_lost() -> None:
    """lost_reply: the order rests, later requests are answered, this one never."""
    async with bench() as running:
        client = await running.connect(log_in=True)
        running.server.inject(Fault(kind=FaultKind.LOST_REPLY, method="private/buy"))
        lost = await place(client, running, "lost")
        kept = await place(client, running, "kept")
        assert (await client.frame())["id"] == kept != lost
        assert labels(running) == ["lost", "kept"]


@pytest.mark.asyncio
async def test_requests_are_refused_without_being_executed() -> None:
    """http_429, too_many_requests and rpc_error refuse; the first two end a session."""
    async with bench() as running:
        client = await running.connect(log_in=True)
        running.server.inject(
            Fault(kind=FaultKind.RPC_ERROR, method="private/buy", code=10047, message="full")
        )
        reply = await client.reply(await place(client, running, "refused"))
        assert reply["error"] == {"code": 10047, "message": "full"}
        running.server.inject(
            Fault(kind=FaultKind.HTTP_429, method="public/ticker", retry_after_s=7)
        )
        url = f"{running.url}/api/v2/public/ticker?instrument_name={PERPETUAL}"
        async with running.http.get(url) as response:
            assert (response.status, response.headers["Retry-After"]) == (429, "7")
        async with running.http.get(url) as response:
            assert response.status == 200
        running.server.inject(Fault(kind=FaultKind.TOO_MANY_REQUESTS, method="private/buy"))
        reply = await client.reply(await place(client, running, "refused"))
        assert reply["error"]["code"] == 10028
        assert await client.ended() is aiohttp.WSMsgType.CLOSE
        assert labels(running) == []


@pytest.mark.asyncio
async def test_a_book_has_a_gap() -> None:
    """sequence_gap: one change is missing, the next does not continue the one before."""
    async with bench(speed=30.0) as running:
        client = await running.connect()
        channel = f"book.{PERPETUAL}.100ms"
        await client.call("public/subscribe", channels=[channel])
        last = (await client.note(channel))["change_id"]
        running.server.inject(Fault(kind=FaultKind.SEQUENCE_GAP, channel="book.*"))
        assert (await client.note(channel))["prev_change_id"] > last


@pytest.mark.asyncio
async def test_after_a_reconnect_the_book_is_another() -> None:
    """other_snapshot: sockets are cut, and the new snapshot's ids are far away."""
    async with bench() as running:
        client = await running.connect()
        channel = f"book.{PERPETUAL}.100ms"
        await client.call("public/subscribe", channels=[channel])
        before = (await client.note(channel))["change_id"]
        running.server.inject(Fault(kind=FaultKind.OTHER_SNAPSHOT))
        await client.ended()
        again = await running.connect()
        await again.call("public/subscribe", channels=[channel])
        snapshot = await again.note(channel)
        assert snapshot["type"] == "snapshot"
        assert snapshot["change_id"] >= before + 1_000_000


@pytest.mark.asyncio
async def test_an_error_frame_belongs_to_no_request() -> None:
    """error_frame: every connection gets an error without an id, and works on."""
    async with bench() as running:
        client = await running.connect()
        running.server.inject(Fault(kind=FaultKind.ERROR_FRAME, code=11050, message="bad_request"))
        frame = await client.other()
        assert (frame["id"], frame["error"]["code"]) == (None, 11050)
        assert await client.call("public/get_time") > 0


@pytest.mark.asyncio
async def test_fills_come_twice() -> None:
    """duplicate_fill: the same trade ids in two messages."""
    async with bench() as running:
        client = await running.connect(log_in=True)
        await client.call("private/subscribe", channels=[FILLS])
        running.server.inject(Fault(kind=FaultKind.DUPLICATE_FILL))
        await fill(client)
        await fill(client)
        assert await filled_seqs(client, 3) == [[1], [1], [2]]


@pytest.mark.asyncio
async def test_fills_overtake_each_other() -> None:
    """reorder_fills: the later fill comes first; alone, a held one comes after the delay."""
    async with bench() as running:
        client = await running.connect(log_in=True)
        await client.call("private/subscribe", channels=[FILLS])
        running.server.inject(Fault(kind=FaultKind.REORDER_FILLS, times=2, delay_ms=300))
        for _ in range(3):
            await fill(client)
        assert await filled_seqs(client, 3) == [[2], [1], [3]]


@pytest.mark.asyncio
async def test_fills_come_back_to_back() -> None:
    """back_to_back_fills: fills are withheld, then each has a frame of its own."""
    async with bench(speed=2.0) as running:
        client = await running.connect(log_in=True)
        await client.call("private/subscribe", channels=[FILLS])
        running.server.inject(Fault(kind=FaultKind.BACK_TO_BACK_FILLS, delay_ms=800))
        for _ in range(15):
            await fill(client)
        assert not [name for name, _ in client.notes if name == FILLS]
        assert await filled_seqs(client, 15) == [[seq] for seq in range(1, 16)]


@pytest.mark.asyncio
async def test_connections_end_with_and_without_a_close_frame() -> None:
    """Drop says goodbye, drop_without_close does not."""
    async with bench() as running:
        polite, rude = await running.connect(), await running.connect()
        running.server.inject(Fault(kind=FaultKind.DROP))
        assert await polite.ended() is aiohttp.WSMsgType.CLOSE
        await rude.ended()
        cut = await running.connect()
        running.server.inject(Fault(kind=FaultKind.DROP_WITHOUT_CLOSE))
        assert await cut.ended() in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)


@pytest.mark.asyncio
async def test_a_stream_stalls_while_the_connection_lives() -> None:
    """stall: the channel is silent for the delay, requests are answered, the chain holds."""
    async with bench(speed=30.0) as running:
        client = await running.connect()
        channel = f"book.{PERPETUAL}.100ms"
        await client.call("public/subscribe", channels=[channel])
        last = (await client.note(channel))["change_id"]
        start_ns = running.exchange.now_ns
        running.server.inject(Fault(kind=FaultKind.STALL, channel="book.*", delay_ms=20_000))
        assert await client.call("public/get_time") > 0
        change = await client.note(channel)
        assert running.exchange.now_ns - start_ns >= 20_000_000_000
        assert change["prev_change_id"] == last


@pytest.mark.asyncio
async def test_the_venues_clock_is_ahead() -> None:
    """clock_offset: get_time and usIn move, and valid_until is judged by the venue's clock."""
    async with bench() as running:
        client = await running.connect(log_in=True)
        running.server.inject(Fault(kind=FaultKind.CLOCK_OFFSET, offset_ms=5_000))
        ours_ms = running.clock.now_ns() // 1_000_000
        assert await client.call("public/get_time") - ours_ms >= 5_000
        order = {
            "instrument_name": PERPETUAL,
            "amount": 10,
            "price": resting_price(running.exchange),
        }
        late = await client.error("private/buy", **order, valid_until=ours_ms + 2_000)
        assert late["code"] == 13888
        taken = await client.call("private/buy", **order, valid_until=ours_ms + 8_000)
        assert taken["order"]["order_state"] == "open"


@pytest.mark.asyncio
async def test_locks_maintenance_and_halts() -> None:
    """A lock refuses orders and lets cancels pass; maintenance refuses all; a halt one book."""
    async with bench() as running:
        client = await running.connect(log_in=True)
        order: dict[str, Any] = {
            "instrument_name": PERPETUAL,
            "amount": 10,
            "price": resting_price(running.exchange),
        }
        placed = await client.call("private/buy", **order)
        running.server.inject(Fault(kind=FaultKind.PLATFORM_LOCK))
        assert (await client.error("private/buy", **order))["code"] == 10019
        await client.call("private/cancel", order_id=placed["order"]["order_id"])
        running.server.inject(Fault(kind=FaultKind.MAINTENANCE))
        for method in ("private/get_positions", "public/get_instruments"):
            assert (await client.error(method))["code"] == 11051
        assert await client.call("public/get_time") > 0
        running.server.inject(Fault(kind=FaultKind.PLATFORM_OPEN))
        running.server.inject(Fault(kind=FaultKind.HALT_BOOK, instrument=PERPETUAL))
        assert (await client.error("private/buy", **order))["code"] == 11030
        running.server.inject(Fault(kind=FaultKind.OPEN_BOOK, instrument=PERPETUAL))
        await client.call("private/buy", **order)


@pytest.mark.asyncio
async def test_the_admin_endpoint_arms_lists_and_clears() -> None:
    """POST arms one fault or several, GET lists them, DELETE clears, nonsense is refused."""
    async with bench() as running:
        url = f"{running.url}/sim/faults"
        client = await running.connect(log_in=True)
        faults = [
            {"kind": "rpc_error", "method": "public/ticker", "times": 2},
            {"kind": "clock_offset", "offset_ms": 60_000},
        ]
        async with running.http.post(url, json=faults) as response:
            (armed,) = (await response.json())["armed"]
        assert (armed["fault"]["kind"], armed["strikes_left"]) == ("rpc_error", 2)
        await client.error("public/ticker", instrument_name=PERPETUAL)
        async with running.http.get(url) as response:
            assert (await response.json())["armed"][0]["strikes_left"] == 1
        async with running.http.delete(url) as response:
            assert (await response.json()) == {"armed": []}
        await client.call("public/ticker", instrument_name=PERPETUAL)
        for nonsense in ({"kind": "plague"}, {"kind": "drop", "times": 0}, {"kind": "halt_book"}):
            async with running.http.post(url, json=nonsense) as response:
                assert response.status == 400
                assert (await response.json())["error"]


@pytest.mark.asyncio
async def test_armed_faults_are_bounded() -> None:
    """The hundred-and-first armed fault is refused."""
    async with bench() as running:
        for _ in range(100):
            running.server.inject(Fault(kind=FaultKind.DUPLICATE_FILL))
        with pytest.raises(InputError, match="100 faults"):
            running.server.inject(Fault(kind=FaultKind.DUPLICATE_FILL))
