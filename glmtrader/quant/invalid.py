"""Why an option's row cannot be priced or inverted: named reasons, one small integer a row.

A bad row gives NaN in that element and its reason here; never an exception for one bad quote.
NumPy alone may enter.
"""

from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glmtrader.quant._arrays import BoolArray, CodeArray, FloatArray, flat_rows


class InvalidReason(IntEnum):
    """Reason codes; ``VALID`` is 0, so a reason array is also a mask."""

    VALID = 0
    NOT_FINITE = 1
    """An input is NaN or infinite."""
    FORWARD_NOT_POSITIVE = 2
    STRIKE_NOT_POSITIVE = 3
    YEARS_NEGATIVE = 4
    SIGMA_NEGATIVE = 5
    EXPIRED = 6
    """No time is left, so no volatility explains a price."""
    PRICE_NEGATIVE = 7
    BELOW_INTRINSIC = 8
    AT_INTRINSIC = 9
    """Price equals intrinsic value (zero out of the money): volatility is not determined."""
    ABOVE_MAXIMUM = 10
    """Price is at or above the forward (call) or strike (put): no volatility is high enough."""
    AT_THE_KINK = 11
    """At the money with no variance left: the price is known, the greeks do not exist."""


def _coded(length: int, checks: list[tuple[InvalidReason, BoolArray]]) -> CodeArray:
    """Code of the first check that fails; later entries are weaker."""
    codes = np.zeros(length, dtype=np.uint8)
    for reason, failed in reversed(checks):
        codes[failed] = reason
    return codes


def _finite(*columns: FloatArray) -> BoolArray:
    finite: BoolArray = np.isfinite(columns[0])
    for column in columns[1:]:
        finite &= np.isfinite(column)
    return finite


def invalid_reason(
    price: ArrayLike, forward: ArrayLike, strike: ArrayLike, years: ArrayLike, is_call: ArrayLike
) -> NDArray[np.uint8]:
    """Why ``implied_vol`` of each row is NaN, as ``InvalidReason`` codes (0 where it is valid).

    Shapes broadcast; the first reason in the order of the enumeration's checks is given.
    """
    shape, (p, f, k, t), call = flat_rows(price, forward, strike, years, flags=is_call)
    return implied_codes(p, f, k, t, call).reshape(shape)


def implied_codes(
    price: FloatArray, forward: FloatArray, strike: FloatArray, years: FloatArray, call: BoolArray
) -> CodeArray:
    """``invalid_reason`` of flat columns."""
    with np.errstate(all="ignore"):
        low = np.minimum(forward, strike)
        premium = price - (np.maximum(forward, strike) - low) * (call == (forward >= strike))
        return _coded(
            len(price),
            [
                (InvalidReason.NOT_FINITE, ~_finite(price, forward, strike, years)),
                (InvalidReason.FORWARD_NOT_POSITIVE, forward <= 0.0),
                (InvalidReason.STRIKE_NOT_POSITIVE, strike <= 0.0),
                (InvalidReason.YEARS_NEGATIVE, years < 0.0),
                (InvalidReason.EXPIRED, years == 0.0),
                (InvalidReason.PRICE_NEGATIVE, price < 0.0),
                (InvalidReason.BELOW_INTRINSIC, premium < 0.0),
                (InvalidReason.AT_INTRINSIC, premium == 0.0),
                (InvalidReason.ABOVE_MAXIMUM, premium >= low),
            ],
        )


def invalid_input_reason(
    forward: ArrayLike, strike: ArrayLike, years: ArrayLike, sigma: ArrayLike
) -> NDArray[np.uint8]:
    """Why ``price`` of each row is NaN; ``AT_THE_KINK`` concerns ``greeks`` alone."""
    shape, (f, k, t, v), _ = flat_rows(forward, strike, years, sigma, flags=False)
    with np.errstate(all="ignore"):
        return _coded(
            len(f),
            [
                (InvalidReason.NOT_FINITE, ~_finite(f, k, t, v)),
                (InvalidReason.FORWARD_NOT_POSITIVE, f <= 0.0),
                (InvalidReason.STRIKE_NOT_POSITIVE, k <= 0.0),
                (InvalidReason.YEARS_NEGATIVE, t < 0.0),
                (InvalidReason.SIGMA_NEGATIVE, v < 0.0),
                (InvalidReason.AT_THE_KINK, (f == k) & (v * t == 0.0)),
            ],
        ).reshape(shape)
