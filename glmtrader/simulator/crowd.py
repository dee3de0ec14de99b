"""The market model's floats as the exchange's Decimals, made only for what somebody looks at."""

import math
from decimal import ROUND_HALF_EVEN, Decimal

from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import Instrument, InstrumentKind
from glmtrader.simulator.market_model import MarketModel, OptionChain, PerpetualQuote
from glmtrader.simulator.matching import NO_CROWD, CrowdTop

NOISE = Decimal("1e-9")
"""Binary floats of decimal prices are off by less than this."""

USD_STEP = Decimal("0.01")
COIN_STEP = Decimal("0.000001")
"""Steps of marks and settlement prices, as Deribit shows them."""


class Crowd:
    """Quotes, marks and index of the moment the model has reached.

    Args:
        model: the market; whoever moves it calls `moved`.
        quote_age_ns_max: an option quote older than this fills nobody; None for no limit. With
            recorded chains it lets options trade at recorded moments only.
    """

    def __init__(self, model: MarketModel, *, quote_age_ns_max: int | None) -> None:
        self._model = model
        self._quote_age_ns_max = quote_age_ns_max
        self._now_ns = 0
        self.moves = 0
        self._chains: dict[str, OptionChain] = {}
        self._perpetuals: dict[str, PerpetualQuote] = {}
        self._index: dict[str, Decimal] = {}
        self._marks: dict[InstrumentId, Decimal | None] = {}
        self._forwards: dict[InstrumentId, Decimal] = {}
        self._rows: dict[str, tuple[tuple[InstrumentId, ...], dict[InstrumentId, int]]] = {}

    def moved(self, now_ns: int) -> None:
        """Forget what was read before the model moved to `now_ns`."""
        self._now_ns = now_ns
        self.moves += 1
        self._chains.clear()
        self._perpetuals.clear()
        self._index.clear()
        self._marks.clear()
        self._forwards.clear()

    def chain(self, underlying: str) -> OptionChain:
        """All quoted options of an underlying now."""
        found = self._chains.get(underlying)
        if found is None:
            found = self._chains[underlying] = self._model.chain(underlying)
        return found

    def perpetual(self, underlying: str) -> PerpetualQuote:
        """The perpetual's quote now."""
        found = self._perpetuals.get(underlying)
        if found is None:
            found = self._perpetuals[underlying] = self._model.perpetual(underlying)
        return found

    def index_usd(self, underlying: str) -> Decimal:
        """The index price now."""
        found = self._index.get(underlying)
        if found is None:
            found = _stepped(self._model.index_usd(underlying), USD_STEP)
            assert found is not None, f"{underlying}: an index is always a number"
            self._index[underlying] = found
        return found

    def delivery_usd(self, underlying: str, expiry_ns: int) -> Decimal:
        """The delivery price of an expiry that has passed."""
        price = _stepped(self._model.delivery_price(underlying, expiry_ns), USD_STEP)
        assert price is not None, f"{underlying}: a delivery price is always a number"
        return price

    def top(self, instrument: Instrument) -> CrowdTop:
        """The crowd's best bid and ask, on the instrument's ticks and lots."""
        if instrument.is_perpetual:
            return self._perpetual_top(instrument)
        row = self.row(instrument)
        if row is None:
            return NO_CROWD
        chain = self.chain(instrument.underlying)
        limit = self._quote_age_ns_max
        if limit is not None and self._now_ns - chain.ts_ns > limit:
            return NO_CROWD
        return _top(
            instrument,
            (float(chain.bid[row]), float(chain.ask[row])),
            (float(chain.bid_size[row]), float(chain.ask_size[row])),
            chain.ts_ns,
        )

    def mark(self, instrument: Instrument) -> Decimal | None:
        """The mark price; None for an option that the chain does not know."""
        name = instrument.instrument_id
        if name not in self._marks:
            self._marks[name] = self._read_mark(instrument)
        return self._marks[name]

    def _read_mark(self, instrument: Instrument) -> Decimal | None:
        if instrument.is_perpetual:
            return _stepped(self.perpetual(instrument.underlying).mark, USD_STEP)
        row = self.row(instrument)
        if row is None:
            return None
        step = COIN_STEP if instrument.kind is InstrumentKind.INVERSE_OPTION else USD_STEP
        return _stepped(float(self.chain(instrument.underlying).mark[row]), step)

    def underlying_usd(self, instrument: Instrument) -> Decimal:
        """Forward of an option's expiry, else (and where it is not quoted) the index."""
        found = self._forwards.get(instrument.instrument_id)
        if found is None:
            found = self._forwards[instrument.instrument_id] = self._read_underlying(instrument)
        return found

    def _read_underlying(self, instrument: Instrument) -> Decimal:
        row = self.row(instrument) if instrument.is_option else None
        if row is None:
            return self.index_usd(instrument.underlying)
        forward = _stepped(float(self.chain(instrument.underlying).forward[row]), USD_STEP)
        return self.index_usd(instrument.underlying) if forward is None else forward

    def mark_vol(self, instrument: Instrument) -> float | None:
        """An option's mark volatility; None where there is none."""
        row = self.row(instrument) if instrument.is_option else None
        if row is None:
            return None
        value = float(self.chain(instrument.underlying).mark_vol[row])
        return None if math.isnan(value) else value

    def row(self, instrument: Instrument) -> int | None:
        """The option's row in its chain; None when it is not quoted at all."""
        chain = self.chain(instrument.underlying)
        known = self._rows.get(instrument.underlying)
        if known is None or known[0] is not chain.instrument_ids:
            rows = {name: row for row, name in enumerate(chain.instrument_ids)}
            known = self._rows[instrument.underlying] = (chain.instrument_ids, rows)
        return known[1].get(instrument.instrument_id)

    def _perpetual_top(self, instrument: Instrument) -> CrowdTop:
        quote = self.perpetual(instrument.underlying)
        sizes = (quote.bid_size_usd, quote.ask_size_usd)
        if not instrument.is_inverse:
            sizes = (sizes[0] / quote.bid, sizes[1] / quote.ask)
        return _top(instrument, (quote.bid, quote.ask), sizes, 0)


def _top(
    instrument: Instrument, prices: tuple[float, float], sizes: tuple[float, float], stamp: int
) -> CrowdTop:
    bid = _clean(prices[0])
    ask = _clean(prices[1])
    bid = None if bid is None else instrument.price_down(bid) or None
    ask = None if ask is None else instrument.price_up(ask)
    if bid is not None and ask is not None and bid >= ask:
        return NO_CROWD
    return CrowdTop(
        bid=bid,
        ask=ask,
        bid_amount=_amount(instrument, sizes[0]),
        ask_amount=_amount(instrument, sizes[1]),
        stamp=stamp,
    )


def _amount(instrument: Instrument, size: float) -> Decimal:
    cleaned = _clean(size)
    return Decimal(0) if cleaned is None else instrument.quantity_down(cleaned)


def _clean(value: float) -> Decimal | None:
    """A positive float as the decimal it was meant to be; None for NaN, zero and negatives."""
    if not math.isfinite(value) or value <= 0:
        return None
    return Decimal(repr(value)).quantize(NOISE, rounding=ROUND_HALF_EVEN)


def _stepped(value: float, step: Decimal) -> Decimal | None:
    if not math.isfinite(value):
        return None
    return Decimal(repr(value)).quantize(step, rounding=ROUND_HALF_EVEN)
