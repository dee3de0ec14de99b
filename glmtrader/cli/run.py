"""`glmtrader run`: trade, on paper, live or in a backtest, until told to stop."""

import asyncio
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

import click

from glmtrader import assembly
from glmtrader.app import System, journal_path, open_journal
from glmtrader.cli import EXIT_HALTED
from glmtrader.cli.assumptions import assumptions
from glmtrader.cli.logs import configure_logs
from glmtrader.cli.printer import Printer
from glmtrader.config.loader import load
from glmtrader.config.schema import Config, Mode
from glmtrader.domain.ids import AccountId
from glmtrader.domain.instruments import HOUR_NS, SECOND_NS
from glmtrader.domain.risk_events import TradingMode
from glmtrader.domain.system_events import RunStarted
from glmtrader.errors import ConfigurationError, GlmtraderError, TradingHaltedError
from glmtrader.kernel.clock import LoopClock, VirtualClock, wall_now_ns
from glmtrader.kernel.driver import (
    StopRequest,
    first_error,
    handling_signals,
    keep_journal,
    run_virtual,
    settle,
    settle_until,
    stopping_on_signals,
)
from glmtrader.kernel.journal import Journal
from glmtrader.kernel.supervisor import Supervisor
from glmtrader.web.server import ApiServer
from glmtrader.web.views import ViewCache, WebScope

WIND_DOWN_S_MAX: Final = 1.0
"""Real time that unfinished intents get at a stop; what is left is picked up at the next start."""

_DURATION = re.compile(r"^(\d+(?:\.\d+)?)([smhd])$")
_UNIT_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}

RECORDER_END_S_MAX: Final = 1.0
"""Real time for the last rows of a recording; a stop takes less than two seconds in all."""


BACKTEST_EQUITY_NS: Final = 6 * HOUR_NS
"""Between a backtest's equity lines that no fill caused: as often as chains are recorded."""


