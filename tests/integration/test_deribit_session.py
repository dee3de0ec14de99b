"""The Deribit adapter against a scripted server on a real socket, and all that goes wrong there."""

import asyncio
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from deribit_run import PERPETUAL, USER_TRADES, order_body, running, ticker_body, trade_body
from scripted_deribit import CLIENT_ID, HangUp, RpcFault, ScriptedDeribit, Silence

from glmtrader.domain.ids import ClientOrderId, InstrumentId
from glmtrader.domain.market_events import MarketTick
from glmtrader.domain.order_events import Fill, OrderUpdate
from glmtrader.domain.orders import OrderStatus
from glmtrader.domain.system_events import VenueStatusChanged
from glmtrader.errors import VenueRefusedError
from glmtrader.venues.deribit.config import DeribitLimits


@pytest.mark.asyncio
async def test_no_order_leaves_before_the_dead_mans_switch_is_read_back() -> None:
    """The handshake has its order, and `connected` is told only after it."""
    async with running() as run:
        run.submit("early-1-1-0-0")
        await run.connected()
        methods = [method for method, _ in run.server.requests]
        wanted = [
            "public/get_time",
            "public/set_heartbeat",
            "public/auth",
            "private/enable_cancel_on_disconnect",
            "private/get_cancel_on_disconnect",
            "private/subscribe",
            "public/subscribe",
        ]
        assert [method for method in dict.fromkeys(methods) if method in wanted] == wanted
        assert not run.server.asked("private/buy")
        (update,) = run.updates("early-1-1-0-0")
        assert update.status is OrderStatus.UNKNOWN
        assert "not sent" in update.reason
        offset_ns = run.of(VenueStatusChanged)[0].clock_offset_ns
        assert offset_ns is not None
        assert abs(offset_ns) < 1_000_000_000


@pytest.mark.asyncio
async def test_an_order_its_fill_and_its_state_are_each_told_once() -> None:
    """The reply and the stream tell of the same trade: one fill, and before the state."""

    def script(server: ScriptedDeribit) -> None:
        server.answers["private/buy"] = lambda params: {
            "order": order_body(params, "filled", 100.0),
            "trades": [trade_body(1)],
        }

    async with running(script) as run:
        await run.connected()
        run.submit("a-1-1-0-0")
        await run.until(lambda: run.updates("a-1-1-0-0"))
        await run.server.push(USER_TRADES, [trade_body(1)])
        await run.until(lambda: run.venue.counters["trade_repeated"])
        (fill,) = run.of(Fill)
        assert (fill.trade_id, fill.fee, fill.quantity) == ("1", Decimal("5E-8"), Decimal(10))
        order_events = [event for event in run.events if isinstance(event, Fill | OrderUpdate)]
        assert [type(event) for event in order_events] == [Fill, OrderUpdate]
        (params,) = run.server.asked("private/buy")
        assert params["amount"] == 100
        assert params["price"] == 90000.5
        ahead_ms = params["valid_until"] - run.clock.now_ns() // 1_000_000
        assert 0 < ahead_ms <= 10_000


@pytest.mark.asyncio
async def test_back_to_back_fills_are_all_told() -> None:
    """Forty trades in forty frames, sent without a pause, are forty fills."""
    async with running() as run:
        await run.connected()
        for number in range(40):
            await run.server.push(USER_TRADES, [trade_body(number)])
        await run.until(lambda: len(run.of(Fill)) >= 40)
        assert [fill.trade_id for fill in run.of(Fill)] == [str(number) for number in range(40)]


@pytest.mark.asyncio
async def test_the_venues_no_is_a_rejection_with_its_words() -> None:
    """An error that says the order was refused is REJECTED, with code and message."""

    def script(server: ScriptedDeribit) -> None:
        def refuse(_params: dict[str, Any]) -> None:
            raise RpcFault(10009, "not_enough_funds")

        server.answers["private/buy"] = refuse

    async with running(script) as run:
        await run.connected()
        run.submit("a-1-1-0-0")
        await run.until(lambda: run.updates("a-1-1-0-0"))
        (update,) = run.updates("a-1-1-0-0")
        assert update.status is OrderStatus.REJECTED
        assert update.reason == "10009 not_enough_funds"


@pytest.mark.asyncio
@pytest.mark.parametrize("code", [11094, 13028, 13888])
async def test_an_uncertain_no_is_unknown(code: int) -> None:
    """An internal error or a time-out of the venue does not say whether the order exists."""

    def script(server: ScriptedDeribit) -> None:
        def refuse(_params: dict[str, Any]) -> None:
            raise RpcFault(code, "who_knows")

        server.answers["private/buy"] = refuse

    async with running(script) as run:
        await run.connected()
        run.submit("a-1-1-0-0")
        await run.until(lambda: run.updates("a-1-1-0-0"))
        assert run.updates("a-1-1-0-0")[0].status is OrderStatus.UNKNOWN


