"""A settlement that is heard of after a later fill books what the venue booked."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from glmtrader.domain.ids import AccountId, TradeId, VenueOrderId
from glmtrader.domain.ledger import Booking, Ledger
from glmtrader.domain.order_events import Fill, SessionSettled
from glmtrader.domain.orders import Side
from glmtrader.risk.late_settlement import RecentBookings
from glmtrader.risk.opening import book
from glmtrader.simulator.contracts import inverse_perpetual

ACCOUNT = AccountId("main")
PERPETUAL = inverse_perpetual("deribit", "BTC", Decimal("0.5"))
LOOKUP = {PERPETUAL.instrument_id: PERPETUAL}.get
LOTS = st.integers(-3000, 3000).filter(bool)
PRICES = st.integers(178_000, 182_000).map(lambda ticks: Decimal(ticks) / 2)


def fill(cursor: int, lots: int, price: Decimal) -> Fill:
    return Fill(
        ts_event=cursor,
        ts_init=cursor,
        account_id=ACCOUNT,
        client_order_id=None,
        venue_order_id=VenueOrderId(str(cursor)),
        trade_id=TradeId(str(cursor)),
        instrument_id=PERPETUAL.instrument_id,
        side=Side.BUY if lots > 0 else Side.SELL,
        quantity=Decimal(10 * abs(lots)),
        price=price,
        fee=Decimal(0),
        fee_currency="BTC",
        is_maker=False,
        cursor=cursor,
        index_usd=None,
    )


def in_order(events: list[Booking]) -> Ledger:
    ledger = Ledger(account_id=ACCOUNT)
    for event in events:
        ledger = book(ledger, event, LOOKUP)
    return ledger


@given(
    before=st.lists(st.tuples(LOTS, PRICES), min_size=1, max_size=4),
    after=st.lists(st.tuples(LOTS, PRICES), min_size=1, max_size=3),
    price=PRICES,
)
def test_a_late_settlement_equals_one_in_time(
    before: list[tuple[int, Decimal]], after: list[tuple[int, Decimal]], price: Decimal
) -> None:
    """Cash and positions to the last digit, also when the position went through zero since."""
    early = [fill(number, *item) for number, item in enumerate(before, start=1)]
    late = [fill(number, *item) for number, item in enumerate(after, start=101)]
    settlement = SessionSettled(
        ts_event=100,
        ts_init=200,
        account_id=ACCOUNT,
        instrument_id=PERPETUAL.instrument_id,
        price=price,
        cursor=100,
    )
    ledger = Ledger(account_id=ACCOUNT)
    recent = RecentBookings()
    for event in (*early, *late):
        recent.remember(ledger, event)
        ledger = book(ledger, event, LOOKUP)
    settled = recent.settle(ledger, settlement, LOOKUP)
    wanted = in_order([*early, settlement, *late])
    assert settled.balances == wanted.balances
    assert settled.positions == wanted.positions
