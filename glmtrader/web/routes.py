"""The route table: every path, what answers it, and the struct that it answers with."""

from collections.abc import Callable
from typing import Final

import msgspec

from glmtrader.web.hedge import hedge_status, portfolio_greeks
from glmtrader.web.holdings import option_positions
from glmtrader.web.queries import pq_spread, volatility_surface
from glmtrader.web.responses import (
    DeltaHedgerState,
    HealthReport,
    HedgeReport,
    OptionPositions,
    PortfolioGreeks,
    PqSpread,
    PqTraderState,
    Response,
    SurfaceReport,
)
from glmtrader.web.strategy_state import delta_hedger_state, pq_trader_state

PREFIX: Final = "/api/v1/options"
ALIAS_PREFIX: Final = "/api/v1"
"""Every route below `PREFIX` answers here too."""

HEALTH_PATH: Final = "/api/v1/health"
OPENAPI_PATH: Final = "/api/v1/openapi.json"
HEALTH_TYPE: Final = HealthReport


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One question: `answer(views, now_ns)`, or with the underlying where `by_underlying`."""

    path: str
    summary: str
    answer: Callable[..., Response]
    response: type[Response]
    by_underlying: bool = False


ROUTES: Final = (
    Route(
        path="/pq-spread",
        summary="Implied against forecast volatility, the net edge, and the decision on it",
        answer=pq_spread,
        response=PqSpread,
        by_underlying=True,
    ),
    Route(
        path="/volatility-surface",
        summary="The fitted surface with the quotes it was fitted to",
        answer=volatility_surface,
        response=SurfaceReport,
        by_underlying=True,
    ),
    Route(
        path="/greeks/portfolio",
        summary="Greeks of the account, totals in USD",
        answer=portfolio_greeks,
        response=PortfolioGreeks,
    ),
    Route(
        path="/hedge/status",
        summary="Delta against the hedger's no-trade band",
        answer=hedge_status,
        response=HedgeReport,
    ),
    Route(
        path="/positions/options",
        summary="Options held, with greeks and open profit",
        answer=option_positions,
        response=OptionPositions,
    ),
    Route(
        path="/strategies/pq-trader/state",
        summary="The newest decision of every P/Q trader",
        answer=pq_trader_state,
        response=PqTraderState,
    ),
    Route(
        path="/strategies/delta-hedger/state",
        summary="The newest recorded decision of every delta hedger",
        answer=delta_hedger_state,
        response=DeltaHedgerState,
    ),
)
