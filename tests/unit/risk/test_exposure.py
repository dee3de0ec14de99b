"""The cached sums are what summing everything anew gives, and never less than any outcome."""

from decimal import Decimal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from risk_cases import CALL, FAR_CALL, PERPETUAL, PUT, SPOT, START_NS, VOL

from glmtrader.risk.exposure import ExposureBook
from glmtrader.risk.pricing import PricingInput, VolPoint, price_units

ITEMS = (CALL, PUT, FAR_CALL, PERPETUAL)
POINT = VolPoint(forward=SPOT, vol=VOL, ts_ns=START_NS)
UNITS = price_units(
    [PricingInput(instrument=item, price_usd=SPOT, point=POINT) for item in ITEMS], START_NS
)

amounts = st.integers(0, 50)
changes = st.lists(
    st.tuples(st.integers(0, 3), st.integers(-50, 50), amounts, amounts), min_size=1, max_size=12
)


def filled(rows: list[tuple[int, int, int, int]]) -> ExposureBook:
    """A book whose exposures were set one after the other, settling each time."""
    book = ExposureBook()
    for index, position, buys, sells in rows:
        exposure = book.exposure(ITEMS[index])
        exposure.unit = UNITS[index]
        exposure.position, exposure.buys, exposure.sells = (
            Decimal(position),
            Decimal(buys),
            Decimal(sells),
        )
        book.touch(exposure)
        book.settle()
    return book


@given(changes)
def test_adding_equals_summing_anew(rows: list[tuple[int, int, int, int]]) -> None:
    """Exchanging contributions one by one gives the sums of a rebuilt book."""
    book = filled(rows)
    added = (book.gross_usd, book.margin_usd, book.premium_usd, book.scenario_worst_usd)
    sums = book.sums("BTC")
    added_sums = (sums.calls, sums.puts, sums.delta_coin)
    book.rebuild()
    sums = book.sums("BTC")
    anew = (book.gross_usd, book.margin_usd, book.premium_usd, book.scenario_worst_usd)
    np.testing.assert_allclose(added, anew, rtol=1e-9, atol=1e-4)
    np.testing.assert_allclose(
        added_sums, (sums.calls, sums.puts, sums.delta_coin), rtol=1e-9, atol=1e-9
    )


@given(changes, st.lists(st.booleans(), min_size=8, max_size=8))
def test_no_outcome_is_worse_than_the_sums(
    rows: list[tuple[int, int, int, int]], outcome: list[bool]
) -> None:
    """Whichever orders fill, gross and every scenario stay within what was counted."""
    book = filled(rows)
    gross, scenario = 0.0, np.zeros_like(book.scenario_usd)
    for index, exposure in enumerate(book.by_id.values()):
        unit = exposure.unit
        assert unit is not None
        position = float(exposure.position)
        position += float(exposure.buys) if outcome[2 * index] else 0.0
        position -= float(exposure.sells) if outcome[2 * index + 1] else 0.0
        gross += abs(position * unit.delta_coin) * unit.price_usd
        scenario += position * unit.scenario_usd
    assert gross <= book.gross_usd * (1 + 1e-9) + 1e-6
    assert (scenario >= book.scenario_usd - 1e-3).all()