class Duration(click.ParamType[float]):
    """A time span such as 30s, 5m, 2h or 7d, in seconds."""

    name = "duration"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Seconds; refuses anything else."""
        found = _DURATION.match(value)
        if found is None:
            self.fail(f"{value!r} is no time span; write 30s, 5m, 2h or 7d", param, ctx)
        return float(found.group(1)) * _UNIT_S[found.group(2)]


@dataclass(frozen=True)
class _Options:
    """How to run, beside what the configuration says."""

    duration_s: float | None
    as_json: bool
    quiet: bool
    clear_kill: bool


@click.command("run")
@click.option("--config", "config_name", required=True, help="TOML file, or a shipped one's name.")
@click.option(
    "--for",
    "duration_s",
    type=Duration(),
    help="Stop after 30s, 5m, 2h, 3d; of a backtest, the market's time.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one object a line.")
@click.option("--quiet", is_flag=True, help="Print the summary alone.")
@click.option("--clear-kill", is_flag=True, help="Clear a kill switch that an earlier run left on.")
def command(
    *, config_name: str, duration_s: float | None, as_json: bool, quiet: bool, clear_kill: bool
) -> None:
    """Run a configuration: one line a decision, order, fill and hedge; a summary at the end."""
    config = load(config_name)
    configure_logs()
    options = _Options(duration_s=duration_s, as_json=as_json, quiet=quiet, clear_kill=clear_kill)
    run = _backtest if config.mode is Mode.BACKTEST else _trade
    mode = asyncio.run(run(config, options))
    if mode is TradingMode.HALTED:
        sys.exit(EXIT_HALTED)


async def _trade(config: Config, options: _Options) -> TradingMode:
    """Live and paper: the real loop, until a signal or the end of the time given."""
    now_ns = wall_now_ns()
    start_ns = now_ns if config.mode is Mode.LIVE else assembly.paper_start_ns(config, now_ns)
    clock = LoopClock(speed=config.speed, start_ns=None if start_ns == now_ns else start_ns)
    with open_journal(config) as journal:
        if config.mode is Mode.LIVE:
            make_venue = assembly.deribit_venue(config)
        else:
            origin_ns = assembly.market_origin_ns(config, clock.now_ns())
            market = assembly.generated_market(config, origin_ns)
            make_venue = assembly.paper_venue(config, market, clock.now_ns())
        system = System(config, clock=clock, journal=journal, make_venue=make_venue)
        return await _supervise(system, options)


async def _supervise(system: System, options: _Options) -> TradingMode:
    stop = StopRequest()
    printer = _printer(system, options)
    fatal: GlmtraderError | None = None
    with stopping_on_signals(stop), handling_signals(_kills(system)), _api(system) as api:
        try:
            await _run_until(system, printer, stop, options, api)
        except* GlmtraderError as group:
            fatal = first_error(group)
    if fatal is not None:
        raise TradingHaltedError(
            f"stopped for safety, the venue's connection is closed: {fatal}"
        ) from fatal
    _conclude(system, printer, stop.reason)
    return system.execution.mode


async def _run_until(
    system: System, printer: Printer, stop: StopRequest, options: _Options, api: ApiServer | None
) -> None:
    """Everything in one TaskGroup until a stop is asked for, then in reverse."""
    bus = system.bus
    recorder = assembly.recorder(system.config, bus, system.clock)
    async with Supervisor(system.clock, bus.publish) as supervisor:
        supervisor.spawn("printer", printer.run)
        if recorder is not None:
            supervisor.spawn(recorder.name, recorder.run, restart=True)
        _greet(system, options, None if api is None else api.url)
        if api is not None:
            supervisor.spawn("views", api.views.run, restart=True)
            supervisor.spawn("api", api.run, restart=True)
        system.start()
        if options.clear_kill:
            system.switch_kill(engaged=False, flatten=False, source="--clear-kill")
        supervisor.spawn("bus", bus.run)
        supervisor.spawn("journal", lambda: keep_journal(system.journal, bus))
        supervisor.spawn("venue", system.venue.run, restart=True)
        await stop.wait(options.duration_s)
        system.wind_down()
        await settle_until(lambda: not system.execution.has_work(), seconds_max=WIND_DOWN_S_MAX)
        await supervisor.stop("venue")
        await settle()
        await supervisor.stop("bus")
        system.stop()
        await settle()
        if recorder is not None:
            await recorder.ended(RECORDER_END_S_MAX)


def _kills(system: System) -> dict[signal.Signals, Callable[[], None]]:
    """SIGUSR1 engages the kill switch: everything is cancelled; SIGUSR2 also closes positions."""
    return {
        number: partial(system.switch_kill, engaged=True, flatten=flatten, source=number.name)
        for number, flatten in ((signal.SIGUSR1, False), (signal.SIGUSR2, True))
    }


def _printer(system: System, options: _Options) -> Printer:
    lookup = system.risk.inputs.instrument
    return Printer(system.bus, lookup, as_json=options.as_json, quiet=options.quiet)


async def _backtest(config: Config, options: _Options) -> TradingMode:
    """Virtual time over a recorded or generated market, as fast as it goes."""
    seconds = options.duration_s
    span = assembly.backtest_span(config, None if seconds is None else round(seconds * SECOND_NS))
    clock = VirtualClock(span.start_ns)
    _fresh(config)
    stop = StopRequest()
    with open_journal(config) as journal, stopping_on_signals(stop):
        make_venue = assembly.paper_venue(config, span.market, span.start_ns, span.moments_ns)
        system = System(config, clock=clock, journal=journal, make_venue=make_venue)
        printer = Printer(
            system.bus,
            system.risk.inputs.instrument,
            as_json=options.as_json,
            quiet=options.quiet,
            equity_interval_ns=BACKTEST_EQUITY_NS,
        )
        recorder = assembly.recorder(config, system.bus, clock)
        async with Supervisor(clock, system.bus.publish) as supervisor:
            supervisor.spawn("printer", printer.run)
            if recorder is not None:
                supervisor.spawn(recorder.name, recorder.run, restart=True)
            _greet(system, options, None)
            system.start()
            supervisor.spawn("venue", system.venue.run)
            await settle()
            await run_virtual(
                clock, system.bus, until_ns=span.end_ns, should_stop=lambda: stop.is_set
            )
            stop.ask(span.ends_by)
            await supervisor.stop("venue")
            system.stop()
            await settle()
            if recorder is not None:
                await recorder.ended(RECORDER_END_S_MAX)
        _conclude(system, printer, stop.reason)
    return system.execution.mode


@contextmanager
def _api(system: System) -> Iterator[ApiServer | None]:
    """The HTTP side, its address taken before anything is traded; None where it is off."""
    config = system.config
    if not config.api.enabled:
        yield None
        return
    scope = WebScope(
        account_id=AccountId(config.account.id),
        underlyings=config.underlyings,
        quote_age_ns_max=config.risk.quote_age_ns_max,
        surface_age_ns_max=config.risk.surface_age_ns_max,
    )
    views = ViewCache(system.bus, system.clock, scope)
    host, port = config.api.host, config.api.port
    api = ApiServer(views, host, port, clock=system.clock, bus=system.bus)
    api.bind(any_port_if_taken=config.mode is Mode.PAPER)
    try:
        yield api
    finally:
        api.close()


def _fresh(config: Config) -> None:
    """A backtest starts from nothing: the journal of the one before is replaced.

    Raises:
        ConfigurationError: the journal there is of real or paper trading; it is left alone.
        JournalLockedError: it is being written.
    """
    path = journal_path(config)
    if not path.exists():
        return
    with Journal(path) as old:
        modes = {event.mode for event in old.fold((RunStarted,)) if isinstance(event, RunStarted)}
    if modes - {Mode.BACKTEST.value}:
        raise ConfigurationError(
            f"{path} is a journal of {', '.join(sorted(modes))} trading, which a backtest would"
            " replace: give the backtest a data_dir of its own"
        )
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink(missing_ok=True)


def _greet(system: System, options: _Options, status_url: str | None) -> None:
    if options.as_json or options.quiet:
        return
    config = system.config
    speed = "" if config.speed == 1.0 else f", {config.speed:g} times real time"
    click.echo(f"glmtrader {config.mode}{speed}; Ctrl-C stops")
    click.echo(f"journal {journal_path(config)} (start {system.journal.epoch})")
    if config.mode is Mode.PAPER:
        click.echo("the market is simulated: no key, no network, no money")
    if status_url is not None:
        click.echo(f"status {status_url}")


def _conclude(system: System, printer: Printer, reason: str | None) -> None:
    summary = printer.summary(system.clock.now_ns())
    summary["stopped_by"] = reason
    summary["assumptions"] = assumptions(system.config)
    summary["journal"] = str(journal_path(system.config))
    summary["journal_digest"] = _digest(system.journal)
    printer.say(summary)


def _digest(journal: Journal) -> str:
    return journal.digest
