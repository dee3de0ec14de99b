"""A result that its input does not support: a reason, never a default.

Nothing enters.
"""

from dataclasses import dataclass
from enum import StrEnum


class UnavailableReason(StrEnum):
    """Why a result cannot be had from what was given."""

    NO_SUCH_EXPIRY = "no_such_expiry"
    NO_SLICES = "no_slices"
    TOO_FEW_STRIKES = "too_few_strikes"
    FORWARD_NOT_BRACKETED = "forward_not_bracketed"
    HORIZON_PASSED = "horizon_passed"
    STRIKE_NOT_LISTED = "strike_not_listed"
    LEG_NOT_QUOTED = "leg_not_quoted"
    NOT_INVERTIBLE = "not_invertible"
    BEYOND_QUOTES = "beyond_quotes"
    TOO_FEW_RETURNS = "too_few_returns"


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A result that the input does not support."""

    reason: UnavailableReason
    detail: str
