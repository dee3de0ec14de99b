"""The ledger books each event once, in native currencies, and conserves value."""

from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_cases import (
    ACCOUNT,
    EVERY_KIND,
    EXPIRY_NS,
    INVERSE_CALL,
    INVERSE_PERPETUAL,
    INVERSE_PUT,
    LINEAR_PERPETUAL,
    SPOT,
    fill,
)

from glmtrader.domain import ledger as books
from glmtrader.domain.ids import AccountId
from glmtrader.domain.instruments import Instrument, InstrumentKind
from glmtrader.domain.ledger import Ledger
from glmtrader.domain.order_events import (
    CashTransferred,
    Fill,
    FundingPaid,
    OptionDelivered,
    SessionSettled,
)
from glmtrader.domain.pnl import open_pnl
from glmtrader.domain.risk_events import LedgerSnapshot
from glmtrader.errors import LedgerError

D = Decimal
BY_ID = {item.instrument_id: item for item in (*EVERY_KIND, INVERSE_PUT)}


def start(**balances: str) -> Ledger:
    return Ledger(account_id=ACCOUNT, balances={name: D(v) for name, v in balances.items()})


def book(ledger: Ledger, *fills: Fill) -> Ledger:
    for item in fills:
        ledger, _ = books.apply_fill(ledger, item, BY_ID[item.instrument_id])
    return ledger


def delivery(price: str, cursor: int = 9) -> OptionDelivered:
    return OptionDelivered(
        ts_event=EXPIRY_NS,
        ts_init=EXPIRY_NS,
        account_id=ACCOUNT,
        underlying="BTC",
        expiry_ns=EXPIRY_NS,
        delivery_price_usd=D(price),
        cursor=cursor,
    )


def settlement(price: str, cursor: int = 5) -> SessionSettled:
    return SessionSettled(
        ts_event=0,
        ts_init=0,
        account_id=ACCOUNT,
        instrument_id=INVERSE_PERPETUAL.instrument_id,
        price=D(price),
        cursor=cursor,
    )


def funding(amount: str, cursor: int = 3) -> FundingPaid:
    return FundingPaid(
        ts_event=0,
        ts_init=0,
        account_id=ACCOUNT,
        instrument_id=INVERSE_PERPETUAL.instrument_id,
        amount=D(amount),
        currency="BTC",
        cursor=cursor,
    )


def transfer(amount: str, currency: str = "BTC", cursor: int = 4) -> CashTransferred:
    return CashTransferred(
        ts_event=0,
        ts_init=0,
        account_id=ACCOUNT,
        currency=currency,
        amount=D(amount),
        kind="deposit",
        cursor=cursor,
    )


def test_a_transfer_moves_cash_and_nothing_else() -> None:
    """A deposit enters the balance, a withdrawal leaves it; neither is a fee, nor funding."""
    deposited, changed = books.apply_transfer(start(BTC="1"), transfer("0.5"))
    withdrawn, _ = books.apply_transfer(deposited, transfer("-0.2", cursor=5))
    assert changed
    assert withdrawn.balances == {"BTC": D("1.3")}
    assert (withdrawn.fees_paid, withdrawn.funding_paid) == ({}, {})


def test_a_transfer_is_booked_once() -> None:
    """The stream's and the history's word of one transfer count once, each currency apart."""
    once, _ = books.apply_transfer(start(), transfer("0.5"))
    again, changed = books.apply_transfer(once, transfer("0.5"))
    other, _ = books.apply_transfer(once, transfer("7", "USDC"))
    assert not changed
    assert again is once
    assert other.balances == {"BTC": D("0.5"), "USDC": D(7)}


def test_a_transfer_of_no_number_is_refused() -> None:
    """An amount that is not finite is never booked."""
    with pytest.raises(LedgerError, match="finite"):
        books.apply_transfer(start(), transfer("NaN"))


def test_the_cursor_passes_a_booked_transfer() -> None:
    """A transfer in the history stops the cursor until it is booked, like any booking."""
    assert books.advance_cursor(start(), [transfer("1")]).cursor == 0
    booked, _ = books.apply_transfer(start(), transfer("1"))
    assert books.advance_cursor(booked, [transfer("1")]).cursor == 4


