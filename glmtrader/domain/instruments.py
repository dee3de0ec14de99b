"""Instruments: units, steps, lots, minimums, expiry and settlement of everything traded.

No code outside this module knows that an inverse perpetual's amount is in USD, or that a Deribit
option's tick grows above a price. Raises `InstrumentError` on what does not fit.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import StrEnum

import msgspec

from glmtrader.domain.ids import InstrumentId
from glmtrader.errors import InstrumentError

MILLISECOND_NS = 1_000_000
SECOND_NS = 1_000 * MILLISECOND_NS
MINUTE_NS = 60 * SECOND_NS
HOUR_NS = 3600 * SECOND_NS
DAY_NS = 24 * HOUR_NS
WEEK_NS = 7 * DAY_NS
YEAR_NS = 365 * DAY_NS
"""ACT/365: a year of every annualised number in this project."""


class InstrumentKind(StrEnum):
    """The five kinds of instrument, by payoff and settlement."""

    SPOT = "spot"
    LINEAR_PERPETUAL = "linear_perpetual"
    INVERSE_PERPETUAL = "inverse_perpetual"
    LINEAR_OPTION = "linear_option"
    INVERSE_OPTION = "inverse_option"


# Tuples, not sets: looked for by identity, without hashing a name.
_OPTIONS = (InstrumentKind.LINEAR_OPTION, InstrumentKind.INVERSE_OPTION)
_PERPETUALS = (InstrumentKind.LINEAR_PERPETUAL, InstrumentKind.INVERSE_PERPETUAL)
_INVERSE = (InstrumentKind.INVERSE_PERPETUAL, InstrumentKind.INVERSE_OPTION)


class TickStep(msgspec.Struct, frozen=True):
    """At prices of `price_from` and above, prices are multiples of `tick`."""

    price_from: Decimal
    tick: Decimal


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that can be traded at one venue.

    Attributes:
        underlying: the coin whose price moves it, for example `BTC`.
        price_currency: what its price is quoted in; the coin itself for inverse options.
        settlement_currency: what premiums, profit and fees are paid in.
        quantity_currency: the unit of an order's quantity: USD for an inverse perpetual, else
            the coin.
        contract_size: units of `quantity_currency` in one contract.
        lot: quantities are multiples of it.
        quantity_min: the smallest order.
        tick_steps: ascending by `price_from`; the first starts at zero.
        strike, is_call, expiry_ns: of options alone.
    """

    instrument_id: InstrumentId
    venue: str
    symbol: str
    kind: InstrumentKind
    underlying: str
    price_currency: str
    settlement_currency: str
    quantity_currency: str
    contract_size: Decimal
    lot: Decimal
    quantity_min: Decimal
    tick_steps: tuple[TickStep, ...]
    strike: Decimal | None = None
    is_call: bool | None = None
    expiry_ns: int | None = None

    def __post_init__(self) -> None:
        faults = _faults(self)
        if faults:
            raise InstrumentError(f"{self.instrument_id}: {'; '.join(faults)}")

    @property
    def is_option(self) -> bool:
        """True for both kinds of option."""
        return self.kind in _OPTIONS

    @property
    def is_perpetual(self) -> bool:
        """True for both kinds of perpetual."""
        return self.kind in _PERPETUALS

    @property
    def is_inverse(self) -> bool:
        """True where profit is paid in the underlying coin."""
        return self.kind in _INVERSE

    def is_expired(self, now_ns: int) -> bool:
        """Whether it can no longer be traded at `now_ns`; what does not expire never is."""
        return self.expiry_ns is not None and now_ns >= self.expiry_ns

    def years(self, now_ns: int) -> float:
        """Time to expiry in years, ACT/365; negative after it.

        Raises:
            InstrumentError: the instrument has no expiry.
        """
        if self.expiry_ns is None:
            raise InstrumentError(f"{self.instrument_id} has no expiry: ask only options")
        return (self.expiry_ns - now_ns) / YEAR_NS

    def tick_at(self, price: Decimal) -> Decimal:
        """The price step in force at `price` (>= 0)."""
        tick = self.tick_steps[0].tick
        for step in self.tick_steps[1:]:
            if price < step.price_from:
                break
            tick = step.tick
        return tick

    def price_down(self, price: Decimal) -> Decimal:
        """The highest valid price at or below `price`."""
        return _to_step(price, self.tick_at(price), ROUND_FLOOR)

    def price_up(self, price: Decimal) -> Decimal:
        """The lowest valid price at or above `price`."""
        return _to_step(price, self.tick_at(price), ROUND_CEILING)

    def quantity_down(self, quantity: Decimal) -> Decimal:
        """The largest valid quantity at or below `quantity` (>= 0); zero below the minimum."""
        rounded = _to_step(quantity, self.lot, ROUND_FLOOR)
        return rounded if rounded >= self.quantity_min else Decimal(0)

    def check_order(self, quantity: Decimal, price: Decimal | None) -> None:
        """Refuse what the venue would refuse.

        Raises:
            InstrumentError: names the filter: `lot`, `quantity_min` or `tick`.
        """
        if not quantity.is_finite() or quantity < self.quantity_min:
            raise InstrumentError(
                f"{self.instrument_id}: quantity {quantity} is below quantity_min"
                f" {self.quantity_min} {self.quantity_currency}"
            )
        if quantity % self.lot:
            raise InstrumentError(
                f"{self.instrument_id}: quantity {quantity} is no multiple of lot {self.lot}"
            )
        if price is None:
            return
        if not price.is_finite() or price <= 0:
            raise InstrumentError(f"{self.instrument_id}: price {price} must be positive")
        tick = self.tick_at(price)
        if price % tick:
            raise InstrumentError(
                f"{self.instrument_id}: price {price} is no multiple of tick {tick}"
            )

    def coin_quantity(self, quantity: Decimal, price_usd: Decimal) -> Decimal:
        """A quantity in units of the underlying coin, at `price_usd` a coin."""
        if self.kind is InstrumentKind.INVERSE_PERPETUAL:
            return quantity / price_usd
        return quantity

    def quantity_of_coins(self, coins: Decimal, price_usd: Decimal) -> Decimal:
        """The (unrounded) quantity of this instrument that moves like `coins` of underlying."""
        if self.kind is InstrumentKind.INVERSE_PERPETUAL:
            return coins * price_usd
        return coins

    def price_usd(self, price: Decimal, underlying_usd: Decimal) -> Decimal:
        """Its price in USD a unit: inverse options are quoted in coin."""
        if self.kind is InstrumentKind.INVERSE_OPTION:
            return price * underlying_usd
        return price


