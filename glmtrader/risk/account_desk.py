"""One account as risk sees it: books, what is in flight, exposures, value, and its trading mode.

State without a clock or a bus: the service hands in events and `now_ns` and publishes what comes
out. An order counts here from the moment it is approved.
"""

from collections import deque
from decimal import Decimal
from typing import Final

from glmtrader.domain import ledger as books
from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import HOUR_NS, MINUTE_NS, Instrument
from glmtrader.domain.ledger import Ledger
from glmtrader.domain.market_events import FloatArray
from glmtrader.domain.order_events import (
    CashTransferred,
    Fill,
    OrderCommand,
    OrderUpdate,
    VenueReport,
)
from glmtrader.domain.orders import Account, Order, OrderPurpose
from glmtrader.domain.risk_events import PortfolioRisk, TradingMode, TradingModeChanged
from glmtrader.risk import portfolio
from glmtrader.risk.exposure import Exposure, ExposureBook
from glmtrader.risk.facts import GateState, OrderFacts, RiskView
from glmtrader.risk.inflight import IntentsInFlight, OrderInFlight, OrdersInFlight
from glmtrader.risk.late_settlement import RecentBookings
from glmtrader.risk.limits import RiskLimits
from glmtrader.risk.market_inputs import MarketInputs
from glmtrader.risk.opening import open_books
from glmtrader.risk.pricing import UnitRisk, coin_scenario_usd, price_units
from glmtrader.risk.reduces import Reduction, reduction

ZERO: Final = Decimal(0)

NEW_UNITS_MAX: Final = 512
"""Priced instruments that nothing is held of, kept between two pricings."""


