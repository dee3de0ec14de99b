"""Flattening after the kill switch: from what an account holds to closing intents. Pure.

One intent an instrument, perpetuals included, each a reduction that names its instrument; they are
published, planned and sent like any other, so that every order meets the gate. What cannot be
closed (expired, delisted, below the smallest order) is left out.
"""

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Final

from glmtrader.domain.decisions import Action, Intent, IntentType
from glmtrader.domain.ids import InstrumentId, StrategyId
from glmtrader.domain.instruments import Instrument
from glmtrader.market.quote_book import Catalogue

FLATTEN: Final = StrategyId("flatten")
"""Who asks for these intents: no strategy, and all of them."""


def closable(
    positions: Mapping[InstrumentId, Decimal],
    catalogue: Catalogue,
    *,
    busy: Collection[InstrumentId],
    now_ns: int,
) -> list[tuple[Instrument, Decimal]]:
    """What can be closed now, with the signed quantity held, by instrument id.

    Args:
        busy: instruments with an order or an intent under way: closing them would close twice.
    """
    found = []
    for name in sorted(positions):
        instrument = catalogue.get(name)
        if instrument is None or name in busy or not catalogue.is_listed(name):
            continue
        if not instrument.is_expired(now_ns) and instrument.quantity_down(abs(positions[name])):
            found.append((instrument, positions[name]))
    return found


def closing_intent(instrument: Instrument, position: Decimal, *, source: str) -> Intent:
    """The intent that takes a whole position off."""
    assert position != 0, f"{instrument.instrument_id} is flat"
    is_long = position > 0
    kind = IntentType.REDUCE_LONG_GAMMA if is_long else IntentType.REDUCE_SHORT_GAMMA
    return Intent(
        intent_type=kind,
        action=Action.SELL if is_long else Action.BUY,
        direction=-1 if is_long else 1,
        quantity=abs(position),
        confidence=1.0,
        reason=f"kill switch with flatten: {source}",
        expiry_ns=None,
        strike_usd=None,
        instrument_id=instrument.instrument_id,
        distance_to_action_vol=None,
        metadata={},
    )
