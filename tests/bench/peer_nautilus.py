"""The two figures of nautilus_trader: tick to order, and ticks a CPU-second of a backtest.

A script of its own, run with a Python that has nautilus_trader 1.x; it prints one JSON object and
imports nothing of glmtrader. `test_bench_peers.py` says what the two systems do in these paths.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

import nautilus_trader
from nautilus_trader.backtest.data_client import BacktestMarketDataClient
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.cache.cache import Cache
from nautilus_trader.common.component import LiveClock, MessageBus
from nautilus_trader.config import LiveRiskEngineConfig, LoggingConfig, RiskEngineConfig
from nautilus_trader.data.engine import DataEngine
from nautilus_trader.execution.client import ExecutionClient
from nautilus_trader.execution.engine import ExecutionEngine
from nautilus_trader.live.data_engine import LiveDataEngine
from nautilus_trader.live.execution_engine import LiveExecutionEngine
from nautilus_trader.live.risk_engine import LiveRiskEngine
from nautilus_trader.model.data import QuoteTick
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import AccountId, ClientId, TraderId
from nautilus_trader.model.objects import AccountBalance, Money
from nautilus_trader.portfolio.portfolio import Portfolio
from nautilus_trader.risk.engine import RiskEngine
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.trading.strategy import Strategy

PERPETUAL = TestInstrumentProvider.btcusdt_perp_binance()
VENUE = PERPETUAL.id.venue
TRADER = TraderId("PEER-001")
START_NS = 1_790_000_000 * 10**9
TICK_NS = 10**7
TURNS_MAX = 1_000
"""Of the loop, until an order has reached the client."""

ORDER_RATE_MAX = "1000000/00:00:01"
"""The throttle stays in the path and never closes."""


def quotes(count: int) -> Iterator[QuoteTick]:
    """A price that wanders by a basis point, a hundred quotes a second."""
    for row in range(count):
        bid = 50_000 + row % 20 - 10
        yield QuoteTick(
            instrument_id=PERPETUAL.id,
            bid_price=PERPETUAL.make_price(bid),
            ask_price=PERPETUAL.make_price(bid + 1),
            bid_size=PERPETUAL.make_qty(100),
            ask_size=PERPETUAL.make_qty(100),
            ts_event=START_NS + row * TICK_NS,
            ts_init=START_NS + row * TICK_NS,
        )


class LimitAtTouch(Strategy):  # type: ignore[misc]  # compiled, so it has no types
    """Every n-th tick a limit order at the touch, bought and sold in turn.

    Args:
        every: ticks an order.
        cancels: take the last order out first, if it is open.
    """

    def __init__(self, every: int, *, cancels: bool) -> None:
        super().__init__()
        self._every = every
        self._cancels = cancels
        self._quantity = PERPETUAL.make_qty(Decimal("0.010"))
        self._last: Any = None
        self.ticks = 0
        self.orders = 0

    def on_start(self) -> None:
        self.subscribe_quote_ticks(PERPETUAL.id)

    def on_quote_tick(self, tick: QuoteTick) -> None:
        self.ticks += 1
        if self.ticks % self._every == 0:
            self._order(tick)

    def _order(self, tick: QuoteTick) -> None:
        if self._cancels and self._last is not None and self._last.is_open:
            self.cancel_order(self._last)
        buys = self.orders % 2 == 0
        self._last = self.order_factory.limit(
            PERPETUAL.id,
            OrderSide.BUY if buys else OrderSide.SELL,
            self._quantity,
            tick.bid_price if buys else tick.ask_price,
        )
        self.orders += 1
        self.submit_order(self._last)


class StampingClient(ExecutionClient):  # type: ignore[misc]  # compiled, so it has no types
    """The end of the path: notes when an order reaches it and answers nothing."""

    def __init__(self, msgbus: MessageBus, cache: Cache, clock: LiveClock) -> None:
        super().__init__(
            client_id=ClientId(VENUE.value),
            venue=VENUE,
            oms_type=OmsType.NETTING,
            account_type=AccountType.MARGIN,
            base_currency=None,
            msgbus=msgbus,
            cache=cache,
            clock=clock,
        )
        self.submitted_ns: list[int] = []
        self._set_account_id(AccountId(f"{VENUE.value}-001"))

    def submit_order(self, command: object) -> None:  # noqa: ARG002  the moment is what counts
        self.submitted_ns.append(time.perf_counter_ns())

    def fund(self, now_ns: int) -> None:
        """Publish the account's balance, which the risk engine asks for."""
        quote = PERPETUAL.quote_currency
        total = Money(10_000_000, quote)
        balance = AccountBalance(total, Money(0, quote), total)
        self.generate_account_state([balance], [], reported=True, ts_event=now_ns)


class Rhythm(NamedTuple):
    """How quotes come.

    Back to back the path stays warm; a pause shows it as it is met when quotes come one by one.
    """

    live: bool
    ticks: int
    warm_up: int
    pause_s: float = 0.0


