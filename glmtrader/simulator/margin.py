"""Deribit's standard margin: what a position needs, per unit, in its settlement currency.

Formulas as published on Deribit's margin pages (standard margin, segregated; the option part is
repeated at doc.tslab.pro, "Deribit Margin Requirements Calculation"):

- short call: initial max(0.15 - OTM/F, 0.1) + mark, maintenance 0.075 + mark;
- short put: initial max(max(0.15 - OTM/F, 0.1) + mark, maintenance), maintenance
  max(0.075, 0.075 mark) + mark;
- long options: nothing, their premium is paid; option value is no collateral;
- perpetual: initial 2 %, maintenance 1 % of the size in coin, each rising by a slope with the
  size (BTC: 0.5 % for 100 coins).

Fractions are of one coin; linear options multiply them by the forward. Marks are in the option's
own price unit. Nothing is liquidated here: a breach shows in the account's summary.
"""

from decimal import Decimal

import msgspec

from glmtrader.domain.instruments import Instrument, InstrumentKind
from glmtrader.domain.pnl import ZERO


class MarginRates(msgspec.Struct, frozen=True, kw_only=True):
    """The fractions above; slopes are per coin of position size, by underlying."""

    option_initial: Decimal = Decimal("0.15")
    option_initial_min: Decimal = Decimal("0.1")
    option_maintenance: Decimal = Decimal("0.075")
    perpetual_initial: Decimal = Decimal("0.02")
    perpetual_maintenance: Decimal = Decimal("0.01")
    perpetual_slope_per_coin: dict[str, Decimal] = msgspec.field(
        default_factory=lambda: {"BTC": Decimal("0.00005"), "ETH": Decimal("0.000001")}
    )


class Margin(msgspec.Struct, frozen=True, kw_only=True):
    """Initial and maintenance margin, in the settlement currency."""

    initial: Decimal
    maintenance: Decimal


NO_MARGIN = Margin(initial=ZERO, maintenance=ZERO)


def margin(
    rates: MarginRates,
    instrument: Instrument,
    quantity: Decimal,
    *,
    mark: Decimal,
    underlying_usd: Decimal,
) -> Margin:
    """Margin of a position of signed `quantity`, alone (standard margin nets nothing)."""
    if quantity == 0 or (instrument.is_option and quantity > 0):
        return NO_MARGIN
    if instrument.is_perpetual:
        return _perpetual(rates, instrument, abs(quantity), mark)
    return _short_option(rates, instrument, -quantity, mark, underlying_usd)


def _perpetual(rates: MarginRates, instrument: Instrument, size: Decimal, mark: Decimal) -> Margin:
    coins = instrument.coin_quantity(size, mark)
    value = coins if instrument.is_inverse else coins * mark
    slope = rates.perpetual_slope_per_coin[instrument.underlying] * coins
    return Margin(
        initial=(rates.perpetual_initial + slope) * value,
        maintenance=(rates.perpetual_maintenance + slope) * value,
    )


def _short_option(
    rates: MarginRates,
    instrument: Instrument,
    size: Decimal,
    mark: Decimal,
    forward_usd: Decimal,
) -> Margin:
    assert instrument.strike is not None, f"{instrument.instrument_id}: an option has a strike"
    unit = Decimal(1) if instrument.kind is InstrumentKind.INVERSE_OPTION else forward_usd
    gap = instrument.strike - forward_usd
    otm = max(gap if instrument.is_call else -gap, ZERO) / forward_usd
    initial = max(rates.option_initial - otm, rates.option_initial_min) * unit + mark
    maintenance = rates.option_maintenance * unit + mark
    if not instrument.is_call:
        maintenance = max(rates.option_maintenance * unit, rates.option_maintenance * mark) + mark
        initial = max(initial, maintenance)
    return Margin(initial=size * initial, maintenance=size * maintenance)
