"""`Approved`: the value without which no venue takes an order, and the desk that issues it.

An approval is bound to one order's hash, expires, and is redeemed once. `ApprovalDesk` belongs to
the risk service; an `Approved` made anywhere else fails at run time, because the seal is missing,
and in the lint, because nobody else may import the desk.
"""

import hashlib
from typing import Final

import msgspec

from glmtrader.domain.ids import ClientOrderId
from glmtrader.domain.orders import Order
from glmtrader.errors import ApprovalError

APPROVAL_TTL_NS: Final = 2_000_000_000
"""An approval older than this was made on another market: 2 s."""

_SEAL: Final = object()
_encoder = msgspec.json.Encoder(order="deterministic")


def order_hash(order: Order) -> str:
    """Content hash of an order: 16 bytes of BLAKE2b over its canonical JSON, in hex."""
    return hashlib.blake2b(_encoder.encode(order), digest_size=16).hexdigest()


class Approved:
    """An order that passed every rule; read only, made by `ApprovalDesk` alone.

    Raises:
        ApprovalError: anyone else tries to make one.
    """

    __slots__ = ("approval_id", "degraded", "expires_ns", "order", "order_hash")

    def __init__(
        self, order: Order, *, approval_id: str, expires_ns: int, degraded: bool, seal: object
    ) -> None:
        if seal is not _SEAL:
            raise ApprovalError(
                f"order {order.client_order_id}: only the risk service makes an Approved;"
                " ask it to review the order"
            )
        self.order = order
        self.approval_id = approval_id
        self.order_hash = order_hash(order)
        self.expires_ns = expires_ns
        self.degraded = degraded


class ApprovalDesk:
    """Issues approvals and redeems each of them once."""

    def __init__(self) -> None:
        self._issued: dict[str, Approved] = {}
        self._count = 0

    def issue(self, order: Order, *, now_ns: int, degraded: bool) -> Approved:
        """Approve `order`; to be called after every rule has passed."""
        self._expire(now_ns)
        self._count += 1
        approved = Approved(
            order,
            approval_id=f"{order.client_order_id}#{self._count}",
            expires_ns=now_ns + APPROVAL_TTL_NS,
            degraded=degraded,
            seal=_SEAL,
        )
        self._issued[approved.approval_id] = approved
        return approved

    def redeem(self, approved: Approved, *, now_ns: int) -> Order:
        """Hand out the approved order, once.

        Raises:
            ApprovalError: used before, never issued here, expired, or the order was changed.
        """
        name: ClientOrderId = approved.order.client_order_id
        if self._issued.pop(approved.approval_id, None) is not approved:
            raise ApprovalError(f"order {name}: approval {approved.approval_id} is used or unknown")
        if now_ns > approved.expires_ns:
            raise ApprovalError(f"order {name}: approval expired, have it reviewed again")
        if order_hash(approved.order) != approved.order_hash:
            raise ApprovalError(f"order {name}: the order is not the one that was approved")
        return approved.order

    def _expire(self, now_ns: int) -> None:
        """Drop what is too old: the oldest come first, because time never goes backwards."""
        while self._issued:
            oldest = next(iter(self._issued.values()))
            if now_ns <= oldest.expires_ns:
                return
            del self._issued[oldest.approval_id]
