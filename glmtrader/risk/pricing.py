"""What one unit of an instrument is worth and how it moves: pure, from a surface and a price.

The border between exact `Decimal` books and float analytics: everything here is a float. The
volatility of a strike is interpolated linearly between the strikes of its own expiry's slice and
held flat outside; the forward moves with the index in proportion.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec
import numpy as np

from glmtrader.domain.instruments import Instrument, InstrumentKind
from glmtrader.domain.market_events import FloatArray, SurfaceSlice, VolatilitySurface
from glmtrader.domain.pnl import delivery_payoff
from glmtrader.quant import black76
from glmtrader.quant.black76_scalar import greeks_one, price_one
from glmtrader.risk.margin import unit_margins_usd

SPOT_SHOCKS: Final = np.array([-0.3, -0.2, -0.15, -0.1, -0.05, 0.0, 0.05, 0.1, 0.15, 0.2, 0.3])
"""Relative moves of every underlying at once."""

VOL_FACTORS: Final = np.array([0.7, 1.0, 1.5])
"""Volatility is multiplied by these at each spot shock."""

_SPOT_CELLS: Final = 1.0 + np.repeat(SPOT_SHOCKS, len(VOL_FACTORS))
_VOL_CELLS: Final = np.tile(VOL_FACTORS, len(SPOT_SHOCKS))
SCENARIOS_COUNT: Final = len(_SPOT_CELLS)


class VolPoint(msgspec.Struct, frozen=True, kw_only=True):
    """Forward and implied volatility of one option, and when the surface was made."""

    forward: float
    vol: float
    ts_ns: int


class UnitRisk(msgspec.Struct, frozen=True, kw_only=True):
    """One unit (of the instrument's own quantity) at one price of its underlying.

    Attributes:
        delta_coin: coin gained for a relative move, d E_coin / d ln S: N(d1) - mark for an inverse
            option, N(d1) for a linear one, 1 / price for one USD of an inverse perpetual.
        gamma, vega, theta, rho: in USD per 1 USD squared, 1.00 of volatility, year, 1.00 of rate.
        value_usd: what the option is worth; zero for what carries no value of its own.
        notional_usd: of the underlying that one unit stands for.
        margin_long_usd, margin_short_usd: estimated initial margin.
        scenario_usd: profit by scenario cell, [SCENARIOS_COUNT].
        price_usd: of the underlying, as used. surface_ns: None without a surface.
    """

    delta_coin: float
    gamma: float
    vega: float
    theta: float
    rho: float
    value_usd: float
    notional_usd: float
    margin_long_usd: float
    margin_short_usd: float
    scenario_usd: FloatArray
    price_usd: float
    surface_ns: int | None


class SurfaceView:
    """The newest usable slice of each expiry; a slice that drops out of a surface is kept."""

    def __init__(self) -> None:
        self._slices: dict[tuple[str, int], tuple[SurfaceSlice, float, int]] = {}

    def apply(self, surface: VolatilitySurface) -> None:
        """Take a surface and forget the expiries that have passed."""
        for part in surface.slices:
            if part.strikes:
                key = (surface.underlying, part.expiry_ns)
                self._slices[key] = (part, surface.index_usd, surface.ts_init)
        passed = [key for key in self._slices if key[1] <= surface.ts_init]
        for key in passed:
            del self._slices[key]

    def point(self, instrument: Instrument, price_usd: float) -> VolPoint | None:
        """Forward and volatility of an option with the index at `price_usd`; None if unknown."""
        if instrument.expiry_ns is None or instrument.strike is None:
            return None
        found = self._slices.get((instrument.underlying, instrument.expiry_ns))
        if found is None:
            return None
        part, index_usd, ts_ns = found
        vol = float(np.interp(float(instrument.strike), part.strikes, part.mid_vols))
        return VolPoint(forward=part.forward * price_usd / index_usd, vol=vol, ts_ns=ts_ns)


def worst_margin_usd(unit: UnitRisk, low: float, high: float) -> float:
    """Initial margin of a position that may end anywhere between two, in USD."""
    return max(high * unit.margin_long_usd, -low * unit.margin_short_usd, 0.0)


class PricingInput(msgspec.Struct, frozen=True, kw_only=True):
    """One unit to price: `price_usd` is the underlying's, for a perpetual its own mark.

    `point` is of an option; None leaves it without a price.
    """

    instrument: Instrument
    price_usd: float
    point: VolPoint | None


def price_units(inputs: Sequence[PricingInput], now_ns: int) -> list[UnitRisk | None]:
    """Price one unit of each, the scenarios of all options in one go.

    Returns:
        In the order of `inputs`; None for an option whose volatility nobody knows. One that has
        expired and awaits delivery is worth its payoff and moves no more.
    """
    options = [row for row, item in enumerate(inputs) if _can_price(item, now_ns)]
    values = [_value(inputs[row], now_ns) for row in options]
    grids = _option_scenarios([inputs[row] for row in options], values, now_ns)
    units = [_unit_without_vol(item, now_ns) for item in inputs]
    for row, value, grid in zip(options, values, grids, strict=True):
        units[row] = _option_unit(inputs[row], value, grid, now_ns)
    return units


def coin_scenario_usd(coins: float, price_usd: float) -> FloatArray:
    """Profit by scenario cell of holding `coins` outright, for accounts that count in USD."""
    return np.asarray(coins * price_usd * (_SPOT_CELLS - 1.0), dtype=np.float64)


def _can_price(item: PricingInput, now_ns: int) -> bool:
    has_vol = item.instrument.is_option and item.point is not None
    return has_vol and not item.instrument.is_expired(now_ns)


def _unit_without_vol(item: PricingInput, now_ns: int) -> UnitRisk | None:
    if not item.instrument.is_option:
        return _outright_unit(item)
    return _expired_unit(item) if item.instrument.is_expired(now_ns) else None


def _expired_unit(item: PricingInput) -> UnitRisk:
    instrument, price_usd = item.instrument, item.price_usd
    payoff = float(delivery_payoff(instrument, Decimal(repr(price_usd))))
    return UnitRisk(
        delta_coin=0.0,
        gamma=0.0,
        vega=0.0,
        theta=0.0,
        rho=0.0,
        value_usd=payoff * price_usd if instrument.is_inverse else payoff,
        notional_usd=price_usd,
        margin_long_usd=0.0,
        margin_short_usd=0.0,
        scenario_usd=np.zeros(SCENARIOS_COUNT),
        price_usd=price_usd,
        surface_ns=None,
    )


def _outright_unit(item: PricingInput) -> UnitRisk:
    instrument, price_usd = item.instrument, item.price_usd
    assert price_usd > 0, f"{instrument.instrument_id}: price {price_usd} must be positive"
    coins = 1.0 / price_usd if instrument.kind is InstrumentKind.INVERSE_PERPETUAL else 1.0
    margins = unit_margins_usd(instrument, coins * price_usd, 0.0, price_usd)
    is_spot = instrument.kind is InstrumentKind.SPOT
    return UnitRisk(
        delta_coin=0.0 if is_spot else coins,
        gamma=0.0,
        vega=0.0,
        theta=0.0,
        rho=0.0,
        value_usd=0.0,
        notional_usd=coins * price_usd,
        margin_long_usd=margins[0],
        margin_short_usd=margins[1],
        scenario_usd=coin_scenario_usd(0.0 if is_spot else coins, price_usd),
        price_usd=price_usd,
        surface_ns=None,
    )


def _terms(item: PricingInput, now_ns: int) -> tuple[float, float, float, float, bool]:
    """Forward, strike, years, volatility and kind: Black-76's arguments in their order."""
    instrument, point = item.instrument, item.point
    assert point is not None, f"{instrument.instrument_id} has no volatility"
    assert instrument.strike is not None, f"{instrument.instrument_id} has no strike"
    years = instrument.years(now_ns)
    return point.forward, float(instrument.strike), years, point.vol, bool(instrument.is_call)


def _value(item: PricingInput, now_ns: int) -> float:
    return price_one(*_terms(item, now_ns))


def _option_unit(item: PricingInput, value: float, grid: FloatArray, now_ns: int) -> UnitRisk:
    instrument, price_usd, point = item.instrument, item.price_usd, item.point
    assert point is not None, f"{instrument.instrument_id} has no volatility"
    greeks = greeks_one(*_terms(item, now_ns))
    margins = unit_margins_usd(instrument, price_usd, value, point.forward)
    mark = value / point.forward
    return UnitRisk(
        delta_coin=greeks.delta - mark if instrument.is_inverse else greeks.delta,
        gamma=greeks.gamma,
        vega=greeks.vega,
        theta=greeks.theta,
        rho=greeks.rho,
        value_usd=mark * price_usd if instrument.is_inverse else value,
        notional_usd=price_usd,
        margin_long_usd=margins[0],
        margin_short_usd=margins[1],
        scenario_usd=grid,
        price_usd=price_usd,
        surface_ns=point.ts_ns,
    )


def _option_scenarios(
    inputs: Sequence[PricingInput], values: Sequence[float], now_ns: int
) -> FloatArray:
    """Profit of one coin of each option; an inverse one's coins count at the shocked price."""
    if not inputs:
        return np.empty((0, SCENARIOS_COUNT))
    terms = [_terms(item, now_ns) for item in inputs]
    forward, strike, years, vol, is_call = (
        np.array(column)[:, None] for column in zip(*terms, strict=True)
    )
    shocked = black76.price(
        forward * _SPOT_CELLS, strike, years, vol * _VOL_CELLS, is_call.astype(np.bool_)
    )
    inverse = np.array([item.instrument.is_inverse for item in inputs])[:, None]
    basis = np.array(values)[:, None] * np.where(inverse, _SPOT_CELLS, 1.0)
    return np.asarray(shocked - basis, dtype=np.float64)
