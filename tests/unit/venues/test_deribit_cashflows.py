"""The transaction log as cash flows."""

from decimal import Decimal

import msgspec
import pytest
from deribit_samples import ACCOUNT, EXPIRY_MS, NOW_NS, OPTION

from glmtrader.domain.order_events import (
    CashTransferred,
    FundingPaid,
    OptionDelivered,
    SessionSettled,
)
from glmtrader.errors import ProtocolError
from glmtrader.venues.deribit.account_frames import LogEntry
from glmtrader.venues.deribit.cashflows import Cashflows, cashflows_of


def entry(number: int, kind: str, name: str | None, **more: Decimal) -> LogEntry:
    return LogEntry(
        id=number,
        type=kind,
        timestamp=1000 + number,
        currency="BTC",
        change=more.get("change", Decimal(0)),
        instrument_name=name,
        price=more.get("price"),
        index_price=more.get("index_price"),
        interest_pl=more.get("interest_pl"),
    )


def flows(*entries: LogEntry) -> Cashflows:
    return cashflows_of(entries, account_id=ACCOUNT, ts_init=NOW_NS)


def test_a_settlement_is_its_funding_and_its_price() -> None:
    """Funding received is negative payment, and comes before the settlement of its session."""
    line = entry(
        1, "settlement", "BTC-PERPETUAL", price=Decimal(90000), interest_pl=Decimal("0.0001")
    )
    funding, settled = flows(line).events
    assert isinstance(funding, FundingPaid)
    assert (funding.amount, funding.currency) == (Decimal("-0.0001"), "BTC")
    assert isinstance(settled, SessionSettled)
    assert (settled.price, settled.cursor) == (Decimal(90000), 1001)


def test_funding_of_one_millisecond_is_one_payment() -> None:
    """Two trades of a perpetual in one millisecond pay funding once, in sum."""
    lines = [
        msgspec.structs.replace(
            entry(number, "trade", "BTC-PERPETUAL", interest_pl=Decimal("0.5")), timestamp=7
        )
        for number in (1, 2)
    ]
    (funding,) = flows(*lines).events
    assert isinstance(funding, FundingPaid)
    assert (funding.amount, funding.cursor) == (Decimal("-1.0"), 7)


def test_an_expiry_is_delivered_once() -> None:
    """Every option of an expiry has a line; the delivery price is told once."""
    price = Decimal("90123.45")
    lines = [entry(n, "delivery", OPTION, index_price=price) for n in (1, 2, 2)]
    (event,) = flows(*lines).events
    assert isinstance(event, OptionDelivered)
    assert (event.underlying, event.delivery_price_usd) == ("BTC", price)
    assert event.expiry_ns == EXPIRY_MS * 1_000_000


def test_option_trades_are_not_cash_flows() -> None:
    """Premiums come with fills; only a perpetual's trade may carry funding."""
    assert flows(entry(1, "trade", OPTION, change=Decimal("-0.01"))).events == ()


@pytest.mark.parametrize("kind", ["deposit", "withdrawal", "transfer"])
def test_cash_that_somebody_moved_is_a_transfer(kind: str) -> None:
    """Signed as the balance changed, under the venue's own word and at its place in the log."""
    result = flows(entry(1, kind, None, change=Decimal("-0.5")))
    (event,) = result.events
    assert isinstance(event, CashTransferred)
    assert (event.kind, event.currency, event.amount) == (kind, "BTC", Decimal("-0.5"))
    assert (event.cursor, result.unbooked) == (1001, ())


def test_transfers_of_one_millisecond_are_one_event() -> None:
    """A booking's name is its currency and its cursor: two of a kind would hide each other."""
    lines = [
        msgspec.structs.replace(entry(number, kind, None, change=Decimal(number)), timestamp=7)
        for number, kind in ((1, "transfer"), (2, "deposit"))
    ]
    other = msgspec.structs.replace(lines[0], id=3, currency="ETH")
    coin, ether = flows(*lines, lines[0], other).events
    assert isinstance(coin, CashTransferred)
    assert isinstance(ether, CashTransferred)
    assert (coin.kind, coin.amount) == ("deposit+transfer", Decimal(3))
    assert (ether.currency, ether.amount) == ("ETH", Decimal(1))


def test_what_is_unknown_is_handed_back() -> None:
    """Nobody can say whether a line of a new type is profit: it is told as unbooked."""
    result = flows(entry(1, "invention", None, change=Decimal(1)))
    assert result.events == ()
    assert [line.type for line in result.unbooked] == ["invention"]


def test_a_delivery_carries_its_fees_by_instrument() -> None:
    """What was paid for each option, and the last line's place in the log."""
    put = OPTION.removesuffix("C") + "P"
    price = Decimal(90000)
    lines = [
        msgspec.structs.replace(entry(n, "delivery", name, index_price=price), commission=fee)
        for n, name, fee in (
            (1, OPTION, Decimal("0.00015")),
            (2, put, Decimal(0)),
        )
    ]
    (event,) = flows(*lines, lines[0]).events
    assert isinstance(event, OptionDelivered)
    assert event.fees == {f"deribit:{OPTION}": Decimal("0.00015")}
    assert event.cursor == 1002


def test_a_delivery_without_its_price_is_an_error() -> None:
    """No price is made up for a delivery."""
    with pytest.raises(ProtocolError, match="index_price"):
        flows(entry(1, "delivery", OPTION))
