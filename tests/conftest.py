"""Fixtures of the whole suite."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def recorded_data() -> Path:
    """The folder of recorded market data; a test that asks for it skips where it is absent."""
    named = os.environ.get("GLMTRADER_DATA")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"recorded market data is not at {folder}; set GLMTRADER_DATA to its folder")
    return folder
