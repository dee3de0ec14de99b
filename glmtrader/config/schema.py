"""The configuration, as frozen structs: what a TOML file may say, and the defaults it may omit.

Every key has its unit in its name. Unknown keys are refused.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import msgspec

from glmtrader.domain.orders import MarginMode
from glmtrader.domain.validation import require
from glmtrader.execution.policy import ExecutionPolicy
from glmtrader.kernel.journal import Durability
from glmtrader.risk.limits import RiskLimits
from glmtrader.risk.portfolio import DOLLARS
from glmtrader.simulator.generated_config import GeneratedMarketConfig
from glmtrader.simulator.recorded_config import RecordedMarketConfig
from glmtrader.strategies.costs import CostAssumptions
from glmtrader.strategies.registry import KINDS
from glmtrader.venues.deribit.config import DeribitConfig

Positive = Annotated[float, msgspec.Meta(gt=0)]
PositiveInt = Annotated[int, msgspec.Meta(gt=0)]
Port = Annotated[int, msgspec.Meta(ge=0, le=65_535)]


class Mode(StrEnum):
    """Which clock and which venue stand behind the port."""

    LIVE = "live"
    PAPER = "paper"
    BACKTEST = "backtest"


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every table: frozen, and no key that is not declared."""


class JournalConfig(_Table, frozen=True):
    """Where the journal is and what it survives.

    Attributes:
        path: relative to `data_dir`.
        durability: `process` survives kill -9, `power` a power cut.
        size_mb_max: above it, records before the last ledger snapshot are dropped.
        retention_days: older records are dropped.
    """

    path: str = "glmtrader.journal"
    durability: Durability = "process"
    size_mb_max: PositiveInt = 2048
    retention_days: Positive = 90.0


class AccountConfig(_Table, frozen=True):
    """The account that is traded; `numeraire` is what limits and the hedge target count in."""

    id: str = "paper"
    subaccount: str = "main"
    margin_mode: MarginMode = MarginMode.CROSS
    numeraire: str = "USD"

    def __post_init__(self) -> None:
        is_cross = self.margin_mode is MarginMode.CROSS
        require(
            (is_cross, "margin_mode isolated is not supported: the margin rule sums the account")
        )


class MarketConfig(_Table, frozen=True):
    """The simulated market of paper and backtest: generated from a seed, or recorded.

    Attributes:
        seed: of everything random. start: when a generated market begins; None takes the wall
            clock. The same seed and start are the same market.
    """

    seed: Annotated[int, msgspec.Meta(ge=0)] = 1
    start: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    generated: GeneratedMarketConfig | None = None
    recorded: RecordedMarketConfig | None = None

    def __post_init__(self) -> None:
        given = (self.generated is not None) + (self.recorded is not None)
        require((given <= 1, "give [market.generated] or [market.recorded], not both"))

    @property
    def is_fixed(self) -> bool:
        """Whether the same settings are the same market whenever it is run."""
        return self.recorded is not None or (self.generated is not None and self.start is not None)


class PaperConfig(_Table, frozen=True):
    """The paper account and its venue, the simulated exchange in process.

    Attributes:
        balances: what the account starts with, by currency.
        state_path: the account between runs, relative to `data_dir`; resumed when it exists.
        step_s: process time between market steps. chain_interval_s: between option chains.
        latency_ms: mean way of a message, one direction, in process time.
    """

    balances: dict[str, Decimal] = msgspec.field(default_factory=lambda: {"BTC": Decimal(1)})
    state_path: str = "paper-account.bin"
    step_s: Positive = 1.0
    chain_interval_s: Positive = 30.0
    latency_ms: Positive = 20.0

    def __post_init__(self) -> None:
        owed = sorted(coin for coin, amount in self.balances.items() if amount < 0)
        require(
            (bool(self.balances), "balances is empty: an account starts with something"),
            (not owed, f"balances of {', '.join(owed)} are negative"),
        )


class ForecastConfig(_Table, frozen=True):
    """The models of Q.

    Attributes:
        model: an artefact's file name in `models/`, or a path.
        candle_interval_s: bars it is fed with.
    """

    model: str = "q-gamma-glm-7d.json"
    candle_interval_s: PositiveInt = 300

    def __post_init__(self) -> None:
        seconds = self.candle_interval_s
        require(
            (
                seconds >= 60 and 3600 % seconds == 0,
                f"candle_interval_s {seconds} must divide an hour, from 60 up",
            )
        )


class StrategyConfig(_Table, frozen=True):
    """One `[[strategy]]`: an instance of a registered kind."""

    id: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9]{0,11}$")]
    kind: str
    underlying: str
    params: dict[str, Any] = {}
    costs: CostAssumptions = CostAssumptions()

    def __post_init__(self) -> None:
        known = ", ".join(sorted(KINDS))
        require((self.kind in KINDS, f"kind {self.kind!r} is not one of {known}"))


class ApiConfig(_Table, frozen=True):
    """The HTTP interface; port 0 takes any free one."""

    enabled: bool = True
    host: str = "127.0.0.1"
    port: Port = 8080


class RecorderConfig(_Table, frozen=True):
    """Recording of market data to Parquet, by day.

    Attributes:
        path: folder, relative to `data_dir`. size_mb_max: recording stops there, loudly.
    """

    enabled: bool = False
    path: str = "recordings"
    size_mb_max: PositiveInt = 4096


class Config(_Table, frozen=True):
    """A whole run.

    Attributes:
        data_dir: where journal, paper account and recordings live; relative to the working
            directory.
        speed: process seconds a real second, in paper mode.
    """

    mode: Mode
    data_dir: str = "data"
    speed: Positive = 1.0
    underlyings: tuple[str, ...] = ("BTC",)
    journal: JournalConfig = JournalConfig()
    account: AccountConfig = AccountConfig()
    market: MarketConfig = MarketConfig()
    paper: PaperConfig = PaperConfig()
    deribit: DeribitConfig | None = None
    forecast: ForecastConfig = ForecastConfig()
    risk: RiskLimits = RiskLimits()
    execution: ExecutionPolicy = ExecutionPolicy()
    strategy: tuple[StrategyConfig, ...] = ()
    api: ApiConfig = ApiConfig()
    recorder: RecorderConfig = RecorderConfig()

    def __post_init__(self) -> None:
        names = [item.id for item in self.strategy]
        coins = {item.underlying for item in self.strategy}
        unknown = sorted(coins - set(self.underlyings))
        live = self.mode is Mode.LIVE
        require(
            (bool(self.underlyings), "underlyings is empty: name at least one coin"),
            (
                len(self.underlyings) == len(set(self.underlyings)),
                f"underlyings {list(self.underlyings)} repeat",
            ),
            (
                self.account.numeraire in (*DOLLARS, *self.underlyings),
                f"account.numeraire {self.account.numeraire!r} is no dollar and no underlying",
            ),
            (len(names) == len(set(names)), f"strategy ids {names} repeat"),
            (not unknown, f"strategies trade {unknown}, which underlyings does not name"),
            (not live or self.deribit is not None, "mode live needs a [deribit] table"),
            (not live or self.speed == 1.0, "speed is for paper mode: live runs at 1"),
            (
                self.mode is not Mode.BACKTEST or self.market.is_fixed,
                "mode backtest needs [market.recorded], or [market.generated] with market.start",
            ),
        )
