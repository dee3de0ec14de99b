"""Directed links between hosts: seeded latency and cutting, and what blocks them."""

from random import Random

import msgspec

CUTS_MAX = 3


class LinkProfile(msgspec.Struct, frozen=True, kw_only=True):
    """How one direction between two hosts behaves.

    Attributes:
        latency_ns: Least one-way delay.
        jitter_ns: Mean of the exponential delay added to each segment.
        resegment_probability: Chance that one write arrives cut into 2 to 4 segments.
        window_bytes: Bytes under way before the sender's own buffer fills.
        buffer_bytes_max: Bytes a sender may buffer; more means it ignores `pause_writing`.
        retransmission_ns: Delay of what a healed link sends again.
        give_up_ns: How long unacknowledged bytes wait before the connection times out.
    """

    latency_ns: int = 1_000_000
    jitter_ns: int = 0
    resegment_probability: float = 0.0
    window_bytes: int = 262_144
    buffer_bytes_max: int = 67_108_864
    retransmission_ns: int = 200_000_000
    give_up_ns: int = 924_000_000_000

    def __post_init__(self) -> None:
        assert min(self.latency_ns, self.jitter_ns, self.retransmission_ns) >= 0
        assert min(self.window_bytes, self.buffer_bytes_max, self.give_up_ns) > 0
        assert 0.0 <= self.resegment_probability <= 1.0


class Link:
    """One direction between two hosts, with a generator of its own.

    Traffic on one link does not move the random numbers of another.
    """

    def __init__(self, source: str, destination: str, profile: LinkProfile, seed: int) -> None:
        self.source = source
        self.destination = destination
        self.profile = profile
        self._random = Random(f"link {seed} {source} {destination}")  # noqa: S311 - simulation, not secrets
        self._blocked_by: dict[str, None] = {}

    @property
    def is_blocked(self) -> bool:
        """Whether segments vanish at present."""
        return bool(self._blocked_by)

    def block(self, reason: str) -> None:
        """Let segments vanish until `reason` is lifted."""
        self._blocked_by[reason] = None

    def unblock(self, reason: str | None = None) -> None:
        """Lift one reason, or all of them."""
        if reason is None:
            self._blocked_by.clear()
        else:
            self._blocked_by.pop(reason, None)

    def latency_ns(self) -> int:
        """Draw the one-way delay of the next segment."""
        profile = self.profile
        if not profile.jitter_ns:
            return profile.latency_ns
        return profile.latency_ns + int(self._random.expovariate(1.0) * profile.jitter_ns)

    def segments(self, data: bytes) -> list[bytes]:
        """Cut `data` at seeded places, or leave it whole."""
        probability = self.profile.resegment_probability
        if len(data) < 2 or self._random.random() >= probability:
            return [data]
        count = self._random.randint(1, CUTS_MAX)
        cuts = sorted({self._random.randrange(1, len(data)) for _ in range(count)})
        ends = [*cuts, len(data)]
        return [data[start:end] for start, end in zip([0, *cuts], ends, strict=True)]
