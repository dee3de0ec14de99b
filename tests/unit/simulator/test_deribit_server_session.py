"""Sessions with the Deribit server: authentication, heartbeat, cancel-on-disconnect, limits."""

import asyncio
import base64
import json

import aiohttp
import pytest
import structlog
from deribit_wire import (
    KEY,
    OTHER_KEY,
    OTHER_SECRET,
    PERPETUAL,
    SECRET,
    START_NS,
    Bench,
    Client,
    bench,
    resting_price,
    signature,
)

from glmtrader.simulator.deribit import CreditPool, Fault, FaultKind, RateLimits, ServerConfig

TICK_MS = START_NS // 1_000_000


async def rest_order(client: Client, running: Bench, label: str = "") -> str:
    """Rest a bid far from the market; returns its id."""
    result = await client.call(
        "private/buy",
        instrument_name=PERPETUAL,
        amount=10,
        price=resting_price(running.exchange),
        label=label,
    )
    order_id: str = result["order"]["order_id"]
    return order_id


def open_ids(running: Bench, account: str = "alice") -> list[str]:
    return [order.order_id for order in running.exchange.open_orders(account)]


@pytest.mark.asyncio
async def test_every_reply_says_when_and_where() -> None:
    """A reply carries its id, the times it took, and that this is no real venue."""
    async with bench() as running:
        client = await running.connect()
        frame = await client.reply(await client.send("public/test"))
        assert frame["usOut"] - frame["usIn"] == frame["usDiff"] >= 0
        assert (frame["jsonrpc"], frame["testnet"]) == ("2.0", True)


@pytest.mark.asyncio
async def test_a_signature_logs_in() -> None:
    """client_signature is verified over timestamp, nonce and data."""
    async with bench() as running:
        client = await running.connect()
        timestamp = TICK_MS + 500
        parts = {
            "grant_type": "client_signature",
            "client_id": KEY,
            "timestamp": timestamp,
            "nonce": "n",
            "data": "d",
        }
        bad = await client.error("public/auth", **parts, signature=signature(SECRET, "other"))
        assert (bad["code"], bad["message"]) == (13004, "invalid_credentials")
        good = signature(SECRET, f"{timestamp}\nn\nd")
        result = await client.call("public/auth", **parts, signature=good)
        assert result["token_type"] == "bearer"
        assert await client.call("private/get_positions", currency="BTC") == []


@pytest.mark.asyncio
async def test_an_old_signature_is_refused() -> None:
    """A signature is good for sixty seconds."""
    async with bench() as running:
        client = await running.connect()
        timestamp = TICK_MS - 61_000
        error = await client.error(
            "public/auth",
            grant_type="client_signature",
            client_id=KEY,
            timestamp=timestamp,
            signature=signature(SECRET, f"{timestamp}\n\n"),
        )
        assert error["code"] == 13004


@pytest.mark.asyncio
async def test_wrong_secrets_and_missing_logins_are_refused() -> None:
    """13004 for a wrong secret, 13009 for a private method without a login."""
    async with bench() as running:
        client = await running.connect()
        grant = {"grant_type": "client_credentials", "client_id": KEY}
        assert (await client.error("public/auth", **grant, client_secret="no"))["code"] == 13004
        assert (await client.error("private/get_positions"))["code"] == 13009
        status, body = await running.get("private/get_positions")
        assert (status, body["error"]["code"]) == (401, 13009)


@pytest.mark.asyncio
async def test_tokens_are_refreshed_and_belong_to_their_connection() -> None:
    """A refresh token works once; a connection's token works on no other connection."""
    async with bench() as running:
        first, second = await running.connect(), await running.connect()
        tokens = await first.log_in()
        refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        renewed = await first.call("public/auth", **refresh)
        assert renewed["access_token"] != tokens["access_token"]
        assert (await first.error("public/auth", **refresh))["code"] == 13004
        stolen = await second.error("private/get_positions", access_token=renewed["access_token"])
        assert stolen["code"] == 13009


