"""An order book kept from a snapshot and changes; a break in their chain is a gap, never merged.

Pure. After a gap the book says nothing until a new snapshot came, which the caller asks for by
subscribing again. A snapshot replaces everything: levels of an earlier connection do not survive.
"""

from decimal import Decimal
from enum import StrEnum

from glmtrader.errors import ProtocolError
from glmtrader.venues.deribit.frames import BookData, BookLevel


class BookStep(StrEnum):
    """What a frame did to a book."""

    APPLIED = "applied"
    GAP = "gap"
    IGNORED = "ignored"
    """A change while a snapshot is awaited."""


class OrderBook:
    """One instrument's levels; empty and not `ready` until its first snapshot."""

    def __init__(self, instrument_name: str) -> None:
        self.instrument_name = instrument_name
        self.ready = False
        self.gaps = 0
        self._change_id = 0
        self._bids: dict[Decimal, Decimal] = {}
        self._asks: dict[Decimal, Decimal] = {}

    def apply(self, data: BookData) -> BookStep:
        """Apply one frame; on a gap the book empties itself and awaits a snapshot.

        Raises:
            ProtocolError: a level has an unknown action.
        """
        assert data.instrument_name == self.instrument_name, "a frame of another book"
        if data.type == "snapshot":
            self.reset()
            self.ready = True
        elif not self.ready:
            return BookStep.IGNORED
        elif data.prev_change_id != self._change_id:
            self.gaps += 1
            self.reset()
            return BookStep.GAP
        for level in data.bids:
            _apply_level(self._bids, level)
        for level in data.asks:
            _apply_level(self._asks, level)
        self._change_id = data.change_id
        return BookStep.APPLIED

    def reset(self) -> None:
        """Forget everything: the connection broke or the chain did."""
        self.ready = False
        self._change_id = 0
        self._bids.clear()
        self._asks.clear()

    def best_bid(self) -> tuple[Decimal, Decimal] | None:
        """Price and amount of the highest bid; None without any."""
        return _best(self._bids, max(self._bids, default=None))

    def best_ask(self) -> tuple[Decimal, Decimal] | None:
        """Price and amount of the lowest ask; None without any."""
        return _best(self._asks, min(self._asks, default=None))

    def depth(self) -> tuple[list[tuple[Decimal, Decimal]], list[tuple[Decimal, Decimal]]]:
        """Bids and asks from the best outwards."""
        return sorted(self._bids.items(), reverse=True), sorted(self._asks.items())


def _best(side: dict[Decimal, Decimal], price: Decimal | None) -> tuple[Decimal, Decimal] | None:
    return None if price is None else (price, side[price])


def _apply_level(side: dict[Decimal, Decimal], level: BookLevel) -> None:
    if level.action in ("new", "change"):
        side[level.price] = level.amount
    elif level.action == "delete":
        side.pop(level.price, None)
    else:
        raise ProtocolError(f"book level with unknown action {level.action!r}")
