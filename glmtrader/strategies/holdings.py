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
    """A call and a put of one expiry held in the same direction, or one of them alone."""

    expiry_ns: int
    strike_usd: float
    call_id: InstrumentId | None
    put_id: InstrumentId | None
    quantity: Decimal
    opened_ns: int

    @property
    def is_whole(self) -> bool:
        """Whether both legs are there."""
        return self.call_id is not None and self.put_id is not None


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

    What is left over of a leg stands alone; it comes last of its expiry and strike, and a strategy
    that only wants pairs can take it back.
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
        found.extend(_alone(expiry_ns, leg, is_call=True) for leg in calls if leg.rest != 0)
        found.extend(_alone(expiry_ns, leg, is_call=False) for leg in puts if leg.rest != 0)
    return tuple(sorted(found, key=lambda item: (item.expiry_ns, item.strike_usd)))


class _Leg:
    __slots__ = ("holding", "rest", "strike")

    def __init__(self, holding: LegHolding, strike: Decimal) -> None:
        self.holding = holding
        self.strike = strike
        self.rest = holding.quantity


def _alone(expiry_ns: int, leg: _Leg, *, is_call: bool) -> Straddle:
    instrument_id = leg.holding.instrument_id
    return Straddle(
        expiry_ns=expiry_ns,
        strike_usd=float(leg.strike),
        call_id=instrument_id if is_call else None,
        put_id=None if is_call else instrument_id,
        quantity=leg.rest,
        opened_ns=leg.holding.opened_ns,
    )


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
