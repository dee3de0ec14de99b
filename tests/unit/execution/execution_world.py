"""A small world for execution: an in-memory venue at the port, a process that can be killed.

The venue outlives the process, as real ones do. Bus, clock, ledger, approvals, catalogue and quotes
are the real parts. What the venue does with an order is a script: one word an order.
"""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from glmtrader.domain.decisions import Action, Intent, IntentType
from glmtrader.domain.event import Event
from glmtrader.domain.ids import (
    AccountId,
    ClientOrderId,
    InstrumentId,
    IntentId,
    StrategyId,
    TradeId,
    VenueOrderId,
    instrument_id,
)
from glmtrader.domain.instruments import DAY_NS, SECOND_NS, Instrument, InstrumentKind, TickStep
from glmtrader.domain.ledger import Booking, Ledger, advance_cursor, apply_fill
from glmtrader.domain.market_events import (
    InstrumentsListed,
    MarketTick,
    SurfaceSlice,
    VolatilitySurface,
)
from glmtrader.domain.order_events import (
    ExecutionCommand,
    Fill,
    IntentCompleted,
    OrderUpdate,
    VenueBalance,
    VenueOrder,
    VenueReport,
)
from glmtrader.domain.orders import Order, OrderStatus, Side
from glmtrader.domain.risk_events import RiskVeto, TradingMode
from glmtrader.domain.system_events import VenueStatusChanged
from glmtrader.execution.policy import ExecutionPolicy
from glmtrader.execution.service import ExecutionService
from glmtrader.kernel.bus import Bus
from glmtrader.kernel.clock import Timers, VirtualClock
from glmtrader.kernel.inbox import Inbox
from glmtrader.market.quote_book import Catalogue, QuoteBook
from glmtrader.risk.approval import ApprovalDesk, Approved

NOW_NS = 1_770_000_000 * SECOND_NS
EXPIRY_NS = NOW_NS + 7 * DAY_NS
MILLISECOND_NS = 1_000_000
ACCOUNT = AccountId("main")
STRATEGY = StrategyId("pq")
FORWARD = 65_000.0
D = Decimal


class Crash(BaseException):
    """The process died here."""


def option(strike: int, *, is_call: bool, expiry_ns: int = EXPIRY_NS) -> Instrument:
    """A Deribit-like inverse BTC option."""
    symbol = f"BTC-X-{strike}-{'C' if is_call else 'P'}"
    return Instrument(
        instrument_id=instrument_id("deribit", symbol),
        venue="deribit",
        symbol=symbol,
        kind=InstrumentKind.INVERSE_OPTION,
        underlying="BTC",
        price_currency="BTC",
        settlement_currency="BTC",
        quantity_currency="BTC",
        contract_size=D(1),
        lot=D("0.1"),
        quantity_min=D("0.1"),
        tick_steps=(TickStep(D(0), D("0.0001")), TickStep(D("0.005"), D("0.0005"))),
        strike=D(strike),
        is_call=is_call,
        expiry_ns=expiry_ns,
    )


PERPETUAL = Instrument(
    instrument_id=instrument_id("deribit", "BTC-PERPETUAL"),
    venue="deribit",
    symbol="BTC-PERPETUAL",
    kind=InstrumentKind.INVERSE_PERPETUAL,
    underlying="BTC",
    price_currency="USD",
    settlement_currency="BTC",
    quantity_currency="USD",
    contract_size=D(10),
    lot=D(10),
    quantity_min=D(10),
    tick_steps=(TickStep(D(0), D("0.5")),),
)
OPTIONS = tuple(
    option(strike, is_call=is_call)
    for strike in (60_000, 65_000, 70_000)
    for is_call in (False, True)
)
CALL = option(65_000, is_call=True)
PUT = option(65_000, is_call=False)
SLICE = SurfaceSlice(
    expiry_ns=EXPIRY_NS,
    years=7 / 365,
    forward=FORWARD,
    strikes=(60_000.0, 65_000.0, 70_000.0),
    mid_vols=(0.52, 0.5, 0.51),
    atm_vol=0.5,
    straddle_strike=65_000.0,
    straddle_bid=0.49,
    straddle_ask=0.51,
)
SURFACE = VolatilitySurface(
    ts_event=NOW_NS,
    ts_init=NOW_NS,
    underlying="BTC",
    venue="deribit",
    index_usd=FORWARD,
    slices=(SLICE,),
    quotes_used=6,
    quotes_refused={},
    unavailable=None,
)


