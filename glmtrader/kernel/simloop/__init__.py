"""A virtual-time asyncio event loop with in-memory transports and seeded faults.

What enters here: the loop, its network, and the patches that make a process deterministic.
Nothing of trading. The same seed gives the same bytes at the same instants, for one commit, one
Python and one lock file; iteration over sets of strings or plain objects is what still can break
that, and the code under simulation must avoid it. uvloop cannot be simulated.
"""

from glmtrader.kernel.simloop.clock import SimClock
from glmtrader.kernel.simloop.errors import (
    SimDeadlockError,
    SimLivelockError,
    SimLoopError,
    SimUnhandledError,
    SimUnsupportedError,
    UnsupportedPythonError,
)
from glmtrader.kernel.simloop.links import LinkProfile
from glmtrader.kernel.simloop.loop import SimLoop, current_network
from glmtrader.kernel.simloop.network import NetworkCounts, SimNetwork
from glmtrader.kernel.simloop.patching import patched_process
from glmtrader.kernel.simloop.runner import SimOptions, SimOutcome, run_simulated, simulate

__all__ = [
    "LinkProfile",
    "NetworkCounts",
    "SimClock",
    "SimDeadlockError",
    "SimLivelockError",
    "SimLoop",
    "SimLoopError",
    "SimNetwork",
    "SimOptions",
    "SimOutcome",
    "SimUnhandledError",
    "SimUnsupportedError",
    "UnsupportedPythonError",
    "current_network",
    "patched_process",
    "run_simulated",
    "simulate",
]
