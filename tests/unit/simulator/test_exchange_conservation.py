"""Nothing is made or lost: cash, positions and fees over random trading, to the last step."""

from collections import defaultdict
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from glmtrader.domain.ids import AccountId, InstrumentId
from glmtrader.domain.instruments import DAY_NS, HOUR_NS, SECOND_NS, Instrument
from glmtrader.domain.ledger import Booking, Ledger
from glmtrader.domain.orders import Side, TimeInForce
from glmtrader.domain.pnl import ZERO
from glmtrader.risk.opening import book
from glmtrader.simulator.exchange import SimulatedExchange
from glmtrader.simulator.exchange_config import AccountConfig, ExchangeConfig
from glmtrader.simulator.exchange_types import (
    ExchangeEvent,
    OrderRequest,
    TradeExecuted,
    TransactionKind,
)
from glmtrader.simulator.refusals import ExchangeRefusedError
from glmtrader.simulator.scripted import bitcoin_market
from glmtrader.venues.paper_events import cashflow_of, fill_of

D = Decimal
EXPIRY_NS = 20_601 * DAY_NS + 8 * HOUR_NS
START_NS = EXPIRY_NS - HOUR_NS - 1800 * SECOND_NS
NAMES = (
    InstrumentId("deribit:BTC-PERPETUAL"),
    InstrumentId("deribit:BTC-28MAY26-100000-C"),
    InstrumentId("deribit:BTC-28MAY26-100000-P"),
)
ACCOUNTS = ("alice", "bob", "carol")
CONFIG = ExchangeConfig(
    accounts=tuple(
        AccountConfig(name=name, api_key=name, api_secret="s", balances={"BTC": D(20)})
        for name in ACCOUNTS
    )
)

ORDER = st.tuples(
    st.just("order"),
    st.sampled_from(ACCOUNTS),
    st.sampled_from(NAMES),
    st.sampled_from(Side),
    st.integers(1, 20),
    st.integers(-6, 6),
    st.sampled_from(TimeInForce),
    st.sampled_from((False, False, False, True)),
)
MOVE = st.tuples(st.just("move"), st.integers(90_000, 110_000), st.integers(-9, 9))
CANCEL = st.tuples(st.just("cancel"), st.sampled_from(ACCOUNTS))
Script = list[tuple[object, ...]]


class Run:
    """Plays a script and keeps every event."""

    def __init__(self, script: Script) -> None:
        self.market = bitcoin_market(START_NS, expiries_ns=(EXPIRY_NS, EXPIRY_NS + DAY_NS))
        self.exchange = SimulatedExchange(self.market, CONFIG, START_NS)
        self.events: list[ExchangeEvent] = []
        self.now_ns = START_NS
        for action in script:
            match action:
                case ("order", *rest):
                    self._order(*rest)  # type: ignore[arg-type]
                case ("move", int(index), int(funding)):
                    self._move(index, funding)
                case ("cancel", str(name)):
                    self.events += self.exchange.cancel_all(name, self.now_ns)[1]
        self.market.move(101_234.5)
        self.events += self.exchange.advance(EXPIRY_NS + SECOND_NS)

    def _move(self, index: int, funding: int) -> None:
        self.market.move(float(index), funding_rate_8h=funding / 10_000, size_usd=3000.0)
        self.now_ns += 60 * SECOND_NS
        self.events += self.exchange.advance(self.now_ns)

    def _order(
        self,
        account: str,
        instrument_id: InstrumentId,
        side: Side,
        size: int,
        offset: int,
        time_in_force: TimeInForce,
        reduce_only: bool,  # noqa: FBT001  drawn with the rest of the action
    ) -> None:
        perpetual = instrument_id == NAMES[0]
        ticker = self.exchange.ticker(instrument_id)
        mark = ticker.mark_price or D("0.02")
        instrument = self.exchange.instrument(instrument_id)
        price = mark + offset * (D(1) if perpetual else D("0.0005"))
        request = OrderRequest(
            account=account,
            instrument_id=instrument_id,
            side=side,
            amount=D(size) * (D(100) if perpetual else D("0.1")),
            price=instrument.price_down(max(price, D("0.0005"))),
            time_in_force=time_in_force,
            reduce_only=reduce_only,
        )
        try:
            self.events += self.exchange.submit(request, self.now_ns).events
        except ExchangeRefusedError as refusal:
            assert refusal.code in {"other_reject", "not_enough_funds"}, refusal  # noqa: PT017

    def ledger_of(self, account: str, instruments: dict[InstrumentId, Instrument]) -> Ledger:
        """The trader's own ledger, fed with what the venue would tell of this account."""
        ledger = Ledger(account_id=AccountId(account))
        for item in self.exchange.transactions(account):
            event: Booking | None = cashflow_of(item, AccountId(account), ts_init=0)
            if item.trade is not None:
                event = fill_of(item.trade, AccountId(account), ts_init=0)
            assert event is not None, f"{item.kind} is told as nothing"
            ledger = book(ledger, event, instruments.get)
        return ledger


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(ORDER, ORDER, MOVE, CANCEL), min_size=25, max_size=60))
def test_the_traders_ledger_equals_the_exchange_to_the_last_satoshi(script: Script) -> None:
    """Cash and positions agree exactly after trades, funding, a session and a delivery."""
    run = Run(script)
    options = bitcoin_market(START_NS, expiries_ns=(EXPIRY_NS, EXPIRY_NS + DAY_NS))
    instruments = {item.instrument_id: item for item in options.instruments()}
    for account in ACCOUNTS:
        ledger = run.ledger_of(account, instruments)
        assert ledger.balance("BTC") == run.exchange.account_summary(account, "BTC").cash
        held = {name: item.quantity for name, item in ledger.positions.items() if item.quantity}
        views = run.exchange.positions(account)
        assert held == {item.instrument_id: item.quantity for item in views}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(ORDER, ORDER, MOVE, CANCEL), min_size=25, max_size=60))
