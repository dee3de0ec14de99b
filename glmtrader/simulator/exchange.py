"""The simulated exchange: several accounts trade with each other and with a modelled crowd.

Pure: no clock, no randomness, no I/O; the time of every request is handed in and never goes back.
Whoever hosts it (the in-process venue, the server on Deribit's wire) calls `advance` as time
passes and the request methods in between. Everything that happens comes back as events from the
call that caused it, other accounts' included. A refused request raises `ExchangeRefusedError`
and changes nothing.

Times of day are processed in order inside one `advance`: at each boundary expiries are delivered at
their one price, then funding is booked, then (08:00 UTC) perpetuals are settled at their mark.
Requests do not move the market: a request between two steps meets the market of the last step. One
that comes after such a boundary, before any `advance` reached it, passes the boundary first.

After `restore` into a model that starts later, the boundaries in between are caught up on the first
`advance`: deliveries at the model's delivery price, settlements at the first mark there is.
"""

from collections.abc import Iterable
from decimal import Decimal

from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import DAY_NS
from glmtrader.errors import ConfigurationError
from glmtrader.simulator.account import AccountState
from glmtrader.simulator.exchange_config import ExchangeConfig
from glmtrader.simulator.exchange_queries import ExchangeQueries
from glmtrader.simulator.exchange_state import check_accounts, fill_parts, read_state, write_state
from glmtrader.simulator.exchange_types import (
    BookStateChanged,
    ExchangeEvent,
    ExchangeOrder,
    ExpiryDelivered,
    InstrumentsChanged,
    OrderReply,
    OrderRequest,
    OrderState,
    PlatformChanged,
    PlatformState,
    TradeExecuted,
)
from glmtrader.simulator.market_model import MarketModel
from glmtrader.simulator.order_checks import (
    check_amount,
    check_platform,
    check_price,
    check_request,
    post_only_price,
    reduced_amount,
)
from glmtrader.simulator.refusals import ExchangeRefusedError

BOUNDARIES_MAX = 24 * 366 * 10
"""Boundaries in one `advance`: more than ten years of hours is a mistake of the caller."""


