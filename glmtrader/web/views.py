"""The edge that reads the bus for the HTTP side: the newest event of each kind, and nothing else.

A cache of events that any other reader of the bus could rebuild; no state of trading. Its
subscription is conflated by class and key, so that a slow browser never holds anything up.
"""

from collections.abc import Callable, Hashable
from decimal import Decimal
from typing import Final

import msgspec

from glmtrader.domain.event import Event
from glmtrader.domain.ids import AccountId, InstrumentId, StrategyId
from glmtrader.domain.instruments import Instrument
from glmtrader.domain.market_events import (
    ChainSnapshot,
    InstrumentsListed,
    MacroState,
    MarketTick,
    VolatilityForecast,
    VolatilitySurface,
)
from glmtrader.domain.order_events import IntentCompleted
from glmtrader.domain.risk_events import (
    LedgerSnapshot,
    PortfolioRisk,
    PositionEntry,
    PositionUpdate,
    TradingModeChanged,
)
from glmtrader.domain.strategy_events import DecisionMade
from glmtrader.domain.system_events import ComponentFailed, VenueStatusChanged
from glmtrader.kernel.bus import Bus, Subscription
from glmtrader.kernel.clock import Clock
from glmtrader.risk.pricing import SurfaceView

_KEYS: Final[dict[type[Event], Callable[..., Hashable]]] = {
    ChainSnapshot: lambda event: event.underlying,
    ComponentFailed: lambda event: event.component,
    DecisionMade: lambda event: event.strategy_id,
    InstrumentsListed: id,  # a difference: none may replace another
    IntentCompleted: lambda event: event.strategy_id,
    LedgerSnapshot: lambda event: event.account_id,
    MacroState: lambda event: event.underlying,
    MarketTick: lambda event: event.instrument_id,
    PortfolioRisk: lambda event: event.account_id,
    PositionUpdate: lambda event: (event.account_id, event.instrument_id),
    TradingModeChanged: lambda event: event.account_id,
    VenueStatusChanged: lambda event: event.venue,
    VolatilityForecast: lambda event: event.underlying,
    VolatilitySurface: lambda event: event.underlying,
}
"""What is read, and within each class what a newer event replaces."""


class WebScope(msgspec.Struct, frozen=True, kw_only=True):
    """What is served: one account, its underlyings, and when their feeds count as stale.

    Attributes:
        quote_age_ns_max, surface_age_ns_max: the staleness budgets of the risk limits.
    """

    account_id: AccountId
    underlyings: tuple[str, ...]
    quote_age_ns_max: int
    surface_age_ns_max: int


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """One open position, from its newest booking or from a ledger snapshot.

    Attributes:
        average_price: None where only `entry` is known. entry: of a snapshot, else None.
        strategy_id: who traded it last; None where no booking said so.
    """

    instrument_id: InstrumentId
    quantity: Decimal
    average_price: Decimal | None
    entry: PositionEntry | None
    strategy_id: StrategyId | None


