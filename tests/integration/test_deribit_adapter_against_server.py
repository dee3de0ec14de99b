"""The Deribit adapter against the simulated venue's server, which shares no code with it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from deribit_run import SPEED, Run

from glmtrader.config.secret import Secret
from glmtrader.domain.ids import AccountId, ClientOrderId, InstrumentId, IntentId, StrategyId
from glmtrader.domain.instruments import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS
from glmtrader.domain.ledger import Ledger, apply_fill
from glmtrader.domain.market_events import Candle, ChainSnapshot, InstrumentsListed, MarketTick
from glmtrader.domain.order_events import (
    CashTransferred,
    Fill,
    OptionDelivered,
    OrderUpdate,
    VenueReport,
)
from glmtrader.domain.orders import Order, OrderPurpose, OrderStatus, OrderType, Side, TimeInForce
from glmtrader.errors import VenueRefusedError
from glmtrader.kernel.clock import LoopClock
from glmtrader.risk.opening import book, open_books
from glmtrader.simulator.exchange import SimulatedExchange
from glmtrader.simulator.exchange_config import AccountConfig, ExchangeConfig
from glmtrader.simulator.scripted import bitcoin_market
from glmtrader.venues.deribit.adapter import DeribitVenue
from glmtrader.venues.deribit.config import DeribitConfig, DeribitCredentials

server_room = pytest.importorskip("glmtrader.simulator.deribit")

EXPIRY_NS = 20_601 * DAY_NS + 8 * HOUR_NS
PERPETUAL = InstrumentId("deribit:BTC-PERPETUAL")
CALL = InstrumentId("deribit:BTC-28MAY26-100000-C")
EXCHANGE = ExchangeConfig(
    accounts=(
        AccountConfig(name="main", api_key="k", api_secret="hush", balances={"BTC": Decimal(5)}),
    )
)


class Trading(Run[Any]):
    """A run against the simulated venue."""

    def __init__(self, server: Any, clock: LoopClock) -> None:
        super().__init__(server, clock)
        self._count = 0

    def send(
        self,
        instrument_id: InstrumentId,
        side: Side,
        quantity: str,
        price: str,
        *,
        post_only: bool = False,
    ) -> ClientOrderId:
        """Send a limit order; says its label."""
        self._count += 1
        now_ns = self.clock.now_ns()
        order = Order(
            client_order_id=ClientOrderId(f"pq-1-{self._count}-0-0"),
            intent_id=IntentId(f"pq-1-{self._count}"),
            strategy_id=StrategyId("pq"),
            account_id=AccountId("deribit-main"),
            instrument_id=instrument_id,
            side=side,
            order_type=OrderType.LIMIT,
            time_in_force=TimeInForce.GOOD_TIL_CANCELLED,
            purpose=OrderPurpose.OPEN,
            quantity=Decimal(quantity),
            price=Decimal(price),
            post_only=post_only,
            reduce_only=False,
            valid_until_ns=now_ns + 10 * SECOND_NS,
            leg=0,
            attempt=0,
        )
        approved = self.desk.issue(order, now_ns=now_ns, degraded=False)
        self.venue.submit(approved, now_ns=now_ns)
        return order.client_order_id

    async def final(self, label: ClientOrderId) -> OrderUpdate:
        """The update that ends an order, or makes it rest."""
        await self.until(lambda: self.updates(label))
        return self.updates(label)[-1]

    async def report(self, since: int = 0, *resolve: ClientOrderId) -> VenueReport:
        before = len(self.of(VenueReport))
        self.venue.request_report("test", since_cursor=since, resolve=resolve)
        await self.until(lambda: len(self.of(VenueReport)) > before, seconds=10.0)
        return self.of(VenueReport)[-1]


@asynccontextmanager
async def trading(
    *, to_expiry_ns: int = HOUR_NS, speed: float = SPEED, **settings: Any
) -> AsyncIterator[Trading]:
    """The adapter connected to a server whose market stands an hour before an expiry."""
    start_ns = EXPIRY_NS - to_expiry_ns
    clock = LoopClock(speed=speed, start_ns=start_ns)
    market = bitcoin_market(start_ns, expiries_ns=(EXPIRY_NS, EXPIRY_NS + DAY_NS))
    exchange = SimulatedExchange(market, EXCHANGE, start_ns)
    server = server_room.DeribitServer(exchange, clock)
    async with server.running("127.0.0.1", 0) as port:
        run = Trading(server, clock)
        secret = settings.pop("secret", "hush")
        defaults: dict[str, Any] = {
            "ws_url": f"ws://127.0.0.1:{port}/ws/api/v2",
            "rest_url": f"http://127.0.0.1:{port}",
            "credentials": DeribitCredentials(client_id="k", client_secret=Secret(secret)),
            "candle_history_days": 0,
        }
        config = DeribitConfig(**(defaults | settings))
        run.venue = DeribitVenue(config, clock=clock, publish=run.events.append)
        run.task = asyncio.get_running_loop().create_task(run.venue.run())
        try:
            yield run
        finally:
            run.task.cancel()
            await asyncio.gather(run.task, return_exceptions=True)


@pytest.mark.asyncio
async def test_market_data_from_the_simulated_venue() -> None:
    """Instruments first, then ticks of the perpetual and of a watched option, and a chain."""
    async with trading() as run:
        await run.connected()
        run.venue.watch([CALL])
        await run.until(
            lambda: {tick.instrument_id for tick in run.of(MarketTick)} >= {CALL, PERPETUAL}
        )
        await run.until(lambda: run.of(ChainSnapshot))
        assert isinstance(run.events[0], InstrumentsListed)
        chain = run.of(ChainSnapshot)[0]
        assert CALL in chain.instrument_ids
        assert chain.index_usd > 0
        assert np.isfinite(chain.forward).all()
        strange = [name for name in run.venue.counters.as_strings() if ":" in name]
        assert strange == []


@pytest.mark.asyncio
async def test_candles_from_the_simulated_venue() -> None:
    """Completed bars, ascending without a hole."""
    async with trading() as run:
        bars = await run.venue.candle_history("BTC", 5 * MINUTE_NS, 2)
        opened = [bar.open_ns for bar in bars]
        assert opened == sorted(set(opened))
        assert all(isinstance(bar, Candle) for bar in bars)


@pytest.mark.asyncio
async def test_trades_and_cash_agree_with_the_venues_books() -> None:
    """A perpetual and an option bought and partly sold: the ledger equals the report exactly."""
    async with trading() as run:
        await run.connected()
        tick = await quote(run, PERPETUAL)
        first = run.send(PERPETUAL, Side.BUY, "1000", str(tick.ask))
        assert (await run.final(first)).status is OrderStatus.FILLED
        run.venue.watch([CALL])
        tick = await quote(run, CALL)
        second = run.send(CALL, Side.BUY, "0.3", str(tick.ask))
        assert (await run.final(second)).status is OrderStatus.FILLED
        third = run.send(CALL, Side.SELL, "0.1", str(tick.bid))
        assert (await run.final(third)).status is OrderStatus.FILLED
        told = await run.report()
        assert {fill.trade_id for fill in told.fills} == {fill.trade_id for fill in run.of(Fill)}
        listed = {item.instrument_id: item for item in run.of(InstrumentsListed)[0].listed}
        books = Ledger(account_id=run.venue.account_id, balances={"BTC": Decimal(5)})
        for fill in told.fills:
            books, _ = apply_fill(books, fill, listed[fill.instrument_id])
        held = {name: item.quantity for name, item in books.positions.items() if item.quantity}
        assert told.positions == held
        (balance,) = [item for item in told.balances if item.currency == "BTC"]
        assert balance.cash == books.balance("BTC")


@pytest.mark.asyncio
async def test_deposits_and_withdrawals_keep_the_ledger_equal_to_the_venue() -> None:
    """From the transaction log to the books: before, between and after trades, each booked once."""
    async with trading() as run:
        await run.connected()
        run.server.deposit("main", "BTC", Decimal("0.5"))
        tick = await quote(run, PERPETUAL)
        first = run.send(PERPETUAL, Side.BUY, "1000", str(tick.ask))
        assert (await run.final(first)).status is OrderStatus.FILLED
        opening = await run.report()
        listed = {item.instrument_id: item for item in run.of(InstrumentsListed)[0].listed}
        books = open_books(opening, listed.get)
        run.server.deposit("main", "BTC", Decimal("-0.25"))
        later = await run.report(books.cursor)
        for event in sorted((*later.fills, *later.cashflows), key=lambda event: event.cursor):
            books = book(books, event, listed.get)
        transfers = [flow for flow in later.cashflows if isinstance(flow, CashTransferred)]
        assert [(flow.kind, flow.amount) for flow in transfers] == [
            ("deposit", Decimal(5)),
            ("deposit", Decimal("0.5")),
            ("withdrawal", Decimal("-0.25")),
        ]
        (balance,) = [item for item in later.balances if item.currency == "BTC"]
        assert balance.cash == books.balance("BTC")
        assert run.venue.counters["cash_change_unbooked"] == 0


async def quote(run: Trading, instrument_id: InstrumentId) -> MarketTick:
    """The newest tick of an instrument that has both sides."""

    def found() -> list[MarketTick]:
        ticks = [tick for tick in run.of(MarketTick) if tick.instrument_id == instrument_id]
        return [tick for tick in ticks if tick.bid is not None and tick.ask is not None]

    await run.until(found)
    return found()[-1]


@pytest.mark.asyncio
async def test_a_resting_order_is_cancelled() -> None:
    """Post-only below the market rests, is found by its label, and is cancelled by it."""
    async with trading() as run:
        await run.connected()
        tick = await quote(run, PERPETUAL)
        assert tick.bid is not None
        label = run.send(PERPETUAL, Side.BUY, "100", str(tick.bid - 100), post_only=True)
        assert (await run.final(label)).status is OrderStatus.ACCEPTED
        told = await run.report(0, label)
        assert {order.client_order_id: order.status for order in told.orders} == {
            label: OrderStatus.ACCEPTED
        }
        run.venue.cancel(label)
        await run.until(lambda: run.updates(label)[-1].status is OrderStatus.CANCELLED)
        crossing = run.send(PERPETUAL, Side.BUY, "100", str(tick.ask), post_only=True)
        assert (await run.final(crossing)).status is OrderStatus.REJECTED


@pytest.mark.asyncio
async def test_a_wrong_tick_is_the_venues_rejection() -> None:
    """A price between the ticks is refused with the venue's words."""
    async with trading() as run:
        await run.connected()
        label = run.send(PERPETUAL, Side.BUY, "100", "90000.3")
        update = await run.final(label)
        assert update.status is OrderStatus.REJECTED
        assert update.reason


