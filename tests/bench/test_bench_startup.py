"""From the shell to the first decision, and what a paper run keeps in memory."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.bench.bench_report import Report, median

pytestmark = pytest.mark.bench

ROOT = Path(__file__).parents[2]
STARTS = 3


class Start(NamedTuple):
    """One run of the command."""

    first_decision_s: float
    resident_mb: float


def start(folder: Path) -> Start:
    """Run the shipped paper configuration until its first decision and a second longer."""
    text = (ROOT / "configs" / "paper.toml").read_text(encoding="utf-8")
    config = folder / "paper.toml"
    config.write_text(text.replace('"data/paper"', json.dumps(str(folder))), encoding="utf-8")
    command = [sys.executable, "-m", "glmtrader", "run", "--config", str(config), "--json"]
    started_s = time.perf_counter()
    with subprocess.Popen(
        [*command, "--for", "3s"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None, "a pipe was asked for"
        for line in process.stdout:
            if json.loads(line)["type"] == "decision":
                break
        first_decision_s = time.perf_counter() - started_s
        time.sleep(1.0)
        resident_mb = resident(process.pid)
        process.terminate()
        process.stdout.read()
    return Start(first_decision_s, resident_mb)


def resident(pid: int) -> float:
    """Resident memory of a process, MB."""
    status = Path(f"/proc/{pid}/status")
    if not status.is_file():
        pytest.skip("resident memory is read from /proc, which this system lacks")
    line = next(row for row in status.read_text().splitlines() if row.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def test_start_and_memory(tmp_path: Path, report: Report) -> None:
    """The shipped paper configuration, a fresh account each time; the first start warms up."""
    found = []
    for number in range(STARTS + 1):
        folder = tmp_path / str(number)
        folder.mkdir()
        found.append(start(folder))
    first_s = median([item.first_decision_s for item in found[1:]])
    report.add("start of the command to first decision", first_s, "s", 1.2)
    resident_mb = median([item.resident_mb for item in found[1:]])
    report.add("resident memory of a paper run", resident_mb, "MB", 130)
