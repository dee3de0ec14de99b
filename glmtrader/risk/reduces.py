"""When an order reduces: the one definition that every rule uses. Pure.

With everything in flight filled, a *close* makes |position| fall and a *hedge* makes |delta of the
underlying| fall, neither crossing zero. An order that merely says so, and does not, is an opening.
"""

from decimal import Decimal
from enum import StrEnum

from glmtrader.domain.orders import OrderPurpose


class Reduction(StrEnum):
    """What an order takes off."""

    NONE = "none"
    CLOSE = "close"
    HEDGE = "hedge"


def reduces_position(position_filled: Decimal, signed_quantity: Decimal) -> bool:
    """Whether |position| falls without crossing zero; exact."""
    after = position_filled + signed_quantity
    return abs(after) < abs(position_filled) and after * position_filled >= 0


def reduces_delta(delta_filled: float, delta_order: float) -> bool:
    """Whether |delta| of the underlying falls without crossing zero."""
    after = delta_filled + delta_order
    return abs(after) < abs(delta_filled) and after * delta_filled >= 0.0


def reduction(
    purpose: OrderPurpose,
    *,
    position_filled: Decimal,
    signed_quantity: Decimal,
    delta_filled: float | None,
    delta_order: float | None,
) -> Reduction:
    """Classify an order by what it says it is for and what it does.

    Args:
        purpose: what the order says.
        position_filled: of its instrument, with everything in flight filled.
        signed_quantity: of the order.
        delta_filled: of its underlying, with everything in flight filled, in coin; None where it
            cannot be computed, and then nothing is a hedge.
        delta_order: what the order adds, in coin.
    """
    if purpose is OrderPurpose.CLOSE and reduces_position(position_filled, signed_quantity):
        return Reduction.CLOSE
    if (
        purpose is OrderPurpose.HEDGE
        and delta_filled is not None
        and delta_order is not None
        and reduces_delta(delta_filled, delta_order)
    ):
        return Reduction.HEDGE
    return Reduction.NONE
