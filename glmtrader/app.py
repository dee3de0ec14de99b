"""The composition root: a configuration becomes a running system in one TaskGroup.

The only module that knows every room. It builds the core in its fixed order (market, forecast,
strategies, risk, execution), folds the journal, connects one venue behind the port, and stops
everything in reverse. Live, paper and backtest differ in the clock and the venue, in nothing else.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
import structlog

from glmtrader import __version__
from glmtrader.config.loader import find, instances, without_secrets
from glmtrader.config.schema import Config, Mode
from glmtrader.domain.event import Event
from glmtrader.domain.ids import AccountId
from glmtrader.domain.instruments import DAY_NS, SECOND_NS
from glmtrader.domain.orders import Account
from glmtrader.domain.system_events import RunStarted
from glmtrader.execution.service import ExecutionService
from glmtrader.forecast.artefact import VolatilityModel, load_model
from glmtrader.forecast.service import ForecastService
from glmtrader.kernel.bus import Bus
from glmtrader.kernel.clock import Clock, Timers
from glmtrader.kernel.journal import Journal
from glmtrader.market.quote_book import Catalogue, QuoteBook
from glmtrader.market.service import MarketService
from glmtrader.quant.trading_clock import BTC_CLOCK
from glmtrader.risk.service import RiskService
from glmtrader.strategies.engine import StrategyEngine
from glmtrader.venues.port import Venue

JOURNAL_COMMIT_S: Final = 0.1
"""Records that no order waited for are on disk after this long."""

RETENTION_CHECK_S: Final = 600.0

_log = structlog.get_logger("glmtrader.app")
