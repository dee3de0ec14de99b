"""Initial margin that a position is estimated to need: pure formulas, per unit, in USD.

Deribit's standard margin (deribit.com/kb, "Portfolio and standard margin"): a short call needs
max(0.15 - OTM/F, 0.1) + mark coins, a short put the same but never less than its maintenance
margin max(0.075, 0.075 mark) + mark; a long option needs nothing, because its premium is paid and
it is no collateral. A perpetual needs 2 % of its size. The venue's size-dependent surcharge is
left out: it is below 0.5 % up to a hundred coins, and `margin_used_pct_max` leaves that room.
"""

from typing import Final

from glmtrader.domain.instruments import Instrument

OPTION_INITIAL: Final = 0.15
OPTION_INITIAL_MIN: Final = 0.10
OPTION_MAINTENANCE: Final = 0.075
PERPETUAL_INITIAL: Final = 0.02


def short_option_margin_usd(
    strike: float, forward: float, mark_usd: float, *, is_call: bool
) -> float:
    """Initial margin of one coin of a short option, in USD.

    Args:
        strike: USD, > 0.
        forward: USD, > 0.
        mark_usd: the option's mark price in USD a coin.
        is_call: False for a put.
    """
    out_of_the_money = max(strike - forward if is_call else forward - strike, 0.0) / forward
    mark = mark_usd / forward
    initial = max(OPTION_INITIAL - out_of_the_money, OPTION_INITIAL_MIN) + mark
    if not is_call:
        initial = max(initial, max(OPTION_MAINTENANCE, OPTION_MAINTENANCE * mark) + mark)
    return initial * forward


def unit_margins_usd(
    instrument: Instrument, notional_usd: float, mark_usd: float, forward: float
) -> tuple[float, float]:
    """Initial margin of one unit held long, and of one unit held short, in USD.

    Args:
        instrument: what is held.
        notional_usd: underlying notional of one unit.
        mark_usd: of an option, in USD a coin; not looked at otherwise.
        forward: of an option's expiry, USD; not looked at otherwise.
    """
    if instrument.is_perpetual:
        return PERPETUAL_INITIAL * notional_usd, PERPETUAL_INITIAL * notional_usd
    if instrument.strike is None or instrument.is_call is None:
        return 0.0, notional_usd
    strike = float(instrument.strike)
    return 0.0, short_option_margin_usd(strike, forward, mark_usd, is_call=instrument.is_call)