@pytest.mark.asyncio
async def test_a_lost_reply_is_resolved_by_its_label() -> None:
    """The order exists although its answer never came: unknown, then found by a report."""
    async with trading() as run:
        await run.connected()
        tick = await quote(run, PERPETUAL)
        fault = server_room.Fault(kind=server_room.FaultKind.LOST_REPLY, method="private/buy")
        run.server.inject(fault)
        assert tick.bid is not None
        label = run.send(PERPETUAL, Side.BUY, "100", str(tick.bid - 100))
        await run.until(
            lambda: OrderStatus.UNKNOWN in {update.status for update in run.updates(label)}
        )
        told = await run.report(0, label)
        assert [order.status for order in told.orders] == [OrderStatus.ACCEPTED]


@pytest.mark.asyncio
async def test_a_wrong_secret_is_refused_by_the_simulated_venue() -> None:
    """The refusal comes out of `run` with the venue's code."""
    async with trading(secret="wrong") as run, asyncio.timeout(5):
        with pytest.raises(VenueRefusedError):
            await run.task


@pytest.mark.asyncio
async def test_an_option_is_delivered_through_its_expiry() -> None:
    """After 08:00 the report has the delivery and the option is gone, although it is watched."""
    async with trading(to_expiry_ns=30 * SECOND_NS, speed=20.0) as run:
        await run.connected()
        run.venue.watch([CALL])
        tick = await quote(run, CALL)
        label = run.send(CALL, Side.BUY, "0.3", str(tick.ask))
        assert (await run.final(label)).status is OrderStatus.FILLED
        await run.until(lambda: run.clock.now_ns() > EXPIRY_NS + 10 * SECOND_NS, seconds=10.0)
        told = await run.report()
        (delivered,) = [flow for flow in told.cashflows if isinstance(flow, OptionDelivered)]
        assert (delivered.underlying, delivered.expiry_ns) == ("BTC", EXPIRY_NS)
        assert delivered.delivery_price_usd > 0
        assert CALL not in told.positions