class SimulatedExchange(ExchangeQueries):
    """Matches, books and settles; see the module.

    Args:
        model: the market, at or before `start_ns`; the exchange alone moves it from now on.
        config: accounts, fees, margins, times.
        start_ns: where the exchange's time begins.

    Raises:
        ConfigurationError: no account, or margins do not name an underlying of the model.
    """

    def __init__(self, model: MarketModel, config: ExchangeConfig, start_ns: int) -> None:
        _check_config(model, config)
        self._platform = PlatformState.OPEN
        self._platform_reason = ""
        self._settling_until_ns = 0
        self._now_ns = start_ns
        self._model_ns = start_ns
        self._build(model, config)
        for account in config.accounts:
            state = AccountState(
                name=account.name,
                api_key=account.api_key,
                api_secret=account.api_secret,
                cash={},
            )
            self._keeper.open_account(state)
            self._keeper.deposit(account.name, account.balances, start_ns)
        self._model.advance(start_ns)
        self._crowd.moved(start_ns)
        self._listing.update(self._model.instruments(), start_ns)

    # --- time -----------------------------------------------------------------------------------

    def advance(self, now_ns: int) -> list[ExchangeEvent]:
        """Move time and the market; returns what happened, in order."""
        assert now_ns >= self._now_ns, f"time went back from {self._now_ns} to {now_ns}"
        self._pass_boundaries(now_ns)
        self._move(now_ns)
        self._deliver(now_ns)
        self._relist()
        self._cross()
        return self._happened()

    # --- requests -------------------------------------------------------------------------------

    def submit(self, request: OrderRequest, now_ns: int) -> OrderReply:
        """Take an order, match it, rest or cancel what remains.

        Raises:
            ExchangeRefusedError: with Deribit's name for the reason.
        """
        self._arrive(now_ns)
        self._check_platform(cancel=False)
        self._keeper.account(request.account)
        instrument = self._listing.tradable(request.instrument_id, now_ns)
        check_request(request, instrument, now_ns)
        resting = self._desk.open_orders(request.account)
        if len(resting) >= self._config.open_orders_max:
            raise ExchangeRefusedError("other_reject", "too many open orders: cancel some")
        amount = request.amount
        if request.reduce_only:
            mine = [item for item in resting if item.instrument_id == request.instrument_id]
            held = self._keeper.account(request.account).quantity(request.instrument_id)
            amount = reduced_amount(request.side, amount, held, mine)
        price = request.price
        if request.post_only and price is not None:
            book = self._desk.book(instrument)
            reject = request.reject_post_only
            price = post_only_price(request.side, price, book, instrument, reject=reject)
        if not request.reduce_only:
            self._funds.check(request.account, instrument, request.side, amount, price, resting)
        return self._reply(self._desk.take(request, amount, price, now_ns))

    def edit(
        self,
        account: str,
        order_id: str,
        *,
        amount: Decimal,
        price: Decimal,
        post_only: bool,
        reduce_only: bool,
        now_ns: int,
        valid_until_ns: int | None = None,
    ) -> OrderReply:
        """Change an open order; smaller at the same price keeps its place in the queue.

        Args:
            account: its owner.
            order_id: the order; it keeps its id.
            amount: the new total, filled part included.
            price: the new limit.
            post_only: refuse (`post_only_reject`) rather than trade at once.
            reduce_only: as for a new order.
            now_ns: when the request arrived.
            valid_until_ns: as for a new order.

        Raises:
            ExchangeRefusedError: the order stays as it was.
        """
        self._arrive(now_ns)
        self._check_platform(cancel=False)
        order = self._own_open(account, order_id)
        instrument = self._listing.tradable(order.instrument_id, now_ns)
        if valid_until_ns is not None and now_ns > valid_until_ns:
            raise ExchangeRefusedError("timed_out", "it arrived after valid_until")
        check_amount(amount, instrument)
        check_price(price, instrument)
        if amount <= order.filled:
            raise ExchangeRefusedError("already_filled", f"{order.filled} is filled already")
        others = [item for item in self._desk.open_orders(account) if item is not order]
        left = amount - order.filled
        if reduce_only:
            mine = [item for item in others if item.instrument_id == order.instrument_id]
            held = self._keeper.account(account).quantity(order.instrument_id)
            amount = order.filled + reduced_amount(order.side, left, held, mine)
        else:
            self._funds.check(account, instrument, order.side, left, price, others)
        if post_only:
            book = self._desk.book(instrument)
            post_only_price(order.side, price, book, instrument, reject=True)
        self._desk.change(
            order, amount, price, now_ns, post_only=post_only, reduce_only=reduce_only
        )
        return self._reply(order_id)

    def cancel(
        self, account: str, order_id: str, now_ns: int, *, reason: str = "user_request"
    ) -> OrderReply:
        """Cancel one open order.

        Raises:
            ExchangeRefusedError: unknown, another's, or no longer open.
        """
        self._arrive(now_ns)
        self._check_platform(cancel=True)
        order = self._own_open(account, order_id)
        self._desk.cancel(order.order_id, reason, now_ns)
        return self._reply(order_id)

    def cancel_all(
        self,
        account: str,
        now_ns: int,
        *,
        instrument_id: InstrumentId | None = None,
        currency: str | None = None,
        label: str | None = None,
        connection: str | None = None,
        reason: str = "user_request",
    ) -> tuple[int, list[ExchangeEvent]]:
        """Cancel an account's open orders, all or those that fit; returns how many, and events."""
        self._arrive(now_ns)
        self._check_platform(cancel=True)
        chosen = [
            order
            for order in self.open_orders(account, instrument_id=instrument_id, currency=currency)
            if label in (None, order.label) and connection in (None, order.connection)
        ]
        for order in chosen:
            self._desk.cancel(order.order_id, reason, now_ns)
        return len(chosen), self._happened()

    # --- the operator ---------------------------------------------------------------------------

    @property
    def platform(self) -> PlatformState:
        """What the platform lets pass."""
        return self._platform

    def set_platform(self, state: PlatformState, reason: str, now_ns: int) -> list[ExchangeEvent]:
        """Lock the platform, take it down for maintenance, or open it."""
        self._arrive(now_ns)
        self._platform = state
        self._platform_reason = reason
        changed = PlatformChanged(ts_ns=now_ns, state=state, reason=reason)
        self._desk.events.append(changed)
        self._cross()
        return self._happened()

    def halt_book(
        self, instrument_id: InstrumentId, *, halted: bool, now_ns: int
    ) -> list[ExchangeEvent]:
        """Halt one book (resting orders stay and do not trade), or open it again."""
        self._arrive(now_ns)
        self._listing.get(instrument_id)
        change = self._listing.halted.add if halted else self._listing.halted.discard
        change(instrument_id)
        self._desk.events.append(
            BookStateChanged(ts_ns=now_ns, instrument_id=instrument_id, halted=halted)
        )
        if not halted:
            self._cross()
        return self._happened()

    def deposit(
        self, account: str, currency: str, amount: Decimal, now_ns: int
    ) -> list[ExchangeEvent]:
        """Pay cash into an account; a negative amount is withdrawn.

        Raises:
            ExchangeRefusedError: no such account, or less is available than is to leave.
        """
        assert amount.is_finite(), f"a deposit of {amount} {currency}"
        self._arrive(now_ns)
        if amount < 0 and self.account_summary(account, currency).available_funds + amount < 0:
            raise ExchangeRefusedError(
                "not_enough_funds", f"{-amount} {currency} is more than can be withdrawn"
            )
        self._desk.events.append(self._keeper.transfer(account, currency, amount, now_ns))
        return self._happened()

    # --- persistence ----------------------------------------------------------------------------

    def snapshot(self) -> bytes:
        """The whole state but the market, as JSON; secrets of simulated accounts included."""
        return write_state(
            self._listing,
            self._keeper,
            self._desk,
            now_ns=self._now_ns,
            settling_until_ns=self._settling_until_ns,
            platform=(self._platform, self._platform_reason),
        )

    def restore(self, data: bytes) -> None:
        """Become what `snapshot` wrote down; accounts and positions are the snapshot's.

        Raises:
            DataError: not a state, of another version, or without a configured account.
        """
        state = read_state(data)
        check_accounts(state, [item.name for item in self._config.accounts])
        self._build(self._model, self._config)
        self._crowd.moved(self._model_ns)
        self._now_ns = state.now_ns
        self._platform = state.platform
        self._platform_reason = state.platform_reason
        self._settling_until_ns = state.settling_until_ns
        fill_parts(state, self._listing, self._keeper, self._desk)

    # --- inside ---------------------------------------------------------------------------------

    def _arrive(self, now_ns: int) -> None:
        assert now_ns >= self._now_ns, f"time went back from {self._now_ns} to {now_ns}"
        if now_ns == self._now_ns:
            return
        self._pass_boundaries(now_ns)
        self._accrue(now_ns - self._now_ns)
        self._now_ns = now_ns

    def _check_platform(self, *, cancel: bool) -> None:
        settling = self._now_ns < self._settling_until_ns
        check_platform(self._platform, self._platform_reason, settling=settling, cancel=cancel)

    def _own_open(self, account: str, order_id: str) -> ExchangeOrder:
        order = self.order(account, order_id)
        if order.state is not OrderState.OPEN:
            raise ExchangeRefusedError("not_open_order", f"{order_id} is {order.state}")
        return order

    def _reply(self, order_id: str) -> OrderReply:
        events = self._happened()
        trades = tuple(
            event.trade
            for event in events
            if isinstance(event, TradeExecuted) and event.trade.order_id == order_id
        )
        return OrderReply(order=self._desk.orders[order_id], trades=trades, events=tuple(events))

    def _happened(self) -> list[ExchangeEvent]:
        events, self._desk.events = self._desk.events, []
        return events

    def _cross(self) -> None:
        """Let the crowd meet resting orders, unless trading is paused."""
        if self._platform is PlatformState.OPEN and self._now_ns >= self._settling_until_ns:
            self._desk.cross_resting(self._now_ns)

    def _pass_boundaries(self, until_ns: int) -> None:
        for boundary_ns in self._boundaries(until_ns):
            self._move(boundary_ns)
            self._deliver(boundary_ns)
            self._pass_boundary(boundary_ns)

    def _boundaries(self, until_ns: int) -> list[int]:
        """Moments up to `until_ns` at which something is booked, ascending."""
        step_ns = self._config.funding_booking_ns
        first_ns = (self._now_ns // step_ns + 1) * step_ns
        found = set(range(first_ns, until_ns + 1, step_ns))
        offset_ns = self._config.settlement_of_day_ns
        first_ns = ((self._now_ns - offset_ns) // DAY_NS + 1) * DAY_NS + offset_ns
        found.update(range(first_ns, until_ns + 1, DAY_NS))
        found.update(
            expiry_ns
            for expiry_ns, _ in self._listing.expiries(until_ns)
            if expiry_ns > self._now_ns
        )
        assert len(found) <= BOUNDARIES_MAX, f"{len(found)} boundaries in one step: advance often"
        return sorted(found)

    def _move(self, now_ns: int) -> None:
        if now_ns > self._model_ns:
            self._model.advance(now_ns)
            self._model_ns = now_ns
            self._crowd.moved(now_ns)
        self._accrue(now_ns - self._now_ns)
        self._now_ns = now_ns

    def _accrue(self, elapsed_ns: int) -> None:
        """Funding of the time gone by, at the rate and mark of its end."""
        if elapsed_ns == 0:
            return
        for instrument in self._listing.perpetuals():
            mark = self._crowd.mark(instrument)
            rate = self._crowd.perpetual(instrument.underlying).funding_rate_8h
            assert mark is not None, f"{instrument.instrument_id}: a perpetual has a mark"
            for account in self._keeper.accounts.values():
                account.accrue_funding(instrument, mark, Decimal(repr(float(rate))), elapsed_ns)

    def _deliver(self, now_ns: int) -> None:
        for (expiry_ns, underlying), options in self._listing.expiries(now_ns).items():
            price = self._crowd.delivery_usd(underlying, expiry_ns)
            gone = self._listing.forget(options)
            # Resting orders need the instruments no longer: they are cancelled by name.
            self._desk.close_books([item.instrument_id for item in options], now_ns)
            events = self._desk.events
            delivered = ExpiryDelivered(
                ts_ns=now_ns, underlying=underlying, expiry_ns=expiry_ns, price_usd=price
            )
            self._deliveries.append(delivered)
            events.append(delivered)
            events.extend(self._keeper.deliver(options, price, now_ns))
            if gone:
                events.append(InstrumentsChanged(ts_ns=now_ns, listed=(), delisted=gone))

    def _pass_boundary(self, now_ns: int) -> None:
        """Book funding; at the time of settlement, settle the session."""
        settles = (now_ns - self._config.settlement_of_day_ns) % DAY_NS == 0
        perpetuals = self._listing.perpetuals()
        for instrument in perpetuals:
            self._desk.events.extend(self._keeper.book_funding(instrument, now_ns))
        if not settles:
            return
        for instrument in perpetuals:
            price = self._funds.mark(instrument)
            self._desk.events.extend(self._keeper.settle_session(instrument, price, now_ns))
        self._keeper.end_session()
        self._settling_until_ns = now_ns + self._config.settlement_lock_ns

    def _relist(self) -> None:
        changed = self._listing.update(self._model.instruments(), self._now_ns)
        if changed is None:
            return
        self._desk.close_books(changed.delisted, self._now_ns)
        self._listing.prune(self._keeper.held())
        self._desk.events.append(changed)


def _check_config(model: MarketModel, config: ExchangeConfig) -> None:
    names = [account.name for account in config.accounts]
    faults: Iterable[str] = [
        f"margin.perpetual_slope_per_coin has no {coin}: add it"
        for coin in model.underlyings
        if coin not in config.margin.perpetual_slope_per_coin
    ]
    if not names or len(set(names)) != len(names):
        faults = [*faults, f"accounts {names} must be named, each once"]
    if faults:
        raise ConfigurationError("; ".join(faults))