def intent(kind: IntentType, action: Action, quantity: str = "0.2", **changes: Any) -> Intent:
    """An intent on the one expiry."""
    base = Intent(
        intent_type=kind,
        action=action,
        direction=1,
        quantity=D(quantity),
        confidence=1.0,
        reason="test",
        expiry_ns=EXPIRY_NS,
        strike_usd=None,
        instrument_id=None,
        distance_to_action_vol=None,
        metadata={},
    )
    return msgspec.structs.replace(base, **changes)


BUY_STRADDLE = intent(IntentType.INCREASE_LONG_GAMMA, Action.BUY_STRADDLE)
SELL_STRADDLE = intent(IntentType.INCREASE_SHORT_GAMMA, Action.SELL_STRADDLE)
HEDGE = intent(
    IntentType.HEDGE_DELTA,
    Action.SELL,
    "1000",
    expiry_ns=None,
    instrument_id=PERPETUAL.instrument_id,
)


def command(wanted: Intent, number: int = 1, *, now_ns: int = NOW_NS) -> ExecutionCommand:
    """An approved intent."""
    return ExecutionCommand(
        ts_event=now_ns,
        ts_init=now_ns,
        intent_id=IntentId(f"pq-1-{number}"),
        strategy_id=STRATEGY,
        account_id=ACCOUNT,
        underlying="BTC",
        intent=wanted,
        approved_by="test",
        quantity_asked=wanted.quantity,
    )


def tick(item: Instrument, bid: str | None, ask: str | None, mark: str, ts_ns: int) -> MarketTick:
    """Top of book with one coin (or 100,000 USD) on each side."""
    size = D(1) if item.is_option else D(100_000)
    return MarketTick(
        ts_event=ts_ns,
        ts_init=ts_ns,
        instrument_id=item.instrument_id,
        bid=None if bid is None else D(bid),
        ask=None if ask is None else D(ask),
        bid_quantity=size,
        ask_quantity=size,
        mark=D(mark),
        index_usd=D(65_000),
    )


class _Resting(msgspec.Struct):
    order: Order
    venue_order_id: VenueOrderId
    status: OrderStatus
    filled: Decimal = Decimal(0)