def test_fee_in_a_third_currency() -> None:
    """A fee paid in BNB leaves the BNB balance and no other."""
    after = book(
        start(USDT="1000", BNB="1"), fill(SPOT, "0.01", "90000", fee="0.02", fee_currency="BNB")
    )
    assert after.balances == {"USDT": D(100), "BTC": D("0.01"), "BNB": D("0.98")}
    assert after.fees_paid == {"BNB": D("0.02")}


def test_rebate_adds_to_the_balance() -> None:
    """A negative fee is received."""
    after = book(start(BTC="1"), fill(INVERSE_PERPETUAL, "1000", "50000", fee="-0.0001"))
    assert after.balance("BTC") == D("1.0001")


def test_a_fill_is_booked_once() -> None:
    """The same trade id a second time changes nothing, whatever its cursor says."""
    once = book(start(), fill(INVERSE_CALL, "0.1", "0.05"))
    again, change = books.apply_fill(
        once, fill(INVERSE_CALL, "0.1", "0.05", cursor=2), INVERSE_CALL
    )
    assert change is None
    assert again is once


def test_late_fill_of_an_earlier_cursor_is_booked() -> None:
    """A fill that the stream delivers out of order is not taken for a repetition."""
    after = book(
        start(),
        fill(LINEAR_PERPETUAL, "1", "100", trade_id="b", cursor=7),
        fill(LINEAR_PERPETUAL, "1", "100", trade_id="a", cursor=6),
    )
    assert after.position(LINEAR_PERPETUAL.instrument_id).quantity == D(2)


def test_cursor_advances_over_what_is_booked_only() -> None:
    """History moves the cursor up to the first event that is missing from the books."""
    first, missing, last = (
        fill(LINEAR_PERPETUAL, "1", "100", trade_id=name, cursor=cursor)
        for name, cursor in (("a", 1), ("b", 2), ("c", 3))
    )
    ledger = book(start(), first, last)
    assert books.advance_cursor(ledger, (last, missing, first)).cursor == 1
    whole = books.advance_cursor(book(ledger, missing), (first, missing, last))
    assert (whole.cursor, set(whole.booked)) == (3, {"c"})
    assert books.apply_fill(whole, first, LINEAR_PERPETUAL)[1] is None


def test_remembered_names_are_bounded() -> None:
    """However long no history comes, the names kept stay below the limit."""
    ledger = book(
        start(),
        *(
            fill(LINEAR_PERPETUAL, "1", "100", trade_id=str(i), cursor=i)
            for i in range(books.BOOKED_MAX + 10)
        ),
    )
    assert len(ledger.booked) <= books.BOOKED_MAX
    assert ledger.has_booked(fill(LINEAR_PERPETUAL, "1", "100", trade_id="0", cursor=0))


def test_session_settlement_moves_open_profit_to_cash() -> None:
    """10,000 USD long from 50,000 settled at 52,000 pays 0.00769231 BTC, once and for all."""
    held = book(start(BTC="1"), fill(INVERSE_PERPETUAL, "10000", "50000"))
    settled, change = books.apply_session_settlement(held, settlement("52000"), INVERSE_PERPETUAL)
    assert change is not None
    assert change.realized_pnl == D("0.00769231")
    assert settled.balance("BTC") == D("1.00769231")
    closed = book(settled, fill(INVERSE_PERPETUAL, "-10000", "52000", trade_id="t2", cursor=6))
    assert closed.balance("BTC") == D("1.00769231")


def test_session_settlement_is_booked_once() -> None:
    """The stream's and the history's word of one settlement pay once."""
    held = book(start(), fill(INVERSE_PERPETUAL, "10000", "50000"))
    once, _ = books.apply_session_settlement(held, settlement("52000"), INVERSE_PERPETUAL)
    again, change = books.apply_session_settlement(once, settlement("52000"), INVERSE_PERPETUAL)
    assert change is None
    assert again is once


def test_session_settlement_of_an_option_is_refused() -> None:
    """Only perpetuals carry session profit."""
    with pytest.raises(LedgerError, match="only perpetuals"):
        books.apply_session_settlement(start(), settlement("1"), INVERSE_CALL)


