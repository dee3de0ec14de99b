"""Deribit's instrument names: to and from ids, and what an option's name says by itself.

Pure. An expired option is no longer listed, but the transaction log still names it: its terms
are then read from the name (all options expire at 08:00 UTC).
"""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import msgspec

from glmtrader.domain.ids import InstrumentId, instrument_id
from glmtrader.domain.instruments import SECOND_NS
from glmtrader.errors import ProtocolError

VENUE: Final = "deribit"

MS_NS: Final = 1_000_000
"""Nanoseconds in one of the venue's milliseconds."""

EXPIRY_HOUR_UTC: Final = 8

_PREFIX = f"{VENUE}:"
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_OPTION = re.compile(
    r"(?P<coin>[A-Z0-9]+)(?:_[A-Z0-9]+)?-(?P<day>\d{1,2})(?P<month>[A-Z]{3})(?P<year>\d{2})"
    r"-(?P<strike>\d+(?:d\d+)?)-(?P<right>[CP])"
)


class OptionTerms(msgspec.Struct, frozen=True):
    """What an option's name says."""

    underlying: str
    expiry_ns: int
    strike: Decimal
    is_call: bool


def id_of(name: str) -> InstrumentId:
    """`BTC-PERPETUAL` as `deribit:BTC-PERPETUAL`.

    Raises:
        ProtocolError: the venue sent an empty name.
    """
    if not name:
        raise ProtocolError("an instrument without a name")
    return instrument_id(VENUE, name)


def name_of(wanted: InstrumentId) -> str:
    """The venue's own name of one of its instruments."""
    assert wanted.startswith(_PREFIX), f"{wanted} is not an instrument of {VENUE}"
    return wanted[len(_PREFIX) :]


def perpetual_name(underlying: str) -> str:
    """The inverse perpetual of a coin."""
    return f"{underlying}-PERPETUAL"


def index_name(underlying: str) -> str:
    """The USD index of a coin, as channels name it."""
    return f"{underlying.lower()}_usd"


def option_terms(name: str) -> OptionTerms | None:
    """Terms read from an option's name; None where it names no option.

    Raises:
        ProtocolError: it looks like an option but has no such month or day.
    """
    found = _OPTION.fullmatch(name)
    if found is None:
        return None
    return OptionTerms(
        underlying=found["coin"],
        expiry_ns=_expiry_ns(name, found["day"], found["month"], found["year"]),
        strike=Decimal(found["strike"].replace("d", ".")),
        is_call=found["right"] == "C",
    )


def _expiry_ns(name: str, day: str, month: str, year: str) -> int:
    try:
        number = _MONTHS.index(month) + 1
        at = datetime(2000 + int(year), number, int(day), EXPIRY_HOUR_UTC, tzinfo=UTC)
    except ValueError as error:
        raise ProtocolError(f"{name}: {day}{month}{year} is no date") from error
    return int(at.timestamp()) * SECOND_NS
