"""Mode live in virtual time, wire and all: the same seed gives the same journal and wire bytes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from live_world import EXPIRY_NS

from glmtrader.domain.instruments import MINUTE_NS

HERE = Path(__file__).parent


def simulated(folder: Path, function: str, hash_seeds: tuple[str, ...]) -> list[dict[str, Any]]:
    """What fresh processes with these seeds of Python's string hashes have to say, side by side."""
    runs = []
    for hash_seed in hash_seeds:
        home = folder / hash_seed
        home.mkdir()
        environment = os.environ | {
            "PYTHONHASHSEED": hash_seed,
            "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parents[1])]),
        }
        command = [
            *(sys.executable, "-W", "ignore", "-m", "glmtrader.kernel.simloop"),
            *(f"live_simulated:{function}", "--seed", "7"),
            *("--start-ns", str(EXPIRY_NS - 35 * MINUTE_NS)),
        ]
        runs.append(
            subprocess.Popen(
                command,
                cwd=home,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        )
    outcomes = []
    for run in runs:
        told, _ = run.communicate(timeout=110)
        assert run.returncode == 0, told[-2000:]
        outcomes.append(json.loads(told.splitlines()[-1]))
    return outcomes


def test_two_processes_trade_the_same_straddle_over_the_wire(tmp_path: Path) -> None:
    """Journal digest and delivered bytes are equal whatever Python's hash seed."""
    first, second = simulated(tmp_path, "opening", ("1", "2"))
    assert first == second
    assert first["result"]["fills"] >= 2
    assert first["result"]["equal"]


@pytest.mark.long
def test_two_processes_pass_the_same_expiry(tmp_path: Path) -> None:
    """Likewise through hedges, settlement and delivery."""
    first, second = simulated(tmp_path, "through_expiry", ("1", "2"))
    assert first == second
    assert first["result"]["delivered"] == 1
    assert first["result"]["equal"]
