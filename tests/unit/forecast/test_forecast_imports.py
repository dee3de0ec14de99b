"""Whoever only forecasts pays neither for fitting nor for files."""

import subprocess
import sys

import pytest

_HEAVY = ("statsmodels", "pandas", "scipy", "pyarrow")


@pytest.mark.parametrize("heavy", _HEAVY)
def test_importing_the_forecast_leaves_the_heavy_libraries_out(heavy: str) -> None:
    code = (
        "import sys, glmtrader.forecast, glmtrader.forecast.candle_files\n"
        f"sys.exit({heavy!r} in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
