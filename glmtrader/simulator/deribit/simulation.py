"""A simulated exchange from settings and a state file: what `glmtrader simulate` serves.

The state file holds the exchange's whole state with the seed and origin of its market, so that a
process can be killed and started again: the generated path depends on seed and origin alone.
"""

from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from glmtrader.errors import ConfigurationError, DataError
from glmtrader.kernel.ids import generator
from glmtrader.simulator.deribit.config import ServerConfig
from glmtrader.simulator.exchange import SimulatedExchange
from glmtrader.simulator.exchange_config import AccountConfig, ExchangeConfig
from glmtrader.simulator.exchange_state import read_state
from glmtrader.simulator.generated import GeneratedMarket
from glmtrader.simulator.generated_config import BITCOIN, ETHER, GeneratedMarketConfig
from glmtrader.simulator.market_model import MarketModel
from glmtrader.simulator.recorded import RecordedMarket
from glmtrader.simulator.recorded_config import RecordedMarketConfig

STATE_VERSION: Final = 1
STATE_BYTES_MAX: Final = 64 * 1024 * 1024
_CONFIG_BYTES_MAX: Final = 256 * 1024

DEMO: Final = AccountConfig(
    name="demo",
    api_key="demo",
    api_secret="demo-secret",  # noqa: S106 - opens a simulated account on loopback alone
    balances={"BTC": Decimal(10), "ETH": Decimal(100)},
)
"""The account of a simulation without a configuration."""


class SimulationConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A TOML file for `glmtrader simulate --config`.

    Attributes:
        accounts: keys, secrets and deposits. market: of the generated path.
        recorded: replays a recording instead. server: limits and timings.
    """

    accounts: tuple[AccountConfig, ...] = (DEMO,)
    market: GeneratedMarketConfig = GeneratedMarketConfig(coins=(BITCOIN, ETHER))
    recorded: RecordedMarketConfig | None = None
    server: ServerConfig = ServerConfig()


class _Saved(msgspec.Struct, frozen=True, kw_only=True):
    """The state file."""

    version: int
    seed: int
    origin_ns: int
    exchange: msgspec.Raw


class Simulation:
    """An exchange over its market, and how its state is kept.

    Args:
        config: see there.
        seed: of the generated market.
        state_path: where the state is kept; None keeps it in memory.
        now_ns: the wall clock; a new generated market begins here.

    Raises:
        DataError: the state file is unreadable, or of another seed.
    """

    def __init__(
        self, config: SimulationConfig, *, seed: int, state_path: Path | None, now_ns: int
    ) -> None:
        saved = None if state_path is None else _load(state_path, seed)
        self._path = state_path
        self._seed = seed
        self.market, self._origin_ns = _market(config, seed, saved, now_ns)
        settings = ExchangeConfig(accounts=config.accounts)
        if saved is None:
            self.exchange = SimulatedExchange(self.market, settings, self._origin_ns)
            return
        state_ns = read_state(bytes(saved.exchange)).now_ns
        self.exchange = SimulatedExchange(self.market, settings, state_ns)
        self.exchange.restore(bytes(saved.exchange))

    @property
    def resume_ns(self) -> int:
        """Where a scaled clock goes on: the moment the exchange has reached."""
        return self.exchange.now_ns

    @property
    def end_ns(self) -> int | None:
        """Where a recording ends; a generated market does not."""
        return self.market.end_ns if isinstance(self.market, RecordedMarket) else None

    def save(self) -> None:
        """Replace the state file whole; nothing to do without one."""
        if self._path is None:
            return
        saved = _Saved(
            version=STATE_VERSION,
            seed=self._seed,
            origin_ns=self._origin_ns,
            exchange=msgspec.Raw(self.exchange.snapshot()),
        )
        draft = self._path.with_name(self._path.name + ".new")
        draft.write_bytes(msgspec.json.encode(saved))
        draft.replace(self._path)


def load_config(path: Path) -> SimulationConfig:
    """Read the settings of a simulation.

    Raises:
        ConfigurationError: names the file and what is wrong with it.
    """
    try:
        data = path.read_bytes()
        if len(data) > _CONFIG_BYTES_MAX:
            raise ConfigurationError(f"{path}: {len(data)} bytes is no configuration")
        return msgspec.toml.decode(data, type=SimulationConfig)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise ConfigurationError(f"{path}: {error}") from error


def _load(path: Path, seed: int) -> _Saved | None:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        return None
    if path.stat().st_size > STATE_BYTES_MAX:
        raise DataError(f"{path} is over {STATE_BYTES_MAX} bytes and no state: move it away")
    try:
        saved = msgspec.json.decode(path.read_bytes(), type=_Saved)
    except msgspec.DecodeError as error:
        raise DataError(f"{path} is no simulation's state ({error}): move it away") from error
    if (saved.version, saved.seed) != (STATE_VERSION, seed):
        raise DataError(
            f"{path} has version {saved.version} and seed {saved.seed}, wanted are version"
            f" {STATE_VERSION} and seed {seed}: take that seed, or another file"
        )
    return saved


def _market(
    config: SimulationConfig, seed: int, saved: _Saved | None, now_ns: int
) -> tuple[MarketModel, int]:
    if config.recorded is not None:
        recorded = RecordedMarket(config.recorded)
        return recorded, recorded.start_ns
    origin_ns = now_ns if saved is None else saved.origin_ns
    rng = generator(seed, "market")
    return GeneratedMarket(config.market, rng=rng, start_ns=origin_ns), origin_ns
