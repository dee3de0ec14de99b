"""What a simulation does to its process: determinism, patches, restoration, speed."""

import asyncio
import gc
import json
import os
import random
import secrets
import socket
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any

import aiohttp.connector
import pytest
import simloop_toy

from glmtrader.kernel.simloop import run_simulated, simulate

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
CONNECTOR = vars(aiohttp.connector)
START_NS = 1_767_225_600_000_000_000
NO_SOCKETS = """
import sys
def refuse(event, arguments):
    if event in {"socket.__new__", "socket.connect", "socket.bind", "socket.getaddrinfo"}:
        raise SystemError(f"{event} reached the real network")
sys.addaudithook(refuse)
from glmtrader.kernel.simloop.__main__ import main
main(sys.argv[1:])
"""


def fresh_process(target: str, seed: int, hash_seed: str, *options: str) -> dict[str, Any]:
    """Simulate in a new interpreter that dies at a real socket and at any warning."""
    command = [sys.executable, "-W", "error", "-c", NO_SOCKETS, target, "--seed", str(seed)]
    environment = os.environ | {
        "PYTHONPATH": f"{ROOT}{os.pathsep}{HERE}",
        "PYTHONHASHSEED": hash_seed,
    }
    done = subprocess.run(
        [*command, *options],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    outcome: dict[str, Any] = json.loads(done.stdout)
    return outcome


def two_processes(target: str, seed: int, *options: str) -> list[dict[str, Any]]:
    """Simulate in two interpreters side by side, which hash strings differently."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        started = [
            pool.submit(fresh_process, target, seed, hash_seed, *options)
            for hash_seed in ("0", "random")
        ]
        return [one.result() for one in started]


def test_a_seed_gives_the_same_bytes_whatever_the_hash_seed() -> None:
    """Under chaos, two processes agree in every byte and instant; another seed differs."""
    first, second = two_processes("simloop_toy:minutes", 3)
    assert first == second
    assert first["result"]["messages"] == 2_000
    assert first["counts"]["resets"] > 0
    assert first["counts"]["partitions"] > 0
    assert fresh_process("simloop_toy:minutes", 4, "0")["digest"] != first["digest"]


def test_permuted_task_steps_are_as_reproducible() -> None:
    """The shuffled schedule belongs to the seed as well."""
    first, second = two_processes("simloop_toy:minutes", 3, "--permute")
    assert first == second


def test_ccxt_runs_unmodified_and_reproducibly() -> None:
    """The Deribit client of ccxt, REST and WebSocket, survives resets, alike in two processes."""
    first, second = two_processes("simloop_ccxt:watch", 1)
    assert first == second
    assert first["result"]["messages"] == 700
    assert first["result"]["errors"] > 0


def test_a_virtual_hour_takes_seconds() -> None:
    """An hour of a ten-a-second feed over aiohttp runs at least a hundred times real time."""
    began = perf_counter()
    outcome = fresh_process("simloop_toy:hour", 1, "0")
    took_s = perf_counter() - began
    assert outcome["elapsed_ns"] > 3_400 * 10**9
    assert took_s < 34.0


def test_runs_repeat_in_one_process_with_aiohttp_long_imported() -> None:
    """Names imported before the simulation are patched as well."""
    outcomes = [
        simulate(lambda: simloop_toy.trade_for(300, 10.0), seed=3, start_ns=START_NS)
        for _ in range(2)
    ]
    assert outcomes[0].digest == outcomes[1].digest
    assert outcomes[0].result == outcomes[1].result


async def _look_around() -> dict[str, Any]:
    before = (time.time_ns(), time.monotonic_ns(), monotonic(), CONNECTOR["monotonic"]())
    await asyncio.sleep(60.0)
    time.sleep(30.0)  # noqa: ASYNC251 - moves the virtual clock, which is what is tested
    after = (time.time_ns(), time.monotonic_ns(), monotonic(), CONNECTOR["monotonic"]())
    return {
        "started_ns": before[0],
        "passed": [round(float(b) - float(a), 3) for a, b in zip(before, after, strict=True)],
        "calendar": time.strftime("%Y-%m-%d", time.gmtime()),
        "random": [random.random(), secrets.token_hex(8), random.Random().random()],
        "ids": [str(uuid.uuid4()), str(uuid.uuid1()), os.urandom(4).hex()],
        "loop_offset": asyncio.get_running_loop().time() - time.monotonic(),
        "collecting": gc.isenabled(),
    }


def test_everything_that_tells_time_tells_virtual_time() -> None:
    """Wall clock, monotonic clock, blocking sleep and names imported earlier move together."""
    seen = run_simulated(_look_around, seed=1, start_ns=START_NS)
    assert seen["started_ns"] == START_NS
    assert seen["passed"] == pytest.approx([90e9, 90e9, 90.0, 90.0], abs=2.0)
    assert seen["calendar"] == "2026-01-01"
    assert seen["loop_offset"] == 0.0
    assert not seen["collecting"]


def test_randomness_and_ids_belong_to_the_seed() -> None:
    """Even `secrets`, uuid1 and generators without a seed repeat, and differ between seeds."""
    first, again, other = (
        run_simulated(_look_around, seed=seed, start_ns=START_NS) for seed in (1, 1, 2)
    )
    assert first == again
    assert not set(first["random"]) & set(other["random"])
    assert not set(first["ids"]) & set(other["ids"])


def test_everything_is_restored_even_after_a_failure() -> None:
    """Functions, the random state, the socket class and the collector are as before."""

    def snapshot() -> list[Any]:
        return [
            *(getattr(time, name) for name in ("time", "monotonic_ns", "sleep", "gmtime")),
            *(os.urandom, random.Random.seed, random.getstate(), uuid.uuid1),
            *(socket.socket, socket.getaddrinfo, monotonic, gc.isenabled()),
            *(
                CONNECTOR["monotonic"],
                CONNECTOR["DefaultResolver"],
                sys.modules.get("aiodns", "absent"),
            ),
        ]

    async def fails() -> None:
        raise ValueError("on purpose")

    before = snapshot()
    with pytest.raises(ValueError, match="on purpose"):
        run_simulated(fails, seed=1, start_ns=START_NS)
    assert snapshot() == before


def test_the_socket_class_of_a_simulation_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole exchange session in this process never makes a real socket."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a real socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    outcome = run_simulated(lambda: simloop_toy.trade_for(200, 60.0), seed=1, start_ns=START_NS)
    assert outcome["messages"] == 200
