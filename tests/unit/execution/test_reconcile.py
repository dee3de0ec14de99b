"""Each row of the reconciliation table, the facts of an account, and the gateway's refusals."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from execution_world import (
    ACCOUNT,
    CALL,
    EXPIRY_NS,
    NOW_NS,
    PERPETUAL,
    JournalDouble,
    RiskDouble,
    VenueDouble,
)
from test_order_state import ORDER, fill, sent, update

from glmtrader.domain.event import Event
from glmtrader.domain.ids import VenueOrderId
from glmtrader.domain.instruments import SECOND_NS
from glmtrader.domain.ledger import Booking
from glmtrader.domain.order_events import OrderCommand, VenueBalance, VenueOrder, VenueReport
from glmtrader.domain.orders import OrderStatus
from glmtrader.errors import ApprovalError, JournalError
from glmtrader.execution.facts import FactLog
from glmtrader.execution.gateway import Gateway
from glmtrader.execution.order_state import NEVER_ACCEPTED, OrderRecord, created, filled, updated
from glmtrader.execution.policy import ExternalOrders
from glmtrader.execution.reconcile import (
    Grace,
    OrdersCompared,
    compare_books,
    compare_orders,
    deferred_instruments,
)
from glmtrader.kernel.clock import VirtualClock
from glmtrader.risk.approval import APPROVAL_TTL_NS, Approved

D = Decimal
DELAY_NS = 12 * SECOND_NS
NAME = ORDER.client_order_id
UNKNOWN = updated(sent(), update(OrderStatus.UNKNOWN), now_ns=NOW_NS)
PRESUMED = updated(
    UNKNOWN,
    update(OrderStatus.EXPIRED, source="reconciliation", reason=NEVER_ACCEPTED),
    now_ns=NOW_NS,
)
ACCEPTED = updated(
    sent(),
    update(OrderStatus.ACCEPTED, venue_order_id=VenueOrderId("v"), quantity_filled=D(0)),
    now_ns=NOW_NS,
)


def there(status: OrderStatus, quantity_filled: int = 0, number: str = "v") -> VenueOrder:
    return VenueOrder(
        client_order_id=NAME,
        venue_order_id=VenueOrderId(number),
        instrument_id=PERPETUAL.instrument_id,
        side=ORDER.side,
        status=status,
        quantity=D(1000),
        quantity_filled=D(quantity_filled),
        price=ORDER.price,
    )


def report(*orders: VenueOrder, **changes: Any) -> VenueReport:
    base = VenueReport(
        ts_event=NOW_NS,
        ts_init=NOW_NS,
        account_id=ACCOUNT,
        reason="test",
        complete=True,
        orders=orders,
        resolved=(),
        fills=(),
        cashflows=(),
        positions={},
        balances=(),
    )
    return msgspec.structs.replace(base, **changes)


def compare(
    record: OrderRecord | None,
    truth: VenueReport,
    *,
    asked_ns: int = NOW_NS,
    external: ExternalOrders = ExternalOrders.HALT,
) -> OrdersCompared:
    known = {} if record is None else {NAME: record}
    grace = Grace(asked_ns=asked_ns, accept_delay_max_ns=DELAY_NS, slack_ns=2 * SECOND_NS)
    return compare_orders(known, truth, grace, external)


def statuses(compared: OrdersCompared) -> list[OrderStatus]:
    return [event.status for event in compared.updates]


@pytest.mark.parametrize(
    "status", [OrderStatus.ACCEPTED, OrderStatus.PARTLY_FILLED, OrderStatus.CANCELLED]
)
def test_order_that_is_found_takes_the_venues_status(status: OrderStatus) -> None:
    """An unknown order that the venue names is what the venue says."""
    compared = compare(UNKNOWN, report(there(status)))
    assert statuses(compared) == [status]
    assert compared.unresolved == ()


def test_report_of_what_is_known_is_not_news() -> None:
    """Nothing is published where the venue says what the record says."""
    assert compare(ACCEPTED, report(there(OrderStatus.ACCEPTED))).updates == ()
    gone = filled(ACCEPTED, fill("a", 1000), now_ns=NOW_NS)
    gone = updated(gone, update(OrderStatus.FILLED, quantity_filled=D(1000)), now_ns=NOW_NS)
    assert compare(gone, report()).updates == ()


def test_presumed_order_that_appears_is_adopted() -> None:
    """What was concluded never accepted and is there after all becomes ours again."""
    compared = compare(PRESUMED, report(there(OrderStatus.ACCEPTED)))
    assert statuses(compared) == [OrderStatus.ACCEPTED]
    adopted = updated(PRESUMED, compared.updates[0], now_ns=NOW_NS)
    assert adopted.status is OrderStatus.ACCEPTED


def test_not_found_is_conclusive_only_after_the_grace() -> None:
    """Asked within the grace: ask again. Asked after it: never accepted."""
    nothing = report(resolved=(NAME,))
    last_ns = max(ORDER.valid_until_ns, NOW_NS + DELAY_NS) + 2 * SECOND_NS
    within = compare(UNKNOWN, nothing, asked_ns=last_ns)
    assert (within.updates, within.unresolved) == ((), (NAME,))
    after = compare(UNKNOWN, nothing, asked_ns=last_ns + 1)
    assert statuses(after) == [OrderStatus.EXPIRED]
    assert after.updates[0].reason == NEVER_ACCEPTED
    assert after.unresolved == ()


def test_valid_until_extends_the_grace() -> None:
    """While the venue may still accept by the order's own time, not found is no answer."""
    long_lived = msgspec.structs.replace(ORDER, valid_until_ns=NOW_NS + 100 * DELAY_NS)
    record = msgspec.structs.replace(UNKNOWN, order=long_lived)
    compared = compare(record, report(resolved=(NAME,)), asked_ns=NOW_NS + 50 * DELAY_NS)
    assert compared.unresolved == (NAME,)


