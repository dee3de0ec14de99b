"""The only caller of a venue's order methods; it takes `Approved` orders and nothing else.

Write ahead: `send` publishes the `OrderCommand`; when it comes back through the bus it stands in
the journal under its number, `carry_out` commits the journal, redeems the approval and hands the
order to the venue, in this order. Nothing leaves where one of them fails. A command read back from
an old journal has no approval here, so that replaying it cannot send anything.
"""

from collections.abc import Sequence

import structlog

from glmtrader.domain.ids import AccountId, ClientOrderId, InstrumentId
from glmtrader.domain.order_events import CancelCommand, OrderCommand
from glmtrader.errors import VenueError
from glmtrader.execution.ports import ADAPTER_ERRORS, Committer, Redeemer
from glmtrader.risk.approval import Approved
from glmtrader.venues.port import Publish, Venue

_log = structlog.get_logger("glmtrader.execution")

PENDING_MAX = 256
"""Orders between their command and the bus; each waits for one turn of the dispatcher."""


class Gateway:
    """Carries approved orders of one account over the border.

    Args:
        venue: the account's connection.
        approvals: redeems each approval once.
        journal: made durable before the first byte leaves.
        publish: the bus's.
    """

    def __init__(
        self, venue: Venue, approvals: Redeemer, journal: Committer, publish: Publish
    ) -> None:
        self._venue = venue
        self._approvals = approvals
        self._journal = journal
        self._publish = publish
        self._pending: dict[str, Approved] = {}

    @property
    def account_id(self) -> AccountId:
        """The account that orders go to."""
        return self._venue.account_id

    def send(self, approved: Approved, *, now_ns: int) -> None:
        """Write an approved order ahead; it leaves when its command comes back."""
        order = approved.order
        assert order.account_id == self.account_id, f"{order.client_order_id}: another account"
        assert len(self._pending) < PENDING_MAX, "orders are made faster than dispatched"
        self._pending[approved.approval_id] = approved
        self._publish(
            OrderCommand(
                ts_event=now_ns,
                ts_init=now_ns,
                order=order,
                approval_id=approved.approval_id,
                order_hash=approved.order_hash,
                degraded=approved.degraded,
            )
        )

    def carry_out(self, command: OrderCommand, *, now_ns: int) -> bool:
        """Commit, redeem and submit the order of a command that is now in the journal.

        Returns:
            False where the command has no approval waiting here: it is not this process's.

        Raises:
            JournalError: the record is not durable; nothing was sent.
            ApprovalError: the approval is expired or used; nothing was sent.
            VenueError: the venue's adapter failed while sending; the outcome is unknown.
        """
        approved = self._pending.pop(command.approval_id, None)
        if approved is None:
            return False
        assert approved.order_hash == command.order_hash, "the command is another order's"
        self._journal.commit()
        order = self._approvals.redeem(approved, now_ns=now_ns)
        assert order == command.order, f"order {order.client_order_id}: written ahead differently"
        try:
            self._venue.submit(approved, now_ns=now_ns)
        except ADAPTER_ERRORS as error:
            raise VenueError(f"order {order.client_order_id}: {error}") from error
        return True

    def drop(self, command: OrderCommand) -> None:
        """Forget the approval of a command that must not be carried out any more."""
        self._pending.pop(command.approval_id, None)

    def ask_cancel(self, client_order_id: ClientOrderId, reason: str, *, now_ns: int) -> None:
        """Publish a cancel; it needs no approval and leaves when it comes back."""
        self._publish(
            CancelCommand(
                ts_event=now_ns,
                ts_init=now_ns,
                account_id=self.account_id,
                client_order_id=client_order_id,
                reason=reason,
            )
        )

    def carry_out_cancel(self, command: CancelCommand) -> bool:
        """Cancel one order at the venue; harmless when it is already gone.

        Returns:
            False where the adapter could not even ask; it is asked again while the order rests.
        """
        assert command.account_id == self.account_id, "a cancel of another account"
        try:
            self._venue.cancel(command.client_order_id)
        except ADAPTER_ERRORS as error:
            _log.error("cancel_failed", order=command.client_order_id, why=str(error))
            return False
        return True

    def cancel_all(self) -> bool:
        """Cancel everything of the account; whatever else fails, this is tried.

        Returns:
            False where the adapter could not even ask.
        """
        try:
            self._venue.cancel_all()
        except ADAPTER_ERRORS as error:
            _log.error("cancel_all_failed", account=self.account_id, why=str(error))
            return False
        return True

    def watch(self, instrument_ids: Sequence[InstrumentId]) -> None:
        """Ask for ticks of these, and of no others that were asked for before."""
        try:
            self._venue.watch(instrument_ids)
        except ADAPTER_ERRORS as error:
            _log.warning("watch_failed", account=self.account_id, why=str(error))
