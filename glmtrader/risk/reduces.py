"""When an order reduces: the one definition that every rule uses. Pure.

A *close* makes |position| fall without crossing zero, whatever part of what is in flight fills;
with everything in flight filled, a *hedge* makes |delta of the underlying| fall, without crossing
zero either. An order that merely says so, and does not, is an opening.
"""

from decimal import Decimal
from enum import StrEnum

from glmtrader.domain.orders import OrderPurpose


class Reduction(StrEnum):
    """What an order takes off."""

    NONE = "none"
    CLOSE = "close"
    HEDGE = "hedge"


def reduces_position(
    position_low: Decimal, position_high: Decimal, signed_quantity: Decimal
) -> bool:
    """Whether |position| falls without crossing zero, however much of what is in flight fills.

    A sale of what only a buy in flight would bring opens a short if that buy never fills; so a
    sale is measured against the lowest position there may be, and a buy against the highest.

    Args:
        position_low: with every sale in flight filled and no buy.
        position_high: with every buy in flight filled and no sale.
        signed_quantity: of the order; exact like the positions.
    """
    assert position_low <= position_high, f"{position_low} is above {position_high}"
    if signed_quantity < 0:
        return position_low + signed_quantity >= 0
    return signed_quantity > 0 and position_high + signed_quantity <= 0


def reduces_delta(delta_filled: float, delta_order: float) -> bool:
    """Whether |delta| of the underlying falls without crossing zero."""
    after = delta_filled + delta_order
    return abs(after) < abs(delta_filled) and after * delta_filled >= 0.0


def reduction(
    purpose: OrderPurpose,
    *,
    position_low: Decimal,
    position_high: Decimal,
    signed_quantity: Decimal,
    delta_filled: float | None,
    delta_order: float | None,
) -> Reduction:
    """Classify an order by what it says it is for and what it does.

    Args:
        purpose: what the order says.
        position_low, position_high: of its instrument, with every sale or every buy in flight
            filled.
        signed_quantity: of the order.
        delta_filled: of its underlying, with everything in flight filled, in coin; None where it
            cannot be computed, and then nothing is a hedge.
        delta_order: what the order adds, in coin.
    """
    if purpose is OrderPurpose.CLOSE and reduces_position(
        position_low, position_high, signed_quantity
    ):
        return Reduction.CLOSE
    if (
        purpose is OrderPurpose.HEDGE
        and delta_filled is not None
        and delta_order is not None
        and reduces_delta(delta_filled, delta_order)
    ):
        return Reduction.HEDGE
    return Reduction.NONE
