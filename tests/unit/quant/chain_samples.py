"""Option chains made for tests: quotes around a known smile, in coin or in USD."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from glmtrader.quant import black76
from glmtrader.quant.chain_quotes import ChainQuotes
from glmtrader.quant.trading_clock import NANOSECONDS_PER_HOUR, calendar_years

NOW_NS = 1_767_571_200_000_000_000
"""2026-01-05 00:00 UTC, a Monday."""
DAY_NS = 24 * NANOSECONDS_PER_HOUR
FORWARD = 90_000.0

Smile = Callable[[np.ndarray], np.ndarray]


def flat(vol: float) -> Smile:
    """The same volatility at every log-moneyness."""
    return lambda x: np.full_like(x, vol)


def skewed(x: np.ndarray) -> np.ndarray:
    """A smile with a downward skew."""
    vol: np.ndarray = np.sqrt(0.25 - 0.15 * x + 0.4 * x * x)
    return vol


def expiry_after(days: float) -> int:
    """Expiry ``days`` after the snapshot, nanoseconds UTC."""
    return NOW_NS + int(days * DAY_NS)


def chain(
    smile: Smile,
    *,
    days: tuple[float, ...] = (7.0,),
    half_spread_vol: float = 0.01,
    inverse: bool = True,
    forward: float = FORWARD,
    deviations: float = 4.0,
    strikes_per_expiry: int = 41,
) -> ChainQuotes:
    """Calls and puts of every strike, bid and ask ``half_spread_vol`` either side of the smile."""
    expiry, strike = [], []
    for length in days:
        s = 0.5 * np.sqrt(length / 365.0)
        grid = np.round(
            forward * np.exp(np.linspace(-deviations * s, deviations * s, strikes_per_expiry)), -1
        )
        strike.append(np.concatenate((grid, grid)))
        expiry.append(np.full(2 * len(grid), expiry_after(length)))
    strikes, expiries = np.concatenate(strike), np.concatenate(expiry)
    is_call = np.concatenate([np.arange(len(rows)) < len(rows) // 2 for rows in strike])
    years = calendar_years(NOW_NS, expiries)
    vol = smile(np.log(strikes / forward))
    unit = forward if inverse else 1.0
    bid, mark, ask = (
        black76.price(forward, strikes, years, vol + shift, is_call) / unit
        for shift in (-half_spread_vol, 0.0, half_spread_vol)
    )
    return ChainQuotes(
        now_ns=NOW_NS,
        expiry_ns=expiries,
        strike=strikes,
        is_call=is_call,
        bid=bid,
        ask=ask,
        forward=np.full_like(strikes, forward),
        mark=mark,
        inverse=inverse,
    )


def with_rows(quotes: ChainQuotes, rows: np.ndarray, **columns: float | np.ndarray) -> ChainQuotes:
    """The same chain with the named columns overwritten in ``rows``."""
    changed = {name: getattr(quotes, name).copy() for name in columns}
    for name, value in columns.items():
        changed[name][rows] = value
    return replace(quotes, **changed)


def only(quotes: ChainQuotes, keep: np.ndarray) -> ChainQuotes:
    """The rows of ``keep`` alone."""
    return replace(
        quotes,
        expiry_ns=quotes.expiry_ns[keep],
        strike=quotes.strike[keep],
        is_call=quotes.is_call[keep],
        bid=quotes.bid[keep],
        ask=quotes.ask[keep],
        forward=quotes.forward[keep],
        mark=None if quotes.mark is None else quotes.mark[keep],
    )
