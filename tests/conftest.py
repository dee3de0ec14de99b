"""Fixtures of the whole suite."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

for _room in ("risk", "strategies"):
    # The worlds of these rooms' tests serve other tests too, whichever are run.
    sys.path.append(str(Path(__file__).parent / "unit" / _room))


@pytest.fixture(autouse=True)
def _fresh_log_settings() -> Iterator[None]:
    """A test that runs a command leaves no log settings behind."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def recorded_data() -> Path:
    """The folder of recorded market data; a test that asks for it skips where it is absent."""
    named = os.environ.get("GLMTRADER_DATA")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"recorded market data is not at {folder}; set GLMTRADER_DATA to its folder")
    return folder
