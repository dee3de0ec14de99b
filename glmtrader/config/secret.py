"""`Secret`: a credential that shows itself to nobody but the signer that asks for it.

Its repr, its string, its pickled and its encoded form are `***`; only `reveal()` gives the value.
Nothing of the system may enter here.
"""

import hmac
from typing import Final, NoReturn

MASK: Final = "***"
"""What stands for a secret wherever one is shown."""


class Secret:
    """A credential; equal to another one with the same value, compared in constant time."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        assert value, "a secret must not be empty: leave it out instead"
        self._value = value

    def __repr__(self) -> str:
        return MASK

    def __str__(self) -> str:
        return MASK

    def __format__(self, format_spec: str) -> str:
        return format(MASK, format_spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(Secret)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled: pass the credential by environment or file")

    def reveal(self) -> str:
        """The value itself; for the signer alone."""
        return self._value


def secret_dec_hook(wanted: type, value: object) -> object:
    """Decode a TOML or JSON string into a `Secret` (msgspec's `dec_hook`).

    Raises:
        NotImplementedError: another custom type is wanted.
        ValueError: the value is not a non-empty string.
    """
    if wanted is not Secret:
        raise NotImplementedError(f"cannot decode {wanted.__name__}")
    if not isinstance(value, str) or not value:
        raise ValueError("a secret must be a non-empty string")
    return Secret(value)


def secret_enc_hook(value: object) -> str:
    """Encode a `Secret` as `***` (msgspec's `enc_hook`).

    Raises:
        NotImplementedError: the value is of another custom type.
    """
    if isinstance(value, Secret):
        return MASK
    raise NotImplementedError(f"cannot encode {type(value).__name__}")
