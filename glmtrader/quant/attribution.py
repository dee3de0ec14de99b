"""Where the P&L of an interval came from: a Taylor expansion whose residual is explicit.

    dV = delta dF + gamma/2 dF^2 + vega dsigma + theta dt + vanna dF dsigma + volga/2 dsigma^2 + e

Greeks are those at the start of the interval; the parts sum to the actual P&L by construction,
because the residual is what is left. Everything is in USD. A coin-settled option's coin P&L is
valued at the end:

    index1 (V1/F1 - V0/F0) = (index1/F1) [ (V1 - V0) - (V0/F0) dF ],

so it is the linear option's, with the net transaction delta N(d1) - V0/F0 in delta's place, times
the basis index1/F1. NumPy and this room's Black-76 alone may enter.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import fsum
from typing import NamedTuple

import numpy as np

from glmtrader.quant._arrays import BoolArray, FloatArray
from glmtrader.quant.black76 import price_and_greeks


@dataclass(frozen=True, slots=True)
class OptionInterval:
    """Option positions held over one interval, arrays of shape (n,), one row a position.

    Args:
        quantity: Signed amount in units of underlying, constant over the interval.
        strike: USD.
        is_call: True for calls.
        inverse: True for coin-settled options.
        forward_start: Forward of the expiry at the start, USD; ``_end`` likewise.
        forward_end: See above.
        years_start: Time to expiry at the start, ACT/365; ``_end`` likewise.
        years_end: See above.
        vol_start: Volatility by which the position was marked at the start; ``_end`` likewise.
        vol_end: See above.
        value_start: Mark value of one unit in USD (for inverse: coin mark x forward).
        value_end: See above.
        index_end: Price at which coin is valued at the end, USD; used for inverse rows only.
    """

    quantity: FloatArray
    strike: FloatArray
    is_call: BoolArray
    inverse: BoolArray
    forward_start: FloatArray
    forward_end: FloatArray
    years_start: FloatArray
    years_end: FloatArray
    vol_start: FloatArray
    vol_end: FloatArray
    value_start: FloatArray
    value_end: FloatArray
    index_end: FloatArray


class PnlAttribution(NamedTuple):
    """P&L of an interval by source, USD; all parts sum to ``actual``."""

    delta: float
    gamma: float
    vega: float
    theta: float
    vanna: float
    volga: float
    hedge: float
    funding: float
    fees: float
    residual: float
    actual: float

    @property
    def explained(self) -> float:
        """Everything but the residual."""
        return fsum(self[:9])


def option_pnl(held: OptionInterval) -> FloatArray:
    """Actual P&L of each position in USD, from its marks."""
    carried = np.where(held.inverse, held.forward_end / held.forward_start, 1.0)
    basis = np.where(held.inverse, held.index_end / held.forward_end, 1.0)
    pnl: FloatArray = held.quantity * basis * (held.value_end - held.value_start * carried)
    return pnl


def linear_hedge_pnl(quantity: float, price_start: float, price_end: float) -> float:
    """USD P&L of ``quantity`` coins of spot or of a linear perpetual."""
    return quantity * (price_end - price_start)


def inverse_hedge_pnl(
    amount_usd: float, price_start: float, price_end: float, index_end: float
) -> float:
    """USD P&L of an inverse perpetual: coin P&L amount (1/S0 - 1/S1), valued at the index."""
    return amount_usd * (1.0 / price_start - 1.0 / price_end) * index_end


def attribute(
    held: OptionInterval,
    *,
    hedge_usd: float = 0.0,
    funding_usd: float = 0.0,
    fees_usd: float = 0.0,
    actual_usd: float | None = None,
) -> PnlAttribution:
    """Attribute the P&L of one interval.

    Args:
        held: Option positions over the interval.
        hedge_usd: Price P&L of the hedge, as from ``linear_hedge_pnl`` or ``inverse_hedge_pnl``.
        funding_usd: Funding received (negative: paid).
        fees_usd: Fees as a P&L, so negative when paid.
        actual_usd: P&L by the ledger; by default options by their marks plus the three above.
    """
    if actual_usd is None:
        actual_usd = fsum((*option_pnl(held).tolist(), hedge_usd, funding_usd, fees_usd))
    parts = _expansion(held)
    other = (hedge_usd, funding_usd, fees_usd)
    residual = fsum((actual_usd, *(-part for part in parts), *(-part for part in other)))
    return PnlAttribution(*parts, *other, residual, actual_usd)


def combine(intervals: Iterable[PnlAttribution]) -> PnlAttribution:
    """Sum of attributions over successive intervals or over underlyings."""
    columns = list(zip(*intervals, strict=True))
    if not columns:
        return PnlAttribution(*([0.0] * len(PnlAttribution._fields)))
    return PnlAttribution(*(fsum(column) for column in columns))


def _expansion(held: OptionInterval) -> tuple[float, float, float, float, float, float]:
    """Sums over positions of the six Taylor terms, USD."""
    _, at = price_and_greeks(
        held.forward_start, held.strike, held.years_start, held.vol_start, held.is_call
    )
    moved = held.forward_end - held.forward_start
    revalued = held.vol_end - held.vol_start
    passed = held.years_start - held.years_end
    weight = held.quantity * np.where(held.inverse, held.index_end / held.forward_end, 1.0)
    delta = at.delta - np.where(held.inverse, held.value_start / held.forward_start, 0.0)
    terms: tuple[FloatArray, ...] = (
        delta * moved,
        0.5 * at.gamma * moved**2,
        at.vega * revalued,
        at.theta * passed,
        at.vanna * moved * revalued,
        0.5 * at.volga * revalued**2,
    )
    first, second, third, fourth, fifth, sixth = (fsum((weight * term).tolist()) for term in terms)
    return first, second, third, fourth, fifth, sixth