def test_delivery_settles_a_whole_expiry_from_one_price() -> None:
    """A long 90,000 straddle of 0.5 delivered at 100,000 receives 0.05 BTC and leaves the books."""
    held = book(
        start(BTC="1"),
        fill(INVERSE_CALL, "0.5", "0.04", trade_id="c"),
        fill(INVERSE_PUT, "0.5", "0.03", trade_id="p"),
    )
    after, changes = books.apply_delivery(held, delivery("100000"), BY_ID.get)
    assert held.balance("BTC") == D("0.965")
    assert after.balance("BTC") == D("1.015")
    assert [change.realized_pnl for change in changes] == [D("0.03"), D("-0.015")]
    assert after.positions == {}


def test_delivery_of_a_short_call_pays_out() -> None:
    """A short call in the money pays its intrinsic value in coin."""
    held = book(start(BTC="1"), fill(INVERSE_CALL, "-1", "0.05"))
    after, _ = books.apply_delivery(held, delivery("120000"), BY_ID.get)
    assert after.balance("BTC") == D("0.8")


def test_a_delivery_pays_its_fees() -> None:
    """The fee of each instrument held leaves cash and counts as paid; profit is before fees."""
    held = book(
        start(BTC="1"),
        fill(INVERSE_CALL, "0.5", "0.04", trade_id="c"),
        fill(INVERSE_PUT, "0.5", "0.03", trade_id="p"),
    )
    fees = {INVERSE_CALL.instrument_id: D("0.000075")}
    told = msgspec.structs.replace(delivery("100000"), fees=fees)
    after, changes = books.apply_delivery(held, told, BY_ID.get)
    assert after.balance("BTC") == D("1.015") - D("0.000075")
    assert after.fees_paid["BTC"] == D("0.000075")
    assert [change.realized_pnl for change in changes] == [D("0.03"), D("-0.015")]
    assert [change.fee for change in changes] == [D("0.000075"), D(0)]


def test_a_delivery_fee_of_something_not_held_is_left_to_reconciliation() -> None:
    """What the books do not hold pays no fee here: the cash then differs, and that is said."""
    told = msgspec.structs.replace(
        delivery("100000"), fees={INVERSE_CALL.instrument_id: D("0.000075")}
    )
    after, _ = books.apply_delivery(start(BTC="1"), told, BY_ID.get)
    assert after.balance("BTC") == D(1)


def test_a_delivery_of_an_older_journal_has_no_fees() -> None:
    """A record written before fees were known reads as one without fees."""
    raw = msgspec.json.encode(delivery("1")).replace(b',"fees":{}', b"")
    assert b"fees" not in raw
    assert msgspec.json.decode(raw, type=OptionDelivered).fees == {}


def test_delivery_is_booked_once_and_leaves_others() -> None:
    """A repeated delivery pays nothing, and perpetuals stay."""
    held = book(
        start(),
        fill(INVERSE_CALL, "1", "0.05", trade_id="c"),
        fill(INVERSE_PERPETUAL, "100", "90000", trade_id="f"),
    )
    once, _ = books.apply_delivery(held, delivery("100000"), BY_ID.get)
    again, changes = books.apply_delivery(once, delivery("100000", cursor=12), BY_ID.get)
    assert changes == ()
    assert again is once
    assert set(once.positions) == {INVERSE_PERPETUAL.instrument_id}


def test_delivery_with_an_unknown_holding_is_refused() -> None:
    """An expiry is delivered whole or not at all."""
    held = book(start(), fill(INVERSE_CALL, "1", "0.05"))
    with pytest.raises(LedgerError, match="not known"):
        books.apply_delivery(held, delivery("100000"), lambda _: None)


def test_funding_leaves_the_account_once() -> None:
    """Paid funding is positive, leaves the balance, and counts as funding."""
    once, _ = books.apply_funding(start(BTC="1"), funding("0.0002"))
    again, change = books.apply_funding(once, funding("0.0002"))
    assert change is None
    assert again.balance("BTC") == D("0.9998")
    assert again.funding_paid == {"BTC": D("0.0002")}


