"""The intents being worked: drives each leg machine with prices, approvals and outcomes.

It owns no order: it asks the gate about each one, gives approved ones to the gateway, and is told
when they settle. Bounded: `intents_max` at once, one timer and one live order each.
"""

from collections.abc import Callable, Mapping

from glmtrader.domain.decisions import Intent, IntentType
from glmtrader.domain.event import Event
from glmtrader.domain.ids import AccountId, InstrumentId, IntentId, client_order_id
from glmtrader.domain.instruments import Instrument
from glmtrader.domain.market_events import SurfaceSlice, VolatilitySurface
from glmtrader.domain.order_events import ExecutionCommand, IntentCompleted
from glmtrader.domain.orders import Order, OrderPurpose, OrderType, TimeInForce
from glmtrader.domain.risk_events import RiskVeto
from glmtrader.execution import leg_machine
from glmtrader.execution.flatten import FLATTEN, closable, closing_intent
from glmtrader.execution.gateway import Gateway
from glmtrader.execution.leg_machine import Done, IntentWork, LegFill, Place, Wait
from glmtrader.execution.legs import (
    LEGS_MAX,
    Leg,
    LegRequest,
    Refusal,
    legs_left,
    plan_legs,
)
from glmtrader.execution.order_records import OrderRecords
from glmtrader.execution.order_state import OrderRecord
from glmtrader.execution.policy import ExecutionPolicy
from glmtrader.execution.ports import Books, RiskGate
from glmtrader.execution.pricing import CrossRequest, cross_price, harder_first
from glmtrader.kernel.clock import TimerHandle, Timers
from glmtrader.market.quote_book import Catalogue, Quote, QuoteBook
from glmtrader.venues.port import Publish


