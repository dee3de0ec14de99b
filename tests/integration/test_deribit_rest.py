"""The Deribit adapter's REST side against a scripted server, through an unmodified ccxt."""

import asyncio
import itertools
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from deribit_run import PERPETUAL, Run, order_body, running, trade_body
from scripted_deribit import CLIENT_ID, CLIENT_SECRET, OPTION, RpcFault, ScriptedDeribit

from glmtrader.config.secret import Secret
from glmtrader.domain.ids import ClientOrderId
from glmtrader.domain.instruments import MINUTE_NS
from glmtrader.domain.market_events import Candle, ChainSnapshot, InstrumentsListed
from glmtrader.domain.order_events import FundingPaid, SessionSettled, VenueReport
from glmtrader.domain.orders import OrderStatus
from glmtrader.domain.system_events import VenueStatusChanged
from glmtrader.errors import VenueRefusedError
from glmtrader.venues.deribit.config import DeribitConfig, DeribitCredentials, DeribitLimits
from glmtrader.venues.deribit.http import open_http
from glmtrader.venues.deribit.limits import OrderLimiter
from glmtrader.venues.deribit.rest import Rest

LOG_LINE: dict[str, Any] = {
    "id": 1,
    "type": "settlement",
    "timestamp": 1_774_000_000_100,
    "currency": "BTC",
    "change": 0.002,
    "instrument_name": PERPETUAL,
    "price": 90050.25,
    "interest_pl": -0.00001,
    "index_price": None,
}


class Account:
    """An account whose answers a test can change."""

    def __init__(self, server: ScriptedDeribit) -> None:
        self.sizes = [100.0]
        self.trades = [trade_body(number) for number in range(5)]
        self.page = 1000
        server.answers |= {
            "private/get_positions": self.positions,
            "private/get_open_orders": lambda _params: [order_body({"label": "open-1-1-0-0"})],
            "private/get_order_state_by_label": self.by_label,
            "private/get_user_trades_by_currency_and_time": self.trade_page,
            "private/get_transaction_log": self.log_page,
            "private/get_account_summaries": lambda _params: {"summaries": [SUMMARY]},
        }

    def positions(self, _params: dict[str, Any]) -> list[dict[str, Any]]:
        size = self.sizes.pop(0) if len(self.sizes) > 1 else self.sizes[0]
        return [
            {"instrument_name": PERPETUAL, "size": size, "kind": "future"},
            {"instrument_name": "BTC-1JAN26", "size": 0.0, "kind": "future"},
        ]

    def by_label(self, params: dict[str, Any]) -> list[dict[str, Any]]:
        if params["label"] == "gone-1-1-0-0":
            raise RpcFault(10004, "order_not_found")
        found = params["label"] == "done-1-1-0-0"
        return [order_body(params, "filled", 100.0)] if found else []

    def trade_page(self, params: dict[str, Any]) -> dict[str, Any]:
        since = int(params["start_timestamp"])
        wanted = [trade for trade in self.trades if trade["timestamp"] >= since]
        return {"trades": wanted[: self.page], "has_more": len(wanted) > self.page}

    def log_page(self, params: dict[str, Any]) -> dict[str, Any]:
        if "continuation" not in params:
            return {"logs": [LOG_LINE], "continuation": 7}
        return {
            "logs": [{**LOG_LINE, "id": 2, "type": "trade", "timestamp": 1_774_000_000_150}],
            "continuation": None,
        }


def install(server: ScriptedDeribit) -> None:
    """Give the server an account that stays as it is."""
    Account(server)


SUMMARY = {
    "currency": "BTC",
    "balance": 1.25,
    "equity": 1.2501,
    "futures_session_rpl": -0.0002,
    "session_rpl": -0.0002,
    "initial_margin": 0.01,
    "maintenance_margin": 0.005,
}


async def report(
    run: Run[ScriptedDeribit], *, since: int, resolve: tuple[str, ...] = ()
) -> VenueReport:
    await run.connected()
    labels = [ClientOrderId(label) for label in resolve]
    run.venue.request_report("test", since_cursor=since, resolve=labels)
    await run.until(lambda: run.of(VenueReport))
    return run.of(VenueReport)[0]


