"""A market that was recorded: option chains, candles and, of the recorder, ticks; replayed.

`RecordedMarket` is a `MarketModel`. With `tick_pattern` index and perpetual's book are those of the
recorded ticks. Without, it takes for granted, because nothing finer was recorded:

- The index is the last completed five-minute close of the coin against USDT, taken as USD.
- The perpetual is linear, settled in USD, quoted half a tick around its last close.
- The funding rate is the one settled last: the rate of a running interval is not known before
  its end, so an account that accrues continuously pays each interval's rate eight hours late.
- Sizes behind quotes are those of the settings where they were not recorded.

In both cases options trade only for `trade_window_s` after a snapshot, at its quotes; outside it
bid and ask are NaN. Between snapshots strike volatilities are held and marks follow the index and
the clock. The delivery price is the mean of the closes from 07:30 to 08:00 UTC. Funding is charged
only where rates were recorded.
"""

from decimal import Decimal
from pathlib import Path

from msgspec import structs

from glmtrader.domain.instruments import DAY_NS, SECOND_NS, Instrument
from glmtrader.errors import DataError
from glmtrader.simulator.candle_columns import last_bars
from glmtrader.simulator.contracts import inverse_perpetual, linear_perpetual
from glmtrader.simulator.market_model import CandleColumns, OptionChain, PerpetualQuote
from glmtrader.simulator.recorded_chain import load_chains
from glmtrader.simulator.recorded_coin import RecordedCoin
from glmtrader.simulator.recorded_config import RecordedMarketConfig
from glmtrader.simulator.recorded_files import (
    existing_folder,
    read_candles,
    read_chains,
    read_funding,
)
from glmtrader.simulator.recorded_perpetual import BarPerpetual, PerpetualSource, TickPerpetual
from glmtrader.simulator.recorded_ticks import read_ticks


class RecordedMarket:
    """Recorded chains and candles of one or more coins; reads its files when it is made."""

    def __init__(self, config: RecordedMarketConfig) -> None:
        self._config = config
        self._coins = {name: _load(config, name) for name in config.underlyings}
        history_ns = config.history_days * DAY_NS
        spans = [coin.span_ns(history_ns) for coin in self._coins.values()]
        history_from_ns = max(first for first, _ in spans)
        self._end_ns = min(last for _, last in spans)
        self._start_ns = self._first_moment(history_from_ns)
        self._now_ns = self._start_ns
        self._instruments: tuple[Instrument, ...] = ()
        self._move(self._start_ns)
        self._list()

    def _first_moment(self, history_from_ns: int) -> int:
        times = [int(t) for coin in self._coins.values() for t in coin.snapshot_times_ns]
        usable = [t for t in times if history_from_ns <= t <= self._end_ns]
        if not usable:
            raise DataError(
                f"no recorded chain between {history_from_ns} and {self._end_ns} ns, where candles"
                f" and {self._config.history_days} days of history exist: check the files"
            )
        start_ns = self._config.start_ns
        if start_ns is None:
            return min(usable)
        if not history_from_ns <= start_ns <= self._end_ns:
            raise DataError(
                f"start_ns {start_ns} is outside the recording: {history_from_ns} (with"
                f" {self._config.history_days} days of history) to {self._end_ns}"
            )
        return start_ns

    @property
    def underlyings(self) -> tuple[str, ...]:
        """Coins that have a perpetual and options here."""
        return tuple(self._coins)

    @property
    def now_ns(self) -> int:
        """The moment reached."""
        return self._now_ns

    @property
    def start_ns(self) -> int:
        """The first moment."""
        return self._start_ns

    @property
    def end_ns(self) -> int:
        """The last moment at which index and perpetual are known."""
        return self._end_ns

    @property
    def rows_refused(self) -> dict[str, dict[str, int]]:
        """Bad option rows by underlying and reason; none of them is ever quoted."""
        return {name: dict(coin.chains.rows_refused) for name, coin in self._coins.items()}

    def snapshot_times(self) -> tuple[int, ...]:
        """When the chain of any coin was recorded, from the start to the end; ns, ascending."""
        times = {int(t) for coin in self._coins.values() for t in coin.snapshot_times_ns}
        return tuple(sorted(t for t in times if self._start_ns <= t <= self._end_ns))

    def advance(self, now_ns: int) -> None:
        """Move the market to `now_ns`.

        Raises:
            DataError: that would be backwards, or beyond the recording.
        """
        if not self._now_ns <= now_ns <= self._end_ns:
            raise DataError(
                f"the recorded market is at {self._now_ns} ns and ends at {self._end_ns}:"
                f" it cannot move to {now_ns}"
            )
        self._now_ns = now_ns
        if self._move(now_ns):
            self._list()

    def is_tradable(self, now_ns: int) -> bool:
        """Whether options can be traded at `now_ns`: shortly after a snapshot of every coin.

        Raises:
            DataError: the market is not at `now_ns`.
        """
        if now_ns != self._now_ns:
            raise DataError(f"the recorded market is at {self._now_ns} ns, not {now_ns}")
        return all(coin.is_tradable for coin in self._coins.values())

    def instruments(self) -> tuple[Instrument, ...]:
        """What is listed at the moment reached; the same tuple object until it changes."""
        return self._instruments

    def index_usd(self, underlying: str) -> float:
        """The index price."""
        return self._coin(underlying).index_usd()

    def perpetual(self, underlying: str) -> PerpetualQuote:
        """Top of the perpetual's book."""
        return self._coin(underlying).perpetual()

    def chain(self, underlying: str) -> OptionChain:
        """All listed options; NaN bids and asks while none can be traded.

        Raises:
            DataError: no chain has been recorded yet.
        """
        chain = self._coin(underlying).chain()
        if chain is None:
            raise DataError(
                f"no chain of {underlying} recorded before {self._now_ns} ns: start later,"
                f" the first moment with one is in snapshot_times()"
            )
        return chain

    def delivery_price(self, underlying: str, expiry_ns: int) -> float:
        """The mean of the 30 minutes' closes before `expiry_ns`, which must be reached."""
        return self._coin(underlying).delivery_price(expiry_ns)

    def candles(
        self, underlying: str, interval_ns: int, until_ns: int, count: int
    ) -> CandleColumns:
        """The last `count` bars complete at `until_ns`, or at the moment reached if earlier."""
        bars = self._coin(underlying).candles
        return last_bars(bars, interval_ns, min(until_ns, self._now_ns), count)

    def _coin(self, underlying: str) -> RecordedCoin:
        coin = self._coins.get(underlying)
        if coin is None:
            known = ", ".join(self._coins)
            raise DataError(f"the recorded market has no {underlying!r}: ask for {known}")
        return coin

    def _move(self, now_ns: int) -> bool:
        changed = [coin.move(now_ns) for coin in self._coins.values()]
        return any(changed)

    def _list(self) -> None:
        listed = tuple(row for coin in self._coins.values() for row in coin.instruments)
        if listed != self._instruments:
            self._instruments = listed


