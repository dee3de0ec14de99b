"""Fixtures of the whole suite."""

import os
import sys
from pathlib import Path

import pytest

for _room in ("risk", "strategies"):
    # The worlds of these rooms' tests serve other tests too, whichever are run.
    sys.path.append(str(Path(__file__).parent / "unit" / _room))


@pytest.fixture(scope="session")
def recorded_data() -> Path:
    """The folder of recorded market data; a test that asks for it skips where it is absent."""
    named = os.environ.get("GLMTRADER_DATA")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"recorded market data is not at {folder}; set GLMTRADER_DATA to its folder")
    return folder
