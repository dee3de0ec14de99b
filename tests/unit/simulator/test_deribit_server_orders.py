"""Orders, fills and the account through the Deribit server's methods."""

from decimal import Decimal
from typing import Any

import pytest
from deribit_wire import (
    PERPETUAL,
    START_NS,
    Bench,
    Client,
    bench,
    make_exchange,
    resting_price,
)

from glmtrader.domain.instruments import DAY_NS, HOUR_NS, SECOND_NS


def an_option(running: Bench) -> str:
    """A quoted option that lives for more than a week."""
    for item in running.exchange.instruments():
        far = item.expiry_ns is not None and item.expiry_ns > START_NS + 8 * DAY_NS
        if far and (ask := running.exchange.ticker(item.instrument_id).ask) and ask < 1:
            return item.symbol
    raise AssertionError("no option is quoted")


async def trade(client: Client, side: str = "buy", **params: Any) -> Any:
    defaults = {"instrument_name": PERPETUAL, "amount": 10}
    return await client.call(f"private/{side}", **defaults | params)


@pytest.mark.asyncio
async def test_refusals_have_deribits_numbers() -> None:
    """Each bad order is refused with its number and changes nothing."""
    async with bench() as running:
        client = await running.connect(log_in=True)
        price = resting_price(running.exchange)
        option = an_option(running)
        bad: list[tuple[int, dict[str, Any]]] = [
            (10043, {"price": price + 0.3}),
            (10043, {"instrument_name": option, "amount": 0.1, "price": 0.0312}),
            (10009, {"amount": 500_000_000}),
            (10002, {"amount": 1}),
            (10022, {"amount": 15}),
            (13020, {"instrument_name": "BTC-NEVER"}),
            (13888, {"valid_until": START_NS // 1_000_000 - 1}),
            (11054, {"price": price * 4, "post_only": True, "reject_post_only": True}),
            (11030, {"reduce_only": True}),
            (-32602, {"label": "x" * 65}),
            (-32602, {"time_in_force": "whenever"}),
            (10033, {"time_in_force": "fill_or_kill"}),
            (10033, {"type": "stop_limit"}),
        ]
        for number, params in bad:
            order = {"instrument_name": PERPETUAL, "amount": 10, "price": price} | params
            assert (await client.error("private/buy", **order))["code"] == number, params
        assert (await client.error("private/cancel", order_id="BTC-99"))["code"] == 10004
        assert running.exchange.open_orders("alice") == []


@pytest.mark.asyncio
async def test_labels_find_all_their_orders() -> None:
    """Labels are not unique: the look-up is a list, open and closed."""
    async with bench() as running:
        client = await running.connect(log_in=True)
        price = resting_price(running.exchange)
        ids = [
            (await trade(client, price=price, label="twice"))["order"]["order_id"] for _ in range(2)
        ]
        await client.call("private/cancel", order_id=ids[0])
        found = await client.call("private/get_order_state_by_label", currency="BTC", label="twice")
        assert [(item["order_id"], item["order_state"]) for item in found] == [
            (ids[0], "cancelled"),
            (ids[1], "open"),
        ]
        by_label = {"currency": "BTC", "label": "never"}
        assert await client.call("private/get_order_state_by_label", **by_label) == []
        error = await client.error("private/cancel", order_id=ids[0])
        assert (error["code"], error["message"]) == (11044, "not_open_order")


@pytest.mark.asyncio
async def test_cancels_reach_what_they_name() -> None:
    """By instrument, by currency and kind, by label, and all: each tells how many."""
    async with bench() as running:
        client = await running.connect(log_in=True)
        price, option = resting_price(running.exchange), an_option(running)
        await trade(client, price=price, label="a")
        await trade(client, price=price, label="b")
        await trade(client, instrument_name=option, amount=0.1, price=0.0001, label="a")
        assert len(await client.call("private/get_open_orders")) == 3
        by_kind = await client.call(
            "private/get_open_orders_by_currency", currency="BTC", kind="option"
        )
        assert [item["instrument_name"] for item in by_kind] == [option]
        assert await client.call("private/cancel_by_label", label="b", currency="BTC") == 1
        cancelled = await client.call(
            "private/cancel_all_by_instrument", instrument_name=PERPETUAL, detailed=True
        )
        assert [item["label"] for item in cancelled[0]["result"]] == ["a"]
        by_currency = {"currency": "BTC", "kind": "future"}
        assert await client.call("private/cancel_all_by_currency", **by_currency) == 0
        assert await client.call("private/cancel_all") == 1


@pytest.mark.asyncio
async def test_fills_are_paged_both_ways() -> None:
    """By currency and instrument, ascending and descending, by sequence and time, has_more."""
    async with bench() as running:
        client = await running.connect(log_in=True)
        for _ in range(5):
            await trade(client, type="market")
        method = "private/get_user_trades_by_instrument"
        newest = await client.call(method, instrument_name=PERPETUAL, count=2)
        assert [item["trade_seq"] for item in newest["trades"]] == [5, 4]
        assert newest["has_more"]
        oldest = await client.call(
            method, instrument_name=PERPETUAL, start_seq=2, count=10, sorting="asc"
        )
        assert [item["trade_seq"] for item in oldest["trades"]] == [2, 3, 4, 5]
        assert not oldest["has_more"]
        third = oldest["trades"][1]["trade_id"]
        since = await client.call(
            "private/get_user_trades_by_currency", currency="BTC", start_id=third, sorting="asc"
        )
        assert [item["trade_seq"] for item in since["trades"]] == [3, 4, 5]
        timed = await client.call(
            "private/get_user_trades_by_currency_and_time",
            currency="BTC",
            kind="option",
            start_timestamp=0,
            end_timestamp=START_NS,
        )
        assert timed == {"trades": [], "has_more": False}
        by_order = await client.call(
            "private/get_user_trades_by_order", order_id=newest["trades"][0]["order_id"]
        )
        assert [item["trade_seq"] for item in by_order] == [5]


@pytest.mark.asyncio
async def test_an_option_position_has_value_and_greeks() -> None:
    """A bought option shows size, greeks and its premium in the summary."""
    async with bench() as running:
        client = await running.connect(log_in=True)
        option = an_option(running)
        bought = await trade(client, instrument_name=option, amount=1, type="market")
        assert bought["trades"][0]["iv"] > 0
        held = await client.call("private/get_position", instrument_name=option)
        assert (held["direction"], held["size"], held["kind"]) == ("buy", 1, "option")
        assert held["vega"] > 0 > held["theta"]
        summary = await client.call("private/get_account_summary", currency="BTC", extended=True)
        assert (summary["username"], summary["options_vega"]) == ("alice", held["vega"])
        assert summary["equity"] == pytest.approx(
            summary["margin_balance"] + summary["options_value"]
        )
        closed = await client.call("private/close_position", instrument_name=option, type="market")
        assert closed["order"]["reduce_only"]
        assert await client.call("private/get_positions", currency="BTC") == []


@pytest.mark.asyncio
async def test_the_log_explains_the_balance_through_a_settlement() -> None:
    """Changes sum to Deribit's balance, before and after 08:00, closed perpetuals included."""
    start_ns = START_NS - 2 * HOUR_NS - 20 * SECOND_NS
    async with bench(exchange=make_exchange(start_ns), start_ns=start_ns, speed=20.0) as running:
        client = await running.connect(log_in=True)
        await trade(client, amount=50_000, type="market")
        await trade(client, "sell", amount=20_000, type="market")
        span = {"start_timestamp": 0, "end_timestamp": 2_000_000_000_000}

        async def check(entries: int) -> list[Any]:
            log = await client.call("private/get_transaction_log", currency="BTC", **span)
            assert len(log["logs"]) == entries
            total = sum(Decimal(str(item["change"])) for item in log["logs"])
            summary = await client.call("private/get_account_summary", currency="BTC")
            assert total == Decimal(str(summary["balance"]))
            assert log["logs"][0]["balance"] == summary["balance"]
            rows: list[Any] = log["logs"]
            return rows

        rows = await check(3)
        assert [item["type"] for item in rows] == ["trade", "trade", "deposit"]
        assert rows[0]["change"] == -rows[0]["commission"]
        await running.until(
            lambda: running.exchange.now_ns > START_NS - 2 * HOUR_NS + 4 * SECOND_NS
        )
        rows = await check(4)
        assert (rows[0]["type"], rows[0]["position"]) == ("settlement", 30_000)
        page = await client.call("private/get_transaction_log", currency="BTC", count=1, **span)
        rest = await client.call(
            "private/get_transaction_log",
            currency="BTC",
            continuation=page["continuation"],
            **span,
        )
        assert [item["id"] for item in page["logs"] + rest["logs"]] == [item["id"] for item in rows]
        history = await client.call(
            "private/get_settlement_history_by_instrument", instrument_name=PERPETUAL
        )
        assert [item["type"] for item in history["settlements"]] == ["settlement"]


@pytest.mark.asyncio
async def test_funding_and_candles_have_a_past() -> None:
    """Funding is known by the hour since the start; candles reach back further."""
    start_ns = START_NS - 5 * SECOND_NS
    async with bench(exchange=make_exchange(start_ns), start_ns=start_ns, speed=50.0) as running:
        client = await running.connect()
        await running.until(lambda: running.exchange.now_ns > START_NS + SECOND_NS)
        span = {"start_timestamp": 0, "end_timestamp": 2_000_000_000_000}
        rows = await client.call(
            "public/get_funding_rate_history", instrument_name=PERPETUAL, **span
        )
        value = await client.call(
            "public/get_funding_rate_value", instrument_name=PERPETUAL, **span
        )
        assert [item["timestamp"] for item in rows] == [START_NS // 1_000_000]
        assert value == pytest.approx(rows[0]["interest_1h"])
        day = {"start_timestamp": (START_NS - DAY_NS) // 1_000_000}
        chart = await client.call(
            "public/get_tradingview_chart_data",
            instrument_name=PERPETUAL,
            resolution="60",
            end_timestamp=START_NS // 1_000_000,
            **day,
        )
        assert (chart["status"], len(chart["ticks"])) == ("ok", 24)
