"""Subscriptions to the Deribit server: books chain, tickers and private streams agree with REST."""

from decimal import Decimal
from typing import Any

import pytest
from deribit_wire import (
    OTHER_KEY,
    OTHER_SECRET,
    PERPETUAL,
    START_NS,
    Client,
    bench,
    make_exchange,
    resting_price,
)

from glmtrader.domain.instruments import HOUR_NS, SECOND_NS
from glmtrader.simulator.deribit import Fault, FaultKind


def apply_changes(side: dict[Any, Any], rows: list[list[Any]]) -> None:
    """Apply a book message to a side as a client does."""
    for action, price, amount in rows:
        if action == "delete":
            del side[price]
        else:
            assert (price in side) == (action == "change")
            side[price] = amount


async def buy(client: Client, **params: Any) -> Any:
    return await client.call("private/buy", **{"instrument_name": PERPETUAL, "amount": 10} | params)


@pytest.mark.asyncio
async def test_a_book_is_a_snapshot_and_chained_changes() -> None:
    """Changes applied to the snapshot give the book that REST shows; ids chain without a gap."""
    async with bench(speed=20.0) as running:
        client = await running.connect(log_in=True)
        channel = f"book.{PERPETUAL}.100ms"
        assert await client.call("public/subscribe", channels=[channel, "book.X.100ms"]) == [
            channel
        ]
        first = await client.note(channel)
        assert first["type"] == "snapshot"
        sides = {name: {row[1]: row[2] for row in first[name]} for name in ("bids", "asks")}
        last = first["change_id"]
        price = resting_price(running.exchange)
        await buy(client, price=price)
        for _ in range(4):
            change = await client.note(channel)
            assert (change["type"], change["prev_change_id"]) == ("change", last)
            last = change["change_id"]
            for name, side in sides.items():
                apply_changes(side, change[name])
        assert sides["bids"][price] == 10
        book = running.exchange.order_book(running.exchange.instruments()[0].instrument_id, 5)
        assert len(sides["bids"]) >= 2 >= len(book.asks) >= 1


@pytest.mark.asyncio
async def test_a_late_subscriber_joins_the_same_chain() -> None:
    """The snapshot of a second subscriber continues with the change that the first one gets."""
    async with bench(speed=20.0) as running:
        one, two = await running.connect(), await running.connect()
        channel = f"book.{PERPETUAL}.100ms"
        await one.call("public/subscribe", channels=[channel])
        await one.note(channel)
        change = await one.note(channel)
        await two.call("public/subscribe", channels=[channel])
        snapshot, following = await two.note(channel), await two.note(channel)
        assert following["prev_change_id"] == snapshot["change_id"] >= change["change_id"]


@pytest.mark.asyncio
async def test_raw_market_channels_need_a_login() -> None:
    """Unauthenticated connections get error 13778 for raw data, and no private channel at all."""
    async with bench() as running:
        client = await running.connect()
        error = await client.error("public/subscribe", channels=[f"ticker.{PERPETUAL}.raw"])
        assert error["code"] == 13778
        private = ["user.orders.any.any.raw"]
        assert await client.call("public/subscribe", channels=private) == []
        await client.log_in()
        assert await client.call("private/subscribe", channels=private) == private
        assert await client.call("private/unsubscribe", channels=private) == private
        assert await client.call("private/unsubscribe", channels=private) == []


@pytest.mark.asyncio
async def test_every_market_channel_opens_and_moves() -> None:
    """Each documented market channel tells a first state and later a changed one."""
    async with bench(speed=500.0) as running:
        client = await running.connect(log_in=True)
        channels = [
            f"ticker.{PERPETUAL}.100ms",
            f"ticker.{PERPETUAL}.raw",
            f"ticker.{PERPETUAL}.agg2",
            f"book.{PERPETUAL}.raw",
            f"book.{PERPETUAL}.none.10.100ms",
            f"quote.{PERPETUAL}",
            "deribit_price_index.btc_usd",
            "markprice.options.btc_usd",
            f"perpetual.{PERPETUAL}.100ms",
            f"chart.trades.{PERPETUAL}.5",
        ]
        assert await client.call("public/subscribe", channels=channels) == channels
        for channel in channels:
            opening, later = await client.note(channel), await client.note(channel)
            assert opening != later
        assert await client.call("public/unsubscribe_all") == "ok"


@pytest.mark.asyncio
async def test_private_channels_tell_orders_fills_changes_and_money() -> None:
    """A fill reaches user.orders, user.trades, user.changes and user.portfolio of its owner."""
    async with bench() as running:
        client, other = await running.connect(log_in=True), await running.connect()
        await other.log_in(OTHER_KEY, OTHER_SECRET)
        channels = [f"user.{name}.any.any.raw" for name in ("orders", "trades", "changes")]
        channels.append("user.portfolio.BTC")
        for each in (client, other):
            assert await each.call("private/subscribe", channels=channels) == channels
        before = await client.note("user.portfolio.BTC")
        bought = await buy(client, type="market", label="mine")
        order = await client.note(channels[0])
        trades = await client.note(channels[1])
        changes = await client.note(channels[2])
        assert order["order_id"] == bought["order"]["order_id"] == trades[0]["order_id"]
        assert (order["order_state"], order["label"]) == ("filled", "mine")
        assert [item["trade_id"] for item in trades] == [
            item["trade_id"] for item in bought["trades"]
        ]
        assert changes["positions"][0]["size"] == 10
        while (after := await client.note("user.portfolio.BTC")) == before:
            pass
        assert after["balance"] < before["balance"]
        await other.call("public/test")
        assert not [name for name, _ in other.notes if name != "user.portfolio.BTC"]


