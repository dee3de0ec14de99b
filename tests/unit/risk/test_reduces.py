"""The definition of reducing, by examples and by property."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glmtrader.domain.orders import OrderPurpose
from glmtrader.risk.reduces import Reduction, reduces_delta, reduces_position, reduction

quantities = st.decimals(-100, 100, places=1)


@pytest.mark.parametrize(
    ("held", "order", "reduces"),
    [
        ("1", "-1", True),
        ("1", "-0.1", True),
        ("1", "-1.1", False),
        ("1", "-2", False),
        ("1", "0.1", False),
        ("-1", "1", True),
        ("-1", "-1", False),
        ("0", "1", False),
    ],
)
def test_reduces_position(held: str, order: str, *, reduces: bool) -> None:
    """|position| must fall and not cross zero."""
    assert reduces_position(Decimal(held), Decimal(held), Decimal(order)) is reduces


amounts = st.decimals(0, 100, places=1)


@given(quantities, amounts, amounts, quantities, st.tuples(amounts, amounts))
def test_reductions_shrink_and_keep_their_side(
    position: Decimal, buys: Decimal, sells: Decimal, order: Decimal, part: tuple[Decimal, Decimal]
) -> None:
    """However much of what is in flight fills, a reduction ends smaller, on its side or flat."""
    if not reduces_position(position - sells, position + buys, order):
        return
    filled = position + min(buys, part[0]) - min(sells, part[1])
    after = filled + order
    assert abs(after) < abs(filled)
    assert (after > 0) <= (filled > 0)
    assert (after < 0) <= (filled < 0)


@given(st.floats(-50, 50), st.floats(-50, 50))
def test_reducing_delta_is_one_sided(filled: float, order: float) -> None:
    """If an order reduces delta, the opposite order does not."""
    assert not (reduces_delta(filled, order) and reduces_delta(filled, -order))


def test_purpose_alone_reduces_nothing() -> None:
    """An order that says close or hedge and does neither is an opening."""
    for purpose in OrderPurpose:
        kind = reduction(
            purpose,
            position_low=Decimal(0),
            position_high=Decimal(0),
            signed_quantity=Decimal(1),
            delta_filled=0.5,
            delta_order=0.5,
        )
        assert kind is Reduction.NONE


def test_without_delta_nothing_is_a_hedge() -> None:
    """A delta that cannot be computed cannot be reduced."""
    kind = reduction(
        OrderPurpose.HEDGE,
        position_low=Decimal(0),
        position_high=Decimal(0),
        signed_quantity=Decimal(1),
        delta_filled=None,
        delta_order=0.5,
    )
    assert kind is Reduction.NONE


def test_openings_that_happen_to_reduce_stay_openings() -> None:
    """The purpose is the strategy's word: rules that closes skip are skipped by closes alone."""
    kind = reduction(
        OrderPurpose.OPEN,
        position_low=Decimal(2),
        position_high=Decimal(2),
        signed_quantity=Decimal(-1),
        delta_filled=1.0,
        delta_order=-0.5,
    )
    assert kind is Reduction.NONE
