"""ccxt loaded with one exchange only."""

import subprocess
import sys

import pytest

from glmtrader.errors import ConfigurationError
from glmtrader.venues.slim_ccxt import load_exchange

SCRIPT = """
import sys
from glmtrader.venues.slim_ccxt import load_exchange
deribit = load_exchange("deribit")
assert deribit({}).id == "deribit"
assert "ccxt" not in sys.modules
assert "ccxt.async_support.kraken" not in sys.modules
assert "ccxt.pro" not in sys.modules
"""


def test_one_exchange_is_loaded_without_the_others() -> None:
    """In a fresh process, only the wanted exchange is imported and no bare package stays."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_an_exchange_that_ccxt_does_not_have() -> None:
    """The error names it."""
    with pytest.raises(ConfigurationError, match="nosuchplace"):
        load_exchange("nosuchplace")