@pytest.mark.asyncio
async def test_a_login_ends_with_its_token() -> None:
    """After the token's life the connection must refresh; the session's token serves REST too."""
    async with bench(ServerConfig(token_life_s=30), speed=100.0) as running:
        client = await running.connect()
        tokens = await client.call(
            "public/auth",
            grant_type="client_credentials",
            client_id=KEY,
            client_secret=SECRET,
            scope="session:one trade:read",
        )
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        assert (await running.get("private/get_positions", bearer))[0] == 200
        denied = await client.error("private/cancel_all")
        assert (denied["code"], denied["message"]) == (13021, "forbidden")
        await asyncio.sleep(0.4)
        assert (await client.error("private/get_positions"))["code"] == 13009
        refreshed = await client.call(
            "public/auth", grant_type="refresh_token", refresh_token=tokens["refresh_token"]
        )
        assert "session:one" in refreshed["scope"]
        assert await client.call("private/get_positions") == []


@pytest.mark.asyncio
async def test_rest_accepts_signed_and_basic_requests() -> None:
    """`deri-hmac-sha256` covers method, path and query; one changed character is refused."""
    async with bench() as running:
        path = "/api/v2/private/get_position?instrument_name=BTC-PERPETUAL"
        text = f"{TICK_MS}\nabc\nGET\n{path}\n\n"
        fields = f"id={KEY},ts={TICK_MS},nonce=abc,sig={signature(SECRET, text)}"
        headers = {"Authorization": f"deri-hmac-sha256 {fields}"}
        method = "private/get_position"
        status, body = await running.get(method, headers, instrument_name=PERPETUAL)
        assert (status, body["result"]["direction"]) == (200, "zero")
        status, body = await running.get(method, headers, instrument_name="BTC-PERPETUAK")
        assert (status, body["error"]["code"]) == (400, 13004)
        encoded = base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()
        basic = {"Authorization": f"Basic {encoded}"}
        assert (await running.get("private/get_positions", basic))[0] == 200


@pytest.mark.asyncio
async def test_an_answered_heartbeat_keeps_the_connection() -> None:
    """Heartbeats and test requests come at the interval; an answer keeps the connection."""
    async with bench(speed=100.0) as running:
        client = await running.connect()
        assert (await client.error("public/set_heartbeat", interval=5))["code"] == -32602
        await client.call("public/set_heartbeat", interval=10)
        for _ in range(3):
            kinds = [(await client.other())["params"]["type"] for _ in range(2)]
            assert kinds == ["heartbeat", "test_request"]
            await client.call("public/test")
        await client.call("public/disable_heartbeat")
        await asyncio.sleep(0.3)
        assert running.server.connection_count == 1


@pytest.mark.asyncio
async def test_an_unanswered_heartbeat_cuts_and_cancels() -> None:
    """A client that answers no test request loses connection and orders; others keep theirs."""
    async with bench(speed=100.0) as running:
        silent, other = await running.connect(log_in=True), await running.connect(log_in=True)
        await silent.call("private/enable_cancel_on_disconnect", scope="connection")
        await rest_order(silent, running)
        kept = await rest_order(other, running)
        await silent.call("public/set_heartbeat", interval=10)
        end = await silent.ended()
        assert end in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
        await running.until(lambda: open_ids(running) == [kept])
        assert running.server.connection_count == 1


@pytest.mark.asyncio
async def test_a_lost_connection_cancels_its_orders_alone() -> None:
    """With the switch on, a closed socket cancels this connection's orders with that reason."""
    async with bench() as running:
        armed, other = await running.connect(log_in=True), await running.connect(log_in=True)
        scope = {"scope": "connection"}
        await armed.call("private/enable_cancel_on_disconnect", **scope)
        state = await armed.call("private/get_cancel_on_disconnect", **scope)
        assert state == {"scope": "connection", "enabled": True}
        assert not (await other.call("private/get_cancel_on_disconnect", **scope))["enabled"]
        gone, kept = await rest_order(armed, running), await rest_order(other, running)
        await armed.socket.close()
        await running.until(lambda: open_ids(running) == [kept])
        order = await other.call("private/get_order_state", order_id=gone)
        assert (order["order_state"], order["cancel_reason"]) == (
            "cancelled",
            "cancel_on_disconnect",
        )


@pytest.mark.asyncio
async def test_without_the_switch_or_after_logout_orders_stay() -> None:
    """Neither a plain disconnect nor private/logout cancels anything."""
    async with bench() as running:
        plain, leaving = await running.connect(log_in=True), await running.connect(log_in=True)
        await leaving.call("private/enable_cancel_on_disconnect")
        kept = [await rest_order(plain, running), await rest_order(leaving, running)]
        await plain.socket.close()
        await leaving.send("private/logout")
        assert await leaving.ended() is aiohttp.WSMsgType.CLOSE
        await running.until(lambda: running.server.connection_count == 0)
        assert open_ids(running) == kept