@pytest.mark.asyncio
async def test_too_many_requests_pauses_orders_and_keeps_cancels() -> None:
    """After 10028 the order is unknown, the next one waits, and a cancel leaves at once."""

    def script(server: ScriptedDeribit) -> None:
        def refuse(_params: dict[str, Any]) -> None:
            raise RpcFault(10028, "too_many_requests")

        server.answers["private/buy"] = refuse
        server.answers["private/cancel_by_label"] = lambda _params: 1

    async with running(script, limits=DeribitLimits(pause_s=30.0)) as run:
        await run.connected()
        run.submit("a-1-1-0-0")
        await run.until(lambda: run.updates("a-1-1-0-0"))
        assert run.updates("a-1-1-0-0")[0].status is OrderStatus.UNKNOWN
        run.submit("b-1-1-0-0")
        run.venue.cancel(ClientOrderId("a-1-1-0-0"))
        await run.server.until_asked("private/cancel_by_label")
        assert len(run.server.asked("private/buy")) == 1
        await run.until(lambda: run.updates("b-1-1-0-0"))
        assert "waited past its valid_until" in run.updates("b-1-1-0-0")[0].reason
        assert len(run.server.asked("private/buy")) == 1


@pytest.mark.asyncio
async def test_a_cancel_does_not_overtake_its_order() -> None:
    """An order that still waits for credit is taken back, never sent, and told as cancelled."""
    limits = DeribitLimits(orders_burst=1, orders_per_s=0.1, requests_per_s=1000.0)
    async with running(limits=limits) as run:
        await run.connected()
        run.server.answers["private/buy"] = lambda params: {"order": order_body(params)}
        run.server.answers["private/cancel_all"] = lambda _params: 1
        for label in ("a-1-1-0-0", "b-1-1-0-0", "c-1-1-0-0"):
            run.submit(label)
        await run.until(lambda: run.updates("a-1-1-0-0"))
        run.venue.cancel(ClientOrderId("b-1-1-0-0"))
        run.venue.cancel_all()
        await run.server.until_asked("private/cancel_all")
        for label in ("b-1-1-0-0", "c-1-1-0-0"):
            (update,) = run.updates(label)
            assert (update.status, update.source) == (OrderStatus.CANCELLED, "local")
        assert len(run.server.asked("private/buy")) == 1
        assert not run.server.asked("private/cancel_by_label")


@pytest.mark.asyncio
async def test_an_order_without_an_answer_is_unknown_and_never_sent_again() -> None:
    """A time-out, then a dropped connection and a new one: the order left once."""

    def script(server: ScriptedDeribit) -> None:
        def keep_silent(_params: dict[str, Any]) -> None:
            raise Silence

        server.answers["private/buy"] = keep_silent

    async with running(script) as run:
        await run.connected()
        run.submit("a-1-1-0-0")
        await run.until(lambda: run.updates("a-1-1-0-0"))
        (update,) = run.updates("a-1-1-0-0")
        assert update.status is OrderStatus.UNKNOWN
        assert "no answer within 4 s" in update.reason
        await run.server.drop()
        await run.connected(times=2)
        assert len(run.server.asked("private/buy")) == 1
        assert run.statuses() == ["connected", "disconnected", "connected"]


@pytest.mark.asyncio
async def test_a_late_answer_is_adopted() -> None:
    """The order is unknown after the time-out, and accepted once the venue says so after all."""

    def script(server: ScriptedDeribit) -> None:
        def keep_silent(_params: dict[str, Any]) -> None:
            raise Silence

        server.answers["private/buy"] = keep_silent

    async with running(script) as run:
        await run.connected()
        run.submit("a-1-1-0-0")
        (params,) = await run.server.until_asked("private/buy")
        late = {"id": run.server.last_id, "result": {"order": order_body(params), "trades": []}}
        await run.until(lambda: run.updates("a-1-1-0-0"))
        await run.server.push_raw(msgspec.json.encode(late).decode())
        await run.until(lambda: len(run.updates("a-1-1-0-0")) >= 2)
        states = [update.status for update in run.updates("a-1-1-0-0")]
        assert states == [OrderStatus.UNKNOWN, OrderStatus.ACCEPTED]


@pytest.mark.asyncio
async def test_a_broken_connection_leaves_its_orders_unknown() -> None:
    """A reset without a close frame while an order awaits its answer."""

    def script(server: ScriptedDeribit) -> None:
        def hang_up(_params: dict[str, Any]) -> None:
            raise HangUp

        server.answers["private/buy"] = hang_up

    async with running(script) as run:
        await run.connected()
        run.submit("a-1-1-0-0")
        await run.connected(times=2)
        (update,) = run.updates("a-1-1-0-0")
        assert update.status is OrderStatus.UNKNOWN
        assert "connection ended" in update.reason
        assert len(run.server.asked("private/buy")) == 1


