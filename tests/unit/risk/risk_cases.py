"""A small market with one account, driven over the real bus, for the tests of risk."""

from decimal import Decimal

import msgspec

from glmtrader.domain.decisions import Action, Intent, IntentType
from glmtrader.domain.event import Event
from glmtrader.domain.ids import (
    AccountId,
    ClientOrderId,
    IntentId,
    StrategyId,
    TradeId,
    VenueOrderId,
    instrument_id,
)
from glmtrader.domain.instruments import DAY_NS, Instrument, InstrumentKind, TickStep
from glmtrader.domain.market_events import (
    InstrumentsListed,
    MarketTick,
    SurfaceSlice,
    VolatilitySurface,
)
from glmtrader.domain.order_events import Fill, OrderCommand, OrderUpdate, VenueBalance, VenueReport
from glmtrader.domain.orders import (
    Account,
    MarginMode,
    Order,
    OrderPurpose,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from glmtrader.domain.risk_events import RiskVeto, TradingMode, TradingModeChanged
from glmtrader.domain.strategy_events import StrategyIntent
from glmtrader.kernel.bus import Bus
from glmtrader.kernel.clock import Timers, VirtualClock
from glmtrader.market.quote_book import Catalogue, QuoteBook
from glmtrader.quant.black76_scalar import price_one
from glmtrader.risk.approval import ApprovalDesk, Approved
from glmtrader.risk.limits import RiskLimits
from glmtrader.risk.service import RiskService

ACCOUNT = Account(
    account_id=AccountId("main"),
    venue="sim",
    subaccount="",
    margin_mode=MarginMode.CROSS,
    numeraire="BTC",
)
STRATEGY = StrategyId("pq")
START_NS = 20_500 * DAY_NS
EXPIRY_NS = START_NS + 7 * DAY_NS
SPOT = 90_000.0
VOL = 0.5
D = Decimal


def option(strike: int, *, is_call: bool, underlying: str = "BTC") -> Instrument:
    """An inverse option of the one expiry."""
    symbol = f"{underlying}-7D-{strike}-{'C' if is_call else 'P'}"
    return Instrument(
        instrument_id=instrument_id("sim", symbol),
        venue="sim",
        symbol=symbol,
        kind=InstrumentKind.INVERSE_OPTION,
        underlying=underlying,
        price_currency=underlying,
        settlement_currency=underlying,
        quantity_currency=underlying,
        contract_size=D(1),
        lot=D("0.1"),
        quantity_min=D("0.1"),
        tick_steps=(TickStep(D(0), D("0.0001")),),
        strike=D(strike),
        is_call=is_call,
        expiry_ns=EXPIRY_NS,
    )


def perpetual(underlying: str = "BTC") -> Instrument:
    """An inverse perpetual."""
    symbol = f"{underlying}-PERPETUAL"
    return Instrument(
        instrument_id=instrument_id("sim", symbol),
        venue="sim",
        symbol=symbol,
        kind=InstrumentKind.INVERSE_PERPETUAL,
        underlying=underlying,
        price_currency="USD",
        settlement_currency=underlying,
        quantity_currency="USD",
        contract_size=D(10),
        lot=D(10),
        quantity_min=D(10),
        tick_steps=(TickStep(D(0), D("0.5")),),
    )


PERPETUAL, ETH_PERPETUAL = perpetual(), perpetual("ETH")
CALL, PUT = option(90_000, is_call=True), option(90_000, is_call=False)
FAR_CALL = option(110_000, is_call=True)
LISTED = (PERPETUAL, ETH_PERPETUAL, CALL, PUT, FAR_CALL)


def mark(instrument: Instrument, spot: float = SPOT) -> Decimal:
    """An option's mark in coin on the ticks of the market, at the flat volatility."""
    years = instrument.years(START_NS)
    assert instrument.strike is not None
    usd = price_one(spot, float(instrument.strike), years, VOL, bool(instrument.is_call))
    return instrument.price_up(D(repr(usd / spot)))


def surface(now_ns: int, spot: float = SPOT) -> VolatilitySurface:
    """A flat surface of the one expiry."""
    part = SurfaceSlice(
        expiry_ns=EXPIRY_NS,
        years=(EXPIRY_NS - now_ns) / (365 * DAY_NS),
        forward=spot,
        strikes=(60_000.0, 90_000.0, 120_000.0),
        mid_vols=(VOL, VOL, VOL),
        atm_vol=VOL,
        straddle_strike=90_000.0,
        straddle_bid=VOL - 0.01,
        straddle_ask=VOL + 0.01,
    )
    return VolatilitySurface(
        ts_event=now_ns,
        ts_init=now_ns,
        underlying="BTC",
        venue="sim",
        index_usd=spot,
        slices=(part,),
        quotes_used=3,
        quotes_refused={},
        unavailable=None,
    )


class World:
    """Bus, clock, market and risk service of one account with `btc` coins of cash."""

    def __init__(
        self, limits: RiskLimits | None = None, *, btc: str = "10", numeraire: str = "BTC"
    ) -> None:
        self.account = msgspec.structs.replace(ACCOUNT, numeraire=numeraire)
        self.clock = VirtualClock(START_NS)
        self.bus = Bus(self.clock)
        self.catalogue, self.quotes = Catalogue(), QuoteBook()
        self.desk = ApprovalDesk()
        self.limits = limits or RiskLimits()
        self.service = self.make_service()
        self.seen: list[Event] = []
        self._trades = self._orders = 0
        self.btc = btc

    def make_service(self) -> RiskService:
        """A service on this world's market."""
        return RiskService(
            accounts=(self.account,),
            limits={ACCOUNT.account_id: self.limits},
            catalogue=self.catalogue,
            quotes=self.quotes,
            approvals=self.desk,
            clock=self.clock,
            timers=Timers(self.clock, self.publish),
            publish=self.publish,
        )

    def publish(self, event: Event) -> None:
        """Record an event and put it on the bus."""
        self.seen.append(event)
        self.bus.publish(event)

    def send(self, *events: Event) -> None:
        """Publish and dispatch."""
        for event in events:
            self.publish(event)
        self.bus.drain()

    def start(self) -> "World":
        """List, quote, open the books with cash, and open trading."""
        now_ns = self.clock.now_ns()
        listed = InstrumentsListed(
            ts_event=now_ns, ts_init=now_ns, venue="sim", listed=LISTED, delisted=()
        )
        self.catalogue.apply(listed)
        self.bus.register("risk", self.service.run, *RiskService.EVENTS)
        self.send(listed, report(now_ns, self.btc))
        self.market(SPOT)
        self.mode(TradingMode.OPEN)
        return self

    def market(self, spot: float) -> None:
        """Quote everything around its mark at `spot`, with a fresh surface."""
        now_ns = self.clock.now_ns()
        for item in (CALL, PUT, FAR_CALL):
            middle = mark(item, spot)
            self.quote(item, middle, D("0.0002"), spot)
        self.quote(ETH_PERPETUAL, D(3000), D("0.5"), 3000.0)
        self.quote(PERPETUAL, D(repr(spot)), D("0.5"), spot)
        self.send(surface(now_ns, spot))

    def quote(self, item: Instrument, middle: Decimal, half: Decimal, index: float) -> None:
        """One tick, to the quote book and the bus."""
        now_ns = self.clock.now_ns()
        tick = MarketTick(
            ts_event=now_ns,
            ts_init=now_ns,
            instrument_id=item.instrument_id,
            bid=middle - half,
            ask=middle + half,
            bid_quantity=D(10),
            ask_quantity=D(10),
            mark=middle,
            index_usd=D(repr(index)),
        )
        self.quotes.apply_tick(tick, item.underlying)
        self.send(tick)

    def mode(
        self, mode: TradingMode, *, books_in_doubt: bool = False, released_by: str = ""
    ) -> None:
        """Change the trading mode, as reconciliation or a person does."""
        now_ns = self.clock.now_ns()
        self.send(
            TradingModeChanged(
                ts_event=now_ns,
                ts_init=now_ns,
                account_id=ACCOUNT.account_id,
                mode=mode,
                reason="test",
                books_in_doubt=books_in_doubt,
                released_by=released_by,
            )
        )

    def hold(self, item: Instrument, quantity: str, price: Decimal | None = None) -> None:
        """Get a position by a fill of someone's order."""
        self._trades += 1
        at = price or (D(repr(SPOT)) if item.is_perpetual else mark(item))
        self.send(fill(item, quantity, at, self.clock.now_ns(), trade_id=f"t{self._trades}"))

    def order(
        self,
        item: Instrument,
        quantity: str,
        *,
        price: Decimal | None = None,
        purpose: OrderPurpose = OrderPurpose.OPEN,
    ) -> Order:
        """A limit order of signed quantity, at the mark unless a price is given."""
        self._orders += 1
        signed = D(quantity)
        at = price if price is not None else (D(90000) if item is PERPETUAL else None)
        if at is None:
            at = D(3000) if item is ETH_PERPETUAL else mark(item)
        return Order(
            client_order_id=ClientOrderId(f"pq-1-{self._orders}-0-0"),
            intent_id=IntentId(f"pq-1-{self._orders}"),
            strategy_id=STRATEGY,
            account_id=ACCOUNT.account_id,
            instrument_id=item.instrument_id,
            side=Side.BUY if signed > 0 else Side.SELL,
            order_type=OrderType.LIMIT,
            time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
            purpose=purpose,
            quantity=abs(signed),
            price=at,
            post_only=False,
            reduce_only=False,
            valid_until_ns=self.clock.now_ns() + 10**9,
            leg=0,
            attempt=0,
        )

    def review(self, order: Order) -> Approved | RiskVeto:
        """Ask the gate."""
        return self.service.review_order(order, now_ns=self.clock.now_ns())

    def ask(
        self,
        item: Instrument,
        quantity: str,
        *,
        price: Decimal | None = None,
        purpose: OrderPurpose = OrderPurpose.OPEN,
    ) -> str:
        """Ask the gate: `approved`, or the rule that refuses."""
        answer = self.review(self.order(item, quantity, price=price, purpose=purpose))
        return "approved" if isinstance(answer, Approved) else answer.rule

    def wait(self, duration_ns: int) -> None:
        """Let time pass without any data, timers included."""
        until_ns = self.clock.now_ns() + duration_ns
        while self.clock.fire_next(until_ns):
            self.bus.drain()

    def last(self, kind: type[Event]) -> Event:
        """The newest event of a class."""
        return next(event for event in reversed(self.seen) if type(event) is kind)

    def count(self, kind: type[Event]) -> int:
        """How many events of a class there were."""
        return sum(type(event) is kind for event in self.seen)


def report(now_ns: int, btc: str) -> VenueReport:
    """A venue's whole truth about a flat account."""
    balance = VenueBalance(
        currency="BTC",
        cash=D(btc),
        equity=D(btc),
        initial_margin=D(0),
        maintenance_margin=D(0),
    )
    return VenueReport(
        ts_event=now_ns,
        ts_init=now_ns,
        account_id=ACCOUNT.account_id,
        reason="start",
        complete=True,
        orders=(),
        resolved=(),
        fills=(),
        cashflows=(),
        positions={},
        balances=(balance,),
    )


def fill(
    item: Instrument,
    quantity: str,
    price: Decimal,
    now_ns: int,
    *,
    trade_id: str,
    order: Order | None = None,
) -> Fill:
    """A fill of signed quantity without a fee."""
    signed = D(quantity)
    return Fill(
        ts_event=now_ns,
        ts_init=now_ns,
        account_id=ACCOUNT.account_id,
        client_order_id=None if order is None else order.client_order_id,
        venue_order_id=VenueOrderId("v"),
        trade_id=TradeId(trade_id),
        instrument_id=item.instrument_id,
        side=Side.BUY if signed > 0 else Side.SELL,
        quantity=abs(signed),
        price=price,
        fee=D(0),
        fee_currency=item.settlement_currency,
        is_maker=False,
        cursor=now_ns,
        index_usd=None,
    )


def update(
    order: Order, status: OrderStatus, now_ns: int, filled: str | None = None
) -> OrderUpdate:
    """The venue's word on an order."""
    return OrderUpdate(
        ts_event=now_ns,
        ts_init=now_ns,
        account_id=order.account_id,
        client_order_id=order.client_order_id,
        venue_order_id=None,
        instrument_id=order.instrument_id,
        status=status,
        quantity_filled=None if filled is None else D(filled),
        source="stream",
        reason="",
    )


def commanded(order: Order, now_ns: int) -> OrderCommand:
    """The record that an approved order goes out."""
    return OrderCommand(
        ts_event=now_ns,
        ts_init=now_ns,
        order=order,
        approval_id="a",
        order_hash="h",
        degraded=False,
    )


def intent(
    quantity: str,
    *,
    intent_type: IntentType = IntentType.INCREASE_LONG_GAMMA,
    action: Action = Action.BUY_STRADDLE,
    number: int = 1,
) -> StrategyIntent:
    """A straddle intent at the money."""
    wanted = Intent(
        intent_type=intent_type,
        action=action,
        direction=1,
        quantity=D(quantity),
        confidence=0.8,
        reason="edge",
        expiry_ns=EXPIRY_NS,
        strike_usd=SPOT,
        instrument_id=None,
        distance_to_action_vol=None,
        metadata={},
    )
    return StrategyIntent(
        ts_event=START_NS,
        ts_init=START_NS,
        intent_id=IntentId(f"pq-1-{number}"),
        strategy_id=STRATEGY,
        account_id=ACCOUNT.account_id,
        underlying="BTC",
        intent=wanted,
    )


def with_limits(**values: float) -> RiskLimits:
    """Generous limits with some of them set: only the rule under test can refuse."""
    generous = RiskLimits(
        leverage_max=1000.0,
        premium_pct_max=1.0,
        order_notional_usd_max=1e9,
        position_notional_usd_max=1e9,
        straddles_max=1e6,
        drawdown_pct_max=1.0,
        margin_used_pct_max=1.0,
        scenario_loss_pct_max=1.0,
    )
    return msgspec.structs.replace(generous, **values)
