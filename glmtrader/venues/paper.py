"""The paper venue: the simulated exchange in process, behind the venue port.

It does what a network adapter does, without a network: requests arrive later, answers come back
later, connections break, and the outcome of an order can be unknown. Everything runs on
`clock.call_at`, so real, scaled and virtual time behave alike; the only coroutine is `run`, which
waits to be cancelled.

Market data is published at the moment of the market's step, private events after the latency. As on
Deribit with cancel-on-disconnect armed, a broken connection (a restart too) cancels the account's
open orders. The exchange's state is written before any message about a new booking leaves, so that
after a kill the account still has what the trader was told.
"""

import asyncio
from bisect import bisect_right
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np
import structlog

from glmtrader.domain.event import Event
from glmtrader.domain.ids import AccountId, ClientOrderId, InstrumentId, VenueOrderId
from glmtrader.domain.instruments import SECOND_NS, Instrument
from glmtrader.domain.market_events import InstrumentsListed
from glmtrader.domain.order_events import OrderUpdate
from glmtrader.domain.orders import Order, OrderStatus
from glmtrader.domain.system_events import VenueStatusChanged
from glmtrader.errors import DataError
from glmtrader.kernel.clock import Clock, TimerHandle
from glmtrader.risk.approval import Approved
from glmtrader.simulator.exchange import SimulatedExchange
from glmtrader.simulator.exchange_types import (
    CashBooked,
    ExchangeEvent,
    ExchangeOrder,
    InstrumentsChanged,
    OrderChanged,
    OrderState,
    PlatformChanged,
    PlatformState,
    TradeExecuted,
)
from glmtrader.simulator.refusals import ExchangeRefusedError
from glmtrader.venues.paper_events import (
    PLATFORM_STATUS,
    cashflow_of,
    fill_of,
    held_instruments,
    order_update,
    request_of,
    venue_report,
)
from glmtrader.venues.paper_feed import PaperFeed
from glmtrader.venues.paper_link import MILLISECOND_NS, LinkConfig, PaperFaults, PaperLink
from glmtrader.venues.paper_store import load_state, save_state
from glmtrader.venues.port import Publish

SUBMITS_REMEMBERED_MAX = 10_000
"""Client ids whose instrument is remembered, for answers about orders the exchange never saw."""

_log = structlog.get_logger("glmtrader.venues.paper")


class PaperConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How the paper venue behaves.

    Attributes:
        account_id: ours; account: its name at the exchange.
        step_s: process seconds between market steps, which fall on its multiples in UTC.
        moments_ns: further steps, ascending: when something was recorded.
        chain_interval_s: process seconds between chains.
        request_timeout_ms: an unanswered order is unknown after this.
        accept_delay_ms_max: no order arrives later than this after it was sent.
        state_path: where the exchange's state is kept; None keeps it in memory alone.
        save_interval_s: between writes when nothing was booked.
    """

    account_id: AccountId
    account: str
    venue: str = "deribit"
    link: LinkConfig = LinkConfig()
    step_s: float = 1.0
    moments_ns: tuple[int, ...] = ()
    chain_interval_s: float = 5.0
    request_timeout_ms: float = 1_000.0
    accept_delay_ms_max: float = 2_000.0
    state_path: Path | None = None
    save_interval_s: float = 600.0


class PaperVenue:
    """One account at the simulated exchange.

    Args:
        exchange: the exchange; this venue alone advances it.
        config: see there.
        clock: the process clock.
        publish: the bus's publish.
        generator: draws the latency's jitter.
    """

    def __init__(
        self,
        exchange: SimulatedExchange,
        config: PaperConfig,
        *,
        clock: Clock,
        publish: Publish,
        generator: np.random.Generator,
    ) -> None:
        assert config.step_s > 0, f"step_s {config.step_s} must be positive"
        self.faults = PaperFaults()
        self.exchange = exchange
        self._config = config
        self._clock = clock
        self._publish = publish
        self._link = PaperLink(clock, config.link, generator)
        self._feed = PaperFeed(
            exchange, config.venue, chain_interval_s=config.chain_interval_s, publish=publish
        )
        self._watched: tuple[InstrumentId, ...] = ()
        self._submitted: dict[ClientOrderId, InstrumentId] = {}
        self._unanswered: dict[ClientOrderId, TimerHandle] = {}
        self._step_timer: TimerHandle | None = None
        self._saved_cursor = -1
        self._saved_ns = 0

    # --- the port -------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The venue's name in instrument ids."""
        return self._config.venue

    @property
    def account_id(self) -> AccountId:
        """The account traded here."""
        return self._config.account_id

    @property
    def accept_delay_max_ns(self) -> int:
        """No order arrives later than this."""
        return round(self._config.accept_delay_ms_max * MILLISECOND_NS)

    async def run(self) -> None:
        """Open, wait to be cancelled, close and save."""
        self.start()
        try:
            await asyncio.Event().wait()
        finally:
            self.stop()

    def submit(self, approved: Approved, *, now_ns: int) -> None:
        """Send an order; the outcome comes as `OrderUpdate` and `Fill`."""
        order = approved.order
        self._remember(order)
        if not self._link.connected:
            self._publish_unknown(order.client_order_id, "not connected")
            return
        timeout_ns = round(self._config.request_timeout_ms * MILLISECOND_NS)
        self._unanswered[order.client_order_id] = self._clock.call_at(
            now_ns + timeout_ns, lambda: self._time_out(order.client_order_id)
        )
        if self.faults.use("submits_lost"):
            return
        extra_ns = min(self.faults.accept_delay_ns, self.accept_delay_max_ns)
        self.faults.accept_delay_ns = 0
        self._link.up(lambda: self._arrive(order), extra_ns=extra_ns)

    def cancel(self, client_order_id: ClientOrderId) -> None:
        """Ask to cancel every open order of that label."""
        self._link.up(lambda: self._arrive_cancel(client_order_id))

    def cancel_all(self) -> None:
        """Ask to cancel every order of the account."""
        self._link.up(lambda: self._cancel_all("user_request"))

    def request_report(
        self, reason: str, *, since_cursor: int, resolve: Sequence[ClientOrderId]
    ) -> None:
        """Ask for a `VenueReport`; lost while disconnected, to be asked again when connected."""
        asked = tuple(resolve)

        def arrive() -> None:
            report = venue_report(
                self.exchange,
                self._config.account,
                self.account_id,
                reason=reason,
                since_cursor=since_cursor,
                resolve=asked,
            )
            self._link.down(lambda: self._publish(self._stamped(report)))

        self._link.up(arrive)

    def watch(self, instrument_ids: Sequence[InstrumentId]) -> None:
        """Publish ticks of these at every step, the perpetuals' beside them."""
        self._watched = tuple(dict.fromkeys(instrument_ids))

    # --- life -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Load the saved account, connect, publish what is listed and begin to step.

        Raises:
            DataError: the saved state cannot be read, or is later than the process clock.
        """
        assert self._step_timer is None, "the paper venue is running already"
        now_ns = self._clock.now_ns()
        self._load(now_ns)
        self._link.connect()
        self._publish_status("connected", "in process")
        self._publish_platform()
        self._publish_listed()
        self._feed.start(now_ns)
        self._step()

    def stop(self) -> None:
        """Stop stepping, cancel what rests, disconnect and save."""
        if self._step_timer is None:
            return
        self._step_timer.cancel()
        self._step_timer = None
        self._break_off()
        self._save(force=True)

    def disconnect(self, duration_s: float) -> None:
        """Fault: break the connection and come back after `duration_s`."""
        assert self._link.connected, "the paper venue is disconnected already"
        self._break_off()
        self._publish_status("disconnected", "connection lost")
        for client_order_id in tuple(self._unanswered):
            self._unanswered[client_order_id].cancel()
            self._time_out(client_order_id, "connection lost")
        back_ns = self._clock.now_ns() + round(duration_s * SECOND_NS)
        self._clock.call_at(back_ns, self._reconnect)

    def set_platform(self, state: PlatformState, reason: str) -> None:
        """Operator or fault: lock the platform, take it down, or open it."""
        self._tell(self.exchange.set_platform(state, reason, self._clock.now_ns()))

    def deposit(self, currency: str, amount: Decimal) -> None:
        """Operator: pay cash in; a negative amount is withdrawn."""
        now_ns = self._clock.now_ns()
        self._tell(self.exchange.deposit(self._config.account, currency, amount, now_ns))

    def _reconnect(self) -> None:
        if self._step_timer is None:
            return
        self._link.connect()
        self._publish_status("connected", "after a lost connection")
        self._publish_platform()
        self._publish_listed()
        self._publish_market(self._clock.now_ns())

    def _break_off(self) -> None:
        """Lose the connection; the exchange cancels what the connection placed."""
        if not self._link.connected:
            return
        self._link.disconnect()
        self._cancel_all("cancel_on_disconnect")

    def _load(self, now_ns: int) -> None:
        path = self._config.state_path
        data = None if path is None else load_state(path)
        if data is None:
            return
        self.exchange.restore(data)
        if self.exchange.now_ns > now_ns:
            raise DataError(
                f"{path} was saved at {self.exchange.now_ns} ns, later than the clock's {now_ns}:"
                " start the clock there or move the file away"
            )
        # At the moment of the kill: what fell due since is told by the first step, once connected.
        self._cancel_all("cancel_on_disconnect", at_ns=self.exchange.now_ns)

    def _save(self, *, force: bool = False) -> None:
        """Write the state when something was booked, or it is time, before anybody is told."""
        path = self._config.state_path
        if path is None:
            return
        now_ns = self._clock.now_ns()
        due = now_ns - self._saved_ns >= self._config.save_interval_s * SECOND_NS
        if force or due or self.exchange.cursor != self._saved_cursor:
            save_state(path, self.exchange.snapshot())
            self._saved_cursor = self.exchange.cursor
            self._saved_ns = now_ns

    # --- time -----------------------------------------------------------------------------------

    def _step(self) -> None:
        now_ns = self._clock.now_ns()
        self._step_timer = self._clock.call_at(self._next_step_ns(now_ns), self._step)
        self._tell(self.exchange.advance(now_ns))
        self._publish_market(now_ns)

    def _next_step_ns(self, now_ns: int) -> int:
        """The next multiple of the step, or the next recorded moment before it."""
        step_ns = round(self._config.step_s * SECOND_NS)
        next_ns = now_ns - now_ns % step_ns + step_ns
        moments_ns = self._config.moments_ns
        after = bisect_right(moments_ns, now_ns)
        return next_ns if after == len(moments_ns) else min(next_ns, moments_ns[after])

    def _publish_market(self, now_ns: int) -> None:
        if self._link.connected and self.exchange.platform is not PlatformState.MAINTENANCE:
            self._feed.publish_due(now_ns, self._watched)

    # --- at the exchange ------------------------------------------------------------------------

    def _arrive(self, order: Order) -> None:
        now_ns = self._clock.now_ns()
        try:
            reply = self.exchange.submit(request_of(order, self._config.account), now_ns)
        except ExchangeRefusedError as refusal:
            reason = str(refusal)
            if not self.faults.use("acks_dropped"):
                self._link.down(lambda: self._refused(order, reason, now_ns))
            return
        events = reply.events
        if self.faults.use("acks_dropped"):
            events = tuple(event for event in events if not isinstance(event, OrderChanged))
        self._tell(events, answers=order.client_order_id)

    def _arrive_cancel(self, client_order_id: ClientOrderId) -> None:
        account = self._config.account
        found = self.exchange.orders_by_label(account, client_order_id)
        if not found:
            self._link.down(lambda: self._publish_unknown(client_order_id, "order_not_found"))
        for order in found:
            if order.state is not OrderState.OPEN:
                self._answer_cancel(order, "")
                continue
            try:
                reply = self.exchange.cancel(account, order.order_id, self._clock.now_ns())
            except ExchangeRefusedError as refusal:
                self._answer_cancel(order, str(refusal))
                continue
            self._tell(reply.events)

    def _answer_cancel(self, order: ExchangeOrder, reason: str) -> None:
        """Say how an order stands that was not cancelled by this request."""
        self._link.down(lambda: self._publish_order(order, "reply", reason))

    def _cancel_all(self, reason: str, *, at_ns: int | None = None) -> None:
        account = self._config.account
        now_ns = self._clock.now_ns() if at_ns is None else at_ns
        try:
            _, events = self.exchange.cancel_all(account, now_ns, reason=reason)
        except ExchangeRefusedError as refusal:
            _log.warning("cancel_all_refused", reason=str(refusal))
            return
        self._tell(events)

    # --- back to the core -----------------------------------------------------------------------

    def _tell(self, events: Sequence[ExchangeEvent], answers: ClientOrderId | None = None) -> None:
        """Send what concerns us down the link, in order, once it is saved."""
        self._save()
        for event in events:
            self._tell_one(event, answers)

    def _tell_one(self, event: ExchangeEvent, answers: ClientOrderId | None) -> None:
        account = self._config.account
        match event:
            case OrderChanged(order=order) if order.account == account:
                source = "reply" if order.label and order.label == answers else "stream"
                self._link.down(lambda: self._publish_order(order, source, ""))
            case TradeExecuted(trade=trade) if trade.account == account:
                hold_ns = self.faults.fill_hold_ns if self.faults.use("fills_held") else 0
                for _ in range(2 if self.faults.use("fills_duplicated") else 1):
                    fill = fill_of(trade, self.account_id, ts_init=trade.ts_ns)
                    self._send(fill, hold_ns)
            case CashBooked(transaction=booked) if booked.account == account:
                cashflow = cashflow_of(booked, self.account_id, ts_init=booked.ts_ns)
                assert cashflow is not None, f"{booked.kind} is told as a trade"
                self._send(cashflow, 0)
            case InstrumentsChanged():
                self._publish_instruments(event)
            case PlatformChanged() if self._link.connected:
                self._publish_status(PLATFORM_STATUS[event.state], event.reason)
            case _:
                pass

    def _send(self, event: Event, extra_ns: int) -> None:
        self._link.down(lambda: self._publish(self._stamped(event)), extra_ns=extra_ns)

    def _stamped(self, event: Event) -> Event:
        return msgspec.structs.replace(event, ts_init=self._clock.now_ns())

    def _publish_order(self, order: ExchangeOrder, source: str, reason: str) -> None:
        self._answered(ClientOrderId(order.label))
        now_ns = self._clock.now_ns()
        self._publish(
            order_update(order, self.account_id, source=source, ts_init=now_ns, reason=reason)
        )

    def _refused(self, order: Order, reason: str, ts_event: int) -> None:
        self._answered(order.client_order_id)
        self._publish(
            self._local_update(
                order.client_order_id, OrderStatus.REJECTED, "reply", reason, ts_event
            )
        )

    def _time_out(self, client_order_id: ClientOrderId, reason: str = "no answer in time") -> None:
        if self._unanswered.pop(client_order_id, None) is not None:
            self._publish_unknown(client_order_id, reason)

    def _answered(self, client_order_id: ClientOrderId) -> None:
        timer = self._unanswered.pop(client_order_id, None)
        if timer is not None:
            timer.cancel()

    def _publish_unknown(self, client_order_id: ClientOrderId, reason: str) -> None:
        if client_order_id not in self._submitted:
            _log.warning("unknown_client_order_id", client_order_id=client_order_id, reason=reason)
            return
        now_ns = self._clock.now_ns()
        self._publish(
            self._local_update(client_order_id, OrderStatus.UNKNOWN, "local", reason, now_ns)
        )

    def _local_update(
        self,
        client_order_id: ClientOrderId,
        status: OrderStatus,
        source: str,
        reason: str,
        ts_event: int,
    ) -> OrderUpdate:
        venue_order_id: VenueOrderId | None = None
        return OrderUpdate(
            ts_event=ts_event,
            ts_init=self._clock.now_ns(),
            account_id=self.account_id,
            client_order_id=client_order_id,
            venue_order_id=venue_order_id,
            instrument_id=self._submitted[client_order_id],
            status=status,
            quantity_filled=None,
            source=source,
            reason=reason,
        )

    def _remember(self, order: Order) -> None:
        self._submitted[order.client_order_id] = order.instrument_id
        if len(self._submitted) > SUBMITS_REMEMBERED_MAX:
            del self._submitted[next(iter(self._submitted))]

    # --- public state ---------------------------------------------------------------------------

    def _publish_status(self, status: str, detail: str) -> None:
        now_ns = self._clock.now_ns()
        self._publish(
            VenueStatusChanged(
                ts_event=now_ns,
                ts_init=now_ns,
                venue=self.name,
                status=status,
                detail=detail,
                clock_offset_ns=0,
            )
        )

    def _publish_platform(self) -> None:
        if self.exchange.platform is not PlatformState.OPEN:
            self._publish_status(PLATFORM_STATUS[self.exchange.platform], "as found")

    def _publish_listed(self) -> None:
        """Everything listed, with what is held past its listing so that it can be booked."""
        held = held_instruments(self.exchange, self._config.account)
        listed = {item.instrument_id: item for item in (*self.exchange.instruments(), *held)}
        self._publish_listing(tuple(listed.values()), (), self._clock.now_ns())

    def _publish_instruments(self, event: InstrumentsChanged) -> None:
        if self._link.connected:
            self._publish_listing(event.listed, event.delisted, event.ts_ns)

    def _publish_listing(
        self,
        listed: tuple[Instrument, ...],
        delisted: tuple[InstrumentId, ...],
        ts_event: int,
    ) -> None:
        self._publish(
            InstrumentsListed(
                ts_event=ts_event,
                ts_init=self._clock.now_ns(),
                venue=self.name,
                listed=listed,
                delisted=delisted,
            )
        )
