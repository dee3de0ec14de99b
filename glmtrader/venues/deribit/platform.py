"""The platform's own state: maintenance, and which of our indices are locked. Pure.

Never seen on the real venue: written from the description of `platform_state` and
`public/status`. Locks of indices that are not followed here change nothing.
"""

from collections.abc import Iterable

import msgspec

from glmtrader.venues.deribit.frames import PlatformStateData, PlatformStatus


class PlatformView(msgspec.Struct, frozen=True):
    """A status for `VenueStatusChanged` and what it is about."""

    status: str
    detail: str


class Platform:
    """Keeps locks and maintenance; says when what we may do has changed."""

    def __init__(self, indices: Iterable[str]) -> None:
        self._ours = frozenset(indices)
        self._locked: set[str] = set()
        self._maintenance = False

    @property
    def view(self) -> PlatformView:
        """The state now: `open`, `locked` or `maintenance`."""
        if self._maintenance:
            return PlatformView("maintenance", "the platform is under maintenance")
        if self._locked:
            return PlatformView("locked", f"locked: {', '.join(sorted(self._locked))}")
        return PlatformView("open", "")

    def session_began(self) -> None:
        """A maintenance that we were told of before ended while we were away, or is told again."""
        self._maintenance = False

    def apply(self, data: PlatformStateData) -> PlatformView | None:
        """Take a notification; the new state, or None where it is as before."""
        before = self.view
        if data.maintenance is not None:
            self._maintenance = data.maintenance
        if data.price_index in self._ours and data.locked is not None:
            change = self._locked.add if data.locked else self._locked.discard
            change(data.price_index)
        return None if self.view == before else self.view

    def replace(self, status: PlatformStatus) -> PlatformView:
        """Take the locks as asked for after connecting; it says nothing of maintenance."""
        locked = str(status.locked).lower()
        everything = locked == "true" and not status.locked_indices
        self._locked = set(self._ours if everything else self._ours & set(status.locked_indices))
        if locked == "false":
            self._locked.clear()
        return self.view
