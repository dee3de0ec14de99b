"""The strategies that exist, by name, with what each needs: all that the engine knows of them."""

from collections.abc import Callable
from typing import Any

import msgspec

from glmtrader.domain.decisions import Decision, MarketState
from glmtrader.domain.event import Event
from glmtrader.domain.ids import AccountId, StrategyId
from glmtrader.domain.market_events import VolatilitySurface
from glmtrader.domain.order_events import IntentCompleted
from glmtrader.domain.risk_events import PortfolioRisk
from glmtrader.strategies import delta_hedger, pq_vol
from glmtrader.strategies.costs import CostAssumptions


class ExpiryWindow(msgspec.Struct, frozen=True, kw_only=True):
    """Which expiry a strategy looks at, in days from now."""

    days_min: float
    days_target: float
    days_max: float


class StrategyKind(msgspec.Struct, frozen=True, kw_only=True):
    """One registered strategy.

    Attributes:
        decide: the pure function. params_type: its parameters.
        initial_memory: memory before the first decision, as canonical JSON.
        triggers: events on which it decides.
        expiry_window: of the option it trades; None for strategies without options.
        records_every_hold: False where holds come with every price move: then a hold is recorded
            when its reason changes, and every ten minutes.
    """

    name: str
    decide: Callable[[MarketState, Any], Decision]
    params_type: type[msgspec.Struct]
    initial_memory: Callable[[], str]
    triggers: tuple[type[Event], ...]
    expiry_window: Callable[[Any], ExpiryWindow | None]
    records_every_hold: bool


class StrategyInstance(msgspec.Struct, frozen=True, kw_only=True):
    """One configured strategy: which kind, for whom, on what, with which parameters."""

    strategy_id: StrategyId
    kind: str
    account_id: AccountId
    underlying: str
    params: Any
    costs: CostAssumptions = CostAssumptions()


def _pq_window(params: pq_vol.PQVolParams) -> ExpiryWindow:
    return ExpiryWindow(
        days_min=params.expiry_days_min,
        days_target=params.expiry_days_target,
        days_max=params.expiry_days_max,
    )


KINDS: dict[str, StrategyKind] = {
    pq_vol.NAME: StrategyKind(
        name=pq_vol.NAME,
        decide=pq_vol.decide,
        params_type=pq_vol.PQVolParams,
        initial_memory=pq_vol.initial_memory,
        triggers=(VolatilitySurface,),
        expiry_window=_pq_window,
        records_every_hold=True,
    ),
    delta_hedger.NAME: StrategyKind(
        name=delta_hedger.NAME,
        decide=delta_hedger.decide,
        params_type=delta_hedger.DeltaHedgerParams,
        initial_memory=delta_hedger.initial_memory,
        triggers=(PortfolioRisk, IntentCompleted),
        expiry_window=lambda _: None,
        records_every_hold=False,
    ),
}