class VenueDouble:
    """A venue in memory: scripted outcomes, honest books, messages that only a live process gets.

    Scripts: fill, half, none, reject, rest; lost_request (never arrives), lost_ack (fills, says
    nothing), late (accepted and filled after 2.5 s), mute_fill (the fill's message is lost),
    fill_first (the fill comes before the acknowledgement), twice (every message comes twice).
    """

    name = "deribit"
    account_id = ACCOUNT
    accept_delay_max_ns = 3 * SECOND_NS

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.publish: Callable[[Event], None] | None = None
        self.connection = 0
        self.scripts: deque[str] = deque()
        self.script_default = "fill"
        self.submitted: list[Order] = []
        self.cancelled_all = 0
        self.reports_blocked = False
        self.requests: list[tuple[ClientOrderId, ...]] = []
        self.orders: dict[VenueOrderId, _Resting] = {}
        self.fills: list[Fill] = []
        self.catalogue = Catalogue()
        self.ledger = Ledger(account_id=ACCOUNT)

    async def run(self) -> None:
        """Nothing to keep connected."""

    def watch(self, instrument_ids: Sequence[InstrumentId]) -> None:
        """Quotes are set by the test."""

    def submit(self, approved: Approved, *, now_ns: int) -> None:
        """Take an order; what becomes of it is the script's next word."""
        order = approved.order
        self.submitted.append(order)
        script = self.scripts.popleft() if self.scripts else self.script_default
        delay_ns = 2500 * MILLISECOND_NS if script == "late" else 10 * MILLISECOND_NS
        if script in ("lost_request", "lost_ack", "late"):
            self._say_later(SECOND_NS, self._update(order, None, OrderStatus.UNKNOWN, None))
        if script != "lost_request":
            self.clock.call_at(now_ns + delay_ns, lambda: self._arrive(order, script))

    def cancel(self, client_order_id: ClientOrderId) -> None:
        """Cancel one resting order."""
        for item in self.orders.values():
            if item.order.client_order_id == client_order_id and not item.status.is_final:
                item.status = OrderStatus.CANCELLED
                self._tell(item)

    def cancel_all(self) -> None:
        """Cancel every resting order."""
        self.cancelled_all += 1
        for item in self.orders.values():
            self.cancel(item.order.client_order_id)

    def request_report(
        self, reason: str, *, since_cursor: int, resolve: Sequence[ClientOrderId]
    ) -> None:
        """Answer after 20 ms with the truth at that moment."""
        self.requests.append(tuple(resolve))
        if self.reports_blocked:
            return
        connection = self.connection

        def answer() -> None:
            if connection == self.connection and self.publish is not None:
                self.publish(self.report(reason, since_cursor, resolve))

        self.clock.call_at(self.clock.now_ns() + 20 * MILLISECOND_NS, answer)

    def report(
        self, reason: str, since_cursor: int, resolve: Sequence[ClientOrderId]
    ) -> VenueReport:
        """The whole truth about the account."""
        asked = set(resolve)
        held = self.ledger.positions.values()
        now_ns = self.clock.now_ns()
        return VenueReport(
            ts_event=now_ns,
            ts_init=now_ns,
            account_id=ACCOUNT,
            reason=reason,
            complete=True,
            orders=tuple(
                VenueOrder(
                    client_order_id=item.order.client_order_id,
                    venue_order_id=item.venue_order_id,
                    instrument_id=item.order.instrument_id,
                    side=item.order.side,
                    status=item.status,
                    quantity=item.order.quantity,
                    quantity_filled=item.filled,
                    price=item.order.price,
                )
                for item in self.orders.values()
                if not item.status.is_final or item.order.client_order_id in asked
            ),
            resolved=tuple(resolve),
            fills=tuple(fill for fill in self.fills if fill.cursor >= since_cursor),
            cashflows=(),
            positions={item.instrument_id: item.quantity for item in held if item.quantity},
            balances=tuple(
                VenueBalance(
                    currency=currency,
                    cash=cash,
                    equity=cash,
                    initial_margin=D(0),
                    maintenance_margin=D(0),
                )
                for currency, cash in self.ledger.balances.items()
            ),
        )

    def status(self, status: str) -> None:
        """Publish a change of the connection."""
        now_ns = self.clock.now_ns()
        assert self.publish is not None
        self.publish(
            VenueStatusChanged(
                ts_event=now_ns,
                ts_init=now_ns,
                venue=self.name,
                status=status,
                detail="test",
                clock_offset_ns=0,
            )
        )

    def trade(self, order: Order, quantity: Decimal) -> Fill:
        """Execute at the order's own price and book it on the venue's side."""
        number = len(self.fills) + 1
        assert order.price is not None
        now_ns = self.clock.now_ns()
        fill = Fill(
            ts_event=now_ns,
            ts_init=now_ns,
            account_id=ACCOUNT,
            client_order_id=order.client_order_id,
            venue_order_id=VenueOrderId(f"v-{order.client_order_id}"),
            trade_id=TradeId(f"t{number}"),
            instrument_id=order.instrument_id,
            side=order.side,
            quantity=quantity,
            price=order.price,
            fee=D("0.0001"),
            fee_currency="BTC",
            is_maker=False,
            cursor=number,
            index_usd=D(65_000),
        )
        self.fills.append(fill)
        traded = self.catalogue.get(order.instrument_id)
        assert traded is not None
        self.ledger, _ = apply_fill(self.ledger, fill, traded)
        return fill

    def accept_anyway(self, order: Order) -> None:
        """Let an order rest that should never have been accepted any more."""
        name = VenueOrderId(f"v-{order.client_order_id}")
        self.orders[name] = _Resting(order, name, OrderStatus.ACCEPTED)

    def _arrive(self, order: Order, script: str) -> None:
        if self.clock.now_ns() > order.valid_until_ns:
            return
        name = VenueOrderId(f"v-{order.client_order_id}")
        assert name not in self.orders, f"{name} was sent twice"
        item = _Resting(order, name, OrderStatus.ACCEPTED)
        if script == "reject":
            self._say(self._update(order, None, OrderStatus.REJECTED, D(0)))
            return
        self.orders[name] = item
        mute = script in ("lost_ack", "late")
        if not mute and script != "fill_first":
            self._tell(item)
        if script == "rest":
            return
        self._match(item, script, mute=mute)
        if not mute:
            self._tell(item)
            if script == "twice":
                self._tell(item)
                self._say(self.fills[-1])

    def _match(self, item: _Resting, script: str, *, mute: bool) -> None:
        order = item.order
        traded = self.catalogue.get(order.instrument_id)
        assert traded is not None
        half = traded.quantity_down(order.quantity / 2)
        share = {"none": D(0), "half": half}.get(script, order.quantity)
        if share:
            fill = self.trade(order, share)
            item.filled = share
            if not mute and script != "mute_fill":
                self._say(fill)
        full = share == order.quantity
        item.status = OrderStatus.FILLED if full else OrderStatus.CANCELLED

    def _tell(self, item: _Resting) -> None:
        self._say(self._update(item.order, item.venue_order_id, item.status, item.filled))

    def _update(
        self,
        order: Order,
        venue_order_id: VenueOrderId | None,
        status: OrderStatus,
        filled: Decimal | None,
    ) -> OrderUpdate:
        now_ns = self.clock.now_ns()
        return OrderUpdate(
            ts_event=now_ns,
            ts_init=now_ns,
            account_id=ACCOUNT,
            client_order_id=order.client_order_id,
            venue_order_id=venue_order_id,
            instrument_id=order.instrument_id,
            status=status,
            quantity_filled=filled,
            source="stream",
            reason="",
        )

    def _say(self, event: Event) -> None:
        self._say_later(5 * MILLISECOND_NS, event)

    def _say_later(self, delay_ns: int, event: Event) -> None:
        connection = self.connection

        def deliver() -> None:
            if connection == self.connection and self.publish is not None:
                self.publish(event)

        self.clock.call_at(self.clock.now_ns() + delay_ns, deliver)


