"""What a generated venue lists: expiries by the calendar, strikes around the forward.

As Deribit does: every day at 08:00 UTC one expiry ends and another begins; dailies, the next
Fridays, the last Fridays of the next months and of the next quarters. A strike once listed stays
until its expiry; new ones come when the forward moves. Pure.
"""

import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec
import numpy as np

from glmtrader.domain.arrays import BoolArray, FloatArray, IntArray
from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import DAY_NS, HOUR_NS, SECOND_NS, YEAR_NS, Instrument
from glmtrader.simulator.contracts import inverse_option
from glmtrader.simulator.generated_config import CoinConfig

EXPIRY_HOUR_NS: Final = 8 * HOUR_NS
"""Options expire at 08:00 UTC."""

_DAILIES: Final = 4
_WEEKLIES: Final = 4
_MONTHLIES: Final = 3
_QUARTERLIES: Final = 4
_FRIDAY: Final = 4
_STEP_LADDER: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
_NEAR_SDS: Final = 1.0
_FAR_SDS: Final = 4.0
_LOG_DISTANCE_MAX: Final = 1.3
_NEAR_STRIKES: Final = 18


class ListedOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Columns of all listed options, by expiry, strike, call before put.

    Attributes:
        expiries_ns: the distinct expiries, ascending; `slot` is each row's index into them.
    """

    instrument_ids: tuple[InstrumentId, ...]
    instruments: tuple[Instrument, ...]
    expiries_ns: IntArray
    slot: IntArray
    expiry_ns: IntArray
    strike: FloatArray
    is_call: BoolArray


def listed_expiries(now_ns: int) -> tuple[int, ...]:
    """Expiries listed at `now_ns`, ascending, all later than it."""
    day = datetime.fromtimestamp((now_ns - EXPIRY_HOUR_NS) // SECOND_NS, UTC).date()
    day += timedelta(days=1)  # the first day whose 08:00 is still to come
    days = {day + timedelta(days=n) for n in range(_DAILIES)}
    friday = day + timedelta(days=(_FRIDAY - day.weekday()) % 7)
    days |= {friday + timedelta(weeks=n) for n in range(_WEEKLIES)}
    months = [last for n in range(16) if (last := _last_friday(day, n)) >= day]
    days |= set(months[:_MONTHLIES])
    days |= set([last for last in months if last.month % 3 == 0][:_QUARTERLIES])
    epoch = date(1970, 1, 1)
    return tuple(sorted((day - epoch).days * DAY_NS + EXPIRY_HOUR_NS for day in days))


def _last_friday(day: date, months_ahead: int) -> date:
    month = day.year * 12 + day.month + months_ahead  # of the month after the one wanted
    first_after = date(month // 12, month % 12 + 1, 1)
    last = first_after - timedelta(days=1)
    return last - timedelta(days=(last.weekday() - _FRIDAY) % 7)


def strike_grid(forward_usd: float, years: float, vol: float, step_usd: float) -> FloatArray:
    """Strikes around a forward: a fine grid near the money, a coarser one up to the wings."""
    sd = vol * math.sqrt(max(years, 0.5 / 365.0))
    near = forward_usd * min(_NEAR_SDS * sd, 0.5)
    fine = _step_at_least(2.0 * near / _NEAR_STRIKES, step_usd)
    coarse = _step_at_least(min(2.0 * fine, near), step_usd)
    reach = math.exp(min(_FAR_SDS * sd, _LOG_DISTANCE_MAX))
    return np.union1d(
        _multiples(forward_usd - near, forward_usd + near, fine),
        _multiples(forward_usd / reach, forward_usd * reach, coarse),
    )


def _step_at_least(distance_usd: float, step_usd: float) -> float:
    for multiple in _STEP_LADDER:
        if multiple * step_usd >= distance_usd:
            return multiple * step_usd
    return _STEP_LADDER[-1] * step_usd


def _multiples(low: float, high: float, step: float) -> FloatArray:
    first = max(math.ceil(low / step), 1)
    return np.arange(first, math.floor(high / step) + 1, dtype=np.float64) * step


class OptionListing:
    """The listed options of one coin; grows with the forward, shrinks by expiry."""

    def __init__(self, coin: CoinConfig, venue: str) -> None:
        self._coin = coin
        self._venue = venue
        self._strikes: dict[int, FloatArray] = {}
        self._rows: dict[int, tuple[Instrument, ...]] = {}
        self.options = _columns({}, {})

    def refresh(self, now_ns: int, index_usd: float, basis: float) -> bool:
        """List and delist for `now_ns`; whether anything changed."""
        expiries = listed_expiries(now_ns)
        expired = [expiry for expiry in self._strikes if expiry <= now_ns]
        for expiry in expired:
            del self._strikes[expiry], self._rows[expiry]
        changed = bool(expired)
        for expiry_ns in expiries:
            years = (expiry_ns - now_ns) / YEAR_NS
            forward = index_usd * math.exp(basis * years)
            changed |= self._extend(expiry_ns, forward, years)
        if changed:
            self._strikes = dict(sorted(self._strikes.items()))
            self.options = _columns(self._strikes, self._rows)
        return changed

    def _extend(self, expiry_ns: int, forward_usd: float, years: float) -> bool:
        """Add the strikes that the forward now asks for; only near ones once it is listed."""
        coin = self._coin
        wanted = strike_grid(forward_usd, years, coin.annual_vol, coin.strike_step_usd)
        known = self._strikes.get(expiry_ns)
        if known is not None:
            distance = _NEAR_SDS * coin.annual_vol * math.sqrt(years)
            low, high = forward_usd * math.exp(-distance), forward_usd * math.exp(distance)
            if known[0] <= low and known[-1] >= high:
                return False
            wanted = np.union1d(known, wanted)
        self._strikes[expiry_ns] = wanted
        lot = Decimal(coin.option_lot)
        self._rows[expiry_ns] = tuple(
            inverse_option(
                self._venue, coin.underlying, expiry_ns, float(strike), lot, is_call=is_call
            )
            for strike in wanted
            for is_call in (True, False)
        )
        return True


def _columns(
    strikes: dict[int, FloatArray], rows: dict[int, tuple[Instrument, ...]]
) -> ListedOptions:
    instruments = tuple(row for expiry in strikes for row in rows[expiry])
    expiries = np.array(list(strikes), np.int64)
    counts = [2 * len(strikes[expiry]) for expiry in strikes]
    slot = np.repeat(np.arange(len(expiries)), counts)
    by_strike = [np.repeat(column, 2) for column in strikes.values()]
    return ListedOptions(
        instrument_ids=tuple(row.instrument_id for row in instruments),
        instruments=instruments,
        expiries_ns=expiries,
        slot=slot,
        expiry_ns=expiries[slot],
        strike=np.concatenate(by_strike) if by_strike else np.empty(0),
        is_call=np.tile([True, False], sum(counts) // 2),
    )
