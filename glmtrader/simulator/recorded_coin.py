"""One underlying of a recorded market at a moment: index, perpetual, chain, delivery.

Nothing is seen before it was over. Pure; the columns are handed in.
"""

import numpy as np

from glmtrader.domain.arrays import IntArray
from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import MINUTE_NS, Instrument
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
from glmtrader.simulator.recorded_perpetual import PerpetualSource

_SETTLEMENT_WINDOW_NS = 30 * MINUTE_NS


class RecordedCoin:
    """Moves through one underlying's recording."""

    def __init__(
        self,
        chains: RecordedChains,
        candles: CandleColumns,
        source: PerpetualSource,
        perpetual: Instrument,
        *,
        trade_window_ns: int,
    ) -> None:
        self.candles = candles
        self.chains = chains
        self._source = source
        self._window_ns = trade_window_ns
        self._perpetual = perpetual
        self._times_ns = np.array([one.ts_ns for one in chains.snapshots], np.int64)
        self._reached = -1
        self._snapshot: Snapshot | None = None
        self._now_ns = 0
        self._chain: OptionChain | None = None
        self._chain_ns = -1
        self._instruments: tuple[Instrument, ...] = (perpetual,)
        self._ids: tuple[InstrumentId, ...] = ()
        self._next_expiry_ns = 0

    def span_ns(self, history_ns: int) -> tuple[int, int]:
        """From when everything is known, with `history_ns` of bars before, until when."""
        return self._source.span_ns(history_ns)

    @property
    def snapshot_times_ns(self) -> IntArray:
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
        """The index now."""
        return self._source.index_usd(self._now_ns)

    def perpetual(self) -> PerpetualQuote:
        """Top of the perpetual's book now."""
        return self._source.quote(self._now_ns)

    def chain(self) -> OptionChain | None:
        """The chain now; None before the first snapshot."""
        if self._snapshot is not None and self._chain_ns != self._now_ns:
            self._chain = chain_at(
                self._snapshot,
                self.chains.universe,
                self._ids,
                self._now_ns,
                self._source.index_ratio(self._snapshot.ts_ns, self._now_ns),
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
