"""Where the paper account lives between runs: one file, replaced whole."""

from pathlib import Path

from glmtrader.errors import DataError
from glmtrader.simulator.exchange_state import read_state

STATE_BYTES_MAX = 64 * 1024 * 1024
"""No exchange state is this large."""


def save_state(path: Path, data: bytes) -> None:
    """Replace the file at once: a reader sees the old state or the new one, never a half."""
    assert len(data) <= STATE_BYTES_MAX, f"{path}: {len(data)} bytes of state are too many"
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    draft.write_bytes(data)
    draft.replace(path)


def load_state(path: Path) -> bytes | None:
    """The saved state; None when there is none.

    Raises:
        DataError: the file is far too large to be one.
    """
    if not path.exists():
        return None
    if path.stat().st_size > STATE_BYTES_MAX:
        raise DataError(f"{path} is over {STATE_BYTES_MAX} bytes and no exchange state")
    return path.read_bytes()


def saved_now_ns(path: Path) -> int | None:
    """The moment a saved account has reached, so that a scaled clock can start there.

    Raises:
        DataError: the file is no exchange state.
    """
    data = load_state(path)
    return None if data is None else read_state(data).now_ns
