"""Deribit's credits, kept on our side: new orders wait for credit or a pause, cancels never do.

Pure. The venue ends the session of whoever overdraws (code 10028), so the count here is the
stricter one: it starts full only once and is drawn by cancels too.
"""

from glmtrader.domain.instruments import SECOND_NS
from glmtrader.venues.deribit.config import DeribitLimits


class CreditBucket:
    """Credits that refill at a steady rate up to a burst.

    Args:
        rate_per_s: credits gained in a second. burst: the most that are kept.
    """

    def __init__(self, *, rate_per_s: float, burst: int, now_ns: int) -> None:
        assert rate_per_s > 0, f"rate {rate_per_s} must be positive"
        assert burst > 0, f"burst {burst} must be positive"
        self._rate_per_s = rate_per_s
        self._burst = float(burst)
        self._credits = float(burst)
        self._at_ns = now_ns

    def wait_ns(self, now_ns: int) -> int:
        """How long until one credit is there; 0 when it is."""
        self._refill(now_ns)
        if self._credits >= 1:
            return 0
        return round((1 - self._credits) / self._rate_per_s * SECOND_NS) + 1

    def take(self, now_ns: int) -> None:
        """Draw one credit; what must not wait may overdraw, one burst deep at most."""
        self._refill(now_ns)
        self._credits = max(self._credits - 1, -self._burst)

    def _refill(self, now_ns: int) -> None:
        elapsed_s = max(0, now_ns - self._at_ns) / SECOND_NS
        self._at_ns = max(now_ns, self._at_ns)
        self._credits = min(self._burst, self._credits + elapsed_s * self._rate_per_s)


class OrderLimiter:
    """When the next new order may leave; cancels only tell it that they left."""

    def __init__(self, limits: DeribitLimits, *, now_ns: int) -> None:
        self._bucket = CreditBucket(
            rate_per_s=limits.orders_per_s, burst=limits.orders_burst, now_ns=now_ns
        )
        self._pause_ns = round(limits.pause_s * SECOND_NS)
        self._paused_until_ns = now_ns
        self.pauses = 0

    def wait_ns(self, now_ns: int) -> int:
        """How long a new order has to wait from `now_ns`; 0 when it may leave."""
        paused_ns = max(0, self._paused_until_ns - now_ns)
        return paused_ns or self._bucket.wait_ns(now_ns)

    def order_left(self, now_ns: int) -> None:
        """A new order was sent."""
        self._bucket.take(now_ns)

    def cancel_left(self, now_ns: int) -> None:
        """A cancel was sent; it draws credit without asking for it."""
        self._bucket.take(now_ns)

    def too_many_requests(self, now_ns: int, *, retry_after_ns: int | None = None) -> None:
        """The venue complained: pause new orders, for as long as it asks or as configured."""
        self.pauses += 1
        pause_ns = self._pause_ns if retry_after_ns is None else retry_after_ns
        self._paused_until_ns = max(self._paused_until_ns, now_ns + pause_ns)
