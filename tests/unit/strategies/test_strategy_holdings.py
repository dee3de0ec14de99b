"""Holdings of a strategy: fills move them, and their legs pair into straddles."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategy_cases import CALL, DAY_NS, EXPIRY_NS, NOW_NS, PERPETUAL, PUT, D, fill, option

from glmtrader.domain.ids import ClientOrderId, InstrumentId
from glmtrader.domain.instruments import Instrument
from glmtrader.domain.strategy_events import LegHolding
from glmtrader.strategies.holdings import Holdings, straddles, with_fill, without_expiry
from glmtrader.strategies.views import belongs_to

LATER_NS = EXPIRY_NS + 7 * DAY_NS
OPTIONS = tuple(
    option(strike, is_call=is_call, expiry_ns=expiry_ns)
    for expiry_ns in (EXPIRY_NS, LATER_NS)
    for strike in (80_000, 90_000, 100_000)
    for is_call in (True, False)
)
KNOWN: dict[InstrumentId, Instrument] = {item.instrument_id: item for item in OPTIONS}


def hold(**legs: str) -> Holdings:
    """Holdings by short names: `call="0.2"`."""
    items = {"call": CALL, "put": PUT, "call_100": OPTIONS[4], "put_80": OPTIONS[1]}
    found: Holdings = {}
    for name, quantity in legs.items():
        found = with_fill(found, fill(items[name], quantity))
    return found


def test_a_fill_opens_adds_reduces_and_closes() -> None:
    """The opening time stays until the leg is flat; a leg that is flat is gone."""
    held = with_fill({}, fill(CALL, "0.2", now_ns=1))
    held = with_fill(held, fill(CALL, "0.1", now_ns=2))
    held = with_fill(held, fill(CALL, "-0.2", now_ns=3))
    assert held == {
        CALL.instrument_id: LegHolding(
            instrument_id=CALL.instrument_id, quantity=D("0.1"), opened_ns=1
        )
    }
    assert with_fill(held, fill(CALL, "-0.1", now_ns=4)) == {}


def test_a_fill_across_zero_opens_anew() -> None:
    held = with_fill(with_fill({}, fill(CALL, "0.2", now_ns=1)), fill(CALL, "-0.5", now_ns=9))
    leg = held[CALL.instrument_id]
    assert (leg.quantity, leg.opened_ns) == (D("-0.3"), 9)


def test_a_straddle_is_what_both_legs_have_in_common() -> None:
    """0.2 calls and 0.1 puts are a tenth of a straddle, and a tenth of a call that stands alone."""
    pair, alone = straddles(hold(call="0.2", put="0.1"), KNOWN)
    assert (alone.quantity, alone.call_id, alone.put_id) == (D("0.1"), CALL.instrument_id, None)
    assert (pair.quantity, pair.strike_usd, pair.expiry_ns) == (D("0.1"), 90_000.0, EXPIRY_NS)
    assert (pair.call_id, pair.put_id) == (CALL.instrument_id, PUT.instrument_id)


@pytest.mark.parametrize(
    "legs",
    [{"call": "0.2"}, {"put": "-0.2"}, {"call": "0.2", "put": "-0.2"}],
)
def test_a_leg_without_a_partner_is_no_straddle(legs: dict[str, str]) -> None:
    """One leg alone, and legs of opposite sign, stand alone, each with its own quantity."""
    found = straddles(hold(**legs), KNOWN)
    assert all((item.call_id is None) != (item.put_id is None) for item in found)
    assert sorted(item.quantity for item in found) == sorted(D(text) for text in legs.values())


def test_equal_strikes_pair_before_unequal_ones() -> None:
    """The straddle at 90,000 is found before its call could make a strangle with the low put."""
    found = straddles(hold(call="0.1", call_100="0.1", put="0.1", put_80="0.1"), KNOWN)
    assert [(item.strike_usd, item.quantity) for item in found] == [
        (80_000.0, D("0.1")),
        (90_000.0, D("0.1")),
    ]
    assert found[1].call_id == CALL.instrument_id


def test_perpetuals_and_unknown_instruments_are_in_no_straddle() -> None:
    held = with_fill(hold(call="0.1", put="0.1"), fill(PERPETUAL, "-1000"))
    known = {**KNOWN, PERPETUAL.instrument_id: PERPETUAL}
    assert len(straddles(held, known)) == 1
    assert straddles(held, {}) == ()


def test_a_delivered_expiry_leaves_the_holdings() -> None:
    """Only that expiry's legs go; an instrument nobody knows stays until someone does."""
    held = with_fill(hold(call="0.1", put="0.1"), fill(OPTIONS[6], "0.3"))
    rest = without_expiry(held, KNOWN, EXPIRY_NS)
    assert set(rest) == {OPTIONS[6].instrument_id}
    assert without_expiry(held, {}, EXPIRY_NS) == held


