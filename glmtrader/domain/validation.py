"""Validation of parameter structs: all faults at once, each in words."""

from decimal import Decimal, InvalidOperation


def require(*conditions: tuple[bool, str]) -> None:
    """Check several conditions.

    Raises:
        ValueError: at least one does not hold; the message lists every one that does not. msgspec
            turns it into a ValidationError with the key's path when it decodes a configuration.
    """
    faults = [fault for holds, fault in conditions if not holds]
    if faults:
        raise ValueError("; ".join(faults))


def is_positive_decimal(text: str) -> bool:
    """Whether a text is a finite decimal number above zero."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        return False
    return value.is_finite() and value > 0
