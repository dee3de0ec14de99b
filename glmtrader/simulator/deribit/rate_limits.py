"""Deribit's credits: each account or address has a few pools that requests drain."""

from collections import OrderedDict
from typing import Final

from glmtrader.domain.instruments import SECOND_NS
from glmtrader.simulator.deribit.config import CreditPool, RateLimits
from glmtrader.simulator.deribit.errors import too_many_requests

OWNERS_MAX: Final = 1_000
"""Pools remembered; the one used longest ago is forgotten first."""


class CreditBook:
    """Counts credits; `limits` None lets everything pass."""

    def __init__(self, limits: RateLimits | None) -> None:
        self._limits = limits
        self._left: OrderedDict[tuple[str, str], tuple[float, int]] = OrderedDict()

    def charge(self, owner: str, pool_name: str, now_ns: int) -> None:
        """Pay for one request.

        Raises:
            RpcError: 10028, when the credits do not suffice.
        """
        if self._limits is None:
            return
        pool: CreditPool = getattr(self._limits, pool_name)
        key = (owner, pool_name)
        left, before_ns = self._left.pop(key, (pool.credits_max, now_ns))
        refill = (now_ns - before_ns) / SECOND_NS * pool.refill_per_s
        left = min(pool.credits_max, left + refill)
        enough = left >= pool.cost
        self._left[key] = (left - pool.cost if enough else left, now_ns)
        if len(self._left) > OWNERS_MAX:
            self._left.popitem(last=False)
        if not enough:
            raise too_many_requests()
