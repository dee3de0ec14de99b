"""Nobody but the desk makes an approval, and each is good once, for one order, for a while."""

import msgspec
import pytest
from risk_cases import CALL, World

from glmtrader.errors import ApprovalError
from glmtrader.risk.approval import APPROVAL_TTL_NS, Approved


def approved(world: World) -> Approved:
    answer = world.review(world.order(CALL, "1"))
    assert isinstance(answer, Approved)
    return answer


def test_an_approval_made_elsewhere_fails() -> None:
    """Constructing an `Approved` by hand raises at once."""
    order = World().start().order(CALL, "1")
    with pytest.raises(ApprovalError, match="only the risk service"):
        Approved(order, approval_id="x", expires_ns=1, degraded=False, seal=object())


def test_a_forged_approval_is_not_redeemed() -> None:
    """One made around the constructor is not known to the desk."""
    world = World().start()
    real = approved(world)
    forged = object.__new__(Approved)
    for name in Approved.__slots__:
        setattr(forged, name, getattr(real, name))
    with pytest.raises(ApprovalError, match="used or unknown"):
        world.desk.redeem(forged, now_ns=world.clock.now_ns())


def test_an_approval_is_redeemed_once() -> None:
    """The second redemption fails."""
    world = World().start()
    one = approved(world)
    assert world.desk.redeem(one, now_ns=world.clock.now_ns()) is one.order
    with pytest.raises(ApprovalError, match="used"):
        world.desk.redeem(one, now_ns=world.clock.now_ns())


def test_an_approval_expires() -> None:
    """After two seconds the market is another."""
    world = World().start()
    with pytest.raises(ApprovalError, match="expired"):
        world.desk.redeem(approved(world), now_ns=world.clock.now_ns() + APPROVAL_TTL_NS + 1)


def test_an_approval_is_bound_to_its_order() -> None:
    """A changed order is not the one that was approved."""
    world = World().start()
    one = approved(world)
    one.order = msgspec.structs.replace(one.order, quantity=one.order.quantity * 10)
    with pytest.raises(ApprovalError, match="not the one"):
        world.desk.redeem(one, now_ns=world.clock.now_ns())