@pytest.mark.asyncio
async def test_a_report_has_every_part_of_the_account() -> None:
    """Orders, labels, fills, cash flows, positions and balances, exact to the digit."""
    async with running(install) as run:
        told = await report(
            run, since=1_774_000_000_002, resolve=("done-1-1-0-0", "gone-1-1-0-0", "none-1-1-0-0")
        )
        assert told.complete
        states = {order.client_order_id: order.status for order in told.orders}
        assert states == {
            "open-1-1-0-0": OrderStatus.ACCEPTED,
            "done-1-1-0-0": OrderStatus.FILLED,
        }
        assert told.resolved == ("done-1-1-0-0", "gone-1-1-0-0", "none-1-1-0-0")
        assert [fill.trade_id for fill in told.fills] == ["2", "3", "4"]
        assert told.positions == {f"deribit:{PERPETUAL}": Decimal(100)}
        (balance,) = told.balances
        assert (balance.cash, balance.equity) == (Decimal("1.2498"), Decimal("1.2501"))
        kinds = [type(flow) for flow in told.cashflows]
        assert kinds == [FundingPaid, SessionSettled, FundingPaid]


@pytest.mark.asyncio
async def test_trades_come_page_by_page_without_loss_or_repetition() -> None:
    """Pages overlap by a millisecond; each trade is in the report once."""

    def script(server: ScriptedDeribit) -> None:
        account = Account(server)
        account.page = 3
        account.trades[1]["timestamp"] = account.trades[2]["timestamp"]

    async with running(script) as run:
        told = await report(run, since=0)
        assert sorted(fill.trade_id for fill in told.fills) == ["0", "1", "2", "3", "4"]
        asked = [params for method, params in run.server.rest_requests if "trades" in method]
        assert {params.get("historical") for params in asked} == {"true", None}


@pytest.mark.asyncio
async def test_an_account_that_moves_while_it_is_read_is_read_again() -> None:
    """Positions changed in between: the first reading is thrown away."""

    def script(server: ScriptedDeribit) -> None:
        Account(server).sizes = [100.0, 200.0]

    async with running(script) as run:
        told = await report(run, since=0)
        assert told.positions == {f"deribit:{PERPETUAL}": Decimal(200)}
        assert run.venue.counters["report_read_again"] == 1


@pytest.mark.asyncio
async def test_cash_that_moves_while_the_account_is_read_is_read_again() -> None:
    """A deposit between the log and the cash would be booked twice by books that open on it."""

    def script(server: ScriptedDeribit) -> None:
        Account(server)
        balances = iter([1.0])
        server.answers["private/get_account_summaries"] = lambda _params: {
            "summaries": [{**SUMMARY, "balance": next(balances, 1.25)}]
        }

    async with running(script) as run:
        told = await report(run, since=0)
        assert [item.cash for item in told.balances] == [Decimal("1.2498")]
        assert run.venue.counters["report_read_again"] == 1


@pytest.mark.asyncio
async def test_no_order_goes_over_rest() -> None:
    """A GET may be sent twice: only what reads, or cancels everything, has this way."""
    async with running(install) as run, open_http(DeribitConfig()) as http:
        secret = DeribitCredentials(client_id=CLIENT_ID, client_secret=Secret(CLIENT_SECRET))
        now_ns = run.clock.now_ns()
        rest = Rest(
            DeribitConfig(rest_url=run.server.rest_url, credentials=secret),
            clock=run.clock,
            http=http,
            limiter=OrderLimiter(DeribitLimits(), now_ns=now_ns),
            offset_ns=lambda: 0,
        )
        for method in ("buy", "sell", "edit", "cancel", "close_position"):
            with pytest.raises(AssertionError, match="sent twice"):
                await rest.private(method, {}, Any)
        methods = {method for method, _ in run.server.rest_requests}
        assert not {method for method in methods if method.startswith("private/")}
        await rest.close()


@pytest.mark.asyncio
async def test_a_failing_request_is_no_answer() -> None:
    """A report is tried again after an error, and nothing is told in between."""

    def script(server: ScriptedDeribit) -> None:
        account = Account(server)
        calls = []

        def flaky(params: dict[str, Any]) -> dict[str, Any]:
            calls.append(params)
            if len(calls) == 1:
                raise RpcFault(13028, "temporarily_unavailable")
            return account.trade_page(params)

        server.answers["private/get_user_trades_by_currency_and_time"] = flaky

    async with running(script) as run:
        told = await report(run, since=1_774_000_000_000)
        assert len(told.fills) == 5
        assert run.venue.counters["report_failed"] == 1