def _to_step(value: Decimal, step: Decimal, rounding: str) -> Decimal:
    return (value / step).to_integral_value(rounding=rounding) * step


def _faults(instrument: Instrument) -> list[str]:
    faults = []
    if instrument.instrument_id != f"{instrument.venue}:{instrument.symbol}":
        faults.append(f"the id is not {instrument.venue}:{instrument.symbol}")
    faults.extend(
        f"{name} {value} must be positive"
        for name, value in (
            ("contract_size", instrument.contract_size),
            ("lot", instrument.lot),
            ("quantity_min", instrument.quantity_min),
        )
        if not value.is_finite() or value <= 0
    )
    faults.extend(_tick_faults(instrument.tick_steps))
    terms = (instrument.strike, instrument.is_call, instrument.expiry_ns)
    if instrument.is_option and None in terms:
        faults.append("an option needs strike, is_call and expiry_ns")
    if not instrument.is_option and terms != (None, None, None):
        faults.append("only an option has strike, is_call or expiry_ns")
    return faults


def _tick_faults(steps: tuple[TickStep, ...]) -> list[str]:
    if not steps:
        return ["tick_steps is empty"]
    faults = []
    if steps[0].price_from != 0:
        faults.append("the first tick step must start at 0")
    starts = [step.price_from for step in steps]
    if starts != sorted(set(starts)):
        faults.append("tick steps must ascend")
    if any(step.tick <= 0 for step in steps):
        faults.append("ticks must be positive")
    return faults
