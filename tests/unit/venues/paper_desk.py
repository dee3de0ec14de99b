"""A paper venue on a clock that the test moves, with everything it published."""

from decimal import Decimal
from typing import Any, TypeVar

import msgspec
import numpy as np

from glmtrader.domain.event import Event
from glmtrader.domain.ids import AccountId, ClientOrderId, InstrumentId, IntentId, StrategyId
from glmtrader.domain.instruments import DAY_NS, HOUR_NS, SECOND_NS
from glmtrader.domain.order_events import OrderUpdate, VenueReport
from glmtrader.domain.orders import (
    Order,
    OrderPurpose,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from glmtrader.kernel.clock import Clock, VirtualClock
from glmtrader.risk.approval import ApprovalDesk
from glmtrader.simulator.exchange import SimulatedExchange
from glmtrader.simulator.exchange_config import AccountConfig, ExchangeConfig
from glmtrader.simulator.scripted import ScriptedMarket, bitcoin_market
from glmtrader.venues.paper import PaperConfig, PaperVenue

D = Decimal
EXPIRY_NS = 20_601 * DAY_NS + 8 * HOUR_NS
START_NS = EXPIRY_NS - HOUR_NS
PERPETUAL = InstrumentId("deribit:BTC-PERPETUAL")
CALL = InstrumentId("deribit:BTC-28MAY26-100000-C")
EXCHANGE = ExchangeConfig(
    accounts=(AccountConfig(name="main", api_key="k", api_secret="s", balances={"BTC": D(5)}),)
)
CONFIG = PaperConfig(account_id=AccountId("paper"), account="main")
Kind = TypeVar("Kind", bound=Event)


class Desk:
    """A venue on a clock that the test moves, with everything it published."""

    def __init__(
        self,
        config: PaperConfig = CONFIG,
        *,
        clock: Clock | None = None,
        start_ns: int = START_NS,
    ) -> None:
        self.market: ScriptedMarket = bitcoin_market(
            start_ns, expiries_ns=(EXPIRY_NS, EXPIRY_NS + DAY_NS)
        )
        self.virtual = VirtualClock(start_ns)
        self.clock: Clock = self.virtual if clock is None else clock
        self.events: list[Event] = []
        self.venue = PaperVenue(
            SimulatedExchange(self.market, EXCHANGE, start_ns),
            config,
            clock=self.clock,
            publish=self.events.append,
            generator=np.random.default_rng(7),
        )
        self._approvals = ApprovalDesk()
        self._count = 0

    def run(self, seconds: float) -> None:
        until_ns = self.virtual.now_ns() + round(seconds * SECOND_NS)
        while self.virtual.fire_next(until_ns):
            pass

    def seen(self, kind: type[Kind]) -> list[Kind]:
        return [event for event in self.events if isinstance(event, kind)]

    def statuses(self, name: ClientOrderId) -> list[OrderStatus]:
        return [item.status for item in self.seen(OrderUpdate) if item.client_order_id == name]

    def send(self, **changes: Any) -> ClientOrderId:
        """Send an order that buys 1,000 USD of the perpetual at once, unless told otherwise."""
        self._count += 1
        now_ns = self.clock.now_ns()
        order = Order(
            client_order_id=ClientOrderId(f"pq-1-{self._count}-0-1"),
            intent_id=IntentId(f"pq-1-{self._count}"),
            strategy_id=StrategyId("pq"),
            account_id=AccountId("paper"),
            instrument_id=PERPETUAL,
            side=Side.BUY,
            order_type=OrderType.LIMIT,
            time_in_force=TimeInForce.GOOD_TIL_CANCELLED,
            purpose=OrderPurpose.OPEN,
            quantity=D(1000),
            price=D(100_100),
            post_only=False,
            reduce_only=False,
            valid_until_ns=now_ns + SECOND_NS,
            leg=0,
            attempt=1,
        )
        order = msgspec.structs.replace(order, **changes)
        approved = self._approvals.issue(order, now_ns=now_ns, degraded=False)
        self.venue.submit(approved, now_ns=now_ns)
        return order.client_order_id

    def report(self, since_cursor: int = 0, *resolve: ClientOrderId) -> VenueReport:
        self.venue.request_report("test", since_cursor=since_cursor, resolve=resolve)
        self.run(0.2)
        return self.seen(VenueReport)[-1]