@pytest.mark.asyncio
async def test_cancels_that_maintenance_forbids_are_made_up_for() -> None:
    """A connection lost during maintenance has its orders cancelled when the platform opens."""
    async with bench() as running:
        client = await running.connect(log_in=True)
        await client.call("private/enable_cancel_on_disconnect")
        kept = await rest_order(client, running)
        running.server.inject(Fault(kind=FaultKind.MAINTENANCE))
        await client.socket.close()
        await running.until(lambda: running.server.connection_count == 0)
        assert open_ids(running) == [kept]
        running.server.inject(Fault(kind=FaultKind.PLATFORM_OPEN))
        await running.until(lambda: not open_ids(running))


@pytest.mark.asyncio
async def test_used_up_credits_end_the_session() -> None:
    """10028 comes with the end of the connection, as on the venue."""
    limits = RateLimits(matching=CreditPool(cost=1, credits_max=2, refill_per_s=0.001))
    async with bench(ServerConfig(rate_limits=limits)) as running:
        client = await running.connect(log_in=True)
        for _ in range(2):
            await client.call("private/cancel_all")
        error = await client.error("private/cancel_all")
        assert (error["code"], error["message"]) == (10028, "too_many_requests")
        assert await client.ended() is aiohttp.WSMsgType.CLOSE


@pytest.mark.asyncio
async def test_malformed_requests_get_an_error_frame() -> None:
    """No JSON, no method, an unknown method, a missing parameter: each has its number."""
    async with bench() as running:
        client = await running.connect()
        await client.socket.send_str("{")
        assert (await client.other())["error"]["code"] == -32700
        await client.socket.send_str("[]")
        assert (await client.other())["error"]["code"] == 11050
        assert (await client.error("public/nothing"))["code"] == -32601
        missing = await client.error("public/ticker")
        assert (missing["code"], missing["data"]["param"]) == (-32602, "instrument_name")
        wrong = await client.error("public/get_order_book", instrument_name=PERPETUAL, depth="x")
        assert wrong["data"]["param"] == "depth"


@pytest.mark.asyncio
async def test_bodies_and_connections_are_bounded() -> None:
    """A message or body over the limit ends; one connection too many is refused."""
    async with bench(ServerConfig(body_bytes_max=2_000, connections_max=1)) as running:
        client = await running.connect()
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await running.connect()
        await client.socket.send_str("x" * 3_000)
        await client.ended()
        body = json.dumps({"method": "public/test", "params": {"x": "y" * 3_000}})
        async with running.http.post(f"{running.url}/api/v2", data=body) as response:
            assert response.status == 413


@pytest.mark.asyncio
async def test_a_slow_reader_is_disconnected() -> None:
    """When the queue of a connection is full it is cut, and the server goes on."""
    async with bench(ServerConfig(queue_frames_max=4)) as running:
        slow, fast = await running.connect(), await running.connect()
        (connection, _) = running.server._connections.values()
        for _ in range(5):
            connection.send(b"{}")
        await slow.ended()
        await running.until(lambda: running.server.connection_count == 1)
        assert await fast.call("public/get_time") > 0


@pytest.mark.asyncio
async def test_no_secret_is_logged_or_shown() -> None:
    """Neither log lines nor replies nor reprs hold a secret or a token."""
    with structlog.testing.capture_logs() as lines:
        async with bench() as running:
            client = await running.connect()
            tokens = await client.log_in(OTHER_KEY, OTHER_SECRET)
            await client.error(
                "public/auth",
                grant_type="client_credentials",
                client_id=KEY,
                client_secret=OTHER_SECRET,
            )
            await client.error("private/cancel", order_id="BTC-1")
            shown = json.dumps(await client.call("private/get_account_summaries", extended=True))
            shown += repr(running.exchange.config) + repr(running.server.__dict__)
    text = str(lines) + shown
    assert len(lines) >= 2
    for secret in (SECRET, OTHER_SECRET, tokens["access_token"], tokens["refresh_token"]):
        assert secret not in text