@pytest.mark.asyncio
async def test_public_trades_show_both_sides_once() -> None:
    """Two accounts trade with each other: one public trade, one fill each."""
    async with bench() as running:
        maker, taker = await running.connect(log_in=True), await running.connect()
        await taker.log_in(OTHER_KEY, OTHER_SECRET)
        book = await maker.call("public/get_order_book", instrument_name=PERPETUAL, depth=1)
        tape = f"trades.{PERPETUAL}.raw"
        await maker.call("public/subscribe", channels=[tape])
        price = Decimal(str(book["best_bid_price"])) + Decimal("0.5")
        if price >= Decimal(str(book["best_ask_price"])):
            price -= Decimal("0.5")
        await buy(maker, price=float(price), label="m")
        sold = await taker.call("private/sell", instrument_name=PERPETUAL, amount=10, type="market")
        (trade,) = await maker.note(tape)
        assert (trade["direction"], trade["trade_seq"]) == ("sell", 1)
        assert sold["trades"][0]["trade_id"] == trade["trade_id"]
        assert sold["trades"][0]["liquidity"] == "T"
        listed = await maker.call("public/get_last_trades_by_instrument", instrument_name=PERPETUAL)
        assert [item["trade_id"] for item in listed["trades"]] == [trade["trade_id"]]


@pytest.mark.asyncio
async def test_the_platform_and_listings_are_told() -> None:
    """Locks and maintenance come on platform_state, listings on instrument.state."""
    start_ns = START_NS - 2 * HOUR_NS - 2 * SECOND_NS
    async with bench(exchange=make_exchange(start_ns), start_ns=start_ns, speed=10.0) as running:
        client = await running.connect()
        states = "instrument.state.any.BTC"
        await client.call("public/subscribe", channels=["platform_state", states])
        running.server.inject(Fault(kind=FaultKind.PLATFORM_LOCK))
        assert await client.note("platform_state") == {"price_index": "btc_usd", "locked": True}
        assert (await client.call("public/status"))["locked"] == "true"
        running.server.inject(Fault(kind=FaultKind.PLATFORM_OPEN))
        assert not (await client.note("platform_state"))["locked"]
        told = [await client.note(states) for _ in range(10)]
        assert {item["state"] for item in told} <= {"started", "terminated"}
        expired = next(item for item in told if item["state"] == "terminated")
        gone = await client.error("public/ticker", instrument_name=expired["instrument_name"])
        assert gone["code"] == 13020
        prices = await client.call("public/get_delivery_prices", index_name="btc_usd")
        assert prices["records_total"] == 1
        last = await client.call("public/get_last_settlements_by_currency", currency="BTC")
        assert (
            expired["instrument_name"] in {item["instrument_name"] for item in last["settlements"]}
            or last["continuation"]
        )


@pytest.mark.asyncio
async def test_an_aggregated_channel_is_quieter() -> None:
    """agg2 speaks at most once a second of process time."""
    async with bench(speed=50.0) as running:
        client = await running.connect()
        fast, slow = f"ticker.{PERPETUAL}.100ms", f"ticker.{PERPETUAL}.agg2"
        await client.call("public/subscribe", channels=[fast, slow])
        stamps = [(await client.note(slow))["timestamp"] for _ in range(3)]
        assert stamps[2] - stamps[1] >= 1_000


@pytest.mark.asyncio
async def test_channels_of_an_expired_option_fall_silent_and_the_others_go_on() -> None:
    """Nobody has to unsubscribe before an expiry to keep the venue running."""
    start_ns = START_NS + 22 * HOUR_NS - 20 * SECOND_NS
    async with bench(speed=50.0, start_ns=start_ns) as running:
        client = await running.connect(log_in=True)
        option = next(
            item
            for item in running.exchange.instruments()
            if item.expiry_ns is not None and item.expiry_ns < start_ns + HOUR_NS
        )
        name = option.symbol
        channels = [
            f"ticker.{name}.100ms",
            f"ticker.{name}.raw",
            f"book.{name}.100ms",
            f"book.{name}.none.10.100ms",
            f"quote.{name}",
            f"chart.trades.{name}.5",
            f"user.orders.{name}.raw",
        ]
        perpetual = f"ticker.{PERPETUAL}.100ms"
        assert await client.call("public/subscribe", channels=[*channels[:6], perpetual])
        assert await client.call("private/subscribe", channels=channels[6:]) == channels[6:]
        assert await client.note(channels[0])
        await running.until(lambda: not running.exchange.is_known(option.instrument_id))
        gone_ns = running.exchange.now_ns
        while (await client.note(perpetual))["timestamp"] * 1_000_000 < gone_ns + 5 * SECOND_NS:
            pass
        assert await client.call("public/unsubscribe", channels=channels[:6]) == channels[:6]
