"""`glmtrader simulate`: a simulated exchange on a real venue's wire, for any client."""

import asyncio
from pathlib import Path

import click
import msgspec

from glmtrader.cli.logs import configure_logs
from glmtrader.domain.instruments import SECOND_NS
from glmtrader.kernel.clock import LoopClock, wall_now_ns
from glmtrader.kernel.driver import StopRequest, stopping_on_signals
from glmtrader.simulator.deribit.config import ServerConfig
from glmtrader.simulator.deribit.server import DeribitServer
from glmtrader.simulator.deribit.simulation import Simulation, SimulationConfig, load_config


@click.command("simulate")
@click.option("--venue", type=click.Choice(["deribit"]), default="deribit", show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--port", default=8765, show_default=True, help="0 lets the system choose.")
@click.option("--seed", default=1, show_default=True, help="Of the generated market.")
@click.option("--speed", default=1.0, show_default=True, help="Times real time.")
@click.option("--config", "config_path", type=Path, help="TOML: accounts, market, server.")
@click.option("--state", "state_path", type=Path, help="Keep the exchange in this file.")
def command(
    *,
    venue: str,
    host: str,
    port: int,
    seed: int,
    speed: float,
    config_path: Path | None,
    state_path: Path | None,
) -> None:
    """Serve a simulated exchange until Ctrl-C, or until a recording ends.

    Without a configuration the account's client id is `demo`, its secret `demo-secret`. Faults are
    injected with `POST /sim/faults`. At another speed than 1 signed requests may have any age.
    """
    if not 0 < speed <= 100_000:
        raise click.BadParameter(f"{speed:g} must be over 0 and at most 100000", param_hint="speed")
    configure_logs()
    config = SimulationConfig() if config_path is None else load_config(config_path)
    simulation = Simulation(config, seed=seed, state_path=state_path, now_ns=wall_now_ns())
    asyncio.run(_serve(simulation, config, venue=venue, host=host, port=port, speed=speed))


async def _serve(
    simulation: Simulation,
    config: SimulationConfig,
    *,
    venue: str,
    host: str,
    port: int,
    speed: float,
) -> None:
    server_config = config.server
    start_ns: int | None = None
    if speed != 1.0 or config.recorded is not None:
        start_ns = simulation.resume_ns
        # A step of process time must leave the process time to do it in.
        server_config = msgspec.structs.replace(
            server_config,
            step_ms=max(server_config.step_ms, server_config.step_ms * speed),
            signature_age_ms_max=None,
        )
    clock = LoopClock(speed=speed, start_ns=start_ns)
    server = DeribitServer(simulation.exchange, clock, server_config, on_change=simulation.save)
    stop = StopRequest()
    with stopping_on_signals(stop):
        async with server.running(host, port) as bound_port:
            click.echo(f"simulated {venue} at http://{host}:{bound_port}/api/v2")
            click.echo(f"websocket ws://{host}:{bound_port}/ws/api/v2; Ctrl-C stops")
            await stop.wait(_seconds_left(simulation, clock, server_config, speed))
    simulation.save()


def _seconds_left(
    simulation: Simulation, clock: LoopClock, config: ServerConfig, speed: float
) -> float | None:
    """Real seconds until two steps before a recording ends; None for a generated market."""
    if simulation.end_ns is None:
        return None
    left_ns = simulation.end_ns - clock.now_ns() - 2 * config.step_ns
    return max(0.0, left_ns / SECOND_NS / speed)
