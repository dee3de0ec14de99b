"""Which clock, venue and recorder a mode gets; beside `app`, at its level."""

from pathlib import Path
from typing import Final

import msgspec

from glmtrader.app import MakeVenue, account_path
from glmtrader.config.schema import Config, Mode
from glmtrader.domain.ids import AccountId
from glmtrader.domain.instruments import DAY_NS, SECOND_NS
from glmtrader.errors import DataError, InputError
from glmtrader.kernel.bus import Bus
from glmtrader.kernel.clock import Clock
from glmtrader.kernel.ids import generator
from glmtrader.market.recorder import Recorder, RecorderSettings
from glmtrader.simulator.exchange import SimulatedExchange
from glmtrader.simulator.exchange_config import AccountConfig, ExchangeConfig
from glmtrader.simulator.generated import GeneratedMarket
from glmtrader.simulator.generated_config import GeneratedMarketConfig
from glmtrader.simulator.market_model import MarketModel
from glmtrader.simulator.recorded import RecordedMarket
from glmtrader.venues.paper import PaperConfig, PaperVenue
from glmtrader.venues.paper_link import LinkConfig
from glmtrader.venues.paper_store import saved_now_ns
from glmtrader.venues.port import Publish, Venue

REQUEST_TIMEOUT_MS: Final = 1_000.0
"""Real time to wait for the paper venue's answer; scaled with the clock."""

RECORDER_FLUSH_S: Final = 300.0
"""Real time between files of a recording; a backtest, which a kill does not hurt, writes by day."""

TIME_IS_UP: Final = "the time is up"

_ORIGIN_DECODER: Final = msgspec.json.Decoder(dict[str, int])


def market_origin_ns(config: Config, now_ns: int) -> int:
    """When the generated market of this account began: kept beside the account, for resuming.

    Raises:
        DataError: the account was begun with another seed.
    """
    path = account_path(config)
    if path is None:
        return now_ns
    origin = path.with_name(path.name + ".origin")
    if not (path.exists() and origin.exists()):
        origin.parent.mkdir(parents=True, exist_ok=True)
        origin.write_bytes(msgspec.json.encode({"seed": config.market.seed, "start_ns": now_ns}))
        return now_ns
    kept = _ORIGIN_DECODER.decode(origin.read_bytes())
    if kept["seed"] != config.market.seed:
        raise DataError(
            f"{path} was begun in the market of seed {kept['seed']}, the configuration says"
            f" {config.market.seed}: take that seed, or another data_dir"
        )
    return kept["start_ns"]


def paper_start_ns(config: Config, now_ns: int) -> int:
    """Where the paper clock starts: where the saved account has got to, else the market's start.

    At real speed a saved account goes on at the wall clock; what it missed is settled then.
    """
    path = account_path(config)
    saved_ns = None if path is None else saved_now_ns(path)
    if saved_ns is not None:
        return max(saved_ns, now_ns) if config.speed == 1.0 else saved_ns
    start = config.market.start
    return now_ns if start is None else round(start.timestamp()) * SECOND_NS


def generated_market(config: Config, start_ns: int) -> MarketModel:
    """The seeded market of a paper run."""
    settings = config.market.generated or GeneratedMarketConfig()
    return GeneratedMarket(settings, rng=generator(config.market.seed, "market"), start_ns=start_ns)


class Span(msgspec.Struct, frozen=True):
    """What a backtest goes through: a market from its first moment to its last.

    Attributes:
        moments_ns: when a recorded chain is shown; empty for a generated market.
        ends_by: what ends it, for the summary.
    """

    market: MarketModel
    start_ns: int
    end_ns: int
    moments_ns: tuple[int, ...]
    ends_by: str


def backtest_span(config: Config, duration_ns: int | None) -> Span:
    """The recorded or generated market of a backtest, at most `duration_ns` of it.

    Raises:
        DataError: the recording is missing or cannot be read.
        InputError: no duration for a generated market, which has no end.
    """
    if config.market.recorded is not None:
        recorded = RecordedMarket(config.market.recorded)
        start_ns, end_ns = recorded.start_ns, recorded.end_ns
        ends_by = "the end of the recording"
        if duration_ns is not None and start_ns + duration_ns < end_ns:
            end_ns, ends_by = start_ns + duration_ns, TIME_IS_UP
        return Span(recorded, start_ns, end_ns, recorded.snapshot_times(), ends_by)
    if duration_ns is None:
        raise InputError("a generated market has no end: say how much of it, for example --for 7d")
    assert config.market.start is not None, "the schema demands it of a generated backtest"
    start_ns = paper_start_ns(config, 0)
    return Span(
        generated_market(config, start_ns), start_ns, start_ns + duration_ns, (), TIME_IS_UP
    )


def paper_venue(
    config: Config, market: MarketModel, start_ns: int, moments_ns: tuple[int, ...] = ()
) -> MakeVenue:
    """The simulated exchange in process, over a market that begins at `start_ns`.

    It steps at `moments_ns` too: a recorded chain is shown at the moment it was recorded.
    """

    def make(clock: Clock, publish: Publish) -> Venue:
        account = AccountConfig(
            name=config.account.id, api_key="paper", api_secret="", balances=config.paper.balances
        )
        exchange = SimulatedExchange(market, ExchangeConfig(accounts=(account,)), start_ns)
        patience = max(1.0, config.speed)
        settings = PaperConfig(
            account_id=AccountId(config.account.id),
            account=config.account.id,
            link=LinkConfig(latency_ms=config.paper.latency_ms),
            step_s=config.paper.step_s,
            moments_ns=moments_ns,
            chain_interval_s=config.paper.chain_interval_s,
            request_timeout_ms=REQUEST_TIMEOUT_MS * patience,
            accept_delay_ms_max=2 * REQUEST_TIMEOUT_MS * patience,
            state_path=account_path(config),
        )
        return PaperVenue(
            exchange,
            settings,
            clock=clock,
            publish=publish,
            generator=generator(config.market.seed, "link"),
        )

    return make


def deribit_venue(config: Config) -> MakeVenue:
    """The native Deribit adapter; loaded here, because paper needs no client of aiohttp."""
    from glmtrader.venues.deribit.adapter import DeribitVenue  # noqa: PLC0415  see above

    def make(clock: Clock, publish: Publish) -> Venue:
        assert config.deribit is not None, "the schema demands it of mode live"
        settings = msgspec.structs.replace(
            config.deribit, account_id=config.account.id, underlyings=config.underlyings
        )
        return DeribitVenue(settings, clock=clock, publish=publish)

    return make


def recorder(config: Config, bus: Bus, clock: Clock) -> Recorder | None:
    """The recorder, opened and subscribed; None where the configuration wants none."""
    if not config.recorder.enabled:
        return None
    virtual = config.mode is Mode.BACKTEST
    settings = RecorderSettings(
        folder=Path(config.data_dir) / config.recorder.path,
        size_mb_max=config.recorder.size_mb_max,
        flush_s=DAY_NS / SECOND_NS if virtual else RECORDER_FLUSH_S * config.speed,
        in_place=virtual,
    )
    made = Recorder(bus, settings, clock=clock)
    made.open()
    return made
