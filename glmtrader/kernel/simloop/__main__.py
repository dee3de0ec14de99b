"""Start a simulation in a fresh process: `python -m glmtrader.kernel.simloop MODULE:FUNCTION`.

The target module, and whatever it imports, is imported after time and randomness are patched.
Prints one line of JSON: the result, the digest over all delivered bytes, and counts.
"""

import argparse
import importlib
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import msgspec

from glmtrader.kernel.simloop.runner import SimOptions, simulate

START_NS_DEFAULT = 1_767_225_600_000_000_000
"""2026-01-01 00:00:00 UTC."""


def main(arguments: list[str]) -> None:
    """Run the target named on the command line and print its outcome."""
    options = _parser().parse_args(arguments)
    outcome = simulate(
        partial(_call, options.target),
        seed=options.seed,
        start_ns=options.start_ns,
        options=SimOptions(permute_task_steps=options.permute),
    )
    sys.stdout.write(msgspec.json.encode(outcome).decode() + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m glmtrader.kernel.simloop")
    parser.add_argument("target", help="MODULE:FUNCTION, a coroutine function without arguments")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--start-ns", type=int, default=START_NS_DEFAULT)
    parser.add_argument("--permute", action="store_true", help="shuffle ready task steps")
    return parser


def _call(target: str) -> Coroutine[Any, Any, Any]:
    """Import the target only now, inside the simulation."""
    return _load(target)()


def _load(target: str) -> Callable[[], Coroutine[Any, Any, Any]]:
    module_name, _, function_name = target.partition(":")
    function: Callable[[], Coroutine[Any, Any, Any]] = getattr(
        importlib.import_module(module_name), function_name
    )
    return function


if __name__ == "__main__":
    main(sys.argv[1:])