def test_cash_is_conserved_between_accounts_crowd_and_fees(script: Script) -> None:
    """Every booking adds up to the cash, and trades between accounts cancel out but for fees."""
    run = Run(script)
    sides: dict[str, list[TradeExecuted]] = defaultdict(list)
    for event in run.events:
        if isinstance(event, TradeExecuted):
            sides[event.trade.trade_id].append(event)
    for pair in sides.values():
        signed = [event.trade.side.sign * event.trade.amount for event in pair]
        assert len(pair) == 1 or sum(signed, ZERO) == 0
        assert len({(event.trade.price, event.trade.amount) for event in pair}) == 1
    for account in ACCOUNTS:
        booked = run.exchange.transactions(account)
        assert sum((item.change for item in booked), ZERO) == booked[-1].cash
        assert [item.cursor for item in booked] == sorted({item.cursor for item in booked})


@settings(max_examples=25, deadline=None)
@given(st.lists(st.one_of(ORDER, ORDER, MOVE), min_size=25, max_size=60))
def test_without_fees_all_profit_of_accounts_is_the_crowds_loss(script: Script) -> None:
    """The crowd mirrors every trade that only one account made; the sum of all equity stays."""
    run = Run(script)
    crowd: dict[InstrumentId, Decimal] = defaultdict(lambda: ZERO)
    alone: dict[str, list[TradeExecuted]] = defaultdict(list)
    for event in run.events:
        if isinstance(event, TradeExecuted):
            alone[event.trade.trade_id].append(event)
    value = ZERO
    mark = D("101234.5")
    for pair in alone.values():
        if len(pair) == 2:
            continue
        trade = pair[0].trade
        amount = -trade.side.sign * trade.amount
        crowd[trade.instrument_id] += amount
        inverse = trade.instrument_id == NAMES[0]
        value += amount / trade.price - amount / mark if inverse else -amount * trade.price
    settled = D("101234.5")
    call_payoff = (settled - 100_000) / settled
    value += crowd[NAMES[1]] * call_payoff
    equity = sum((run.exchange.account_summary(name, "BTC").equity for name in ACCOUNTS), ZERO)
    paid = ZERO
    for account in ACCOUNTS:
        for item in run.exchange.transactions(account):
            if item.trade is not None:
                paid += item.trade.fee
            if item.kind is TransactionKind.FUNDING:
                paid -= item.change
    count = sum(len(run.exchange.transactions(name)) for name in ACCOUNTS)
    assert abs(equity + value + paid - 60) <= D("0.00000001") * (2 * count + 6)
