"""The composition root: a configuration becomes a running system in one TaskGroup.

The only module (with the command line) that knows every room. It builds the core in its fixed
order (market, forecast, strategies, risk, execution), folds the journal into it, and puts one
venue behind the port. Live, paper and backtest differ in the clock and the venue, in nothing else.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from glmtrader import __version__
from glmtrader.config.loader import find, instances, without_secrets
from glmtrader.config.schema import Config, Mode
from glmtrader.domain.ids import AccountId
from glmtrader.domain.instruments import DAY_NS, SECOND_NS
from glmtrader.domain.market_events import InstrumentsListed
from glmtrader.domain.order_events import (
    ExecutionCommand,
    Fill,
    FundingPaid,
    IntentCompleted,
    OptionDelivered,
    OrderCommand,
    OrderUpdate,
    SessionSettled,
    VenueReport,
)
from glmtrader.domain.orders import Account
from glmtrader.domain.risk_events import (
    KillSwitchSet,
    LedgerSnapshot,
    PortfolioRisk,
    TradingMode,
    TradingModeChanged,
)
from glmtrader.domain.system_events import RunStarted
from glmtrader.errors import JournalError
from glmtrader.execution.service import ExecutionService
from glmtrader.forecast.artefact import load_model
from glmtrader.forecast.service import ForecastService
from glmtrader.kernel.bus import Bus
from glmtrader.kernel.clock import Clock, TimerHandle, Timers
from glmtrader.kernel.ids import config_hash
from glmtrader.kernel.journal import Journal
from glmtrader.market.quote_book import Catalogue, QuoteBook
from glmtrader.market.service import MarketService
from glmtrader.quant.trading_clock import BTC_CLOCK
from glmtrader.risk.approval import ApprovalDesk
from glmtrader.risk.service import RiskService
from glmtrader.strategies.engine import StrategyEngine
from glmtrader.venues.port import Publish, Venue

RETENTION_CHECK_NS: Final = 3600 * SECOND_NS

RISK_FOLDS: Final = (
    KillSwitchSet,
    InstrumentsListed,
    LedgerSnapshot,
    PortfolioRisk,
    Fill,
    FundingPaid,
    SessionSettled,
    OptionDelivered,
    OrderCommand,
    OrderUpdate,
    VenueReport,
)
"""Events of earlier runs that the books and the veto are restored from."""

EXECUTION_FOLDS: Final = (
    KillSwitchSet,
    IntentCompleted,
    ExecutionCommand,
    OrderCommand,
    OrderUpdate,
    VenueReport,
    Fill,
    FundingPaid,
    SessionSettled,
    OptionDelivered,
)
"""Events of earlier runs that orders and intents are restored from."""

_log = structlog.get_logger("glmtrader.app")

MakeVenue = Callable[[Clock, Publish], Venue]
"""Puts a venue behind the port, once clock and bus exist."""


class System:
    """One run, built and restored: the bus with its core, and the venue.

    Args:
        config: what to run.
        clock: the process clock.
        journal: open for writing; the caller closes it.
        make_venue: puts the venue behind the port; `assembly` makes them.
    """

    def __init__(
        self, config: Config, *, clock: Clock, journal: Journal, make_venue: MakeVenue
    ) -> None:
        self.config = config
        self.clock = clock
        self.journal = journal
        self.bus = Bus(clock, journal=journal, seq_start=journal.seq)
        self.catalogue = Catalogue()
        self.quotes = QuoteBook()
        self.venue = make_venue(clock, self.bus.publish)
        timers = Timers(clock, self.bus.publish)
        account = Account(
            account_id=AccountId(config.account.id),
            venue=self.venue.name,
            subaccount=config.account.subaccount,
            margin_mode=config.account.margin_mode,
            numeraire=config.account.numeraire,
        )
        self.market = MarketService(
            self.catalogue, self.quotes, clock=BTC_CLOCK, publish=self.bus.publish
        )
        model = load_model(find("models", config.forecast.model))
        interval_ns = config.forecast.candle_interval_s * SECOND_NS
        self.forecast = ForecastService(
            dict.fromkeys(config.underlyings, model),
            interval_ns=interval_ns,
            quiet_until_ns=clock.now_ns() - interval_ns,
            publish=self.bus.publish,
        )
        self.strategies = StrategyEngine(
            instances(config), epoch=journal.epoch, publish=self.bus.publish, clock=BTC_CLOCK
        )
        approvals = ApprovalDesk()
        self.risk = RiskService(
            accounts=(account,),
            limits={account.account_id: config.risk},
            catalogue=self.catalogue,
            quotes=self.quotes,
            approvals=approvals,
            clock=clock,
            timers=timers,
            publish=self.bus.publish,
        )
        self.execution = ExecutionService(
            venue=self.venue,
            gate=self.risk,
            approvals=approvals,
            journal=journal,
            books=self.risk.books(account.account_id),
            catalogue=self.catalogue,
            quotes=self.quotes,
            clock=clock,
            timers=timers,
            publish=self.bus.publish,
            policy=config.execution,
        )

        self._restart_seq: int | None = None
        self._retention: TimerHandle | None = None

    def start(self) -> None:
        """Fold the journal, record the start, and let every core component reach its inbox."""
        self._restore()
        self._record_start()
        register = self.bus.register
        register("market", self.market.run, *self.market.EVENTS)
        register("forecast", self.forecast.run, *self.forecast.EVENTS)
        register("strategies", self.strategies.run, *self.strategies.EVENTS)
        register("risk", self.risk.run, *self.risk.EVENTS)
        register(self.execution.name, self.execution.run, *self.execution.EVENTS)
        self._retain_regularly()

    def wind_down(self) -> None:
        """Open nothing more; what is under way may finish, and reductions and hedges may pass."""
        now_ns = self.clock.now_ns()
        self.bus.publish(
            TradingModeChanged(
                ts_event=now_ns,
                ts_init=now_ns,
                account_id=self.venue.account_id,
                mode=TradingMode.REDUCE_ONLY,
                reason="stopping",
            )
        )

    def switch_kill(self, *, engaged: bool, flatten: bool, source: str) -> None:
        """Engage or clear the kill switch; it is journaled and stays as it is over restarts."""
        now_ns = self.clock.now_ns()
        self.bus.publish(
            KillSwitchSet(
                ts_event=now_ns, ts_init=now_ns, engaged=engaged, flatten=flatten, source=source
            )
        )

    def stop(self) -> None:
        """Snapshot what a restart folds from, end the core, and commit; the venue is stopped."""
        if self._retention is not None:
            self._retention.cancel()
        now_ns = self.clock.now_ns()
        self.bus.drain()
        self.strategies.snapshot(now_ns)
        self.bus.close()
        self.journal.commit()

    def _restore(self) -> None:
        """Fold what earlier runs left, one room after the other, streaming."""
        fold = self.journal.fold
        for event in fold(StrategyEngine.FOLDS):
            self.strategies.restore(event)
        self.strategies.forget_inputs()
        self.risk.restore(fold(RISK_FOLDS))
        self.execution.restore(fold(EXECUTION_FOLDS))

    def _record_start(self) -> None:
        now_ns = self.clock.now_ns()
        text = without_secrets(self.config)
        self.bus.publish(
            RunStarted(
                ts_event=now_ns,
                ts_init=now_ns,
                epoch=self.journal.epoch,
                mode=self.config.mode.value,
                config=text,
                config_hash=config_hash(text),
                code_version=__version__,
            )
        )

    def _retain_regularly(self) -> None:
        """Once an hour: write down what a restart folds from, and drop what lies before it."""
        now_ns = self.clock.now_ns()
        self._retention = self.clock.call_at(now_ns + RETENTION_CHECK_NS, self._retain_regularly)
        keep_after_ns = now_ns - round(self.config.journal.retention_days * DAY_NS)
        if not self.journal.wants_retention(keep_after_ns=keep_after_ns):
            return
        if self._restart_seq is not None and not self.execution.has_work():
            self._drop_old(keep_after_ns, self._restart_seq)
        self._restart_seq = self.bus.seq + 1
        self._publish_restart_set(now_ns)

    def _drop_old(self, keep_after_ns: int, before_seq: int) -> None:
        try:
            self.journal.enforce_retention(keep_after_ns=keep_after_ns, before_seq=before_seq)
        except JournalError as error:
            _log.error("retention_failed", why=str(error))

    def _publish_restart_set(self, now_ns: int) -> None:
        """Everything that outlives its first record: instruments, books, memories, the switch."""
        listed = tuple(self.catalogue.listed())
        retired = self.catalogue.retired()
        self.bus.publish(
            InstrumentsListed(
                ts_event=now_ns,
                ts_init=now_ns,
                venue=self.venue.name,
                listed=(*retired, *listed),
                delisted=tuple(item.instrument_id for item in retired),
            )
        )
        self.risk.write_restart_set()
        self.strategies.snapshot(now_ns)


def open_journal(config: Config) -> Journal:
    """Open the journal of a configuration, making its folder.

    Raises:
        JournalError: it is in use, corrupt or cannot be opened.
    """
    path = journal_path(config)
    path.parent.mkdir(parents=True, exist_ok=True)
    return Journal(
        path, durability=config.journal.durability, size_mb_max=config.journal.size_mb_max
    )


def journal_path(config: Config) -> Path:
    """Where the journal of a configuration is."""
    return Path(config.data_dir) / config.journal.path


def account_path(config: Config) -> Path | None:
    """Where the paper account is kept; a backtest keeps none."""
    if config.mode is Mode.BACKTEST:
        return None
    return Path(config.data_dir) / config.paper.state_path
