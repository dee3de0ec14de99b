"""What this adapter counts so that nothing is lost silently; warned of the first time each."""

from collections import Counter

import structlog

_log = structlog.get_logger("glmtrader.deribit")

KINDS_MAX = 200
"""Names kept apart; the venue cannot make this table grow without end."""


class Counters:
    """Counts by name; the first of each name is logged with its detail."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def __getitem__(self, name: str) -> int:
        return self._counts[name]

    def count(self, name: str) -> None:
        """Count something normal."""
        self._counts[name] += 1

    def warn(self, name: str, detail: str) -> None:
        """Count something that should not happen; say so the first time."""
        if name not in self._counts and len(self._counts) >= KINDS_MAX:
            name = "other"
        self._counts[name] += 1
        if self._counts[name] == 1:
            _log.warning(name, detail=detail[:500])

    def as_strings(self) -> dict[str, str]:
        """All counts, by name, for people."""
        return {name: str(count) for name, count in sorted(self._counts.items())}
