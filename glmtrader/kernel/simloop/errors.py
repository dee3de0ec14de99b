"""Errors of the simulated event loop; each message names what happened and the way out."""

from glmtrader.errors import GlmtraderError


class SimLoopError(GlmtraderError):
    """Base of everything the simulated loop raises about itself."""


class SimDeadlockError(SimLoopError):
    """Nothing is ready, no timer is set and no byte is under way: nothing can ever happen."""


class SimLivelockError(SimLoopError):
    """Callbacks keep each other busy while virtual time stands still."""


class SimUnhandledError(SimLoopError):
    """A callback failed or an exception was never retrieved; the cause is chained."""


class SimUnsupportedError(SimLoopError, NotImplementedError):
    """The call needs a real socket, thread, signal or process, which a simulation has not."""


class UnsupportedPythonError(SimLoopError):
    """This Python's asyncio lacks a private name that the simulated loop builds on."""