class IntentDesk:
    """Works approved intents to their end; every method takes the time and returns at once.

    Args:
        forbids: why fence, halt or kill switch let no order of a purpose pass now, or None.
    """

    def __init__(
        self,
        *,
        component: str,
        gate: RiskGate,
        gateway: Gateway,
        records: OrderRecords,
        books: Books,
        catalogue: Catalogue,
        quotes: QuoteBook,
        timers: Timers,
        publish: Publish,
        policy: ExecutionPolicy,
        forbids: Callable[[OrderPurpose], str | None],
    ) -> None:
        self._surfaces: dict[str, VolatilitySurface] = {}
        self._slices_last: dict[tuple[str, int], SurfaceSlice] = {}
        self._component = component
        self._gate = gate
        self._gateway = gateway
        self._records = records
        self._books = books
        self._catalogue = catalogue
        self._quotes = quotes
        self._timers = timers
        self._publish = publish
        self._policy = policy
        self._forbids = forbids
        self._works: dict[IntentId, IntentWork] = {}
        self._handles: dict[IntentId, TimerHandle] = {}
        self._interrupted: dict[IntentId, ExecutionCommand] = {}
        self._flattening: dict[IntentId, InstrumentId] = {}
        self._flattened = 0

    @property
    def account_id(self) -> AccountId:
        """The account that is traded."""
        return self._gateway.account_id

    @property
    def active(self) -> Mapping[IntentId, object]:
        """Intents that are not finished, those of an earlier run included."""
        return {**self._interrupted, **self._works}

    def on_surface(self, event: VolatilitySurface) -> None:
        """Keep the newest surface, and of each expiry not yet over the last slice there was."""
        self._surfaces[event.underlying] = event
        for item in event.slices:
            self._slices_last[event.underlying, item.expiry_ns] = item
        over = [key for key in self._slices_last if key[1] <= event.ts_init]
        for key in over:
            del self._slices_last[key]

    def take(self, command: ExecutionCommand, now_ns: int) -> None:
        """Start an approved intent; one that cannot be worked completes at once."""
        name = command.intent_id
        if name in self._works or self._records.of_intent(name):
            return
        refusal = self._not_now(command)
        legs: tuple[Leg, ...] | Refusal = refusal or plan_legs(self._request(command, now_ns))
        if isinstance(legs, Refusal):
            self._complete(command, Done("not_filled", leg_machine.ZERO, _told(legs)), now_ns)
            return
        if legs[0].purpose is OrderPurpose.OPEN:
            quotes = {leg.instrument.instrument_id: self._quote(leg) for leg in legs}
            legs = harder_first(legs, quotes)
        self._works[name] = leg_machine.begin(command, legs, self._policy, now_ns=now_ns)
        self._watch_legs()
        self._drive(name, now_ns)

    def on_order(self, record: OrderRecord, now_ns: int) -> None:
        """An order changed; when it is settled its intent goes on."""
        name = record.order.intent_id
        work = self._works.get(name)
        if work is None or work.live != record.order.client_order_id or not record.is_settled:
            return
        self._works[name] = leg_machine.settled(work, now_ns=now_ns, policy=self._policy)
        self._drive(name, now_ns)

    def on_timer(self, key: str, now_ns: int) -> None:
        """An intent's time to try again has come."""
        self._drive(IntentId(key), now_ns)

    def stop_all(self, reason: str, now_ns: int) -> None:
        """Send nothing more for any intent; each ends when its live order is settled."""
        for name in tuple(self._works):
            self._works[name] = leg_machine.stop(self._works[name], reason)
            self._drive(name, now_ns)

    def halt(self, reason: str, now_ns: int) -> None:
        """Open nothing more: pairs are balanced, reductions and hedges go on as far as let."""
        for name in tuple(self._works):
            self._works[name] = leg_machine.retreat(
                self._works[name], reason, self._policy, now_ns=now_ns
            )
            self._drive(name, now_ns)

    def flatten(self, source: str, now_ns: int) -> bool:
        """Ask for the close of every position that nothing is under way for.

        Returns:
            Whether something has to wait for the outcome of an earlier order.
        """
        waiting = {
            record.order.instrument_id
            for record in self._records.all.values()
            if not record.is_settled
        }
        working = {
            leg.instrument.instrument_id for work in self._works.values() for leg in work.legs
        }
        found = closable(
            self._books.positions(),
            self._catalogue,
            busy=waiting | working | set(self._flattening.values()),
            now_ns=now_ns,
        )
        for instrument, position in found[: self._policy.intents_max - len(self._flattening)]:
            intent = closing_intent(instrument, position, source=source)
            self._ask_close(intent, instrument, now_ns)
        return bool(waiting)

    def _ask_close(self, intent: Intent, instrument: Instrument, now_ns: int) -> None:
        self._flattened += 1
        name = IntentId(f"{FLATTEN}-{now_ns // 1_000_000}-{self._flattened}")
        self._flattening[name] = instrument.instrument_id
        self._publish(
            ExecutionCommand(
                ts_event=now_ns,
                ts_init=now_ns,
                intent_id=name,
                strategy_id=FLATTEN,
                account_id=self.account_id,
                underlying=instrument.underlying,
                intent=intent,
                approved_by="kill switch",
                quantity_asked=intent.quantity,
            )
        )

    def flatten_no_more(self, reason: str, now_ns: int) -> None:
        """The kill switch was cleared: end what closes for it."""
        names, self._flattening = tuple(self._flattening), {}
        for name in names:
            if name in self._works:
                self._works[name] = leg_machine.stop(self._works[name], reason)
                self._drive(name, now_ns)

    def remember(self, command: ExecutionCommand) -> None:
        """An earlier run began this intent (restoring from the journal)."""
        self._interrupted[command.intent_id] = command

    def forget(self, intent_id: IntentId) -> None:
        """An earlier run completed this intent (restoring from the journal)."""
        self._interrupted.pop(intent_id, None)

    def unfenced(self, now_ns: int) -> None:
        """Trading is open again: balance what a restart interrupted, go on with the rest."""
        interrupted, self._interrupted = self._interrupted, {}
        for name, command in interrupted.items():
            self._resume(name, command, now_ns)
        for name in tuple(self._works):
            self._works[name] = leg_machine.rebased(self._works[name], self._policy, now_ns=now_ns)
            self._drive(name, now_ns)

    def _not_now(self, command: ExecutionCommand) -> Refusal | None:
        if command.strategy_id == FLATTEN and command.intent_id not in self._flattening:
            return Refusal("cleared", "flattening was ended before it began")
        forbidden = self._forbids(_purpose(command.intent))
        if forbidden is not None:
            return Refusal("forbidden", forbidden)
        if len(self._works) >= self._policy.intents_max:
            return Refusal("too_many_intents", f"{len(self._works)} intents are being worked")
        if self._records.is_full:
            return Refusal("too_many_orders", f"{len(self._records)} orders are remembered")
        return None

    def _resume(self, name: IntentId, command: ExecutionCommand, now_ns: int) -> None:
        legs = self._legs_sent(name)
        if legs and len(legs) < LEGS_MAX:
            rest = legs_left(self._request(command, now_ns), legs)
            legs += rest[: LEGS_MAX - len(legs)]
        if not legs or command.strategy_id == FLATTEN:
            # What is still held is asked for anew, where the switch is still engaged.
            detail = f"interrupted by a restart after {len(self._records.of_intent(name))} orders"
            self._complete(command, Done("not_filled", leg_machine.ZERO, detail), now_ns)
            return
        made = [0] * len(legs)
        for record in self._records.of_intent(name):
            leg = record.order.leg
            made[leg] = max(made[leg], 1 + record.order.attempt)
        self._works[name] = leg_machine.resume(command, legs, made, self._policy, now_ns=now_ns)
        self._watch_legs()

    def _legs_sent(self, name: IntentId) -> list[Leg]:
        """The legs of an intent as far as orders were written for them, by index.

        None where an instrument of them is not known any more: nothing can be done about it.
        """
        legs: list[Leg] = []
        for record in self._records.of_intent(name):
            order = record.order
            instrument = self._catalogue.get(order.instrument_id)
            if order.leg == len(legs) and instrument is not None:
                legs.append(
                    Leg(
                        instrument=instrument,
                        side=order.side,
                        quantity=order.quantity,
                        purpose=order.purpose,
                    )
                )
        is_known = all(record.order.leg < len(legs) for record in self._records.of_intent(name))
        return legs if is_known else []

    def _drive(self, name: IntentId, now_ns: int) -> None:
        """Step one intent until it waits or is done; ends because every try is counted."""
        while (work := self._works.get(name)) is not None:
            fills = self._fills(work)
            work, step = leg_machine.advance(work, fills, self._policy, now_ns=now_ns)
            self._works[name] = work
            if isinstance(step, Done):
                self._finish(work, step, now_ns)
                return
            if isinstance(step, Wait):
                if step.until_ns is not None:
                    self._wake_at(name, step.until_ns)
                return
            forbidden = self._forbids(step.purpose)
            if forbidden is None:
                self._works[name] = self._place(work, step, now_ns)
            elif any(item.gross for item in fills):
                return
            else:
                self._works[name] = leg_machine.stop(work, f"{forbidden}; nothing had filled")

    def _place(self, work: IntentWork, step: Place, now_ns: int) -> IntentWork:
        order = self._order(work, step, now_ns)
        if isinstance(order, Refusal):
            return leg_machine.refused(
                work, _told(order), vetoed=False, now_ns=now_ns, policy=self._policy
            )
        answer = self._gate.review_order(order, now_ns=now_ns)
        if isinstance(answer, RiskVeto):
            self._publish(answer)
            detail = f"vetoed by {answer.rule}: {answer.reason}"
            return leg_machine.refused(
                work, detail, vetoed=True, now_ns=now_ns, policy=self._policy
            )
        assert answer.order == order, f"{order.client_order_id}: the gate approved another order"
        self._gateway.send(answer, now_ns=now_ns)
        return leg_machine.placed(work, order.client_order_id)

    def _order(self, work: IntentWork, step: Place, now_ns: int) -> Order | Refusal:
        leg = work.legs[step.leg]
        price = cross_price(self._cross_request(leg, step, now_ns))
        if isinstance(price, Refusal):
            return price
        name = leg.instrument.instrument_id
        if not self._catalogue.is_listed(name):
            return Refusal("not_listed", f"{name} is not listed any more")
        leg.instrument.check_order(step.quantity, price)
        return Order(
            client_order_id=client_order_id(work.command.intent_id, step.leg, step.attempt),
            intent_id=work.command.intent_id,
            strategy_id=work.command.strategy_id,
            account_id=work.command.account_id,
            instrument_id=name,
            side=step.side,
            order_type=OrderType.LIMIT,
            time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
            purpose=step.purpose,
            quantity=step.quantity,
            price=price,
            post_only=False,
            reduce_only=step.purpose is OrderPurpose.CLOSE and self._covers(name, step),
            valid_until_ns=now_ns + self._policy.order_valid_ns,
            leg=step.leg,
            attempt=step.attempt,
        )

    def _cross_request(self, leg: Leg, step: Place, now_ns: int) -> CrossRequest:
        instrument, policy = leg.instrument, self._policy
        key = (instrument.underlying, instrument.expiry_ns or 0)
        newest = self._slice_at(*key)
        return CrossRequest(
            instrument=instrument,
            side=step.side,
            quote=self._quote(leg),
            slice=newest or self._slices_last.get(key),
            slice_is_last=newest is None,
            degraded_factor=None if step.purpose is OrderPurpose.OPEN else policy.degraded_factor,
            cap_vol=step.cap_vol,
            hedge_slippage=policy.hedge_slippage,
            hedge_collar=policy.hedge_collar,
            quote_age_max_ns=policy.quote_age_max_ns,
            now_ns=now_ns,
        )

    def _covers(self, name: InstrumentId, step: Place) -> bool:
        """Whether what is held is at least what a close takes off."""
        held = self._books.positions().get(name, leg_machine.ZERO) * -step.side.sign
        return held >= step.quantity

    def _fills(self, work: IntentWork) -> list[LegFill]:
        gross = [leg_machine.ZERO] * len(work.legs)
        back = [leg_machine.ZERO] * len(work.legs)
        for record in self._records.of_intent(work.command.intent_id):
            order = record.order
            same = order.side is work.legs[order.leg].side
            (gross if same else back)[order.leg] += record.quantity_filled
        return [LegFill(done, done - undone) for done, undone in zip(gross, back, strict=True)]

    def _request(self, command: ExecutionCommand, now_ns: int) -> LegRequest:
        intent = command.intent
        expiry_ns = intent.expiry_ns or 0
        named = intent.instrument_id
        return LegRequest(
            intent=intent,
            options=self._catalogue.options(command.underlying, expiry_ns),
            named=self._catalogue.get(named)
            if named is not None and self._catalogue.is_listed(named)
            else None,
            slice=self._slice_at(command.underlying, expiry_ns),
            held=self._books.positions() if intent.intent_type.is_reduction else {},
            strangle_delta=self._policy.strangle_delta,
            now_ns=now_ns,
        )

    def _quote(self, leg: Leg) -> Quote | None:
        return self._quotes.get(leg.instrument.instrument_id)

    def _slice_at(self, underlying: str, expiry_ns: int) -> SurfaceSlice | None:
        surface = self._surfaces.get(underlying)
        if surface is None:
            return None
        return next((item for item in surface.slices if item.expiry_ns == expiry_ns), None)

    def _wake_at(self, name: IntentId, when_ns: int) -> None:
        self._sleep_no_more(name)
        self._handles[name] = self._timers.at(self._component, name, when_ns)

    def _sleep_no_more(self, name: IntentId) -> None:
        handle = self._handles.pop(name, None)
        if handle is not None:
            handle.cancel()

    def _finish(self, work: IntentWork, done: Done, now_ns: int) -> None:
        del self._works[work.command.intent_id]
        self._sleep_no_more(work.command.intent_id)
        self._watch_legs()
        self._complete(work.command, done, now_ns)

    def _watch_legs(self) -> None:
        """Ask for ticks of what is being traded: a try must see more than the last chain."""
        legs = [leg.instrument for work in self._works.values() for leg in work.legs]
        self._gateway.watch(sorted({item.instrument_id for item in legs if item.is_option}))

    def _complete(self, command: ExecutionCommand, done: Done, now_ns: int) -> None:
        self._flattening.pop(command.intent_id, None)
        event: Event = IntentCompleted(
            ts_event=now_ns,
            ts_init=now_ns,
            intent_id=command.intent_id,
            strategy_id=command.strategy_id,
            outcome=done.outcome,
            quantity_done=done.quantity,
            detail=done.detail,
        )
        self._publish(event)


def _purpose(intent: Intent) -> OrderPurpose:
    if intent.intent_type is IntentType.HEDGE_DELTA:
        return OrderPurpose.HEDGE
    return OrderPurpose.CLOSE if intent.intent_type.is_reduction else OrderPurpose.OPEN


def _told(refusal: Refusal) -> str:
    return f"{refusal.reason}: {refusal.detail}"