@pytest.mark.parametrize(
    ("order", "belongs"),
    [
        ("pq-1-7-0-0", True),
        ("pq-12-345-1-3", True),
        ("pq2-1-7-0-0", False),
        ("hedger-1-7-0-0", False),
        ("manual", False),
        (None, False),
    ],
)
def test_a_fill_belongs_to_the_strategy_its_order_names(
    order: str | None, *, belongs: bool
) -> None:
    """A strategy whose name begins like another's does not get the other's fills."""
    name = None if order is None else ClientOrderId(order)
    assert belongs_to("pq", name) is belongs


fills = st.lists(
    st.tuples(st.sampled_from(OPTIONS), st.decimals("-1", "1", places=1).filter(bool)), max_size=14
)


@settings(max_examples=80, deadline=None)
@given(fills)
def test_pairing_accounts_for_every_leg(trades: list[tuple[Instrument, Decimal]]) -> None:
    """Pairs take no more of a leg than there is, of its sign, and leave no pair unmade."""
    held: Holdings = {}
    for number, (item, quantity) in enumerate(trades):
        held = with_fill(held, fill(item, str(quantity), now_ns=NOW_NS + number))
    totals: dict[InstrumentId, Decimal] = {}
    for item, quantity in trades:
        name = item.instrument_id
        totals[name] = totals.get(name, D(0)) + quantity
    assert {name: leg.quantity for name, leg in held.items()} == {
        name: total for name, total in totals.items() if total
    }
    rest = {name: leg.quantity for name, leg in held.items()}
    alone: dict[InstrumentId, Decimal] = {}
    for pair in straddles(held, KNOWN):
        legs = [leg for leg in (pair.call_id, pair.put_id) if leg is not None]
        assert {KNOWN[leg].expiry_ns for leg in legs} == {pair.expiry_ns}
        assert pair.opened_ns == min(held[leg].opened_ns for leg in legs)
        for leg in legs:
            assert rest[leg] * pair.quantity > 0
            if len(legs) == 1:
                alone[leg] = pair.quantity
                continue
            rest[leg] -= pair.quantity
            assert rest[leg] * pair.quantity >= 0
    assert alone == {leg: left for leg, left in rest.items() if left}
    for call in (item for item in OPTIONS if item.is_call):
        for put in (item for item in OPTIONS if not item.is_call):
            if call.expiry_ns == put.expiry_ns:
                left = rest.get(call.instrument_id, D(0)) * rest.get(put.instrument_id, D(0))
                assert left <= 0, "two legs of one sign are left unpaired"


@settings(max_examples=50, deadline=None)
@given(fills)
def test_pairing_does_not_depend_on_the_order_of_the_legs(
    trades: list[tuple[Instrument, Decimal]],
) -> None:
    held: Holdings = {}
    for item, quantity in trades:
        held = with_fill(held, fill(item, str(quantity)))
    turned = dict(reversed(held.items()))
    assert straddles(held, KNOWN) == straddles(turned, KNOWN)
