"""The server in virtual time, and as a process of its own that is killed and started again."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest
from deribit_wire import Client

from glmtrader.errors import ConfigurationError, DataError
from glmtrader.simulator.deribit.simulation import Simulation, SimulationConfig, load_config

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


def in_virtual_time(hash_seed: str) -> dict[str, object]:
    """Run the scenario in a fresh process; its log lines come before the outcome."""
    environment = os.environ | {
        "PYTHONPATH": f"{ROOT}{os.pathsep}{HERE}",
        "PYTHONHASHSEED": hash_seed,
    }
    target = ["-m", "glmtrader.kernel.simloop", "deribit_virtual:minute", "--seed", "5"]
    done = subprocess.run(
        [sys.executable, *target],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    outcome: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return outcome


def test_a_virtual_minute_is_the_same_in_two_processes() -> None:
    """The server runs without a socket; same seed, same bytes, whatever the hash seed."""
    first, second = in_virtual_time("1"), in_virtual_time("2")
    assert first == second
    result = first["result"]
    assert isinstance(result, dict)
    assert len(result["seen"]) > 5
    assert result["moved_ns"] >= 60_000_000_000


async def started(state: Path) -> tuple[asyncio.subprocess.Process, str]:
    """Start `glmtrader simulate` on a free port; returns the process and its WebSocket URL."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "glmtrader", "simulate", "--port", "0", "--seed", "3"),
        *("--state", str(state)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    await process.stdout.readline()
    line = (await process.stdout.readline()).decode()
    return process, line.split()[1].rstrip(";")


@pytest.mark.asyncio
async def test_a_killed_simulation_goes_on_where_it_was(tmp_path: Path) -> None:
    """Kill -9 right after a reply loses nothing; Ctrl-C ends with 0."""
    state = tmp_path / "exchange.json"
    process, url = await started(state)
    async with aiohttp.ClientSession() as http:
        client = Client(await http.ws_connect(url))
        await client.log_in("demo", "demo-secret")
        await client.call("private/buy", instrument_name="BTC-PERPETUAL", amount=50, type="market")
        placed = await client.call(
            "private/buy", instrument_name="BTC-PERPETUAL", amount=10, price=1_000
        )
        process.send_signal(signal.SIGKILL)
        await process.wait()
        process, url = await started(state)
        again = Client(await http.ws_connect(url))
        await again.log_in("demo", "demo-secret")
        (held,) = await again.call("private/get_positions", currency="BTC")
        (order,) = await again.call("private/get_open_orders")
        await again.socket.close()
    assert (held["size"], order["order_id"]) == (50, placed["order"]["order_id"])
    process.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(process.wait(), 5) == 0


def test_a_state_of_another_seed_or_shape_is_refused(tmp_path: Path) -> None:
    """The market could not be the same: the message says which seed the file has."""
    state, now_ns = tmp_path / "exchange.json", 1_767_261_600_000_000_000
    Simulation(SimulationConfig(), seed=1, state_path=state, now_ns=now_ns).save()
    with pytest.raises(DataError, match="seed 1"):
        Simulation(SimulationConfig(), seed=2, state_path=state, now_ns=now_ns)
    state.write_text("{}")
    with pytest.raises(DataError, match="move it away"):
        Simulation(SimulationConfig(), seed=1, state_path=state, now_ns=now_ns)


def test_a_configuration_names_what_is_wrong_with_it(tmp_path: Path) -> None:
    """Unknown keys and missing files are configuration errors; good ones are read exactly."""
    path = tmp_path / "sim.toml"
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_config(path)
    path.write_text("[server]\nstep = 5\n")
    with pytest.raises(ConfigurationError, match="step"):
        load_config(path)
    path.write_text(
        '[[accounts]]\nname = "a"\napi_key = "k"\napi_secret = "s"\nbalances = {BTC = "1.5"}\n'
        "[server]\nstep_ms = 50.0\n"
    )
    config = load_config(path)
    assert str(config.accounts[0].balances["BTC"]) == "1.5"
    assert config.server.step_ms == 50.0