@pytest.mark.asyncio
async def test_a_wrong_secret_is_a_clear_refusal() -> None:
    """It is raised at once, names the key and the venue's words, and does not hang."""
    async with running(secret="wrong") as run:
        async with asyncio.timeout(3):
            with pytest.raises(VenueRefusedError, match="invalid_credentials") as caught:
                await run.task
        assert caught.value.code == "13004"
        assert CLIENT_ID in str(caught.value)
        assert "wrong" not in str(caught.value)


@pytest.mark.asyncio
async def test_without_cancel_on_disconnect_there_is_no_trading() -> None:
    """When reading it back says that it is off, the adapter refuses to go on."""

    def script(server: ScriptedDeribit) -> None:
        server.armed = False

    async with running(script) as run, asyncio.timeout(3):
        with pytest.raises(VenueRefusedError, match="cancel-on-disconnect"):
            await run.task


@pytest.mark.asyncio
async def test_strange_frames_are_counted_and_the_stream_goes_on() -> None:
    """Error frames, unknown methods and channels, broken JSON: the next tick still comes."""
    async with running() as run:
        await run.connected()
        error = {"jsonrpc": "2.0", "error": {"code": 11050, "message": "bad_request"}}
        for text in (
            msgspec.json.encode(error).decode(),
            msgspec.json.encode({**error, "id": None}).decode(),
            '{"jsonrpc":"2.0","method":"surprise","params":{}}',
            '{"jsonrpc":"2.0","method":"subscription","params":{"channel":"new.thing","data":1}}',
            '{"jsonrpc":"2.0","id":"text"}',
            "{broken",
        ):
            await run.server.push_raw(text)
        await run.server.push(f"ticker.{PERPETUAL}.100ms", {"timestamp": 1})
        await run.server.push(f"ticker.{PERPETUAL}.100ms", ticker_body(90000.0))
        await run.until(lambda: run.of(MarketTick))
        counted = run.venue.counters.as_strings()
        assert counted == {
            "channel_unknown:new": "1",
            "frame_malformed": "2",
            "method_unknown:surprise": "1",
            "reply_unclaimed": "2",
            "undecodable:ticker": "1",
        }


@pytest.mark.asyncio
async def test_an_unreadable_fill_ends_the_connection() -> None:
    """What moves positions must not be lost: the session ends and will be reconciled."""
    async with running() as run:
        await run.connected()
        await run.server.push(USER_TRADES, [{"trade_id": 1}])
        await run.connected(times=2)
        lost = [event for event in run.of(VenueStatusChanged) if event.status == "disconnected"]
        assert "user.trades" in lost[0].detail


@pytest.mark.asyncio
async def test_a_heartbeat_test_is_answered() -> None:
    """The venue's test_request gets a public/test."""
    async with running() as run:
        await run.connected()
        await run.server.push_raw(
            '{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}'
        )
        await run.server.until_asked("public/test")


@pytest.mark.asyncio
async def test_silence_ends_a_connection() -> None:
    """A connection that pings fine but says nothing for 15 s is given up."""
    async with running() as run:
        await run.connected()
        await run.connected(times=2)
        lost = [event for event in run.of(VenueStatusChanged) if event.status == "disconnected"]
        assert "no frame for 15 s" in lost[0].detail


@pytest.mark.asyncio
async def test_a_book_gap_asks_for_a_new_snapshot() -> None:
    """After a missing change the channel is left and joined again, and the book starts over."""
    channel = f"book.{PERPETUAL}.100ms"
    book = {"instrument_name": PERPETUAL, "timestamp": 1, "bids": [], "asks": []}
    async with running(perpetual_books=True) as run:
        await run.connected()
        instrument = InstrumentId(f"deribit:{PERPETUAL}")
        await run.server.push(channel, {**book, "type": "snapshot", "change_id": 1})
        await run.until(lambda: run.venue.book(instrument))
        gap = {**book, "type": "change", "change_id": 9, "prev_change_id": 8}
        await run.server.push(channel, gap)
        (left,) = await run.server.until_asked("public/unsubscribe")
        assert left == {"channels": [channel]}
        joined = await run.server.until_asked("public/subscribe", 2)
        assert joined[-1] == {"channels": [channel]}
        assert run.venue.book(instrument) is None