def test_failed_look_up_is_not_a_not_found() -> None:
    """A name that was not answered for stays unresolved, however late."""
    compared = compare(UNKNOWN, report(), asked_ns=NOW_NS + 10**15)
    assert (compared.updates, compared.unresolved) == ((), (NAME,))


def test_order_not_yet_sent_is_left_alone() -> None:
    """A report cannot speak of what has not left."""
    record = created(ORDER, now_ns=NOW_NS)
    for truth in (report(resolved=(NAME,)), report(there(OrderStatus.ACCEPTED))):
        compared = compare(record, truth, asked_ns=NOW_NS + 10**15)
        assert (compared.updates, compared.unresolved) == ((), ())


def test_two_orders_under_one_id_are_a_mismatch() -> None:
    """A client id that the venue holds twice is a doubled order."""
    twice = report(there(OrderStatus.ACCEPTED), there(OrderStatus.ACCEPTED, number="w"))
    (mismatch,) = compare(ACCEPTED, twice).mismatches
    assert mismatch.venue == "2 orders"


@pytest.mark.parametrize(
    ("policy", "updates", "mismatches"),
    [(ExternalOrders.ADOPT, 1, 0), (ExternalOrders.IGNORE, 0, 0), (ExternalOrders.HALT, 0, 1)],
)
def test_orders_of_others_by_policy(policy: ExternalOrders, updates: int, mismatches: int) -> None:
    """An open order that is not ours is shown, ignored or a reason to halt."""
    compared = compare(None, report(there(OrderStatus.ACCEPTED)), external=policy)
    assert (len(compared.updates), len(compared.mismatches)) == (updates, mismatches)


def balance(cash: str) -> VenueBalance:
    return VenueBalance(
        currency="BTC", cash=D(cash), equity=D(0), initial_margin=D(0), maintenance_margin=D(0)
    )


def test_equal_books_have_no_mismatch() -> None:
    """Flat positions and zero balances equal absent ones."""
    truth = report(positions={CALL.instrument_id: D("0.1")}, balances=(balance("1.0"),))
    ours = {CALL.instrument_id: D("0.10"), PERPETUAL.instrument_id: D(0)}
    found = compare_books(
        ours, {"BTC": D(1), "USDC": D(0)}, truth, deferred=(), deferred_currencies=()
    )
    assert found == ()


def test_differences_name_both_figures() -> None:
    """One unit of the last place is a mismatch, with ours and the venue's figure."""
    truth = report(positions={CALL.instrument_id: D("0.1")}, balances=(balance("1.00000001"),))
    found = compare_books({}, {"BTC": D(1)}, truth, deferred=(), deferred_currencies=())
    assert [str(item) for item in found] == [
        f"position {CALL.instrument_id}: ours 0, venue 0.1",
        "cash BTC: ours 1, venue 1.00000001",
    ]


