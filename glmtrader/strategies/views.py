"""What the engine knows, built from events alone, so that replay rebuilds it from the journal."""

from collections import deque
from decimal import Decimal
from typing import Final

from glmtrader.domain.event import Event
from glmtrader.domain.ids import (
    AccountId,
    ClientOrderId,
    InstrumentId,
    IntentId,
    TradeId,
    strategy_of,
)
from glmtrader.domain.instruments import Instrument
from glmtrader.domain.market_events import (
    InstrumentsListed,
    MacroState,
    VolatilityForecast,
    VolatilitySurface,
)
from glmtrader.domain.order_events import Fill
from glmtrader.domain.risk_events import PortfolioRisk, TradingMode, TradingModeChanged
from glmtrader.domain.strategy_events import StrategySnapshot
from glmtrader.strategies.holdings import Holdings, with_fill

BOOKED_MAX: Final = 512
"""Trade ids remembered: far more than one report can repeat."""

RECENT_FILLS_MAX: Final = 64
"""Fills offered again to a snapshot that was written behind them; fewer than `BOOKED_MAX`."""


class MarketViews:
    """The newest of each input, by underlying or account."""

    def __init__(self) -> None:
        self.surfaces: dict[str, VolatilitySurface] = {}
        self.forecasts: dict[str, VolatilityForecast] = {}
        self.macro: dict[str, MacroState] = {}
        self.portfolios: dict[AccountId, PortfolioRisk] = {}
        self.modes: dict[AccountId, TradingModeChanged] = {}
        self.instruments: dict[InstrumentId, Instrument] = {}
        self.perpetuals: dict[tuple[str, str], Instrument] = {}

    def apply(self, event: Event) -> None:
        """Take one event; those of other classes change nothing."""
        match event:
            case VolatilitySurface():
                self.surfaces[event.underlying] = event
            case VolatilityForecast():
                self.forecasts[event.underlying] = event
            case PortfolioRisk():
                self.portfolios[event.account_id] = event
            case MacroState():
                self.macro[event.underlying] = event
            case TradingModeChanged():
                self.modes[event.account_id] = event
            case InstrumentsListed():
                self._list(event)
            case _:
                pass

    def forget_expiry(self, underlying: str, expiry_ns: int) -> None:
        """Drop the instruments of a delivered expiry; nothing refers to them any more."""
        gone = [
            key
            for key, item in self.instruments.items()
            if item.underlying == underlying and item.expiry_ns == expiry_ns
        ]
        for key in gone:
            del self.instruments[key]

    def halted(self, account_id: AccountId) -> str | None:
        """Why no new risk may be taken on this account; None when trading is open."""
        mode = self.modes.get(account_id)
        if mode is None:
            return "not reconciled yet"
        return None if mode.mode is TradingMode.OPEN else f"{mode.mode}: {mode.reason}"

    def _list(self, event: InstrumentsListed) -> None:
        for item in event.listed:
            self.instruments[item.instrument_id] = item
            if item.is_perpetual:
                self.perpetuals[item.venue, item.underlying] = item
        gone = set(event.delisted)
        self.perpetuals = {
            key: item for key, item in self.perpetuals.items() if item.instrument_id not in gone
        }


class StrategyBook:
    """What one strategy instance holds, remembers, and has under way.

    A fill counts once for its trade id: streams and reports may both tell it.
    """

    def __init__(self, memory: str) -> None:
        self.memory = memory
        self.holdings: Holdings = {}
        self.inflight: dict[IntentId, Decimal] = {}
        self.inflight_since_ns: int | None = None
        self.hold_reason: str | None = None
        self.hold_recorded_ns = 0
        self._booked: dict[TradeId, None] = {}
        self._recent: deque[Fill] = deque(maxlen=RECENT_FILLS_MAX)

    @property
    def booked(self) -> tuple[TradeId, ...]:
        """The last trades that the holdings contain, oldest first."""
        return tuple(self._booked)

    def take_fill(self, fill: Fill) -> None:
        """Add a fill to the holdings, once."""
        if fill.trade_id in self._booked:
            return
        self.holdings = with_fill(self.holdings, fill)
        self._recent.append(fill)
        self._booked[fill.trade_id] = None
        if len(self._booked) > BOOKED_MAX:
            del self._booked[next(iter(self._booked))]

    def restore(self, snapshot: StrategySnapshot) -> None:
        """Take over a snapshot, and what was told before it but not yet in it.

        A snapshot is written behind whatever was queued when it was made.
        """
        self.holdings = {item.instrument_id: item for item in snapshot.holdings}
        self.memory = snapshot.memory
        self._booked = dict.fromkeys(snapshot.booked)
        for fill in tuple(self._recent):
            self.take_fill(fill)


def belongs_to(strategy_id: str, client_order_id: ClientOrderId | None) -> bool:
    """Whether an order was made by this strategy; one without our name was made by none."""
    return client_order_id is not None and strategy_of(client_order_id) == strategy_id
