"""Open interest of the exchange's accounts; the modelled crowd has no positions."""

from decimal import Decimal

from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.pnl import ZERO
from glmtrader.simulator.exchange import SimulatedExchange


class OpenInterest:
    """Sums long positions, anew only when something was booked."""

    def __init__(self, exchange: SimulatedExchange) -> None:
        self._exchange = exchange
        self._cursor = -1
        self._longs: dict[InstrumentId, Decimal] = {}

    def of(self, instrument_id: InstrumentId) -> Decimal:
        """The larger of all longs and all shorts, in the instrument's quantity unit."""
        if self._cursor != self._exchange.cursor:
            self._cursor = self._exchange.cursor
            self._longs = self._count()
        return self._longs.get(instrument_id, ZERO)

    def _count(self) -> dict[InstrumentId, Decimal]:
        longs: dict[InstrumentId, Decimal] = {}
        shorts: dict[InstrumentId, Decimal] = {}
        for name in self._exchange.account_names():
            for held in self._exchange.positions(name):
                side = longs if held.quantity > 0 else shorts
                side[held.instrument_id] = side.get(held.instrument_id, ZERO) + abs(held.quantity)
        return {
            item: max(longs.get(item, ZERO), shorts.get(item, ZERO))
            for item in sorted({*longs, *shorts})
        }
