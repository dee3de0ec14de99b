"""What execution needs of other rooms, as protocols: the gate, the journal, the books.

Only protocols enter here, so that this room imports no service of another.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, Protocol

from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.ledger import Booking
from glmtrader.domain.orders import Order
from glmtrader.domain.risk_events import RiskVeto
from glmtrader.errors import GlmtraderError
from glmtrader.risk.approval import Approved

ADAPTER_ERRORS: Final = (GlmtraderError, OSError)
"""What an adapter may raise into a call of the core: it is logged and never ends the core."""


class RiskGate(Protocol):
    """The second gate: every order passes it, and only it makes an `Approved`."""

    def review_order(self, order: Order, *, now_ns: int) -> Approved | RiskVeto:
        """Approve one order as it stands, or say which rule refuses it."""


class Redeemer(Protocol):
    """Whoever issued the approvals; hands out each approved order once."""

    def redeem(self, approved: Approved, *, now_ns: int) -> Order:
        """The order, or `ApprovalError` where the approval is used, changed or expired."""


class Committer(Protocol):
    """The journal, as far as sending an order needs it."""

    def commit(self) -> None:
        """Make everything appended so far durable; `JournalError` where that fails."""


class Books(Protocol):
    """The ledger of one account."""

    @property
    def cursor(self) -> int:
        """The venue's number of the last fact that is booked for certain."""

    @property
    def is_opened(self) -> bool:
        """Whether there are books at all: they open on the venue's first complete report."""

    def has_booked(self, fact: Booking) -> bool:
        """Whether this very fill or cash flow is in the books."""

    def positions(self) -> Mapping[InstrumentId, Decimal]:
        """Signed quantities by instrument; absent or zero is flat."""

    def cash(self) -> Mapping[str, Decimal]:
        """Native balances by currency; absent is zero."""
