"""The unmodified adapter, ccxt and aiohttp in virtual time: the same seed, the same bytes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def simulated(hash_seed: str) -> dict[str, Any]:
    """Run the simulation in a fresh process with the given seed of Python's string hashes."""
    environment = os.environ | {
        "PYTHONHASHSEED": hash_seed,
        "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parents[1])]),
    }
    command = ["-m", "glmtrader.kernel.simloop", "deribit_simulated:main", "--seed", "7"]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", *command],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    outcome: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return outcome


def test_two_processes_see_the_same_bytes() -> None:
    """Events and wire bytes are equal for one seed, whatever Python's hash seed.

    Three connections in five minutes, each renewing an authentication that lives 50 seconds; the
    third is lost with the adapter.
    """
    first, second = simulated("1"), simulated("2")
    assert first["result"] == second["result"]
    assert first["digest"] == second["digest"]
    assert first["result"]["disconnects"] == 3
    assert first["result"]["orders_sent"] >= 55
    assert first["result"]["authentications"] >= 6
