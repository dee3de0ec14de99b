"""A running Deribit adapter against a scripted server, and bodies that such a server sends.

Process time runs ten times as fast as the loop, so that heartbeats and time-outs fit in a test.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, Generic, TypeVar

from scripted_deribit import CLIENT_ID, CLIENT_SECRET, ScriptedDeribit

from glmtrader.config.secret import Secret
from glmtrader.domain.event import Event
from glmtrader.domain.ids import AccountId, ClientOrderId, InstrumentId, IntentId, StrategyId
from glmtrader.domain.order_events import OrderUpdate
from glmtrader.domain.orders import Order, OrderPurpose, OrderType, Side, TimeInForce
from glmtrader.domain.system_events import VenueStatusChanged
from glmtrader.kernel.clock import LoopClock
from glmtrader.risk.approval import ApprovalDesk
from glmtrader.venues.deribit.adapter import DeribitVenue
from glmtrader.venues.deribit.config import DeribitConfig, DeribitCredentials, DeribitLimits

SPEED = 10.0
PERPETUAL = "BTC-PERPETUAL"
USER_TRADES = "user.trades.any.any.raw"
USER_ORDERS = "user.orders.any.any.raw"

E = TypeVar("E", bound=Event)
S = TypeVar("S")


class Run(Generic[S]):
    """A running adapter, its server and everything that it published."""

    def __init__(self, server: S, clock: LoopClock) -> None:
        self.server = server
        self.clock = clock
        self.events: list[Event] = []
        self.desk = ApprovalDesk()
        self.venue: DeribitVenue
        self.task: asyncio.Task[None]

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, done: Callable[[], object], seconds: float = 5.0) -> None:
        async with asyncio.timeout(seconds):
            while not done():
                if self.task.done():
                    self.task.result()
                await asyncio.sleep(0.005)

    async def connected(self, times: int = 1) -> None:
        await self.until(lambda: self.statuses().count("connected") >= times)

    def statuses(self) -> list[str]:
        return [event.status for event in self.of(VenueStatusChanged)]

    def submit(self, label: str) -> None:
        now_ns = self.clock.now_ns()
        order = Order(
            client_order_id=ClientOrderId(label),
            intent_id=IntentId("pq-1-1"),
            strategy_id=StrategyId("pq"),
            account_id=AccountId("deribit-main"),
            instrument_id=InstrumentId(f"deribit:{PERPETUAL}"),
            side=Side.BUY,
            order_type=OrderType.LIMIT,
            time_in_force=TimeInForce.GOOD_TIL_CANCELLED,
            purpose=OrderPurpose.HEDGE,
            quantity=Decimal(100),
            price=Decimal("90000.5"),
            post_only=False,
            reduce_only=False,
            valid_until_ns=now_ns + 60_000_000_000,
            leg=0,
            attempt=0,
        )
        approved = self.desk.issue(order, now_ns=now_ns, degraded=False)
        self.venue.submit(approved, now_ns=now_ns)

    def updates(self, label: str) -> list[OrderUpdate]:
        return [event for event in self.of(OrderUpdate) if event.client_order_id == label]


@asynccontextmanager
async def running(
    script: Callable[[ScriptedDeribit], None] = lambda _server: None, **settings: Any
) -> AsyncIterator[Run[ScriptedDeribit]]:
    """An adapter connected to a scripted server; `script` changes the server's answers."""
    start_ns = settings.pop("start_ns", time.time_ns())
    clock = LoopClock(speed=SPEED, start_ns=start_ns)
    async with ScriptedDeribit(lambda: clock.now_ns() // 1_000_000) as server:
        run = Run(server, clock)
        script(server)
        secret = settings.pop("secret", CLIENT_SECRET)
        defaults: dict[str, Any] = {
            "ws_url": server.ws_url,
            "rest_url": server.rest_url,
            "credentials": DeribitCredentials(client_id=CLIENT_ID, client_secret=Secret(secret)),
            "chain_interval_s": 3600.0,
            "limits": DeribitLimits(requests_per_s=1000.0),
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


def order_body(params: dict[str, Any], state: str = "open", filled: float = 0.0) -> dict[str, Any]:
    return {
        "order_id": f"id-{params['label']}",
        "instrument_name": PERPETUAL,
        "order_state": state,
        "direction": "buy",
        "amount": 100.0,
        "filled_amount": filled,
        "label": params["label"],
        "price": 90000.5,
        "last_update_timestamp": 1_774_000_000_000,
    }


def trade_body(number: int, label: str = "a-1-1-0-0") -> dict[str, Any]:
    return {
        "trade_id": str(number),
        "trade_seq": number,
        "order_id": f"id-{label}",
        "instrument_name": PERPETUAL,
        "direction": "buy",
        "amount": 10.0,
        "price": 90000.5,
        "fee": 5.0e-8,
        "fee_currency": "BTC",
        "timestamp": 1_774_000_000_000 + number,
        "liquidity": "T",
        "label": label,
        "index_price": 90001.0,
    }


def ticker_body(price: float) -> dict[str, Any]:
    return {
        "instrument_name": PERPETUAL,
        "timestamp": 1_774_000_000_000,
        "best_bid_price": price,
        "best_ask_price": price + 0.5,
        "best_bid_amount": 1000.0,
        "best_ask_amount": 2000.0,
        "mark_price": price,
        "index_price": price,
        "state": "open",
    }