def test_foreign_events_are_refused() -> None:
    """Another account's fill, or a fill booked against the wrong instrument, breaks nothing."""
    foreign = msgspec.structs.replace(fill(SPOT, "1", "1"), account_id=AccountId("other"))
    with pytest.raises(LedgerError, match="account other"):
        books.apply_fill(start(), foreign, SPOT)
    with pytest.raises(LedgerError, match="is of sim:BTCUSDT"):
        books.apply_fill(start(), fill(SPOT, "1", "1"), INVERSE_CALL)


@pytest.mark.parametrize(("price", "fee"), [("0", "0"), ("-1", "0"), ("NaN", "0"), ("1", "NaN")])
def test_fills_that_are_no_numbers_are_refused(price: str, fee: str) -> None:
    """A price that is not positive, or anything not finite, is never booked."""
    with pytest.raises(LedgerError):
        books.apply_fill(start(), fill(SPOT, "1", price, fee=fee), SPOT)


trades = st.lists(
    st.tuples(
        st.sampled_from(EVERY_KIND),
        st.integers(-50, 50).filter(bool),
        st.integers(500, 2000),
        st.integers(-3, 3),
    ),
    min_size=1,
    max_size=25,
)


def as_fills(rows: list[tuple[Instrument, int, int, int]]) -> list[Fill]:
    return [
        fill(
            traded,
            D(quantity) / 10,
            D(price) / 1000 if traded.kind is InstrumentKind.INVERSE_OPTION else D(price),
            trade_id=f"t{cursor}",
            cursor=cursor,
            fee=D(fee) / 1000,
        )
        for cursor, (traded, quantity, price, fee) in enumerate(rows, start=1)
    ]


@given(trades)
def test_fills_conserve_value(rows: list[tuple[Instrument, int, int, int]]) -> None:
    """Cash plus open profit equals an account in exact fractions, to half a satoshi a booking."""
    ledger = book(start(), *as_fills(rows))
    exact = brute_force_value(rows)
    for currency, value in exact.items():
        held = Fraction(ledger.balance(currency)) + sum(
            Fraction(open_pnl(item, entry.quantity, entry.entry_value, D(1000)))
            for entry in ledger.positions.values()
            if (item := BY_ID[entry.instrument_id]).is_perpetual
            and item.settlement_currency == currency
        )
        assert abs(held - value) <= Fraction(len(rows), 200_000_000)


def brute_force_value(rows: list[tuple[Instrument, int, int, int]]) -> dict[str, Fraction]:
    """Balances, with every perpetual trade closed at 1000, by summing trade after trade."""
    value = {"BTC": Fraction(0), "USDT": Fraction(0)}
    for traded, tenths, raw_price, fee in rows:
        quantity, price = Fraction(tenths, 10), Fraction(raw_price)
        value[traded.settlement_currency] -= Fraction(fee, 1000)
        if traded.kind is InstrumentKind.INVERSE_PERPETUAL:
            value["BTC"] += quantity / price - quantity / 1000
        elif traded.kind is InstrumentKind.LINEAR_PERPETUAL:
            value["USDT"] += quantity * (1000 - price)
        elif traded.kind is InstrumentKind.INVERSE_OPTION:
            value["BTC"] -= quantity * price / 1000
        else:
            value["USDT"] -= quantity * price
            if traded.kind is InstrumentKind.SPOT:
                value["BTC"] += quantity
    return value


@given(trades)
def test_snapshot_round_trip(rows: list[tuple[Instrument, int, int, int]]) -> None:
    """A ledger written down as JSON and read again is the same ledger."""
    ledger = book(start(BTC="1"), *as_fills(rows))
    raw = msgspec.json.encode(books.to_snapshot(ledger, ts_ns=1, equity_peak=2.5))
    snapshot = msgspec.json.decode(raw, type=LedgerSnapshot)
    assert books.from_snapshot(snapshot) == ledger


@given(trades)
def test_repetition_changes_nothing(rows: list[tuple[Instrument, int, int, int]]) -> None:
    """Fills delivered twice give the books of fills delivered once."""
    fills = as_fills(rows)
    assert book(start(), *fills, *fills) == book(start(), *fills)
