"""Windows over lists of trades, as Deribit's history methods cut them."""

from collections.abc import Callable, Sequence
from typing import Self, TypeVar

import msgspec

from glmtrader.simulator.deribit.errors import invalid_params
from glmtrader.simulator.deribit.params import Params

T = TypeVar("T")


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds on a row's number and time in ms, both ends inclusive; None is open."""

    first: int | None
    last: int | None
    first_ms: int | None
    last_ms: int | None

    @classmethod
    def of(cls, params: Params, first: str, last: str, read: Callable[[str], int]) -> Self:
        """The window that a request asks for."""
        ends: list[int | None] = []
        for name in (first, last):
            text = params.optional_text(name)
            try:
                ends.append(None if text is None else read(text))
            except ValueError:
                raise invalid_params(name, "must be a number") from None
        return cls(
            first=ends[0],
            last=ends[1],
            first_ms=params.optional_integer("start_timestamp"),
            last_ms=params.optional_integer("end_timestamp"),
        )

    @property
    def starts(self) -> bool:
        """Whether it begins somewhere: then rows come oldest first unless asked otherwise."""
        return self.first is not None or self.first_ms is not None

    def holds(self, number: int, ts_ms: int) -> bool:
        """Whether a row lies in it."""
        return (
            (self.first is None or number >= self.first)
            and (self.last is None or number <= self.last)
            and (self.first_ms is None or ts_ms >= self.first_ms)
            and (self.last_ms is None or ts_ms <= self.last_ms)
        )


def page(
    rows: Sequence[T], sorting: str, count: int, *, ascending: bool = False
) -> tuple[list[T], bool]:
    """The first `count` rows in the order asked for, and whether there are more.

    Args:
        rows: oldest first.
        sorting: `asc`, `desc` or `default`, which is `ascending`.
        count: how many.
        ascending: what `default` means.
    """
    if sorting not in ("asc", "desc", "default"):
        raise invalid_params("sorting", "must be asc, desc or default")
    if sorting != "default":
        ascending = sorting == "asc"
    ordered = list(rows) if ascending else list(reversed(rows))
    return ordered[:count], len(ordered) > count


def trade_number(trade_id: str) -> int:
    """The number in `BTC-17` or `17`.

    Raises:
        ValueError: there is none.
    """
    return int(trade_id.rpartition("-")[2])