class Engines:
    """The data, risk and execution engine of a live node, or of a backtest, around a strategy."""

    def __init__(self, *, live: bool) -> None:
        clock = LiveClock()
        msgbus = MessageBus(trader_id=TRADER, clock=clock)
        cache = Cache()
        portfolio = Portfolio(msgbus=msgbus, cache=cache, clock=clock)
        common: dict[str, Any] = {"msgbus": msgbus, "cache": cache, "clock": clock}
        loop: dict[str, Any] = {"loop": asyncio.get_running_loop()} if live else {}
        data, risk, execution, risk_config = (
            (LiveDataEngine, LiveRiskEngine, LiveExecutionEngine, LiveRiskEngineConfig)
            if live
            else (DataEngine, RiskEngine, ExecutionEngine, RiskEngineConfig)
        )
        self.data = data(**common, **loop)
        config: Any = risk_config(max_order_submit_rate=ORDER_RATE_MAX)
        self.risk = risk(portfolio=portfolio, config=config, **common, **loop)
        self.execution = execution(**common, **loop)
        self.client = StampingClient(msgbus, cache, clock)
        self.execution.register_client(self.client)
        self.data.register_client(BacktestMarketDataClient(ClientId(VENUE.value), **common))
        cache.add_instrument(PERPETUAL)
        self.client.fund(clock.timestamp_ns())
        self.strategy = LimitAtTouch(1, cancels=False)
        self.strategy.register(TRADER, portfolio, msgbus, cache, clock)

    def start(self) -> None:
        """In the order of a node's own start."""
        for part in (self.data, self.risk, self.execution, self.strategy):
            part.start()

    def stop(self) -> None:
        """Strategy first."""
        for part in (self.strategy, self.data, self.risk, self.execution):
            part.stop()


async def latencies_us(rhythm: Rhythm) -> list[float]:
    """From a quote at the data engine to its order at the execution client, one at a time."""
    engines = Engines(live=rhythm.live)
    engines.start()
    await asyncio.sleep(0.05)
    found = []
    for quote in quotes(rhythm.warm_up + rhythm.ticks):
        submitted_ns = engines.client.submitted_ns
        submitted_ns.clear()
        await turning(rhythm.pause_s)
        started_ns = time.perf_counter_ns()
        engines.data.process(quote)
        for _ in range(TURNS_MAX):
            if submitted_ns:
                break
            await asyncio.sleep(0)
        assert submitted_ns, f"a quote led to no order in {TURNS_MAX} turns of the loop"
        found.append((submitted_ns[0] - started_ns) / 1e3)
    engines.stop()
    await asyncio.sleep(0.05)
    return found[rhythm.warm_up :]


async def turning(seconds: float) -> None:
    """Let a moment pass with the loop awake, as a system does that waits for its fills."""
    until_s = time.perf_counter() + seconds
    while time.perf_counter() < until_s:  # noqa: ASYNC110  the turning itself is wanted
        await asyncio.sleep(0)


def ticks_per_cpu_s(ticks: int, every: int) -> float:
    """Run one backtest; only the run itself is timed."""
    engine = BacktestEngine(
        BacktestEngineConfig(
            trader_id=TRADER,
            logging=LoggingConfig(bypass_logging=True),
            risk_engine=RiskEngineConfig(max_order_submit_rate=ORDER_RATE_MAX),
            run_analysis=False,
        )
    )
    engine.add_venue(
        venue=VENUE,
        oms_type=OmsType.NETTING,
        account_type=AccountType.MARGIN,
        starting_balances=[Money(10_000_000, PERPETUAL.quote_currency)],
    )
    engine.add_instrument(PERPETUAL)
    engine.add_data(list(quotes(ticks)))
    strategy = LimitAtTouch(every, cancels=True)
    engine.add_strategy(strategy)
    started_s = time.process_time()
    engine.run()
    elapsed_s = time.process_time() - started_s
    accepted = sum(order.venue_order_id is not None for order in engine.cache.orders())
    engine.dispose()
    assert strategy.ticks == ticks, f"{strategy.ticks} of {ticks} ticks reached the strategy"
    assert accepted == ticks // every, f"{accepted} of {ticks // every} orders were accepted"
    return ticks / elapsed_s


def percentiles(values: list[float]) -> dict[str, float]:
    """Of latencies."""
    ordered = sorted(values)
    shares = {"p50": 0.5, "p99": 0.99}
    return {name: ordered[int(share * len(ordered))] for name, share in shares.items()}


def main() -> None:
    """Measure what is asked for and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ticks", type=int, default=5_000, help="of latency, back to back")
    parser.add_argument("--spaced-ticks", type=int, default=200, help="of latency, with pauses")
    parser.add_argument("--pause-ms", type=float, default=20.0)
    parser.add_argument("--backtest-ticks", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3, help="of a backtest, the middle one counts")
    given = parser.parse_args()
    rhythms = {
        "live": Rhythm(live=True, ticks=given.ticks, warm_up=given.ticks // 10),
        "live, spaced": Rhythm(
            live=True,
            ticks=given.spaced_ticks,
            warm_up=given.spaced_ticks // 10,
            pause_s=given.pause_ms / 1e3,
        ),
        "synchronous": Rhythm(live=False, ticks=given.ticks, warm_up=given.ticks // 10),
    }
    latency = {name: percentiles(asyncio.run(latencies_us(item))) for name, item in rhythms.items()}
    throughput = {
        every: sorted(ticks_per_cpu_s(given.backtest_ticks, every) for _ in range(given.runs))[
            given.runs // 2
        ]
        for every in (10, 100)
    }
    found = {
        "version": nautilus_trader.__version__,
        "tick_to_order_us": latency,
        "ticks_per_cpu_s": throughput,
    }
    print(json.dumps(found))  # noqa: T201  the answer of a script


if __name__ == "__main__":
    main()