def test_delivery_may_be_outstanding_for_a_while() -> None:
    """Just after an expiry its position and its currency's cash are deferred, later not."""
    expiries = {CALL.instrument_id: EXPIRY_NS}
    just = deferred_instruments(expiries, now_ns=EXPIRY_NS + 5, grace_ns=10)
    assert just == {CALL.instrument_id}
    for now_ns in (EXPIRY_NS - 1, EXPIRY_NS + 11):
        assert not deferred_instruments(expiries, now_ns=now_ns, grace_ns=10)
    ours = {CALL.instrument_id: D("0.1")}
    found = compare_books(ours, {"BTC": D(1)}, report(), deferred=just, deferred_currencies={"BTC"})
    assert found == ()


def unbooked(_: Booking) -> bool:
    """Books that hold nothing."""
    return False


def test_what_the_books_hold_is_not_published() -> None:
    """History that the books were opened on has been booked: it is not told again."""
    facts = FactLog()
    assert facts.report(report(fills=(fill("a", 10),)), lambda _: True) == ()
    assert facts.is_complete
    assert facts.cursor == 1


def test_missing_fill_is_published_once() -> None:
    """A fill that only the report knows is returned once, also when the next report repeats it."""
    facts = FactLog()
    truth = report(fills=(fill("a", 10),))
    assert facts.report(truth, unbooked) == (fill("a", 10),)
    assert facts.report(truth, unbooked) == ()
    assert len(facts.missing) == 1
    assert facts.see(fill("a", 10))
    assert facts.is_complete
    assert not facts.see(fill("a", 10))


def test_cursor_moves_only_when_every_fact_has_passed() -> None:
    """A report alone moves nothing: a crash before its facts are journaled asks again."""
    late = msgspec.structs.replace(fill("b", 10), cursor=9)
    facts = FactLog()
    facts.begin(1)
    facts.see(fill("a", 10))
    facts.report(report(fills=(fill("a", 10), late)), unbooked)
    assert facts.cursor == 1
    facts.see(late)
    assert facts.cursor == 9


def test_incomplete_report_moves_no_cursor() -> None:
    """A report that answers single questions says nothing about the rest."""
    facts = FactLog()
    facts.see(fill("a", 10))
    facts.report(report(fills=(fill("a", 10),), complete=False), unbooked)
    assert facts.cursor == 0


class Border:
    """A gateway with what it published."""

    def __init__(self) -> None:
        self.published: list[Event] = []
        self.venue = VenueDouble(VirtualClock(NOW_NS))
        self.journal = JournalDouble()
        self.risk = RiskDouble(self.venue, ())
        self.gateway = Gateway(self.venue, self.risk.desk, self.journal, self.published.append)

    def written_ahead(self) -> OrderCommand:
        approved = self.risk.desk.issue(ORDER, now_ns=NOW_NS, degraded=False)
        self.gateway.send(approved, now_ns=NOW_NS)
        (command,) = self.published
        assert isinstance(command, OrderCommand)
        return command


def test_order_leaves_once_and_only_when_its_command_is_back() -> None:
    """Sending publishes the command; carrying it out submits; a second time finds nothing."""
    border = Border()
    command = border.written_ahead()
    assert border.venue.submitted == []
    assert border.gateway.carry_out(command, now_ns=NOW_NS)
    assert not border.gateway.carry_out(command, now_ns=NOW_NS)
    assert border.venue.submitted == [ORDER]


def test_nothing_leaves_when_the_commit_fails() -> None:
    """An order that is not durable is not sent, then or later."""
    border = Border()
    command = border.written_ahead()
    border.journal.broken = JournalError("disk full")
    with pytest.raises(JournalError):
        border.gateway.carry_out(command, now_ns=NOW_NS)
    border.journal.broken = None
    assert not border.gateway.carry_out(command, now_ns=NOW_NS)
    assert border.venue.submitted == []


def test_nothing_leaves_on_an_expired_approval() -> None:
    """An approval older than its time is refused at the border."""
    border = Border()
    command = border.written_ahead()
    with pytest.raises(ApprovalError):
        border.gateway.carry_out(command, now_ns=NOW_NS + APPROVAL_TTL_NS + 1)
    assert border.venue.submitted == []


def test_gateway_takes_nothing_but_an_approval() -> None:
    """Nobody outside the risk service can make what the gateway takes."""
    with pytest.raises(ApprovalError):
        Approved(ORDER, approval_id="x", expires_ns=NOW_NS, degraded=False, seal=object())