class JournalDouble:
    """A journal in memory; `crash_at` kills the process as that event is appended."""

    def __init__(self, events: Sequence[Event] = ()) -> None:
        self.events = list(events)
        self.committed = len(self.events)
        self.crash_at: int | None = None
        self.crash_after_commit = False
        self.broken: Exception | None = None

    def append(self, seq: int, event: Event) -> None:
        """Keep one event until the next commit."""
        assert seq > 0, "the bus counts from one"
        if self.crash_at is not None and len(self.events) >= self.crash_at:
            raise Crash
        self.events.append(event)

    def commit(self) -> None:
        """Make everything so far survive a crash."""
        if self.broken is not None:
            raise self.broken
        self.committed = len(self.events)
        if self.crash_after_commit:
            raise Crash


class RiskDouble:
    """The books (the real ledger) and a gate that issues real approvals, or vetoes by predicate."""

    def __init__(self, venue: VenueDouble, events: Sequence[Event]) -> None:
        self.desk = ApprovalDesk()
        self.refuses: Callable[[Order], bool] = lambda _: False
        self.ledger = Ledger(account_id=ACCOUNT)
        self._venue = venue
        for event in events:
            self.book(event)

    @property
    def cursor(self) -> int:
        """The ledger's."""
        return self.ledger.cursor

    is_opened = True

    def has_booked(self, fact: Booking) -> bool:
        """Whether the ledger has it."""
        return self.ledger.has_booked(fact)

    def positions(self) -> dict[InstrumentId, Decimal]:
        """Signed quantities."""
        return {name: item.quantity for name, item in self.ledger.positions.items()}

    def cash(self) -> dict[str, Decimal]:
        """Balances."""
        return self.ledger.balances

    def book(self, event: Event) -> None:
        """Fills move the books; reports move the cursor."""
        if isinstance(event, Fill):
            traded = self._venue.catalogue.get(event.instrument_id)
            assert traded is not None
            self.ledger, _ = apply_fill(self.ledger, event, traded)
        if isinstance(event, VenueReport) and event.complete:
            self.ledger = advance_cursor(self.ledger, event.fills)

    async def run(self, inbox: Inbox) -> None:
        """Book what comes."""
        async for event in inbox:
            self.book(event)

    def review_order(self, order: Order, *, now_ns: int) -> Approved | RiskVeto:
        """Approve, unless the test says otherwise."""
        if not self.refuses(order):
            return self.desk.issue(order, now_ns=now_ns, degraded=False)
        return RiskVeto(
            ts_event=now_ns,
            ts_init=now_ns,
            intent_id=order.intent_id,
            strategy_id=order.strategy_id,
            client_order_id=order.client_order_id,
            rule="test_rule",
            reason="the test refuses",
            details={},
        )


