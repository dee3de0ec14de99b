"""What is listed: instruments that come and go, halted books, and expiries that are due."""

from collections.abc import Iterable

from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import Instrument, InstrumentKind
from glmtrader.simulator.exchange_types import InstrumentsChanged
from glmtrader.simulator.refusals import ExchangeRefusedError


class Listing:
    """Instruments by id: listed now, or known because somebody still holds them."""

    def __init__(self) -> None:
        self.halted: set[InstrumentId] = set()
        self._source: tuple[Instrument, ...] = ()
        self._listed: dict[InstrumentId, Instrument] = {}
        self._known: dict[InstrumentId, Instrument] = {}
        self._perpetuals: tuple[Instrument, ...] = ()
        self._next_expiry_ns: int | None = None

    def update(self, instruments: tuple[Instrument, ...], now_ns: int) -> InstrumentsChanged | None:
        """Take the model's list; None when nothing came or went."""
        if instruments is self._source:
            return None
        self._source = instruments
        fresh = {
            item.instrument_id: item
            for item in instruments
            if item.kind is not InstrumentKind.SPOT and not item.is_expired(now_ns)
        }
        listed = tuple(item for name, item in fresh.items() if name not in self._listed)
        delisted = tuple(name for name in self._listed if name not in fresh)
        self._listed = fresh
        self._known.update(fresh)
        self._index()
        if not listed and not delisted:
            return None
        return InstrumentsChanged(ts_ns=now_ns, listed=listed, delisted=delisted)

    def remember(self, instruments: Iterable[Instrument], listed: Iterable[InstrumentId]) -> None:
        """Know instruments from an earlier run, and which of them were listed then."""
        for item in instruments:
            self._known[item.instrument_id] = item
        self._listed = {name: self._known[name] for name in listed}
        self._index()

    def forget(self, options: Iterable[Instrument]) -> tuple[InstrumentId, ...]:
        """Drop delivered options for good; returns those that were still listed."""
        gone = []
        for item in options:
            self._known.pop(item.instrument_id, None)
            self.halted.discard(item.instrument_id)
            if self._listed.pop(item.instrument_id, None) is not None:
                gone.append(item.instrument_id)
        self._index()
        return tuple(gone)

    def prune(self, keep: set[InstrumentId]) -> None:
        """Forget what is neither listed nor in `keep`."""
        self._known = {
            name: item for name, item in self._known.items() if name in self._listed or name in keep
        }
        self.halted.intersection_update(self._known)
        self._index()

    def get(self, instrument_id: InstrumentId) -> Instrument:
        """A known instrument.

        Raises:
            ExchangeRefusedError: never listed, or forgotten.
        """
        found = self._known.get(instrument_id)
        if found is None:
            raise ExchangeRefusedError(
                "invalid_or_unsupported_instrument", f"{instrument_id} is not known here"
            )
        return found

    def tradable(self, instrument_id: InstrumentId, now_ns: int) -> Instrument:
        """An instrument that takes orders now.

        Raises:
            ExchangeRefusedError: unknown, delisted, expired or halted.
        """
        instrument = self.get(instrument_id)
        if instrument_id not in self._listed or instrument.is_expired(now_ns):
            raise ExchangeRefusedError("book_closed", f"{instrument_id} is no longer listed")
        if instrument_id in self.halted:
            raise ExchangeRefusedError("not_open_instrument", f"{instrument_id} is halted")
        return instrument

    def listed(self) -> tuple[Instrument, ...]:
        """Everything listed now."""
        return tuple(self._listed.values())

    def known(self) -> tuple[Instrument, ...]:
        """Everything listed or remembered."""
        return tuple(self._known.values())

    def is_listed(self, instrument_id: InstrumentId) -> bool:
        """Whether it is listed now."""
        return instrument_id in self._listed

    def is_known(self, instrument_id: InstrumentId) -> bool:
        """Whether it is listed, or remembered because somebody holds it."""
        return instrument_id in self._known

    def perpetuals(self) -> tuple[Instrument, ...]:
        """Every known perpetual."""
        return self._perpetuals

    def expiries(self, until_ns: int) -> dict[tuple[int, str], list[Instrument]]:
        """Known options that expire by `until_ns`, by expiry and underlying, ascending."""
        found: dict[tuple[int, str], list[Instrument]] = {}
        if self._next_expiry_ns is None or self._next_expiry_ns > until_ns:
            return found
        for item in self._known.values():
            if item.expiry_ns is not None and item.expiry_ns <= until_ns:
                found.setdefault((item.expiry_ns, item.underlying), []).append(item)
        return dict(sorted(found.items()))

    def _index(self) -> None:
        """Note what every step asks for; to be called after each change of what is known."""
        known = self._known.values()
        self._perpetuals = tuple(item for item in known if item.is_perpetual)
        expiries = (item.expiry_ns for item in known if item.expiry_ns is not None)
        self._next_expiry_ns = min(expiries, default=None)
