"""A market made of seeded random numbers, with the stylised facts of Bitcoin and Ether.

`GeneratedMarket` is a `MarketModel`. What happens depends on the settings, the start and the
generator alone: not on how time is advanced, nor on what is asked. Pure.
"""

import numpy as np

from glmtrader.domain.instruments import DAY_NS, HOUR_NS, Instrument
from glmtrader.errors import DataError
from glmtrader.simulator.candle_columns import last_bars
from glmtrader.simulator.dynamics import draw_hour
from glmtrader.simulator.generated_coin import GeneratedCoin
from glmtrader.simulator.generated_config import GeneratedMarketConfig
from glmtrader.simulator.market_model import CandleColumns, OptionChain, PerpetualQuote
from glmtrader.simulator.variance import VarianceModel


class GeneratedMarket:
    """Inverse options and perpetuals of one or more coins, quoted by a crowd that never tires."""

    def __init__(
        self, config: GeneratedMarketConfig, *, rng: np.random.Generator, start_ns: int
    ) -> None:
        self._config = config
        self._shared_rng, *own = rng.spawn(1 + len(config.coins))
        model = VarianceModel(config.variance)
        self._coins = {
            coin.underlying: GeneratedCoin(coin, config, model, coin_rng)
            for coin, coin_rng in zip(config.coins, own, strict=True)
        }
        self._now_ns = start_ns
        self._hour_ns = start_ns - start_ns % HOUR_NS
        for open_ns in range(self._hour_ns - config.history_days * DAY_NS, start_ns + 1, HOUR_NS):
            self._make_hour(open_ns)
        for coin in self._coins.values():
            coin.begin(start_ns)
        self._show(self._hour_ns)
        self._relist(self._hour_ns)
        self._show(start_ns)

    @property
    def underlyings(self) -> tuple[str, ...]:
        """Coins that have a perpetual and options here."""
        return tuple(self._coins)

    @property
    def now_ns(self) -> int:
        """The moment reached."""
        return self._now_ns

    def advance(self, now_ns: int) -> None:
        """Move the market to `now_ns`.

        Raises:
            DataError: that would be backwards.
        """
        if now_ns < self._now_ns:
            raise DataError(f"the market is at {self._now_ns} ns and cannot go back to {now_ns}")
        while self._hour_ns + HOUR_NS <= now_ns:
            self._hour_ns += HOUR_NS
            self._make_hour(self._hour_ns)
            self._show(self._hour_ns)
            self._relist(self._hour_ns)
        self._now_ns = now_ns
        self._show(now_ns)

    def instruments(self) -> tuple[Instrument, ...]:
        """What is listed at the moment reached; the same tuple object until it changes."""
        return self._instruments

    def index_usd(self, underlying: str) -> float:
        """The index price."""
        return self._coin(underlying).state.index_usd

    def perpetual(self, underlying: str) -> PerpetualQuote:
        """Top of the inverse perpetual's book."""
        return self._coin(underlying).perpetual()

    def chain(self, underlying: str) -> OptionChain:
        """All listed options with their quotes."""
        return self._coin(underlying).chain()

    def expected_vol(self, underlying: str, expiry_ns: int) -> float:
        """The truth behind the premium: E[sqrt(RV)] from now to then, fraction a year."""
        return float(self._coin(underlying).expected_vol(np.array([expiry_ns]))[0])

    def premium_vol(self, underlying: str) -> float:
        """Implied minus expected volatility of near expiries at this moment."""
        return self._coin(underlying).state.premium_vol

    def delivery_price(self, underlying: str, expiry_ns: int) -> float:
        """The 30-minute average of the index before `expiry_ns`, which must be reached."""
        return self._coin(underlying).delivery_price(expiry_ns)

    def candles(
        self, underlying: str, interval_ns: int, until_ns: int, count: int
    ) -> CandleColumns:
        """The last `count` bars complete at `until_ns`, or at the moment reached if earlier."""
        bars = self._coin(underlying).candles()
        return last_bars(bars, interval_ns, min(until_ns, self._now_ns), count)

    def _coin(self, underlying: str) -> GeneratedCoin:
        coin = self._coins.get(underlying)
        if coin is None:
            known = ", ".join(self._coins)
            raise DataError(f"the generated market has no {underlying!r}: ask for {known}")
        return coin

    def _make_hour(self, open_ns: int) -> None:
        noise = draw_hour(self._shared_rng, self._config)
        for coin in self._coins.values():
            coin.make_hour(open_ns, noise)

    def _show(self, now_ns: int) -> None:
        for coin in self._coins.values():
            coin.move(now_ns)

    def _relist(self, now_ns: int) -> None:
        changed = [coin.relist(now_ns) for coin in self._coins.values()]
        if any(changed):
            self._instruments: tuple[Instrument, ...] = tuple(
                row for coin in self._coins.values() for row in coin.instruments
            )
