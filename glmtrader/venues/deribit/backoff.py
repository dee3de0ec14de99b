"""Waiting between attempts: doubling, bounded, and over as soon as one succeeds."""

from glmtrader.kernel.clock import Clock


class Backoff:
    """Doubles from a minimum to a maximum; `reset` starts over."""

    def __init__(self, clock: Clock, *, min_s: float, max_s: float) -> None:
        assert 0 < min_s <= max_s, f"back-off from {min_s} to {max_s} s makes no sense"
        self._clock = clock
        self._min_s = min_s
        self._max_s = max_s
        self._next_s = min_s

    def reset(self) -> None:
        """The last attempt succeeded."""
        self._next_s = self._min_s

    async def wait(self, at_least_s: float = 0.0) -> None:
        """Wait for the next attempt, and longer than before the last one."""
        delay_s = max(self._next_s, at_least_s)
        self._next_s = min(self._next_s * 2, self._max_s)
        await self._clock.sleep(delay_s)