@pytest.mark.asyncio
async def test_platform_locks_and_maintenance_are_told() -> None:
    """A lock of our index, then maintenance, then neither."""
    async with running() as run:
        await run.connected()
        await run.server.push("platform_state", {"price_index": "btc_usd", "locked": True})
        await run.server.push("platform_state", {"maintenance": True})
        await run.server.push("platform_state", {"price_index": "btc_usd", "locked": False})
        await run.server.push("platform_state", {"maintenance": False})
        await run.until(lambda: len(run.statuses()) >= 4)
        assert run.statuses() == ["connected", "locked", "maintenance", "open"]


@pytest.mark.asyncio
async def test_a_lock_from_before_is_told_after_connecting() -> None:
    """`public/status` says what no notification will repeat."""

    def script(server: ScriptedDeribit) -> None:
        server.answers["public/status"] = lambda _params: {
            "locked": "partial",
            "locked_indices": ["btc_usd"],
        }

    async with running(script) as run:
        await run.until(lambda: len(run.statuses()) >= 2)
        assert run.statuses() == ["connected", "locked"]


@pytest.mark.asyncio
async def test_cancelling_a_finished_order_tells_what_became_of_it() -> None:
    """The venue finds nothing open; the look-up by label finds the filled order."""

    def script(server: ScriptedDeribit) -> None:
        def refuse(_params: dict[str, Any]) -> None:
            raise RpcFault(11044, "not_open_order")

        server.answers["private/buy"] = lambda params: {"order": order_body(params), "trades": []}
        server.answers["private/cancel"] = refuse
        server.answers["private/get_order_state_by_label"] = lambda params: [
            order_body(params, "filled", 100.0)
        ]

    async with running(script) as run:
        await run.connected()
        run.submit("a-1-1-0-0")
        await run.until(lambda: run.updates("a-1-1-0-0"))
        run.venue.cancel(ClientOrderId("a-1-1-0-0"))
        await run.until(lambda: len(run.updates("a-1-1-0-0")) >= 2)
        states = [update.status for update in run.updates("a-1-1-0-0")]
        assert states == [OrderStatus.ACCEPTED, OrderStatus.FILLED]
        assert run.server.asked("private/cancel") == [{"order_id": "id-a-1-1-0-0"}]
        assert run.server.asked("private/get_order_state_by_label")[0]["currency"] == "BTC"


@pytest.mark.asyncio
async def test_cancel_all_goes_over_rest_when_the_socket_cannot() -> None:
    """A refusal on the WebSocket makes the adapter cancel over REST, signed."""

    def script(server: ScriptedDeribit) -> None:
        def cancel_all(_params: dict[str, Any]) -> int:
            if not server.rest_requests or server.rest_requests[-1][0] != "private/cancel_all":
                raise RpcFault(11094, "internal_server_error")
            return 0

        server.answers["private/cancel_all"] = cancel_all

    async with running(script) as run:
        await run.connected()
        run.venue.cancel_all()
        await run.until(lambda: ("private/cancel_all", {}) in run.server.rest_requests)
        assert run.venue.counters["cancel_all_failed"] == 0


@pytest.mark.asyncio
async def test_watch_replaces_what_is_watched() -> None:
    """The next call's instruments come, the last call's go, the perpetual stays."""
    async with running() as run:
        await run.connected()
        run.venue.watch([InstrumentId("deribit:BTC-27MAR26-90000-C")])
        joined = await run.server.until_asked("public/subscribe", 2)
        assert joined[-1] == {"channels": ["ticker.BTC-27MAR26-90000-C.100ms"]}
        run.venue.watch([InstrumentId("deribit:BTC-27MAR26-90000-P")])
        (left,) = await run.server.until_asked("public/unsubscribe")
        assert left == {"channels": ["ticker.BTC-27MAR26-90000-C.100ms"]}


@pytest.mark.asyncio
async def test_many_channels_are_asked_for_in_batches() -> None:
    """No request carries more channels than configured."""
    async with running() as run:
        await run.connected()
        run.venue.watch([InstrumentId(f"deribit:BTC-27MAR26-{n}-C") for n in range(1000, 1250)])
        joined = await run.server.until_asked("public/subscribe", 4)
        sizes = [len(params["channels"]) for params in joined[1:]]
        assert sizes == [100, 100, 50]


@pytest.mark.asyncio
async def test_without_credentials_there_is_market_data_and_no_order() -> None:
    """Public mode never authenticates and never sends an order."""
    async with running(credentials=None) as run:
        await run.connected()
        run.submit("a-1-1-0-0")
        await run.server.push(f"ticker.{PERPETUAL}.100ms", ticker_body(90000.0))
        await run.until(lambda: run.of(MarketTick))
        assert run.updates("a-1-1-0-0")[0].status is OrderStatus.UNKNOWN
        assert not run.server.asked("public/auth")
        assert not run.server.asked("private/buy")
