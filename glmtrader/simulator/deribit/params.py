"""Reading a method's parameters: JSON values over WebSocket, text over HTTP, one meaning."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final, TypeVar

from glmtrader.simulator.deribit.errors import invalid_params

_FLAGS: Final = {True: True, False: False, "true": True, "false": False}
E = TypeVar("E", bound=StrEnum)


class Params:
    """A request's parameters; every reader raises `RpcError` naming the parameter."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __contains__(self, name: str) -> bool:
        return self._values.get(name) is not None

    def text(self, name: str, default: str | None = None) -> str:
        """A text; missing without a default is an error."""
        value = self._values.get(name)
        if value is None:
            if default is None:
                raise invalid_params(name, "must be present")
            return default
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise invalid_params(name, "must be text")
        return str(value)

    def optional_text(self, name: str) -> str | None:
        """A text, or None when missing."""
        return self.text(name) if name in self else None

    def decimal(self, name: str) -> Decimal:
        """A number, exactly."""
        value = self.optional_decimal(name)
        if value is None:
            raise invalid_params(name, "must be present")
        return value

    def optional_decimal(self, name: str) -> Decimal | None:
        """A number, or None when missing."""
        value = self._values.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            raise invalid_params(name, "must be a number")
        try:
            number = Decimal(value)
        except InvalidOperation:
            raise invalid_params(name, "must be a number") from None
        if not number.is_finite():
            raise invalid_params(name, "must be a number")
        return number

    def integer(self, name: str, default: int | None = None) -> int:
        """A whole number; missing without a default is an error."""
        value = self.optional_integer(name)
        if value is not None:
            return value
        if default is None:
            raise invalid_params(name, "must be present")
        return default

    def optional_integer(self, name: str) -> int | None:
        """A whole number, or None when missing."""
        value = self.optional_decimal(name)
        if value is None:
            return None
        if value != value.to_integral_value() or abs(value) >= 2**63:
            raise invalid_params(name, "must be a whole number")
        return int(value)

    def count(self, default: int, most: int) -> int:
        """How many rows are wanted, 1 to `most`."""
        wanted = self.integer("count", default)
        if not 1 <= wanted <= most:
            raise invalid_params("count", f"must be 1 to {most}")
        return wanted

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A boolean."""
        value = self._values.get(name)
        if value is None:
            return default
        if not isinstance(value, bool | str) or value not in _FLAGS:
            raise invalid_params(name, "must be true or false")
        return _FLAGS[value]

    def choice(self, name: str, kinds: type[E], default: E | None = None) -> E:
        """One of the words of an enumeration."""
        word = self.text(name, default)
        try:
            return kinds(word)
        except ValueError:
            raise invalid_params(name, f"must be one of {', '.join(kinds)}") from None

    def names(self, name: str) -> list[str]:
        """A list of texts."""
        value = self._values.get(name)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise invalid_params(name, "must be a list of text")
        return value
