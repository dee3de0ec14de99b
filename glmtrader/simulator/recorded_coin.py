"""One underlying of a recorded market at a moment: index, perpetual, chain, delivery.

The index is the close of the last completed bar: nothing is seen before it was over. Pure; the
columns are handed in.
"""

import numpy as np
import numpy.typing as npt

from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import MINUTE_NS, SECOND_NS, Instrument
from glmtrader.errors import DataError
from glmtrader.simulator.candle_columns import BASE_INTERVAL_NS
from glmtrader.simulator.market_model import CandleColumns, OptionChain, PerpetualQuote
from glmtrader.simulator.recorded_chain import (
    RecordedChains,
    Snapshot,
    carry_over,
    chain_at,
    drop_expired,
)
from glmtrader.simulator.recorded_config import RecordedMarketConfig
from glmtrader.simulator.recorded_files import FundingRates

_SETTLEMENT_WINDOW_NS = 30 * MINUTE_NS


class RecordedCoin:
    """Moves through one underlying's recording."""

    def __init__(
        self,
        config: RecordedMarketConfig,
        chains: RecordedChains,
        candles: CandleColumns,
        perpetual_candles: CandleColumns,
        funding: FundingRates | None,
        perpetual: Instrument,
    ) -> None:
        self.candles = candles
        self.chains = chains
        self._window_ns = int(config.trade_window_s * SECOND_NS)
        self._half_tick_usd = 0.5 * config.perpetual_tick_usd
        self._size_usd = config.perpetual_size_usd
        self._perpetual_candles = perpetual_candles
        self._perpetual = perpetual
        self._funding = funding
        self._times_ns = np.array([one.ts_ns for one in chains.snapshots], np.int64)
        self._reached = -1
        self._snapshot: Snapshot | None = None
        self._now_ns = 0
        self._chain: OptionChain | None = None
        self._chain_ns = -1
        self._instruments: tuple[Instrument, ...] = (perpetual,)
        self._ids: tuple[InstrumentId, ...] = ()
        self._next_expiry_ns = 0

    @property
    def span_ns(self) -> tuple[int, int]:
        """From when index and perpetual are both known, until when."""
        opens = (self.candles.open_ns, self._perpetual_candles.open_ns)
        first, last = max(column[0] for column in opens), min(column[-1] for column in opens)
        return int(first) + BASE_INTERVAL_NS, int(last) + BASE_INTERVAL_NS

    @property
    def snapshot_times_ns(self) -> npt.NDArray[np.int64]:
        """When chains were recorded."""
        return self._times_ns

    def move(self, now_ns: int) -> bool:
        """Move to `now_ns`, not backwards; whether the listing changed."""
        self._now_ns = now_ns
        before = self._snapshot
        while (
            self._reached + 1 < len(self._times_ns) and self._times_ns[self._reached + 1] <= now_ns
        ):
            self._reached += 1
            taken = self.chains.snapshots[self._reached]
            self._snapshot = carry_over(self._snapshot, taken, self.chains.universe)
        if self._snapshot is None or (self._snapshot is before and now_ns < self._next_expiry_ns):
            return False
        self._list(drop_expired(self._snapshot, self.chains.universe, now_ns))
        return True

    def _list(self, snapshot: Snapshot) -> None:
        universe = self.chains.universe
        self._snapshot = snapshot
        alive = universe.expiry_ns[snapshot.member]
        self._next_expiry_ns = int(alive.min()) if len(alive) else np.iinfo(np.int64).max
        options = (universe.instruments[i] for i in snapshot.member.tolist())
        self._instruments = (self._perpetual, *options)
        self._ids = tuple(option.instrument_id for option in self._instruments[1:])

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """The perpetual and the options listed now."""
        return self._instruments

    @property
    def is_tradable(self) -> bool:
        """Whether the recorded option quotes still stand."""
        snapshot = self._snapshot
        return snapshot is not None and self._now_ns - snapshot.ts_ns <= self._window_ns

    def index_usd(self) -> float:
        """Close of the last completed bar."""
        return _last_close(self.candles, self._now_ns)

    def _index_ratio(self, snapshot_ns: int) -> float:
        """The index now over that at the snapshot, which is interpolated within its bar.

        One until the bar that holds the snapshot is over: nothing newer is known before.
        """
        bars = self.candles
        after = int(np.searchsorted(bars.open_ns, snapshot_ns - BASE_INTERVAL_NS, side="right"))
        if after >= len(bars.open_ns) or bars.open_ns[after] + BASE_INTERVAL_NS > self._now_ns:
            return 1.0
        closes_ns = bars.open_ns[after - 1 : after + 1] + BASE_INTERVAL_NS
        closes = bars.close[after - 1 : after + 1]
        at_snapshot = float(np.interp(snapshot_ns, closes_ns, closes))
        return self.index_usd() / at_snapshot

    def perpetual(self) -> PerpetualQuote:
        """The perpetual's last close, half a tick to either side."""
        close = _last_close(self._perpetual_candles, self._now_ns)
        return PerpetualQuote(
            bid=round(close - self._half_tick_usd, 8),
            ask=round(close + self._half_tick_usd, 8),
            bid_size_usd=self._size_usd,
            ask_size_usd=self._size_usd,
            mark=close,
            funding_rate_8h=self._funding_rate(),
        )

    def _funding_rate(self) -> float:
        """The rate settled last: at a settlement time, the one that is due then."""
        if self._funding is None:
            return 0.0
        i = int(np.searchsorted(self._funding.ts_ns, self._now_ns, side="right")) - 1
        if i < 0:
            raise DataError(f"no funding rate recorded at or before {self._now_ns} ns")
        return float(self._funding.rate[i])

    def chain(self) -> OptionChain | None:
        """The chain now; None before the first snapshot."""
        if self._snapshot is not None and self._chain_ns != self._now_ns:
            self._chain = chain_at(
                self._snapshot,
                self.chains.universe,
                self._ids,
                self._now_ns,
                self._index_ratio(self._snapshot.ts_ns),
                is_tradable=self.is_tradable,
            )
            self._chain_ns = self._now_ns
        return self._chain

    def delivery_price(self, expiry_ns: int) -> float:
        """Mean of the closes of the half hour before `expiry_ns`.

        Raises:
            DataError: it lies ahead, or nothing was recorded in that half hour.
        """
        if expiry_ns > self._now_ns:
            raise DataError(f"delivery at {expiry_ns} ns lies ahead of {self._now_ns} ns")
        closes_ns = self.candles.open_ns + BASE_INTERVAL_NS
        first = np.searchsorted(closes_ns, expiry_ns - _SETTLEMENT_WINDOW_NS, side="right")
        last = np.searchsorted(closes_ns, expiry_ns, side="right")
        if first == last:
            raise DataError(f"no bar recorded in the half hour before {expiry_ns} ns")
        return round(float(self.candles.close[first:last].mean()), 2)


def _last_close(bars: CandleColumns, at_ns: int) -> float:
    i = int(np.searchsorted(bars.open_ns, at_ns - BASE_INTERVAL_NS, side="right")) - 1
    assert i >= 0, "the recording begins later"
    return float(bars.close[i])