class World:
    """A venue and a process on one virtual clock."""

    def __init__(self, policy: ExecutionPolicy | None = None) -> None:
        self.policy = policy or ExecutionPolicy()
        self.clock = VirtualClock(NOW_NS)
        self.venue = VenueDouble(self.clock)
        listed = InstrumentsListed(
            ts_event=NOW_NS,
            ts_init=NOW_NS,
            venue="deribit",
            listed=(PERPETUAL, *OPTIONS),
            delisted=(),
        )
        self.venue.catalogue.apply(listed)
        self.quotes = QuoteBook()
        self.journal = JournalDouble()
        self.boot()

    def boot(self) -> None:
        """Start a process on what the journal holds."""
        self.venue.connection += 1
        self.bus = Bus(self.clock, journal=self.journal, seq_start=len(self.journal.events))
        self.risk = RiskDouble(self.venue, self.journal.events)
        self.venue.publish = self.bus.publish
        self.service = ExecutionService(
            venue=self.venue,
            gate=self.risk,
            approvals=self.risk.desk,
            journal=self.journal,
            books=self.risk,
            catalogue=self.venue.catalogue,
            quotes=self.quotes,
            clock=self.clock,
            timers=Timers(self.clock, self.bus.publish),
            publish=self.bus.publish,
            policy=self.policy,
        )
        self.service.restore(self.journal.events)
        self.bus.register("risk", self.risk.run, Fill, VenueReport)
        self.bus.register(self.service.name, self.service.run, *ExecutionService.EVENTS)
        self.refresh()
        self.bus.publish(SURFACE)

    def kill(self) -> None:
        """Drop the process: what was not committed is gone, and so are messages to it."""
        self.venue.connection += 1
        self.venue.publish = None
        self.journal = JournalDouble(self.journal.events[: self.journal.committed])

    def refresh(self, **quotes: tuple[str | None, str | None]) -> None:
        """Quote everything now; `call` and `put` name other prices for the straddle's legs."""
        now_ns = self.clock.now_ns()
        for item in OPTIONS:
            bid, ask = quotes.get("call" if item.is_call else "put", ("0.0270", "0.0280"))
            quote = tick(item, bid, ask, "0.0275", now_ns)
            self.quotes.apply_tick(quote, "BTC")
        self.quotes.apply_tick(tick(PERPETUAL, "64999.5", "65000", "65000", now_ns), "BTC")

    def run(self, seconds: float) -> None:
        """Let time pass, every event in its order."""
        until_ns = self.clock.now_ns() + round(seconds * SECOND_NS)
        self.bus.drain()
        while self.clock.fire_next(until_ns):
            self.bus.drain()

    def run_venue(self, seconds: float) -> None:
        """Let time pass for the venue alone; timers of the dead process speak to nobody."""
        until_ns = self.clock.now_ns() + round(seconds * SECOND_NS)
        while self.clock.fire_next(until_ns):
            pass

    def opened(self) -> "World":
        """Reconcile and unfence."""
        self.run(1.0)
        return self

    def give(self, wanted: Intent, number: int = 1) -> None:
        """Hand over an approved intent."""
        self.bus.publish(command(wanted, number, now_ns=self.clock.now_ns()))

    def seen(self, kind: type[Event]) -> list[Any]:
        """Journaled events of one class."""
        return [event for event in self.journal.events if type(event) is kind]

    def mode(self) -> TradingMode:
        """The account's trading mode now."""
        return self.service.mode

    def completed(self) -> list[tuple[str, Decimal]]:
        """How intents ended."""
        return [(event.outcome, event.quantity_done) for event in self.seen(IntentCompleted)]

    def position(self, item: Instrument) -> Decimal:
        """The venue's own."""
        return self.venue.ledger.position(item.instrument_id).quantity

    def check_agrees(self) -> None:
        """Books equal the venue's, and no order was sent twice."""
        sent = Counter(order.client_order_id for order in self.venue.submitted)
        assert not [name for name, count in sent.items() if count > 1]
        ours = {name: quantity for name, quantity in self.risk.positions().items() if quantity}
        held = self.venue.ledger.positions.values()
        assert ours == {item.instrument_id: item.quantity for item in held if item.quantity}
        assert self.risk.ledger.balances == self.venue.ledger.balances


def sides(orders: Sequence[Order]) -> list[tuple[str, Side]]:
    """Symbol and side of orders, for short assertions."""
    return [(order.instrument_id.split(":")[1], order.side) for order in orders]
