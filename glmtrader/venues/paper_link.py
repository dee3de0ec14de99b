"""The paper venue's wire: latency both ways in order, disconnects, and faults on demand.

Messages of one direction never overtake each other, as on one TCP connection; a message under way
when the connection breaks is lost.
"""

from collections.abc import Callable

import msgspec
import numpy as np

from glmtrader.domain.instruments import SECOND_NS
from glmtrader.kernel.clock import Clock

MILLISECOND_NS = 1_000_000


class PaperFaults:
    """What should go wrong next; each counter is used up by what it spoils.

    Attributes:
        submits_lost: orders that never arrive.
        accept_delay_ns: the next order arrives this much later (still before the venue's longest
            accept delay).
        acks_dropped: orders whose reply and first updates never come back; their fills do.
        fills_duplicated: fills published twice.
        fills_held: fills kept back for `fill_hold_ns`, so that later ones overtake them.
    """

    __slots__ = (
        "accept_delay_ns",
        "acks_dropped",
        "fill_hold_ns",
        "fills_duplicated",
        "fills_held",
        "submits_lost",
    )

    def __init__(self) -> None:
        self.submits_lost = 0
        self.accept_delay_ns = 0
        self.acks_dropped = 0
        self.fills_duplicated = 0
        self.fills_held = 0
        self.fill_hold_ns = SECOND_NS // 2

    def use(self, name: str) -> bool:
        """Use one of a counter up; False when it is at zero."""
        left: int = getattr(self, name)
        if left <= 0:
            return False
        setattr(self, name, left - 1)
        return True


class LinkConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One-way latency: a constant and an exponential jitter, cut at `latency_ms_max`."""

    latency_ms: float = 5.0
    jitter_ms: float = 1.0
    latency_ms_max: float = 500.0


class PaperLink:
    """Carries calls to the exchange and back, later.

    Args:
        clock: the process clock.
        config: latencies.
        generator: draws the jitter.
    """

    def __init__(self, clock: Clock, config: LinkConfig, generator: np.random.Generator) -> None:
        self._clock = clock
        self._config = config
        self._generator = generator
        self._connection = 0
        self._due_ns = {"up": 0, "down": 0}
        self.connected = False

    def connect(self) -> None:
        """Open a new connection."""
        assert not self.connected, "the link is connected already"
        self.connected = True
        self._connection += 1

    def disconnect(self) -> None:
        """Break the connection; everything under way is lost."""
        self.connected = False

    def up(self, call: Callable[[], None], *, extra_ns: int = 0) -> None:
        """Carry a request to the exchange; an extra delay lets later requests overtake it."""
        self._carry("up", call, extra_ns)

    def down(self, call: Callable[[], None], *, extra_ns: int = 0) -> None:
        """Carry a message back."""
        self._carry("down", call, extra_ns)

    def _carry(self, direction: str, call: Callable[[], None], extra_ns: int) -> None:
        if not self.connected:
            return
        connection = self._connection
        due_ns = max(self._due_ns[direction], self._clock.now_ns() + self._latency_ns())
        self._due_ns[direction] = due_ns

        def arrive() -> None:
            if self.connected and self._connection == connection:
                call()

        self._clock.call_at(due_ns + extra_ns, arrive)

    def _latency_ns(self) -> int:
        config = self._config
        jitter_ms = self._generator.exponential(config.jitter_ms) if config.jitter_ms > 0 else 0.0
        return round(min(config.latency_ms + jitter_ms, config.latency_ms_max) * MILLISECOND_NS)
