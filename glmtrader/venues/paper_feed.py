"""The paper venue's market data: ticks at every step, chains and bars when they are due."""

from collections.abc import Sequence

from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import MINUTE_NS, SECOND_NS
from glmtrader.domain.market_events import Candle
from glmtrader.simulator.exchange import SimulatedExchange
from glmtrader.venues.paper_events import chain_snapshot, market_tick
from glmtrader.venues.port import Publish

CANDLE_NS = 5 * MINUTE_NS
"""Bars are published when they close."""

CANDLES_MAX = 10 * 12 * 24
"""Bars published after one step: ten days, which is the history a forecast needs at the start."""


class PaperFeed:
    """Publishes what the market shows.

    Args:
        exchange: what is shown. venue: its name.
        chain_interval_s: process seconds between chains.
        publish: the bus's publish.
    """

    def __init__(
        self, exchange: SimulatedExchange, venue: str, *, chain_interval_s: float, publish: Publish
    ) -> None:
        self._exchange = exchange
        self._venue = venue
        self._chain_interval_ns = round(chain_interval_s * SECOND_NS)
        self._publish = publish
        self._chain_due_ns = 0
        self._chain_sent_ns: dict[str, int] = {}
        self._candle_close_ns = 0

    def start(self, now_ns: int) -> None:
        """Owe a chain at once, and the bars of the last ten days."""
        self._chain_due_ns = now_ns
        self._candle_close_ns = now_ns // CANDLE_NS * CANDLE_NS - CANDLES_MAX * CANDLE_NS

    def publish_due(self, now_ns: int, watched: Sequence[InstrumentId]) -> None:
        """Publish the perpetuals' and the watched ticks, and what else is due.

        Bars come before the chain, so that a forecast is there when P is.
        """
        self._publish_ticks(now_ns, watched)
        if now_ns >= self._candle_close_ns + CANDLE_NS:
            self._publish_candles(now_ns)
        if now_ns >= self._chain_due_ns:
            self._chain_due_ns = now_ns + self._chain_interval_ns
            for underlying in self._exchange.underlyings:
                self._publish_chain(underlying, now_ns)

    def _publish_chain(self, underlying: str, now_ns: int) -> None:
        """Publish a chain once: a recorded one stays the same until the next was recorded."""
        made_ns = self._exchange.chain(underlying).ts_ns
        if made_ns > self._chain_sent_ns.get(underlying, -1):
            self._chain_sent_ns[underlying] = made_ns
            self._publish(chain_snapshot(self._exchange, underlying, self._venue, ts_init=now_ns))

    def _publish_ticks(self, now_ns: int, watched: Sequence[InstrumentId]) -> None:
        perpetuals = (item.instrument_id for item in self._exchange.perpetuals())
        wanted = dict.fromkeys((*perpetuals, *watched))
        for instrument_id in wanted:
            if self._exchange.is_listed(instrument_id):
                self._publish(market_tick(self._exchange.ticker(instrument_id), ts_init=now_ns))

    def _publish_candles(self, now_ns: int) -> None:
        close_ns = now_ns // CANDLE_NS * CANDLE_NS
        count = min((close_ns - self._candle_close_ns) // CANDLE_NS, CANDLES_MAX)
        for underlying in self._exchange.underlyings:
            bars = self._exchange.candles(underlying, CANDLE_NS, close_ns, count)
            for row, open_ns in enumerate(bars.open_ns.tolist()):
                candle = Candle(
                    ts_event=open_ns + CANDLE_NS,
                    ts_init=now_ns,
                    underlying=underlying,
                    open_ns=open_ns,
                    interval_ns=CANDLE_NS,
                    open=float(bars.open[row]),
                    high=float(bars.high[row]),
                    low=float(bars.low[row]),
                    close=float(bars.close[row]),
                    volume=float(bars.volume[row]),
                )
                self._publish(candle)
        self._candle_close_ns = close_ns
