"""What is listed: the venue's whole list against the one known before, told as a difference."""

from collections.abc import Iterable

from glmtrader.domain.instruments import Instrument
from glmtrader.domain.market_events import InstrumentsListed
from glmtrader.errors import InstrumentError, ProtocolError
from glmtrader.venues.deribit.codec import instrument_of
from glmtrader.venues.deribit.counters import Counters
from glmtrader.venues.deribit.frames import InstrumentData
from glmtrader.venues.deribit.names import VENUE


class Listing:
    """Instruments by the venue's name; an impossible one is counted and left out."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self.by_name: dict[str, Instrument] = {}

    def replace(self, listed: Iterable[InstrumentData], *, now_ns: int) -> InstrumentsListed | None:
        """Take the venue's whole list; what became of it, or None where nothing changed."""
        fresh: dict[str, Instrument] = {}
        for data in listed:
            instrument = self._read(data) if data.is_active else None
            if instrument is not None:
                fresh[instrument.symbol] = instrument
        added = tuple(
            item for name, item in sorted(fresh.items()) if self.by_name.get(name) != item
        )
        gone = tuple(
            item.instrument_id for name, item in sorted(self.by_name.items()) if name not in fresh
        )
        self.by_name = fresh
        if not added and not gone:
            return None
        return InstrumentsListed(
            ts_event=now_ns, ts_init=now_ns, venue=VENUE, listed=added, delisted=gone
        )

    def _read(self, data: InstrumentData) -> Instrument | None:
        try:
            instrument = instrument_of(data)
        except (InstrumentError, ProtocolError) as error:
            self._counters.warn("instrument_impossible", str(error))
            return None
        if instrument is None:
            self._counters.count("instrument_kind_not_traded")
        return instrument
