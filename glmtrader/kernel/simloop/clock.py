"""Virtual time: integer nanoseconds that move only when the loop, or a blocking sleep, says so."""

MONOTONIC_ORIGIN_NS = 1_000 * 1_000_000_000
"""Monotonic reading at the start: not 0, because libraries take a falsy time stamp for "never"."""


class SimClock:
    """One clock behind `time.time`, `time.monotonic` and `loop.time` of a simulation.

    Attributes:
        start_ns: UTC nanoseconds at which the simulation begins.
        elapsed_ns: Virtual nanoseconds since then.
    """

    __slots__ = ("elapsed_ns", "start_ns")

    def __init__(self, start_ns: int) -> None:
        assert start_ns >= 0, f"start_ns is UTC nanoseconds, got {start_ns}"
        self.start_ns = start_ns
        self.elapsed_ns = 0

    def now_ns(self) -> int:
        """Return the time of day, UTC nanoseconds."""
        return self.start_ns + self.elapsed_ns

    def monotonic_ns(self) -> int:
        """Return the monotonic reading, nanoseconds."""
        return MONOTONIC_ORIGIN_NS + self.elapsed_ns

    def advance(self, duration_ns: int) -> None:
        """Move time forward by `duration_ns`."""
        assert duration_ns >= 0, f"time cannot go back by {duration_ns} ns"
        self.elapsed_ns += duration_ns

    def jump_to(self, monotonic_ns: int) -> None:
        """Move time to a monotonic reading; one that has passed leaves it where it is."""
        self.elapsed_ns = max(self.elapsed_ns, monotonic_ns - MONOTONIC_ORIGIN_NS)


def deadline_ns(when_s: float) -> int:
    """Convert a loop deadline in float seconds to the first nanosecond not before it.

    Callbacks compare `loop.time()` with the deadline they asked for; firing a fraction of a
    nanosecond early would make them re-arm at the same instant for ever.
    """
    nanoseconds = round(when_s * 1e9)
    while nanoseconds / 1e9 < when_s:
        nanoseconds += 1
    return nanoseconds
