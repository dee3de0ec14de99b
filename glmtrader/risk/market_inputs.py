"""What risk knows of markets: prices of underlyings, marks of perpetuals, surfaces, mood, venues.

Fed by the risk service, read by the rules; holds no clock. The newest word wins, and its age is
kept beside it, because a price without an age cannot fail closed.
"""

from collections.abc import Mapping

from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import Instrument
from glmtrader.domain.market_events import MacroState, MarketTick, VolatilitySurface
from glmtrader.domain.system_events import VenueStatusChanged
from glmtrader.market.quote_book import Catalogue, QuoteBook
from glmtrader.risk.pricing import PricingInput, SurfaceView, UnitRisk, price_units

_DOWN = frozenset({"disconnected", "maintenance", "locked"})


class MarketInputs:
    """The newest of everything that positions are valued with.

    Args:
        catalogue: instruments, kept by the market service.
        quotes: top of books, kept by the market service.
    """

    def __init__(self, catalogue: Catalogue, quotes: QuoteBook) -> None:
        self.catalogue = catalogue
        self.quotes = quotes
        self.surfaces = SurfaceView()
        self.prices: dict[str, float] = {}
        self.price_ns: dict[str, int] = {}
        self.marks: dict[InstrumentId, float] = {}
        self.fomo: dict[str, float | None] = {}
        self.venue_down: dict[str, str] = {}
        self.clock_offset_ns: dict[str, int] = {}
        self._retired: dict[InstrumentId, Instrument] = {}

    def remember(self, instrument: Instrument) -> None:
        """Keep an instrument that the journal knows and the venue may have retired."""
        self._retired[instrument.instrument_id] = instrument

    def instrument(self, instrument_id: InstrumentId) -> Instrument | None:
        """An instrument, listed or retired; None if it was never heard of."""
        return self.catalogue.get(instrument_id) or self._retired.get(instrument_id)

    def apply_tick(self, tick: MarketTick) -> str | None:
        """Take a tick.

        Returns:
            The underlying whose price it carries; None where it is an option's own.
        """
        instrument = self.instrument(tick.instrument_id)
        if instrument is None or instrument.is_option:
            return None
        mark = tick.mark
        if mark is None and tick.bid is not None and tick.ask is not None:
            mark = (tick.bid + tick.ask) / 2
        if mark is not None and mark > 0:
            self.marks[tick.instrument_id] = float(mark)
        price = tick.index_usd if tick.index_usd is not None else mark
        if price is None or price <= 0:
            return None
        self._price(instrument.underlying, float(price), tick.ts_init)
        return instrument.underlying

    def apply_surface(self, surface: VolatilitySurface) -> None:
        """Take a surface, and the index that came with it where it is the newer price."""
        self.surfaces.apply(surface)
        if surface.index_usd > 0 and surface.ts_init >= self.price_ns.get(surface.underlying, 0):
            self._price(surface.underlying, surface.index_usd, surface.ts_init)

    def apply_macro(self, state: MacroState) -> None:
        """Take the mood of a market; a score of 0 replaces an older one like any other."""
        self.fomo[state.underlying] = state.fomo_score

    def apply_status(self, event: VenueStatusChanged) -> None:
        """Take a venue's state and the offset of its clock."""
        if event.status in _DOWN:
            self.venue_down[event.venue] = event.detail or event.status
        else:
            self.venue_down.pop(event.venue, None)
        if event.clock_offset_ns is not None:
            self.clock_offset_ns[event.venue] = event.clock_offset_ns

    def pricing_input(
        self,
        instrument: Instrument,
        prices: Mapping[str, float],
        marks: Mapping[InstrumentId, float],
    ) -> PricingInput | None:
        """What pricing one unit takes; None without a price of its underlying.

        Args:
            prices, marks: one set for all that is added up; the newest of a moment.
        """
        index = prices.get(instrument.underlying)
        if index is None:
            return None
        if instrument.is_option:
            point = self.surfaces.point(instrument, index)
            return PricingInput(instrument=instrument, price_usd=index, point=point)
        price_usd = marks.get(instrument.instrument_id, index)
        return PricingInput(instrument=instrument, price_usd=price_usd, point=None)

    def unit(
        self,
        instrument: Instrument,
        prices: Mapping[str, float],
        marks: Mapping[InstrumentId, float],
        now_ns: int,
    ) -> UnitRisk | None:
        """Price one unit of one instrument; None where an input is missing."""
        found = self.pricing_input(instrument, prices, marks)
        return None if found is None else price_units((found,), now_ns)[0]

    def _price(self, underlying: str, price_usd: float, ts_ns: int) -> None:
        self.prices[underlying] = price_usd
        self.price_ns[underlying] = ts_ns