@pytest.mark.asyncio
async def test_instruments_are_told_first_and_a_chain_follows() -> None:
    """The chain's columns come from one call, for listed options."""
    async with running() as run:
        await run.until(lambda: run.of(ChainSnapshot))
        assert isinstance(run.events[0], InstrumentsListed)
        assert {item.symbol for item in run.of(InstrumentsListed)[0].listed} == {
            PERPETUAL,
            OPTION["instrument_name"],
        }
        chain = run.of(ChainSnapshot)[0]
        assert chain.instrument_ids == (f"deribit:{OPTION['instrument_name']}",)
        assert (chain.bid[0], chain.forward[0], chain.index_usd) == (0.03, 90100.25, 90000.5)
        assert np.isnan(chain.ask[0])


@pytest.mark.asyncio
async def test_a_new_listing_is_told_when_the_venue_says_so() -> None:
    """An instrument state notification makes the adapter look, long before the interval."""
    async with running() as run:
        await run.connected()
        run.server.answers["public/get_instruments"] = lambda _params: [OPTION]
        await run.server.push(
            "instrument.state.any.BTC",
            {"instrument_name": PERPETUAL, "state": "closed", "timestamp": 1},
        )
        await run.until(lambda: len(run.of(InstrumentsListed)) >= 2)
        assert run.of(InstrumentsListed)[1].delisted == (f"deribit:{PERPETUAL}",)


@pytest.mark.asyncio
async def test_the_transaction_log_is_read_within_its_own_credit() -> None:
    """A dear method waits for its credit: two readings of two pages, one page a second."""
    limits = DeribitLimits(requests_per_s=1000.0, logs_per_s=1.0, logs_burst=1)
    async with running(install, limits=limits) as run:
        started_ns = run.clock.now_ns()
        await report(run, since=0)
        run.venue.request_report("again", since_cursor=0, resolve=())
        await run.until(lambda: len(run.of(VenueReport)) >= 2)
        assert run.clock.now_ns() - started_ns >= 3_000_000_000
        pages = [params for method, params in run.server.rest_requests if "log" in method]
        assert len(pages) == 4


def chart_of(server: ScriptedDeribit) -> None:
    """Bars of five minutes without end."""

    def chart(params: dict[str, Any]) -> dict[str, Any]:
        step = int(params["resolution"]) * 60_000
        start = -(-int(params["start_timestamp"]) // step) * step
        ticks = list(range(start, int(params["end_timestamp"]) + 1, step))
        column = [90000.0 + row for row in range(len(ticks))]
        keys = ("open", "high", "low", "close", "volume")
        return {"ticks": ticks, **dict.fromkeys(keys, column), "status": "ok"}

    server.answers["public/get_tradingview_chart_data"] = chart


@pytest.mark.asyncio
async def test_candle_history_is_whole_and_completed() -> None:
    """Nine days of five-minute bars in pages, ascending, none twice, none still open."""
    async with running(chart_of) as run:
        bars = await run.venue.candle_history("BTC", 5 * MINUTE_NS, 16)
        steps = {later.open_ns - bar.open_ns for bar, later in itertools.pairwise(bars)}
        assert steps == {5 * MINUTE_NS}
        assert len(bars) == 16 * 288
        assert bars[-1].ts_event <= run.clock.now_ns()


@pytest.mark.asyncio
async def test_bars_are_published_from_the_history_on() -> None:
    """The history comes at start, and the next bar soon after its end."""
    start_ns = 1_774_000_000_000_000_000 // MINUTE_NS * MINUTE_NS + 50_000_000_000
    settings = {"candle_history_days": 1, "candle_interval_s": 60, "start_ns": start_ns}
    async with running(chart_of, **settings) as run:
        await run.until(lambda: len(run.of(Candle)) >= 1441, seconds=10.0)
        bars = run.of(Candle)
        opened = [bar.open_ns for bar in bars]
        assert opened == sorted(set(opened))
        assert bars[-1].ts_init - bars[-1].ts_event < 30_000_000_000


@pytest.mark.asyncio
async def test_a_key_that_may_not_read_the_account_ends_the_adapter() -> None:
    """After the last attempt the venue's refusal comes out of `run`, not a partial report."""

    def script(server: ScriptedDeribit) -> None:
        def forbid(_params: dict[str, Any]) -> None:
            raise RpcFault(13021, "forbidden")

        Account(server)
        server.answers["private/get_account_summaries"] = forbid

    async with running(script) as run:
        await run.connected()
        run.venue.request_report("test", since_cursor=0, resolve=())
        async with asyncio.timeout(20):
            with pytest.raises(VenueRefusedError, match="forbidden"):
                await run.task
        assert run.of(VenueReport) == []
        assert run.of(VenueStatusChanged)
