"""Runs of the shipped demo as a user starts them: a process, a folder, its lines and its journal."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LINE_TYPES = frozenset(
    "decision veto order fill hedge equity delivery outcome alert mode summary".split()
)


def environment(**variables: str) -> dict[str, str]:
    """The environment of a process that runs this checkout from anywhere."""
    return os.environ | {"PYTHONPATH": str(ROOT), "GLMTRADER__API__PORT": "0"} | variables


def glmtrader(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder to its end."""
    return subprocess.run(
        [sys.executable, "-m", "glmtrader", *arguments],
        cwd=folder,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def started(folder: Path, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    """Start a command in a folder; its lines come as they are printed."""
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "glmtrader", *arguments],
        cwd=folder,
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def lines(output: str) -> list[dict[str, Any]]:
    """Every line as an object."""
    return [json.loads(line) for line in output.splitlines()]


def of_type(told: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """The lines of one type."""
    return [line for line in told if line["type"] == kind]


def generated_backtest(folder: Path) -> Path:
    """The demo's settings as a backtest, which runs in virtual time."""
    text = (ROOT / "configs" / "paper.toml").read_text()
    text = text.replace('mode = "paper"', 'mode = "backtest"')
    path = folder / "virtual.toml"
    path.write_text(text.replace('data_dir = "data/paper"', 'data_dir = "data"'))
    return path
