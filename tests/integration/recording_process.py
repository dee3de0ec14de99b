"""A process that records a generated market as fast as it can, to be killed by a test.

It goes on after the newest recorded snapshot, as a restarted run would.
"""

import asyncio
import sys
from pathlib import Path

import pyarrow.parquet as pq

from glmtrader import assembly
from glmtrader.config.loader import load
from glmtrader.domain.instruments import DAY_NS, SECOND_NS
from glmtrader.kernel.bus import Bus
from glmtrader.kernel.clock import LoopClock
from glmtrader.kernel.supervisor import Supervisor
from glmtrader.market.recorder import Recorder, RecorderSettings
from glmtrader.simulator.exchange import SimulatedExchange
from glmtrader.simulator.exchange_config import AccountConfig, ExchangeConfig
from glmtrader.venues.paper_feed import PaperFeed

ORIGIN_NS = 20_600 * DAY_NS


def newest_ns(folder: Path) -> int:
    """The time of the newest snapshot on disk, or the market's origin."""
    paths = folder.glob("options/*/*.parquet")
    times = [int(pq.read_table(path)["snapshot_ts"].to_numpy().max()) for path in paths]
    return max(times, default=ORIGIN_NS // 1_000_000) * 1_000_000


async def main(folder: Path) -> None:
    """Step the market ten seconds at a time, with a turn of the loop between steps."""
    now_ns = newest_ns(folder) + 10 * SECOND_NS
    market = assembly.generated_market(load("paper.toml"), ORIGIN_NS)
    account = AccountConfig(name="watcher", api_key="watcher", api_secret="", balances={})
    exchange = SimulatedExchange(market, ExchangeConfig(accounts=(account,)), now_ns)
    clock = LoopClock(speed=1.0)
    bus = Bus(clock)
    settings = RecorderSettings(folder=folder, size_mb_max=100.0, flush_s=60.0, rows_max=500)
    recorder = Recorder(bus, settings, clock=clock)
    recorder.open()
    feed = PaperFeed(exchange, "deribit", chain_interval_s=10.0, publish=bus.publish)
    feed.start(now_ns)
    async with Supervisor(clock, bus.publish) as supervisor:
        supervisor.spawn("recorder", recorder.run)
        while True:
            now_ns += 10 * SECOND_NS
            exchange.advance(now_ns)
            feed.publish_due(now_ns, ())
            bus.drain()
            await clock.sleep(0.001)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
