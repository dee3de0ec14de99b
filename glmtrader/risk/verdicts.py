"""What a rule answers: approve, resize or veto, with numbers. Values alone enter here."""

from decimal import Decimal
from typing import Final

import msgspec


class Approve(msgspec.Struct, frozen=True):
    """The rule has nothing against it."""


class Resize(msgspec.Struct, frozen=True):
    """The rule allows this much and no more; `details` hold the numbers."""

    rule: str
    quantity: Decimal
    details: dict[str, str]


class Veto(msgspec.Struct, frozen=True):
    """The rule refuses; `details` hold the numbers by name."""

    rule: str
    reason: str
    details: dict[str, str]


Verdict = Approve | Resize | Veto

APPROVE: Final = Approve()
"""The one approval of a rule; rules return it, so that the common path allocates nothing."""


def veto(rule: str, reason: str, **numbers: object) -> Veto:
    """A refusal with its numbers as strings."""
    return Veto(rule, reason, {name: str(value) for name, value in numbers.items()})