class AccountDesk:
    """Everything risk knows of one account.

    Args:
        account: its name, venue and numeraire.
        limits: what it may do.
        inputs: markets, shared with the other accounts.
    """

    def __init__(self, account: Account, limits: RiskLimits, inputs: MarketInputs) -> None:
        self.account = account
        self.limits = limits
        self.ledger = Ledger(account_id=account.account_id)
        self.recent = RecentBookings()
        self.is_opened = False
        self.mode = TradingMode.FENCED
        self.books_in_doubt = False
        self.equity_peak: float | None = None
        self.valuation: portfolio.Valuation | None = None
        self.missing: str | None = "the books are not opened yet"
        self.book = ExposureBook()
        self.orders = OrdersInFlight()
        self.intents = IntentsInFlight()
        self._inputs = inputs
        self.drawdown_pct = 0.0
        self._transfers: list[CashTransferred] = []
        self._new_units: dict[InstrumentId, UnitRisk | None] = {}
        self._priced_at: dict[str, float] = {}
        self._marked_at: dict[InstrumentId, float] = {}
        self._order_times: deque[int] = deque(maxlen=limits.orders_per_minute_max)
        self._intent_times: deque[int] = deque(maxlen=limits.intents_per_hour_max)

    # Books: what the execution service compares with the venue.

    @property
    def cursor(self) -> int:
        """The venue's ordering up to which everything is booked."""
        return self.ledger.cursor

    def positions(self) -> dict[InstrumentId, Decimal]:
        """Signed quantities by instrument; a flat one is absent."""
        return {key: item.quantity for key, item in self.ledger.positions.items() if item.quantity}

    def cash(self) -> dict[str, Decimal]:
        """Balances by currency."""
        return dict(self.ledger.balances)

    def has_booked(self, fact: books.Booking) -> bool:
        """Whether this very fill or cash flow is in the books."""
        return self.ledger.has_booked(fact)

    def take_report(self, report: VenueReport) -> bool:
        """Open the books on the first complete report, move the cursor on later ones.

        Returns:
            Whether the books were opened by this one.

        Raises:
            LedgerError: the books cannot be opened on what the venue holds.
        """
        if not report.complete:
            return False
        if not self.is_opened:
            self.open(open_books(report, self._inputs.instrument))
            return True
        self.ledger = books.advance_cursor(self.ledger, (*report.fills, *report.cashflows))
        self.recent.forget(self.ledger.cursor)
        return False

    def take_mode(self, event: TradingModeChanged) -> None:
        """Follow the trading mode; a halt stays, whatever is still queued, until released."""
        if event.mode is TradingMode.HALTED:
            self.books_in_doubt |= event.books_in_doubt
        elif self.mode is TradingMode.HALTED and not event.released_by:
            return
        else:
            self.books_in_doubt = False
        self.mode = event.mode

    def note_transfer(self, event: CashTransferred) -> None:
        """Remember to move the equity peak by a booked transfer, once it can be valued."""
        self._transfers.append(event)

    @property
    def has_settled_peak(self) -> bool:
        """Whether the equity peak knows of every transfer in the books."""
        return not self._transfers

    def open(self, ledger: Ledger) -> None:
        """Take whole books: of a first report, or of an earlier run."""
        self.ledger = ledger
        self.is_opened = True
        self.sync_positions()

    def sync_positions(self) -> None:
        """Bring exposures in line with the books."""
        for instrument_id, entry in self.ledger.positions.items():
            instrument = self._inputs.instrument(instrument_id)
            if instrument is not None:
                self.book.exposure(instrument).position = entry.quantity
        for instrument_id, item in self.book.by_id.items():
            if instrument_id not in self.ledger.positions:
                item.position = ZERO

    def take_fill(self, fill: Fill, instrument: Instrument, now_ns: int) -> OrderInFlight | None:
        """A booked fill: less is in flight, more is held."""
        order = self.orders.fill(fill)
        exposure = self._priced_exposure(instrument, now_ns)
        exposure.position = self.ledger.position(fill.instrument_id).quantity
        self._count_in_flight(exposure)
        return order

    # Orders in flight.

    def count_order(self, order: Order, now_ns: int) -> None:
        """Count an order from its approval on."""
        self.orders.add(order, now_ns)
        self.intents.ordered(order)
        instrument = self._inputs.instrument(order.instrument_id)
        if instrument is None:
            return
        exposure = self._priced_exposure(instrument, now_ns)
        if order.signed_quantity > 0:
            exposure.buys += order.quantity
        else:
            exposure.sells += order.quantity
        self.book.touch(exposure)

    def take_command(self, command: OrderCommand, now_ns: int) -> None:
        """An order goes out; one approved here is counted already."""
        if command.order.client_order_id not in self.orders:
            self.count_order(command.order, now_ns)
        item = self.orders.get(command.order.client_order_id)
        if item is not None:
            item.is_commanded = True

    def take_update(self, event: OrderUpdate) -> None:
        """The venue's word on an order changes what may still fill."""
        item = self.orders.update(event)
        exposure = self.book.by_id.get(event.instrument_id)
        if item is not None and exposure is not None:
            self._count_in_flight(exposure)
        elif item is not None:
            self._recount_new(item)

    def drop_unsent(self, before_ns: int) -> None:
        """Stop counting approvals that nobody used."""
        for item in self.orders.drop_unsent(before_ns):
            exposure = self.book.by_id.get(item.order.instrument_id)
            if exposure is not None:
                self._count_in_flight(exposure)

    def recount_in_flight(self) -> None:
        """Sum everything in flight anew."""
        for exposure in tuple(self.book.by_id.values()):
            self._count_in_flight(exposure)

    def _recount_new(self, item: OrderInFlight) -> None:
        instrument = self._inputs.instrument(item.order.instrument_id)
        if instrument is not None and item.remaining:
            self._count_in_flight(self.book.exposure(instrument))

    def _count_in_flight(self, exposure: Exposure) -> None:
        """Sum what may still fill on one instrument, from the orders themselves."""
        name = exposure.instrument.instrument_id
        buys = sells = ZERO
        for item in self.orders.counting(name):
            if item.order.signed_quantity > 0:
                buys += item.remaining
            else:
                sells += item.remaining
        exposure.buys, exposure.sells = buys, sells
        self.book.touch(exposure)

    def _priced_exposure(self, instrument: Instrument, now_ns: int) -> Exposure:
        exposure = self.book.exposure(instrument)
        if exposure.unit is None:
            exposure.unit = self._unit_of_new(instrument, now_ns)
        return exposure

    # Value.

    def reprice(self, now_ns: int) -> None:
        """Price every unit anew and sum everything anew."""
        self.sync_positions()
        self._new_units.clear()
        self._priced_at = dict(self._inputs.prices)
        self._marked_at = dict(self._inputs.marks)
        exposures = [item for item in self.book.by_id.values() if not item.is_empty]
        priced = [
            (item, self._inputs.pricing_input(item.instrument, self._priced_at, self._marked_at))
            for item in exposures
        ]
        for item, _ in priced:
            item.unit = None
        inputs = [(item, found) for item, found in priced if found is not None]
        units = price_units([found for _, found in inputs], now_ns)
        for (item, _), unit in zip(inputs, units, strict=True):
            item.unit = unit
        self.book.rebuild(None if self.valuation is None else self._outright_scenario())

    def revalue(self, trigger: str, now_ns: int) -> PortfolioRisk | None:
        """Value the account; None, and the reason in `missing`, where that is not possible."""
        if not self.is_opened:
            return None
        self._value(trigger, now_ns)
        if self.valuation is not None:
            self._raise_peak(self.valuation.risk)
        return None if self.valuation is None else self.valuation.risk

    def revalue_filled(self, now_ns: int) -> PortfolioRisk | None:
        """Value the account after a fill, without pricing what was not traded.

        Everything is valued at the prices that the units have, and followed to the present ones:
        present prices beside units priced earlier would let delta jump back to where it was.
        """
        if not self.is_opened:
            return None
        self._value("fill", now_ns)
        return self.follow("fill", now_ns)

    def _value(self, trigger: str, now_ns: int) -> None:
        """Value the account at the prices that its units have."""
        self.book.settle()
        prices = self._priced_at
        self.missing = portfolio.missing_input(
            self.account, self.ledger, self.book, prices, self._inputs.is_traded
        )
        if self.missing is not None:
            self.valuation = None
            return
        self._move_peak()
        self.valuation = portfolio.value(
            self.account,
            self.ledger,
            self.book,
            prices,
            self._marked_at,
            peak=self.equity_peak,
            trigger=trigger,
            now_ns=now_ns,
        )

    def follow(self, trigger: str, now_ns: int) -> PortfolioRisk | None:
        """Follow the prices from the last valuation without a new one."""
        if self.valuation is None:
            return None
        risk = portfolio.moved(
            self.valuation,
            self._inputs.prices,
            self._inputs.marks,
            peak=self.equity_peak,
            trigger=trigger,
            now_ns=now_ns,
        )
        self._raise_peak(risk)
        return risk

    def _move_peak(self) -> None:
        """Move the peak by what was transferred: that was neither earned nor lost."""
        prices, transfers = self._priced_at, self._transfers
        self._transfers = []
        for event in transfers:
            if self.equity_peak is not None:
                numeraire = portfolio.in_numeraire(self.account, event.currency, prices)
                self.equity_peak += float(event.amount) * numeraire

    def _raise_peak(self, risk: PortfolioRisk) -> None:
        peak = self.equity_peak
        self.equity_peak = risk.equity if peak is None else max(peak, risk.equity)
        self.drawdown_pct = risk.drawdown_pct

    def _outright_scenario(self) -> FloatArray:
        assert self.valuation is not None, "coins held outright are known from a valuation"
        coins = portfolio.outright_coins(self.account, self.valuation)
        total = coin_scenario_usd(0.0, 1.0)
        for name, amount in coins.items():
            total = total + coin_scenario_usd(amount, self._inputs.prices[name])
        return total

    # What the rules look at.

    def note_approval(self, now_ns: int) -> None:
        """Count an approved order towards the rate."""
        self._order_times.append(now_ns)

    def note_intent(self, now_ns: int) -> None:
        """Count an approved intent towards the rate."""
        self._intent_times.append(now_ns)

    def delta_filled(self, underlying: str) -> float | None:
        """Delta in coin with everything in flight filled; None where it cannot be computed."""
        if self.valuation is None:
            return None
        delta = self.book.sums(underlying).delta_coin
        if underlying != self.account.numeraire:
            delta += self.valuation.coin_equity.get(underlying, 0.0)
        then, now = self.valuation.prices.get(underlying), self._inputs.prices.get(underlying)
        if then is not None and now is not None:
            delta += self.valuation.delta_slopes.get(underlying, 0.0) * (now - then)
        return delta

    def facts(self, order: Order, now_ns: int) -> OrderFacts:
        """The facts of one order."""
        self.book.settle()
        instrument = self._inputs.instrument(order.instrument_id)
        if instrument is None:
            return _unknown_instrument(order)
        exposure = self.book.by_id.get(order.instrument_id) or Exposure(instrument)
        unit = exposure.unit or self._unit_of_new(instrument, now_ns)
        quantity = float(order.signed_quantity)
        high = float(exposure.position + exposure.buys)
        low = float(exposure.position - exposure.sells)
        before = max(abs(high), abs(low))
        after = abs(high + quantity) if quantity > 0 else abs(low + quantity)
        quote = self._inputs.quotes.get(order.instrument_id)
        return OrderFacts(
            order=order,
            instrument=instrument,
            is_listed=self._inputs.catalogue.is_listed(order.instrument_id),
            is_repeated=order.client_order_id in self.orders,
            reduction=self._reduction(order, exposure, unit),
            quote=quote,
            quote_age_ns=None if quote is None else now_ns - quote.ts_ns,
            unit=unit,
            quantity=quantity,
            low=low,
            high=high,
            worst_before=before,
            worst_after=max(after, before),
        )

    def _reduction(self, order: Order, exposure: Exposure, unit: UnitRisk | None) -> Reduction:
        if order.purpose is OrderPurpose.OPEN:
            return Reduction.NONE
        return reduction(
            order.purpose,
            position_low=exposure.position - exposure.sells,
            position_high=exposure.position + exposure.buys,
            signed_quantity=order.signed_quantity,
            delta_filled=self.delta_filled(exposure.instrument.underlying),
            delta_order=None if unit is None else float(order.signed_quantity) * unit.delta_coin,
        )

    def view(self, underlying: str, now_ns: int, *, gate: GateState) -> RiskView:
        """The account at this moment, for one underlying."""
        self.book.settle()
        valuation, sums = self.valuation, self.book.sums(underlying)
        _forget(self._order_times, now_ns - MINUTE_NS)
        _forget(self._intent_times, now_ns - HOUR_NS)
        inputs, venue = self._inputs, self.account.venue
        return RiskView(
            now_ns=now_ns,
            mode=self.mode,
            books_in_doubt=self.books_in_doubt,
            halted=gate.halted,
            kill_engaged=gate.kill_engaged,
            kill_flatten=gate.kill_flatten,
            equity_usd=None if valuation is None else valuation.risk.equity_usd,
            collateral_usd=None if valuation is None else self._collateral_usd(valuation),
            drawdown_pct=None if valuation is None else self.drawdown_pct,
            missing=self._missing_now(underlying, now_ns),
            gross_usd=self.book.gross_usd,
            margin_usd=self.book.margin_usd,
            premium_usd=self.book.premium_usd,
            scenario_usd=self.book.scenario_usd,
            scenario_worst_usd=self.book.scenario_worst_usd,
            calls=sums.calls,
            puts=sums.puts,
            pending_straddles=float(self.intents.straddles(underlying)),
            open_orders=self.orders.open_count,
            orders_last_minute=len(self._order_times),
            intents_last_hour=len(self._intent_times),
            fomo_score=inputs.fomo.get(underlying),
            venue_down=inputs.venue_down.get(venue),
            clock_offset_ns=inputs.clock_offset_ns.get(venue),
        )

    def _collateral_usd(self, valuation: portfolio.Valuation) -> float:
        """Collateral once the premium of buys in flight is paid."""
        in_flight_usd = max(self.book.premium_usd - valuation.long_premium_usd, 0.0)
        return valuation.collateral_usd - in_flight_usd

    def _missing_now(self, underlying: str, now_ns: int) -> str | None:
        if self.missing is not None:
            return self.missing
        unpriced = self.book.unpriced_count
        if unpriced:
            return f"{unpriced} instruments in flight have no price"
        oldest_ns = now_ns - self.limits.quote_age_ns_max
        price_ns = self._inputs.price_ns
        for name in (underlying, *self.book.by_underlying):
            if price_ns.get(name, -1) < oldest_ns:
                return f"the price of {name} is missing or stale"
        return None

    def _unit_of_new(self, instrument: Instrument, now_ns: int) -> UnitRisk | None:
        """Price an instrument that nothing is held of, and keep it until the next pricing."""
        name = instrument.instrument_id
        if name not in self._new_units:
            if len(self._new_units) >= NEW_UNITS_MAX:
                self._new_units.clear()
            self._new_units[name] = self._inputs.unit(
                instrument, self._priced_at, self._marked_at, now_ns
            )
        return self._new_units[name]


def _forget(times: deque[int], before_ns: int) -> None:
    while times and times[0] < before_ns:
        times.popleft()


def _unknown_instrument(order: Order) -> OrderFacts:
    return OrderFacts(
        order=order,
        instrument=None,
        is_listed=False,
        is_repeated=False,
        reduction=Reduction.NONE,
        quote=None,
        quote_age_ns=None,
        unit=None,
        quantity=float(order.signed_quantity),
        low=0.0,
        high=0.0,
        worst_before=0.0,
        worst_after=0.0,
    )
