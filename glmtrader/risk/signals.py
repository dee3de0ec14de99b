"""The older form of an intent, turned into one, so that it meets the same veto. Pure.

A signal names one instrument. On an option it becomes a bought or sold option; on a perpetual it
can only hedge. `hold` asks for nothing.
"""

from decimal import Decimal

import numpy as np

from glmtrader.domain.decisions import Action, Intent, IntentType
from glmtrader.domain.ids import IntentId
from glmtrader.domain.instruments import Instrument
from glmtrader.domain.strategy_events import StrategyIntent, StrategySignal
from glmtrader.risk.verdicts import Veto, veto

RULE = "signal"


def to_intent(
    signal: StrategySignal, instrument: Instrument | None, held: Decimal
) -> StrategyIntent | Veto | None:
    """The intent that a signal stands for, a refusal, or None for `hold`.

    Args:
        signal: buy, sell, close or hold.
        instrument: that it names; None where it is unknown.
        held: signed position in it.
    """
    if signal.signal_type == "hold":
        return None
    if instrument is None:
        return veto(RULE, f"{signal.instrument_id} is not listed")
    if signal.signal_type not in ("buy", "sell", "close"):
        return veto(RULE, f"signal type {signal.signal_type!r} is none of buy, sell, close, hold")
    if signal.signal_type == "close" and held == 0:
        return veto(RULE, f"{signal.instrument_id} is flat: there is nothing to close")
    is_buy = held < 0 if signal.signal_type == "close" else signal.signal_type == "buy"
    intent = Intent(
        intent_type=_intent_type(signal, instrument, is_buy=is_buy),
        action=Action.BUY if is_buy else Action.SELL,
        direction=1 if is_buy else -1,
        quantity=abs(held) if signal.signal_type == "close" else signal.quantity,
        confidence=signal.confidence,
        reason=f"signal_{signal.signal_type}",
        expiry_ns=instrument.expiry_ns,
        strike_usd=None if instrument.strike is None else float(instrument.strike),
        instrument_id=signal.instrument_id,
        distance_to_action_vol=None,
        metadata={},
    )
    return StrategyIntent(
        ts_event=signal.ts_event,
        ts_init=signal.ts_init,
        intent_id=_intent_id(signal),
        strategy_id=signal.strategy_id,
        account_id=signal.account_id,
        underlying=instrument.underlying,
        intent=intent,
    )


def _intent_id(signal: StrategySignal) -> IntentId:
    """By its time in nanoseconds, base 36: short, because order ids are made of it."""
    return IntentId(f"{signal.strategy_id}-s{np.base_repr(signal.ts_init, 36).lower()}")


def _intent_type(signal: StrategySignal, instrument: Instrument, *, is_buy: bool) -> IntentType:
    if not instrument.is_option:
        return IntentType.HEDGE_DELTA
    if signal.signal_type == "close":
        return IntentType.REDUCE_SHORT_GAMMA if is_buy else IntentType.REDUCE_LONG_GAMMA
    return IntentType.INCREASE_LONG_GAMMA if is_buy else IntentType.INCREASE_SHORT_GAMMA
