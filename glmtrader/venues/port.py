"""The venue port: all that the core knows of a venue.

Order methods are synchronous and return at once: outcomes come back as events (`OrderUpdate`,
`Fill`, `VenueReport`). Only `execution.gateway` calls them. An adapter publishes:

- `VenueStatusChanged` with the clock offset: `connected` once for each new session, `disconnected`
  when one ends, however it ends (the end of `run` included); the platform's `open`, `locked` or
  `maintenance` only while connected, and after `connected` where it is not open;
- `InstrumentsListed` before anything else about those instruments;
- `MarketTick` for the perpetual and every instrument asked for with `watch`; `ChainSnapshot`
  for each configured underlying, all rows of one moment; `Candle` for completed bars;
- `OrderUpdate(status=UNKNOWN)` when an order's outcome cannot be known (time-out, disconnect),
  `REJECTED` only on the venue's own word.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from glmtrader.domain.event import Event
from glmtrader.domain.ids import AccountId, ClientOrderId, InstrumentId
from glmtrader.risk.approval import Approved

Publish = Callable[[Event], None]
"""The bus's publish: synchronous, never waits."""


class Venue(Protocol):
    """One account at one venue, connected."""

    @property
    def name(self) -> str:
        """The venue's name: the part of an instrument id before the colon."""

    @property
    def account_id(self) -> AccountId:
        """The account traded through this connection."""

    @property
    def accept_delay_max_ns(self) -> int:
        """After this long, an order that the venue does not know was never accepted."""

    async def run(self) -> None:
        """Connect, publish and keep connected until cancelled; owns its tasks."""

    def submit(self, approved: Approved, *, now_ns: int) -> None:
        """Send an approved order (redeeming the approval is the gateway's business)."""

    def cancel(self, client_order_id: ClientOrderId) -> None:
        """Ask to cancel one order; the outcome is an `OrderUpdate`."""

    def cancel_all(self) -> None:
        """Ask to cancel every order of the account, ours or not."""

    def request_report(
        self, reason: str, *, since_cursor: int, resolve: Sequence[ClientOrderId]
    ) -> None:
        """Ask for a `VenueReport`: fills since the cursor, and these client ids one by one.

        The report carries `reason` unchanged: it tells which question it answers.
        """

    def watch(self, instrument_ids: Sequence[InstrumentId]) -> None:
        """Publish `MarketTick` for these instruments too, until the next call replaces them."""
