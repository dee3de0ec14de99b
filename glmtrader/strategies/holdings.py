"""What each strategy holds, and how its option legs pair into straddles; pure.

A fill belongs to the strategy whose configured name begins its client order id. Fills without one
(placed by hand) belong to no strategy; the account's positions are the risk service's business.
"""

from decimal import Decimal

import msgspec

from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import Instrument
from glmtrader.domain.order_events import Fill
from glmtrader.domain.strategy_events import LegHolding

Holdings = dict[InstrumentId, LegHolding]
"""Open legs of one strategy by instrument; flat legs are absent."""


class Straddle(msgspec.Struct, frozen=True, kw_only=True):
    """A call and a put of one expiry held in the same direction."""

    expiry_ns: int
    strike_usd: float
    call_id: InstrumentId
    put_id: InstrumentId
    quantity: Decimal
    opened_ns: int


def with_fill(holdings: Holdings, fill: Fill) -> Holdings:
    """Holdings after a fill; the opening time is kept until the leg is flat."""
    held = holdings.get(fill.instrument_id)
    before = held.quantity if held is not None else Decimal(0)
    after = before + fill.quantity * fill.side.sign
    rest = {key: value for key, value in holdings.items() if key != fill.instrument_id}
    if after == 0:
        return rest
    keeps_time = held is not None and before * after > 0
    opened_ns = held.opened_ns if held is not None and keeps_time else fill.ts_event
    rest[fill.instrument_id] = LegHolding(
        instrument_id=fill.instrument_id, quantity=after, opened_ns=opened_ns
    )
    return rest


def without_expiry(
    holdings: Holdings, instruments: dict[InstrumentId, Instrument], expiry_ns: int
) -> Holdings:
    """Holdings after an expiry was delivered."""
    return {
        key: value
        for key, value in holdings.items()
        if (item := instruments.get(key)) is None or item.expiry_ns != expiry_ns
    }


def straddles(
    holdings: Holdings, instruments: dict[InstrumentId, Instrument]
) -> tuple[Straddle, ...]:
    """Pair calls with puts of one expiry, equal strikes first, by ascending expiry and strike.

    A leg without a partner is in no straddle: it is delta and gamma, which the hedger and the
    risk service see, but nothing that a straddle order could close.
    """
    found = []
    by_expiry: dict[int, tuple[list[_Leg], list[_Leg]]] = {}
    for holding in holdings.values():
        item = instruments.get(holding.instrument_id)
        if item is None or item.expiry_ns is None or item.strike is None:
            continue
        calls, puts = by_expiry.setdefault(item.expiry_ns, ([], []))
        leg = _Leg(holding, item.strike)
        (calls if item.is_call else puts).append(leg)
    for expiry_ns in sorted(by_expiry):
        calls, puts = by_expiry[expiry_ns]
        found.extend(_paired(expiry_ns, calls, puts, same_strike=True))
        found.extend(_paired(expiry_ns, calls, puts, same_strike=False))
    return tuple(sorted(found, key=lambda item: (item.expiry_ns, item.strike_usd)))


class _Leg:
    __slots__ = ("holding", "rest", "strike")

    def __init__(self, holding: LegHolding, strike: Decimal) -> None:
        self.holding = holding
        self.strike = strike
        self.rest = holding.quantity


def _paired(
    expiry_ns: int, calls: list[_Leg], puts: list[_Leg], *, same_strike: bool
) -> list[Straddle]:
    found = []
    for call in sorted(calls, key=lambda leg: leg.strike):
        for put in sorted(puts, key=lambda leg: leg.strike):
            if same_strike and call.strike != put.strike:
                continue
            if call.rest * put.rest <= 0:
                continue
            size = min(abs(call.rest), abs(put.rest)).copy_sign(call.rest)
            call.rest -= size
            put.rest -= size
            found.append(
                Straddle(
                    expiry_ns=expiry_ns,
                    strike_usd=float(put.strike),
                    call_id=call.holding.instrument_id,
                    put_id=put.holding.instrument_id,
                    quantity=size,
                    opened_ns=min(call.holding.opened_ns, put.holding.opened_ns),
                )
            )
    return found
