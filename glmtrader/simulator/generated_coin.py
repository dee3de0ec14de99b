"""One underlying of a generated market: its hours, bars, deliveries, listings and quotes. Pure."""

import math
from collections import deque
from decimal import Decimal
from typing import Final

import numpy as np
from msgspec import structs

from glmtrader.domain.arrays import FloatArray, IntArray
from glmtrader.domain.instruments import DAY_NS, HOUR_NS, SECOND_NS, YEAR_NS, Instrument
from glmtrader.errors import DataError
from glmtrader.quant import black76
from glmtrader.simulator import smile
from glmtrader.simulator.candle_columns import BASE_INTERVAL_NS
from glmtrader.simulator.contracts import inverse_perpetual
from glmtrader.simulator.dynamics import (
    CoinDynamics,
    CoinState,
    HourNoise,
    HourPath,
    state_at,
    trading_seconds,
)
from glmtrader.simulator.generated_config import CoinConfig, GeneratedMarketConfig
from glmtrader.simulator.listing_calendar import EXPIRY_HOUR_NS, OptionListing
from glmtrader.simulator.market_model import CandleColumns, OptionChain, PerpetualQuote
from glmtrader.simulator.variance import VarianceModel

_HOURS_KEPT: Final = 24 * 92
"""Bars older than a quarter are forgotten."""

_DELIVERIES_KEPT: Final = 400
_IMPLIED_OVER_EXPECTED_MIN: Final = 0.4
_PERPETUAL_SIZE_USD: Final = 100_000.0
_SIZE_LOG_SD: Final = 0.7