class ViewCache:
    """The newest events of a run.

    Args:
        bus: subscribed to at once, so that nothing published later is missed.
        clock: the process clock.
        scope: which account and underlyings are served.
    """

    def __init__(self, bus: Bus, clock: Clock, scope: WebScope) -> None:
        self._subscription: Subscription = bus.subscribe(
            *_KEYS, name="web", capacity=16_384, conflate_by=conflation_key
        )
        self._clock = clock
        self.scope = scope
        self.surfaces: dict[str, VolatilitySurface] = {}
        self.surface_chains: dict[str, ChainSnapshot] = {}
        self.slices = SurfaceView()
        self.forecasts: dict[str, VolatilityForecast] = {}
        self.macro: dict[str, MacroState] = {}
        self.portfolio: PortfolioRisk | None = None
        self.decisions: dict[StrategyId, DecisionMade] = {}
        self.completed: dict[StrategyId, IntentCompleted] = {}
        self.mode: TradingModeChanged | None = None
        self.venues: dict[str, VenueStatusChanged] = {}
        self.failures: dict[str, ComponentFailed] = {}
        self.held: dict[InstrumentId, Held] = {}
        self.instruments: dict[InstrumentId, Instrument] = {}
        self.tick_ns: dict[str, int] = {}
        self.chain_ns: dict[str, int] = {}
        self.seen_seq = 0
        self.seen_ns: int | None = None
        self._chains: dict[str, ChainSnapshot] = {}
        self._handlers: dict[type[Event], Callable[..., None]] = {
            ChainSnapshot: self._on_chain,
            ComponentFailed: self._on_failure,
            DecisionMade: self._on_decision,
            InstrumentsListed: self._on_listed,
            IntentCompleted: self._on_completed,
            LedgerSnapshot: self._on_ledger,
            MacroState: self._on_macro,
            MarketTick: self._on_tick,
            PortfolioRisk: self._on_portfolio,
            PositionUpdate: self._on_position,
            TradingModeChanged: self._on_mode,
            VenueStatusChanged: self._on_status,
            VolatilityForecast: self._on_forecast,
            VolatilitySurface: self._on_surface,
        }
        assert self._handlers.keys() == _KEYS.keys(), "every class that is read has a handler"

    @property
    def pending(self) -> int:
        """Events dispatched and not yet read here."""
        return len(self._subscription)

    async def run(self) -> None:
        """Read until the bus closes the subscription."""
        async for seq, event in self._subscription:
            self.apply(seq, event)

    def apply(self, seq: int, event: Event) -> None:
        """Take one event, numbered by the bus."""
        self.seen_seq = seq
        self.seen_ns = self._clock.now_ns()
        self._handlers[type(event)](event)

    def _on_surface(self, event: VolatilitySurface) -> None:
        self.surfaces[event.underlying] = event
        self.slices.apply(event)
        chain = self._chains.get(event.underlying)
        if chain is not None and chain.ts_event == event.ts_event:
            self.surface_chains[event.underlying] = chain
        else:
            self.surface_chains.pop(event.underlying, None)

    def _on_chain(self, event: ChainSnapshot) -> None:
        self._chains[event.underlying] = event
        self.chain_ns[event.underlying] = event.ts_init

    def _on_tick(self, event: MarketTick) -> None:
        instrument = self.instruments.get(event.instrument_id)
        if instrument is not None:
            self.tick_ns[instrument.underlying] = event.ts_init

    def _on_forecast(self, event: VolatilityForecast) -> None:
        self.forecasts[event.underlying] = event

    def _on_macro(self, event: MacroState) -> None:
        self.macro[event.underlying] = event

    def _on_decision(self, event: DecisionMade) -> None:
        self.decisions[event.strategy_id] = event

    def _on_completed(self, event: IntentCompleted) -> None:
        self.completed[event.strategy_id] = event

    def _on_failure(self, event: ComponentFailed) -> None:
        self.failures[event.component] = event

    def _on_status(self, event: VenueStatusChanged) -> None:
        self.venues[event.venue] = event

    def _on_mode(self, event: TradingModeChanged) -> None:
        if event.account_id == self.scope.account_id:
            self.mode = event

    def _on_portfolio(self, event: PortfolioRisk) -> None:
        if event.account_id == self.scope.account_id:
            self.portfolio = event

    def _on_listed(self, event: InstrumentsListed) -> None:
        for item in event.listed:
            self.instruments[item.instrument_id] = item
        for instrument_id in event.delisted:
            if instrument_id not in self.held:
                self.instruments.pop(instrument_id, None)

    def _on_position(self, event: PositionUpdate) -> None:
        if event.account_id != self.scope.account_id:
            return
        if event.quantity == 0:
            self.held.pop(event.instrument_id, None)
            return
        self.held[event.instrument_id] = Held(
            instrument_id=event.instrument_id,
            quantity=event.quantity,
            average_price=event.average_price,
            entry=None,
            strategy_id=event.strategy_id,
        )

    def _on_ledger(self, event: LedgerSnapshot) -> None:
        """A whole ledger: what it does not hold is gone, what is known better stays."""
        if event.account_id != self.scope.account_id:
            return
        before = self.held
        self.held = {
            entry.instrument_id: _merged(entry, before.get(entry.instrument_id))
            for entry in event.positions
            if entry.quantity != 0
        }


def conflation_key(event: Event) -> Hashable:
    """Events of one key replace each other while they wait: class, and what it is about."""
    return type(event), _KEYS[type(event)](event)


def _merged(entry: PositionEntry, known: Held | None) -> Held:
    same = known is not None and known.quantity == entry.quantity
    if known is not None and same:
        return known
    return Held(
        instrument_id=entry.instrument_id,
        quantity=entry.quantity,
        average_price=None,
        entry=entry,
        strategy_id=None if known is None else known.strategy_id,
    )
