"""The special functions are SciPy's own, without the rest of SciPy."""

import subprocess
import sys

import pytest

_SLIM = """
import sys
from glmtrader.quant import special_functions as slim
assert "scipy.special" not in sys.modules, "the bare package was left in place"
assert "numpy.f2py" not in sys.modules, "SciPy's bridges were executed"
import scipy.special
assert scipy.special.ndtr is slim.ndtr and scipy.special.ndtri is slim.ndtri
assert scipy.special.erfcx is slim.erfcx and callable(scipy.special.logsumexp)
"""

_WHOLE_FIRST = """
import scipy.special
from glmtrader.quant import special_functions as slim
assert scipy.special.erfcx is slim.erfcx
"""


@pytest.mark.parametrize("code", [_SLIM, _WHOLE_FIRST], ids=["slim", "whole_first"])
def test_functions_are_those_of_scipy_whoever_imports_first(code: str) -> None:
    """In a fresh process: the same ufunc objects, and a whole scipy.special afterwards."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
