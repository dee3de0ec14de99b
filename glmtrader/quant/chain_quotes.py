"""One coherent option-chain snapshot as arrays, and the names of what cannot be used of it.

A bad quote is refused and counted, never raised. NumPy alone may enter.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from glmtrader.quant._arrays import BoolArray, CodeArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class ChainQuotes:
    """Quotes of one underlying at one instant; all arrays of one length, one row an instrument.

    Args:
        now_ns: The instant of the snapshot, nanoseconds UTC.
        expiry_ns: Expiry of each row, nanoseconds UTC.
        strike: USD.
        is_call: True for calls.
        bid: Best bid, in coin where ``inverse`` else in USD; NaN or 0 where there is none.
        ask: Best ask likewise.
        forward: Forward of the row's expiry in USD, as the venue gave it with the row.
        mark: Venue's mark prices in the unit of ``bid``, or None.
        inverse: Prices are in coin, which is USD / forward.

    Raises:
        ValueError: Where the arrays differ in length.
    """

    now_ns: int
    expiry_ns: IntArray
    strike: FloatArray
    is_call: BoolArray
    bid: FloatArray
    ask: FloatArray
    forward: FloatArray
    mark: FloatArray | None
    inverse: bool

    def __post_init__(self) -> None:
        columns = (self.strike, self.is_call, self.bid, self.ask, self.forward, self.mark)
        lengths = {len(self.expiry_ns)} | {len(c) for c in columns if c is not None}
        if len(lengths) != 1:
            raise ValueError(f"the columns of a chain differ in length: {sorted(lengths)}")


class QuoteRefusal(IntEnum):
    """Why a row's quote is not used; ``USED`` is 0."""

    USED = 0
    BAD_TERMS = 1
    """Strike or forward is NaN, infinite or not positive."""
    EXPIRED = 2
    NOT_FINITE = 3
    """A price is infinite."""
    NEGATIVE = 4
    NO_QUOTE = 5
    ONE_SIDED = 6
    CROSSED = 7
    """Bid above ask."""
    DUPLICATE = 8
    """The instrument occurs twice in the snapshot; the later row is used."""
    NOT_INVERTIBLE = 9
    """No volatility gives the price; the out-of-the-money side only."""


def classify(quotes: ChainQuotes) -> CodeArray:
    """``QuoteRefusal`` code of each row, by what the row alone shows."""
    bid, ask = quotes.bid, quotes.ask
    with np.errstate(invalid="ignore"):
        terms = np.minimum(quotes.strike, quotes.forward)
        bad_terms = ~((terms > 0.0) & (np.maximum(quotes.strike, quotes.forward) < np.inf))
        has_bid, has_ask = bid > 0.0, ask > 0.0
        checks = (
            (QuoteRefusal.CROSSED, bid > ask),
            (QuoteRefusal.ONE_SIDED, has_bid != has_ask),
            (QuoteRefusal.NO_QUOTE, ~(has_bid | has_ask)),
            (QuoteRefusal.NEGATIVE, (bid < 0.0) | (ask < 0.0)),
            (QuoteRefusal.NOT_FINITE, np.isinf(bid) | np.isinf(ask)),
            (QuoteRefusal.EXPIRED, quotes.expiry_ns <= quotes.now_ns),
            (QuoteRefusal.BAD_TERMS, bad_terms),
        )
    codes = np.zeros(len(bid), dtype=np.uint8)
    for code, where in checks:
        codes[where] = code
    return codes
