"""Index and perpetual of a recorded market: from bars, or from the ticks of the perpetual's book.

Both answer for any moment of the recording and see nothing before it was there. Pure; the columns
are handed in.
"""

from typing import Protocol

import msgspec
import numpy as np

from glmtrader.domain.arrays import FloatArray, IntArray
from glmtrader.errors import DataError
from glmtrader.simulator.candle_columns import BASE_INTERVAL_NS
from glmtrader.simulator.market_model import CandleColumns, PerpetualQuote
from glmtrader.simulator.recorded_files import FundingRates


class PerpetualSource(Protocol):
    """What a recorded coin needs to know beside its options."""

    def span_ns(self, history_ns: int) -> tuple[int, int]:
        """From when everything is known, with `history_ns` of bars before, until when."""

    def index_usd(self, now_ns: int) -> float:
        """The index price at `now_ns`."""

    def index_ratio(self, snapshot_ns: int, now_ns: int) -> float:
        """The index at `now_ns` over that of a snapshot not after it."""

    def quote(self, now_ns: int) -> PerpetualQuote:
        """Top of the perpetual's book at `now_ns`."""


class BarPerpetual:
    """Index and perpetual from five-minute bars: the close of the last completed one.

    Args:
        candles, perpetual_candles: of the index and of the perpetual.
        funding: None charges nothing.
        half_tick_usd: the quotes' distance from the close. size_usd: on both sides.
    """

    def __init__(
        self,
        candles: CandleColumns,
        perpetual_candles: CandleColumns,
        funding: FundingRates | None,
        *,
        half_tick_usd: float,
        size_usd: float,
    ) -> None:
        self._candles = candles
        self._perpetual_candles = perpetual_candles
        self._funding = funding
        self._half_tick_usd = half_tick_usd
        self._size_usd = size_usd

    def span_ns(self, history_ns: int) -> tuple[int, int]:
        """From when index and perpetual are both known, until when."""
        opens = (self._candles.open_ns, self._perpetual_candles.open_ns)
        first, last = max(column[0] for column in opens), min(column[-1] for column in opens)
        return int(first) + BASE_INTERVAL_NS + history_ns, int(last) + BASE_INTERVAL_NS

    def index_usd(self, now_ns: int) -> float:
        """Close of the last completed bar."""
        return _last_close(self._candles, now_ns)

    def index_ratio(self, snapshot_ns: int, now_ns: int) -> float:
        """The index now over that at the snapshot, which is interpolated within its bar.

        One until the bar that holds the snapshot is over: nothing newer is known before.
        """
        bars = self._candles
        after = int(np.searchsorted(bars.open_ns, snapshot_ns - BASE_INTERVAL_NS, side="right"))
        if after >= len(bars.open_ns) or bars.open_ns[after] + BASE_INTERVAL_NS > now_ns:
            return 1.0
        closes_ns = bars.open_ns[after - 1 : after + 1] + BASE_INTERVAL_NS
        closes = bars.close[after - 1 : after + 1]
        at_snapshot = float(np.interp(snapshot_ns, closes_ns, closes))
        return self.index_usd(now_ns) / at_snapshot

    def quote(self, now_ns: int) -> PerpetualQuote:
        """The perpetual's last close, half a tick to either side."""
        close = _last_close(self._perpetual_candles, now_ns)
        return PerpetualQuote(
            bid=round(close - self._half_tick_usd, 8),
            ask=round(close + self._half_tick_usd, 8),
            bid_size_usd=self._size_usd,
            ask_size_usd=self._size_usd,
            mark=close,
            funding_rate_8h=funding_rate_at(self._funding, now_ns),
        )


class TickColumns(msgspec.Struct, frozen=True, kw_only=True):
    """The perpetual's book by ascending time: prices and index in USD, sizes in USD of notional.

    A side that was empty is NaN; mark and index are always numbers.
    """

    ts_ns: IntArray
    bid: FloatArray
    ask: FloatArray
    bid_size_usd: FloatArray
    ask_size_usd: FloatArray
    mark: FloatArray
    index_usd: FloatArray


class TickPerpetual:
    """Index and perpetual from recorded ticks, as they were.

    A quote can be traded for `trade_window_ns`; where the recording has a hole, bid and ask are
    NaN after that, while mark and index stay at the last tick's.
    """

    def __init__(
        self,
        ticks: TickColumns,
        candles: CandleColumns,
        funding: FundingRates | None,
        *,
        trade_window_ns: int,
    ) -> None:
        self._ticks = ticks
        self._candles = candles
        self._funding = funding
        self._window_ns = trade_window_ns

    def span_ns(self, history_ns: int) -> tuple[int, int]:
        """From the first tick with enough bars before it, while there are ticks and bars."""
        opens, ticks = self._candles.open_ns, self._ticks.ts_ns
        with_history = int(opens[0]) + BASE_INTERVAL_NS + history_ns
        before_next_bar = int(opens[-1]) + 2 * BASE_INTERVAL_NS - 1
        return max(int(ticks[0]), with_history), min(int(ticks[-1]), before_next_bar)

    def index_usd(self, now_ns: int) -> float:
        """The index of the last tick."""
        return float(self._ticks.index_usd[self._at(now_ns)])

    def index_ratio(self, snapshot_ns: int, now_ns: int) -> float:
        """The index now over that at the snapshot; before the first tick, over the first's."""
        first_ns = int(self._ticks.ts_ns[0])
        return self.index_usd(now_ns) / self.index_usd(max(snapshot_ns, first_ns))

    def quote(self, now_ns: int) -> PerpetualQuote:
        """The last tick's book."""
        at, ticks = self._at(now_ns), self._ticks
        stands = now_ns - int(ticks.ts_ns[at]) <= self._window_ns
        return PerpetualQuote(
            bid=float(ticks.bid[at]) if stands else float("nan"),
            ask=float(ticks.ask[at]) if stands else float("nan"),
            bid_size_usd=float(ticks.bid_size_usd[at]) if stands else 0.0,
            ask_size_usd=float(ticks.ask_size_usd[at]) if stands else 0.0,
            mark=float(ticks.mark[at]),
            funding_rate_8h=funding_rate_at(self._funding, now_ns),
        )

    def _at(self, now_ns: int) -> int:
        i = int(np.searchsorted(self._ticks.ts_ns, now_ns, side="right")) - 1
        assert i >= 0, "the recording begins later"
        return i


def funding_rate_at(funding: FundingRates | None, now_ns: int) -> float:
    """The rate settled last: at a settlement time, the one that is due then.

    Raises:
        DataError: none was settled by then.
    """
    if funding is None:
        return 0.0
    i = int(np.searchsorted(funding.ts_ns, now_ns, side="right")) - 1
    if i < 0:
        raise DataError(f"no funding rate recorded at or before {now_ns} ns")
    return float(funding.rate[i])


def _last_close(bars: CandleColumns, at_ns: int) -> float:
    i = int(np.searchsorted(bars.open_ns, at_ns - BASE_INTERVAL_NS, side="right")) - 1
    assert i >= 0, "the recording begins later"
    return float(bars.close[i])
