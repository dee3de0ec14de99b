"""A market that stands where it is put: for tests and demonstrations of the exchange.

It implements `MarketModel` without dynamics of its own. Options are quoted as the caller sets them,
else at intrinsic plus a flat time value with a fixed half-spread; nothing moves unless told to.
"""

from decimal import Decimal

import msgspec
import numpy as np

from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import Instrument
from glmtrader.simulator.contracts import inverse_option, inverse_perpetual
from glmtrader.simulator.market_model import CandleColumns, OptionChain, PerpetualQuote

TIME_VALUE = 0.02
"""Coins by which an option that nobody quoted explicitly stands above its intrinsic value."""


class OptionQuote(msgspec.Struct, frozen=True, kw_only=True):
    """One option's quote in coin; NaN where a side is empty."""

    bid: float
    ask: float
    mark: float
    bid_size: float = 10.0
    ask_size: float = 10.0


class ScriptedMarket:
    """One underlying with one perpetual and the options it is given.

    Args:
        perpetual: the perpetual.
        options: listed until they expire.
        index_usd: where everything starts.
        start_ns: the moment it stands at.
    """

    def __init__(
        self,
        perpetual: Instrument,
        options: tuple[Instrument, ...],
        *,
        index_usd: float,
        start_ns: int,
    ) -> None:
        self._perpetual_terms = perpetual
        self._listed = (perpetual, *options)
        self._now_ns = start_ns
        self._index_usd = index_usd
        self._quotes: dict[InstrumentId, OptionQuote] = {}
        self._deliveries: dict[int, float] = {}
        self.quoted_ns = start_ns
        self.perpetual_quote = PerpetualQuote(
            bid=index_usd - 0.5,
            ask=index_usd + 0.5,
            bid_size_usd=1e6,
            ask_size_usd=1e6,
            mark=index_usd,
            funding_rate_8h=0.0,
        )

    @property
    def underlyings(self) -> tuple[str, ...]:
        """The one coin."""
        return (self._perpetual_terms.underlying,)

    # --- what the script says -------------------------------------------------------------------

    def move(
        self, index_usd: float, *, funding_rate_8h: float = 0.0, size_usd: float = 1e6
    ) -> None:
        """Put index, mark and the perpetual's quotes (half a dollar each side) somewhere."""
        self._index_usd = index_usd
        self.perpetual_quote = PerpetualQuote(
            bid=index_usd - 0.5,
            ask=index_usd + 0.5,
            bid_size_usd=size_usd,
            ask_size_usd=size_usd,
            mark=index_usd,
            funding_rate_8h=funding_rate_8h,
        )
        self.quoted_ns += 1

    def quote(self, instrument_id: InstrumentId, quote: OptionQuote) -> None:
        """Put an option's quote somewhere."""
        self._quotes[instrument_id] = quote

    def unlist(self, instrument_id: InstrumentId) -> None:
        """Take an instrument off the list before its time."""
        self._listed = tuple(item for item in self._listed if item.instrument_id != instrument_id)

    def list_option(self, option: Instrument) -> None:
        """Add an option."""
        self._listed = (*self._listed, option)

    def set_delivery(self, expiry_ns: int, price_usd: float) -> None:
        """Fix an expiry's delivery price; otherwise it is the index when asked."""
        self._deliveries[expiry_ns] = price_usd

    # --- the model's port -----------------------------------------------------------------------

    def advance(self, now_ns: int) -> None:
        """Let time pass; expired options leave the list."""
        assert now_ns >= self._now_ns, f"the market cannot go back to {now_ns}"
        self._now_ns = now_ns
        if any(item.is_expired(now_ns) for item in self._listed):
            self._listed = tuple(item for item in self._listed if not item.is_expired(now_ns))

    def instruments(self) -> tuple[Instrument, ...]:
        """What is listed."""
        return self._listed

    def index_usd(self, underlying: str) -> float:
        """The index."""
        assert underlying in self.underlyings, f"{underlying} is not traded here"
        return self._index_usd

    def perpetual(self, underlying: str) -> PerpetualQuote:
        """The perpetual's quote."""
        assert underlying in self.underlyings, f"{underlying} is not traded here"
        return self.perpetual_quote

    def chain(self, underlying: str) -> OptionChain:
        """All listed options."""
        assert underlying in self.underlyings, f"{underlying} is not traded here"
        options = [item for item in self._listed if item.is_option]
        quotes = [self._quote_of(item) for item in options]
        return OptionChain(
            ts_ns=self.quoted_ns,
            instrument_ids=tuple(item.instrument_id for item in options),
            expiry_ns=np.array([item.expiry_ns for item in options], dtype=np.int64),
            strike=np.array([float(item.strike or 0) for item in options]),
            is_call=np.array([item.is_call for item in options], dtype=np.bool_),
            bid=np.array([item.bid for item in quotes]),
            ask=np.array([item.ask for item in quotes]),
            bid_size=np.array([item.bid_size for item in quotes]),
            ask_size=np.array([item.ask_size for item in quotes]),
            mark=np.array([item.mark for item in quotes]),
            mark_vol=np.full(len(options), 0.5),
            forward=np.full(len(options), self._index_usd),
        )

    def delivery_price(self, underlying: str, expiry_ns: int) -> float:
        """What the script fixed, else the index."""
        assert underlying in self.underlyings, f"{underlying} is not traded here"
        return self._deliveries.get(expiry_ns, self._index_usd)

    def candles(
        self, underlying: str, interval_ns: int, until_ns: int, count: int
    ) -> CandleColumns:
        """Flat bars at the index."""
        assert underlying in self.underlyings, f"{underlying} is not traded here"
        close_ns = until_ns // interval_ns * interval_ns
        opens = close_ns - interval_ns * np.arange(count, 0, -1, dtype=np.int64)
        level = np.full(count, self._index_usd)
        return CandleColumns(
            open_ns=opens,
            open=level,
            high=level,
            low=level,
            close=level,
            volume=np.ones(count),
        )

    def _quote_of(self, option: Instrument) -> OptionQuote:
        explicit = self._quotes.get(option.instrument_id)
        if explicit is not None:
            return explicit
        gap = self._index_usd - float(option.strike or 0)
        intrinsic = max(gap if option.is_call else -gap, 0.0) / self._index_usd
        mark = round(intrinsic + TIME_VALUE, 4)
        return OptionQuote(bid=mark - 0.0005, ask=mark + 0.0005, mark=mark)


def bitcoin_market(
    start_ns: int,
    *,
    index_usd: float = 100_000.0,
    expiries_ns: tuple[int, ...],
    strikes: tuple[float, ...] = (90_000.0, 100_000.0, 110_000.0),
) -> ScriptedMarket:
    """A small Bitcoin market on Deribit's terms: the perpetual, calls and puts."""
    options = tuple(
        inverse_option("deribit", "BTC", expiry_ns, strike, Decimal("0.1"), is_call=is_call)
        for expiry_ns in expiries_ns
        for strike in strikes
        for is_call in (True, False)
    )
    perpetual = inverse_perpetual("deribit", "BTC", Decimal("0.5"))
    return ScriptedMarket(perpetual, options, index_usd=index_usd, start_ns=start_ns)