def _load(config: RecordedMarketConfig, underlying: str) -> RecordedCoin:
    folder = existing_folder(config.folder)
    make = inverse_perpetual if config.perpetual_is_inverse else linear_perpetual
    perpetual = make(config.venue, underlying, Decimal(str(config.perpetual_tick_usd)))
    candles = read_candles(folder, config.candle_file.format(underlying=underlying))
    source, refused = _source(config, folder, underlying, candles, perpetual)
    chains = load_chains(
        read_chains(folder, config.chain_pattern, underlying),
        venue=config.venue,
        underlying=underlying,
        lot=Decimal(config.option_lot[underlying]),
        quote_size=config.quote_size_coin,
    )
    chains = structs.replace(chains, rows_refused=chains.rows_refused | refused)
    return RecordedCoin(chains, candles, source, perpetual, trade_window_ns=_window_ns(config))


def _source(
    config: RecordedMarketConfig,
    folder: Path,
    underlying: str,
    candles: CandleColumns,
    perpetual: Instrument,
) -> tuple[PerpetualSource, dict[str, int]]:
    """Ticks where they were recorded, else bars; and how many ticks were refused, by reason."""
    named = config.funding_file
    funding = None if named is None else read_funding(folder, named.format(underlying=underlying))
    if config.tick_pattern is None:
        bars = read_candles(folder, config.perpetual_file.format(underlying=underlying))
        half_tick_usd = 0.5 * config.perpetual_tick_usd
        size_usd = config.perpetual_size_usd
        return BarPerpetual(
            candles, bars, funding, half_tick_usd=half_tick_usd, size_usd=size_usd
        ), {}
    ticks, refused = read_ticks(
        folder, config.tick_pattern, perpetual.symbol, is_inverse=perpetual.is_inverse
    )
    return TickPerpetual(ticks, candles, funding, trade_window_ns=_window_ns(config)), refused


def _window_ns(config: RecordedMarketConfig) -> int:
    return int(config.trade_window_s * SECOND_NS)