class GeneratedCoin:
    """Makes and shows one underlying; the market hands it the hours and the shared noise."""

    def __init__(
        self,
        coin: CoinConfig,
        config: GeneratedMarketConfig,
        model: VarianceModel,
        rng: np.random.Generator,
    ) -> None:
        path_rng, self._size_rng = rng.spawn(2)
        self._coin = coin
        self._config = config
        self._model = model
        self._dynamics = CoinDynamics(coin, config, model, path_rng)
        self._listing = OptionListing(coin, config.venue)
        self._perpetual = inverse_perpetual(
            config.venue, coin.underlying, Decimal(coin.perpetual_tick_usd)
        )
        self._tick_usd = float(coin.perpetual_tick_usd)
        self._bars: deque[FloatArray] = deque(maxlen=_HOURS_KEPT)
        self._first_bar_ns = 0
        self._columns: CandleColumns | None = None
        self._deliveries: dict[int, float] = {}
        self._path: HourPath | None = None
        self._state: CoinState | None = None
        self._sizes: FloatArray = np.empty((2, 0))
        self._chain: OptionChain | None = None

    @property
    def underlying(self) -> str:
        """The coin's name."""
        return self._coin.underlying

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """The perpetual and all listed options."""
        return (self._perpetual, *self._listing.options.instruments)

    @property
    def state(self) -> CoinState:
        """Everything random at the moment reached."""
        assert self._state is not None, "the market has not begun"
        return self._state

    def make_hour(self, open_ns: int, noise: HourNoise) -> None:
        """Make the hour that opens at `open_ns` and keep its bars and delivery price."""
        path = self._dynamics.next_hour(open_ns, noise)
        self._path = path
        self._bars.append(_bars(path))
        self._first_bar_ns = open_ns - (len(self._bars) - 1) * HOUR_NS
        self._columns = None
        close_ns = open_ns + HOUR_NS
        if close_ns % DAY_NS == EXPIRY_HOUR_NS:
            half = len(path.volume) // 2
            self._deliveries[close_ns] = float(path.index_usd[-half:].mean())
            while len(self._deliveries) > _DELIVERIES_KEPT:
                del self._deliveries[next(iter(self._deliveries))]

    def begin(self, start_ns: int) -> None:
        """End the history: scale it so that the index at `start_ns` is the configured one."""
        assert self._path is not None, "history comes before the start"
        factor = self._coin.spot_usd / state_at(self._path, start_ns, self._config.step_s).index_usd
        self._dynamics.rescale(factor)
        for bars in self._bars:
            bars[:4] *= factor
        self._path = structs.replace(self._path, index_usd=self._path.index_usd * factor)
        self._deliveries = {at: price * factor for at, price in self._deliveries.items()}

    def move(self, now_ns: int) -> None:
        """Show the moment `now_ns` of the hour made last."""
        assert self._path is not None, "make an hour first"
        self._state = state_at(self._path, now_ns, self._config.step_s)

    def relist(self, now_ns: int) -> bool:
        """List and delist for this moment, and draw the hour's displayed sizes."""
        changed = self._listing.refresh(now_ns, self.state.index_usd, self.state.basis)
        rows = len(self._listing.options.strike)
        self._sizes = np.exp(_SIZE_LOG_SD * self._size_rng.standard_normal((2, rows)))
        self._chain = None
        return changed

    def perpetual(self) -> PerpetualQuote:
        """Top of the perpetual's book, one tick wide."""
        state = self.state
        mid = state.index_usd * (1.0 + state.perpetual_premium + state.funding_rate_8h)
        ticks = math.floor(mid / self._tick_usd)
        sizes = [
            max(round(_PERPETUAL_SIZE_USD * math.exp(n) / 10.0) * 10.0, 10.0)
            for n in state.size_noise
        ]
        return PerpetualQuote(
            bid=round(ticks * self._tick_usd, 8),
            ask=round((ticks + 1) * self._tick_usd, 8),
            bid_size_usd=sizes[0],
            ask_size_usd=sizes[1],
            mark=round(mid, 2),
            funding_rate_8h=state.funding_rate_8h,
        )

    def expected_vol(self, expiries_ns: IntArray) -> FloatArray:
        """E[sqrt(RV)] from now to each expiry, fraction a year: what an honest forecast seeks."""
        now_ns, factors = self.state.ts_ns, self.state.factors
        horizons_s = trading_seconds(now_ns, expiries_ns)
        calendar_s = (expiries_ns - now_ns) / SECOND_NS
        mean = self._model.mean_variance(factors, horizons_s) / calendar_s
        shrink = self._model.volatility_shrink(horizons_s)
        return np.asarray(self._coin.annual_vol * np.sqrt(mean) * shrink, np.float64)

    def implied_vol(self, expiries_ns: IntArray) -> FloatArray:
        """At-the-money implied volatility: expected volatility plus the premium process."""
        config, expected = self._config, self.expected_vol(expiries_ns)
        days = (expiries_ns - self.state.ts_ns) / DAY_NS
        deviation = self.state.premium_vol - config.premium_mean_vol
        fade = np.exp(-days / config.premium_fade_days)
        implied = expected + config.premium_mean_vol + deviation * fade
        return np.maximum(implied, _IMPLIED_OVER_EXPECTED_MIN * expected)

    def chain(self) -> OptionChain:
        """All quotes at the moment reached."""
        if self._chain is None or self._chain.ts_ns != self.state.ts_ns:
            self._chain = self._quote_chain()
        return self._chain

    def _quote_chain(self) -> OptionChain:
        config, state, options = self._config, self.state, self._listing.options
        years = (options.expiries_ns - state.ts_ns) / YEAR_NS
        forwards = np.round(state.index_usd * np.exp(state.basis * years), 2)
        atm = self.implied_vol(options.expiries_ns)
        forward, total = forwards[options.slot], (atm * np.sqrt(years))[options.slot]
        z = np.log(options.strike / forward) / total
        ratio = smile.variance_ratio(z, config.skew, config.wing_slope, config.wing_width)
        vol = atm[options.slot] * np.sqrt(ratio)
        row_years = years[options.slot]
        usd = black76.price(forward, options.strike, row_years, vol, options.is_call)
        mark = np.round(usd / forward, 8)
        vega = smile.vega_coin(forward, options.strike, row_years, vol)
        sign = np.where(options.is_call, 1.0, -1.0)
        intrinsic = np.maximum(sign * (1.0 - options.strike / forward), 0.0)
        half = smile.half_width(365.0 * row_years, vega, z, intrinsic)
        bid, ask = smile.quote(mark, half, -sign * z)
        bid_size, ask_size = self._displayed(z, bid, ask)
        return OptionChain(
            ts_ns=state.ts_ns,
            instrument_ids=options.instrument_ids,
            expiry_ns=options.expiry_ns,
            strike=options.strike,
            is_call=options.is_call,
            bid=bid,
            ask=ask,
            bid_size=bid_size,
            ask_size=ask_size,
            mark=mark,
            mark_vol=vol,
            forward=forward,
        )

    def _displayed(
        self, z: FloatArray, bid: FloatArray, ask: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Quantities in whole lots, smaller in the wings, zero where nobody quotes."""
        lot = float(self._coin.option_lot)
        typical = self._coin.option_size * np.exp(-0.3 * np.abs(z))
        lots = np.maximum(np.round(typical * self._sizes / lot), 1.0)
        sizes = np.round(lots * lot, 8)
        return np.where(np.isnan(bid), 0.0, sizes[0]), np.where(np.isnan(ask), 0.0, sizes[1])

    def delivery_price(self, expiry_ns: int) -> float:
        """The mean of the index over the half hour before an 08:00 UTC that has been reached.

        Raises:
            DataError: that moment is no expiry, lies ahead, or is forgotten.
        """
        price = self._deliveries.get(expiry_ns)
        if price is None or expiry_ns > self.state.ts_ns:
            raise DataError(
                f"no delivery price of {self.underlying} at {expiry_ns} ns: ask for an 08:00 UTC"
                f" that has been reached, now {self.state.ts_ns} ns"
            )
        return round(price, 2)

    def candles(self) -> CandleColumns:
        """All five-minute bars made, those of the current hour's future included."""
        if self._columns is None:
            table = np.concatenate(list(self._bars), axis=1)
            opens = np.arange(table.shape[1], dtype=np.int64) * BASE_INTERVAL_NS
            prices = np.round(table[:4], 2)
            self._columns = CandleColumns(
                open_ns=self._first_bar_ns + opens,
                open=prices[0],
                high=prices[1],
                low=prices[2],
                close=prices[3],
                volume=table[4],
            )
        return self._columns


def _bars(path: HourPath) -> FloatArray:
    """Twelve bars of an hour as rows open, high, low, close, volume."""
    inside = path.index_usd[1:].reshape(12, -1)
    opens = path.index_usd[:-1].reshape(12, -1)[:, 0]
    return np.stack(
        (
            opens,
            np.maximum(inside.max(axis=1), opens),
            np.minimum(inside.min(axis=1), opens),
            inside[:, -1],
            np.round(path.volume.reshape(12, -1).sum(axis=1), 4),
        )
    )
