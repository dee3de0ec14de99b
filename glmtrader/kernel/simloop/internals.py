"""The private names of asyncio that the simulated loop builds on, all in one place.

Nothing else in the package may rely on an underscore of asyncio that is not listed here.
`require_internals` runs at the start of every loop, so a Python that renamed one fails loudly.
"""

import asyncio
import inspect

from glmtrader.kernel.simloop.errors import UnsupportedPythonError

LOOP_METHODS = ("_run_once", "_check_closed", "_timer_handle_cancelled", "_write_to_self")
LOOP_FIELDS = ("_ready", "_stopping", "_thread_id")
HANDLE_FIELDS = ("_callback", "_cancelled")
HANDLE_METHODS = ("_run",)


def missing_internals(loop: asyncio.BaseEventLoop) -> tuple[str, ...]:
    """List the required private names that `loop` and asyncio's handles do not have."""
    handle = asyncio.Handle(_nothing, (), loop)
    missing = [f"BaseEventLoop.{name}" for name in LOOP_FIELDS if not hasattr(loop, name)]
    missing += _missing_methods(asyncio.BaseEventLoop, LOOP_METHODS)
    missing += [f"Handle.{name}" for name in HANDLE_FIELDS if not hasattr(handle, name)]
    missing += _missing_methods(asyncio.Handle, HANDLE_METHODS)
    return tuple(missing)


def require_internals(loop: asyncio.BaseEventLoop) -> None:
    """Check that this Python's asyncio is one the simulated loop understands.

    Raises:
        UnsupportedPythonError: A private name is gone; the message lists which.
    """
    missing = missing_internals(loop)
    if missing:
        raise UnsupportedPythonError(
            f"asyncio of this Python has no {', '.join(missing)}, which the simulated loop needs; "
            "run simulations on Python 3.11 to 3.13, or adapt kernel/simloop/internals.py"
        )


def is_task_step(handle: asyncio.Handle) -> bool:
    """Tell whether running `handle` steps a task (and is not a plain callback)."""
    return isinstance(getattr(handle._callback, "__self__", None), asyncio.Task)  # type: ignore[attr-defined]  # noqa: SLF001 - listed above


def _missing_methods(owner: type, names: tuple[str, ...]) -> list[str]:
    return [
        f"{owner.__name__}.{name}()"
        for name in names
        if not inspect.isroutine(getattr(owner, name, None))
    ]


def _nothing() -> None:
    """Stand in as a callback for the handle that is inspected, never run."""
