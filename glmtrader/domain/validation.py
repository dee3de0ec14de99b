"""Validation of parameter structs: all faults at once, each in words."""


def require(*conditions: tuple[bool, str]) -> None:
    """Check several conditions.

    Raises:
        ValueError: at least one does not hold; the message lists every one that does not. msgspec
            turns it into a ValidationError with the key's path when it decodes a configuration.
    """
    faults = [fault for holds, fault in conditions if not holds]
    if faults:
        raise ValueError("; ".join(faults))
