"""Positions with everything in flight at its worst, summed so that a check only adds.

Pure state without a clock. Quantities are exact; what they are worth comes from `pricing`. For
each instrument `high` is the position with every buy in flight filled and `low` with every sell;
limits count whichever is worse, cell by cell in the scenario grid.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final, NamedTuple

import msgspec
import numpy as np

from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import Instrument
from glmtrader.domain.market_events import FloatArray
from glmtrader.risk.pricing import SCENARIOS_COUNT, UnitRisk, worst_margin_usd

ZERO: Final = Decimal(0)
_NO_SCENARIO: Final = np.zeros(SCENARIOS_COUNT)


class Contribution(msgspec.Struct, frozen=True):
    """What one instrument adds to the sums.

    Attributes:
        gross_usd: delta-notional. premium_usd: of options held long. calls, puts: coins.
        delta_coin: of the position with everything in flight filled.
        scenario_usd: the worse of `high` and `low`, cell by cell.
    """

    gross_usd: float
    margin_usd: float
    premium_usd: float
    calls: float
    puts: float
    delta_coin: float
    scenario_usd: FloatArray


class Worth(NamedTuple):
    """What a position adds to value and greeks of its account, in the units of `UnitRisk`.

    Attributes:
        inverse_delta: the part of `delta` that is paid in coin.
        option_value: in the settlement currency; zero for what is no option.
    """

    delta: float = 0.0
    gamma: float = 0.0
    vega: float = 0.0
    theta: float = 0.0
    rho: float = 0.0
    value_usd: float = 0.0
    gross_usd: float = 0.0
    inverse_delta: float = 0.0
    long_premium_usd: float = 0.0
    option_value: float = 0.0
    options_count: int = 0

    @classmethod
    def total(cls, rows: Sequence["Worth"]) -> "Worth":
        """The sum of some."""
        return cls(*map(sum, zip(*rows, strict=True)))


def _worth(instrument: Instrument, position: Decimal, unit: UnitRisk) -> Worth:
    quantity = float(position)
    delta, value_usd = quantity * unit.delta_coin, quantity * unit.value_usd
    is_inverse, is_option = instrument.is_inverse, instrument.is_option
    in_currency = value_usd / unit.price_usd if is_inverse else value_usd
    return Worth(
        delta=delta,
        gamma=quantity * unit.gamma,
        vega=quantity * unit.vega,
        theta=quantity * unit.theta,
        rho=quantity * unit.rho,
        value_usd=value_usd,
        gross_usd=abs(delta) * unit.price_usd,
        inverse_delta=delta if is_inverse else 0.0,
        long_premium_usd=max(value_usd, 0.0) if quantity > 0 else 0.0,
        option_value=in_currency if is_option else 0.0,
        options_count=int(is_option),
    )


NOTHING: Final = Contribution(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, _NO_SCENARIO)


class Exposure:
    """One instrument: position, what is in flight on each side, and the price of a unit."""

    __slots__ = (
        "_worth",
        "_worth_of",
        "buys",
        "contribution",
        "instrument",
        "is_option",
        "place",
        "position",
        "sells",
        "unit",
    )

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.is_option = instrument.is_option
        self.place = (instrument.underlying, instrument.settlement_currency)
        self.position = ZERO
        self.buys = ZERO
        self.sells = ZERO
        self.unit: UnitRisk | None = None
        self.contribution = NOTHING
        self._worth = Worth()
        self._worth_of: tuple[Decimal, UnitRisk | None] = (ZERO, None)

    @property
    def worth(self) -> Worth:
        """What the position, which must have a price, adds to its account."""
        unit = self.unit
        assert unit is not None, f"{self.instrument.instrument_id} has no price"
        position, priced = self._worth_of
        if position is not self.position or priced is not unit:
            self._worth_of = (self.position, unit)
            self._worth = _worth(self.instrument, self.position, unit)
        return self._worth

    @property
    def is_empty(self) -> bool:
        """Nothing held and nothing on its way."""
        return not (self.position or self.buys or self.sells)

    @property
    def filled(self) -> Decimal:
        """The position with everything in flight filled."""
        return self.position + self.buys - self.sells

    def contribute(self) -> Contribution:
        """What it adds now; `NOTHING` where it is empty or has no price."""
        unit = self.unit
        if unit is None or self.is_empty:
            return NOTHING
        high, low = float(self.position + self.buys), float(self.position - self.sells)
        worst = max(abs(high), abs(low))
        coins = worst if self.instrument.is_option else 0.0
        is_call = bool(self.instrument.is_call)
        scenario = unit.scenario_usd
        return Contribution(
            worst * abs(unit.delta_coin) * unit.price_usd,
            worst_margin_usd(unit, low, high),
            max(high, 0.0) * unit.value_usd,
            coins if is_call else 0.0,
            0.0 if is_call else coins,
            float(self.filled) * unit.delta_coin,
            high * scenario if high == low else np.minimum(high * scenario, low * scenario),
        )


class UnderlyingSums:
    """Sums over the instruments of one underlying."""

    __slots__ = ("calls", "delta_coin", "puts")

    def __init__(self) -> None:
        self.calls = 0.0
        self.puts = 0.0
        self.delta_coin = 0.0


class ExposureBook:
    """All exposures of one account and their sums."""

    def __init__(self) -> None:
        self.by_id: dict[InstrumentId, Exposure] = {}
        self.outright_usd: FloatArray = _NO_SCENARIO
        self._clear_sums()

    def _clear_sums(self) -> None:
        self.gross_usd = 0.0
        self.margin_usd = 0.0
        self.premium_usd = 0.0
        self.scenario_usd: FloatArray = self.outright_usd.copy()
        self.scenario_worst_usd = float(self.scenario_usd.min())
        self.by_underlying: dict[str, UnderlyingSums] = {}
        self._unpriced: set[InstrumentId] = set()
        self._touched: dict[InstrumentId, Exposure] = {}

    def exposure(self, instrument: Instrument) -> Exposure:
        """The exposure of an instrument, made where there was none."""
        found = self.by_id.get(instrument.instrument_id)
        if found is None:
            found = self.by_id[instrument.instrument_id] = Exposure(instrument)
        return found

    def sums(self, underlying: str) -> UnderlyingSums:
        """The sums of one underlying, zero where nothing is held."""
        found = self.by_underlying.get(underlying)
        if found is None:
            found = self.by_underlying[underlying] = UnderlyingSums()
        return found

    def touch(self, exposure: Exposure) -> None:
        """Its quantities changed: what it adds is exchanged before the sums are read."""
        self._touched[exposure.instrument.instrument_id] = exposure

    def settle(self) -> None:
        """Bring the sums up to date with everything touched since."""
        if not self._touched:
            return
        for exposure in self._touched.values():
            self._exchange(exposure)
        self._touched.clear()
        self.scenario_worst_usd = float(self.scenario_usd.min())

    def _exchange(self, exposure: Exposure) -> None:
        old, new = exposure.contribution, exposure.contribute()
        exposure.contribution = new
        name = exposure.instrument.instrument_id
        if exposure.unit is None and not exposure.is_empty:
            self._unpriced.add(name)
        else:
            self._unpriced.discard(name)
        self.gross_usd += new.gross_usd - old.gross_usd
        self.margin_usd += new.margin_usd - old.margin_usd
        self.premium_usd += new.premium_usd - old.premium_usd
        self.scenario_usd = self.scenario_usd + new.scenario_usd - old.scenario_usd
        sums = self.sums(exposure.instrument.underlying)
        sums.calls += new.calls - old.calls
        sums.puts += new.puts - old.puts
        sums.delta_coin += new.delta_coin - old.delta_coin

    def rebuild(self, outright_usd: FloatArray | None = None) -> None:
        """Sum everything anew after prices changed, dropping what is empty.

        Args:
            outright_usd: scenario profit of coins held outright, for accounts in USD.
        """
        self.outright_usd = _NO_SCENARIO if outright_usd is None else outright_usd
        self._clear_sums()
        self.by_id = {name: item for name, item in self.by_id.items() if not item.is_empty}
        for item in self.by_id.values():
            item.contribution = NOTHING
            self.touch(item)
        self.settle()

    @property
    def unpriced_count(self) -> int:
        """Instruments held or in flight that had no price when last counted."""
        return len(self._unpriced)
