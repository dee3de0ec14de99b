"""Every error of glmtrader, in one tree; leaf modules may add branches, never a second root.

GlmtraderError
├── ConfigurationError        the configuration cannot be run; every fault is listed
├── InputError                a file, an argument or an artefact is not what it claims to be
│   ├── ArtefactError         a fitted model has a wrong hash, version or underlying
│   ├── DataError             recorded market data is missing, out of order or not a number
│   └── ForecastError         a volatility model cannot be fitted on what was given
├── InstrumentError           a price, quantity or operation does not fit the instrument
├── LedgerError               a booking would break the books
├── IllegalTransitionError    an order cannot go from this state to that one
├── ApprovalError             an order reached the gateway without a valid approval
├── VenueError                the venue refused or could not be understood
│   ├── VenueRefusedError     the venue answered no, with its own code
│   ├── VenueUnavailableError the venue did not answer; the outcome of an order is unknown
│   └── ProtocolError         a frame does not follow the venue's protocol
├── JournalError              the journal cannot be opened, read or written
│   ├── JournalCorruptError   a record fails its digest or cannot be decoded
│   └── JournalLockedError    another process writes this journal
├── CoreSuspendedError        a core coroutine awaited something other than its inbox
├── QueueOverflowError        a bounded queue that must not lose anything is full
└── TradingHaltedError        trading stopped for safety; the reason says why
"""


class GlmtraderError(Exception):
    """Root of all errors that glmtrader raises on purpose."""


class ConfigurationError(GlmtraderError):
    """The configuration cannot be run; the message lists every fault found."""


class InputError(GlmtraderError):
    """A file, an argument or an artefact is not what it claims to be."""


class ArtefactError(InputError):
    """A fitted model has a wrong hash, version or underlying."""


class DataError(InputError):
    """Recorded market data is missing, out of order or not a number."""


class ForecastError(InputError):
    """A volatility model cannot be fitted on what was given."""


class InstrumentError(GlmtraderError):
    """A price, a quantity or an operation does not fit the instrument."""


class LedgerError(GlmtraderError):
    """A booking would break the books."""


class IllegalTransitionError(GlmtraderError):
    """An order cannot go from its state to the one asked for."""


class ApprovalError(GlmtraderError):
    """An order reached the gateway without a valid, fresh and unused approval."""


class VenueError(GlmtraderError):
    """The venue refused, or could not be understood."""


class VenueRefusedError(VenueError):
    """The venue answered no; `code` is its own code for the reason."""

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


class VenueUnavailableError(VenueError):
    """The venue did not answer; whatever was asked may or may not have happened."""


class ProtocolError(VenueError):
    """A frame does not follow the venue's protocol."""


class JournalError(GlmtraderError):
    """The journal cannot be opened, read or written."""


class JournalCorruptError(JournalError):
    """A record of the journal fails its digest or cannot be decoded."""


class JournalLockedError(JournalError):
    """Another process is writing this journal."""


class CoreSuspendedError(GlmtraderError):
    """A core coroutine awaited something other than its inbox."""


class QueueOverflowError(GlmtraderError):
    """A bounded queue that must not lose anything is full."""


class TradingHaltedError(GlmtraderError):
    """Trading stopped for safety; the message says why and what clears it."""
