"""The P&L of one interval by source: pure arithmetic on books and marks at its two ends.

    E1 S1 - E0 S0 = E0 (S1 - S0) + (E1 - E0) S1

for the equity E in a coin of price S: the first term is the coins' own P&L, the second what
positions and bookings earned in coin, valued at the end. Options held over the interval are
expanded by `quant.attribution`; a booking counts against the marks at the interval's end.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
import numpy as np

from glmtrader.domain.arrays import FloatArray
from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import Instrument
from glmtrader.domain.ledger import Ledger, LedgerChange
from glmtrader.domain.order_events import Fill, FundingPaid, OptionDelivered, SessionSettled
from glmtrader.quant.attribution import OptionInterval, attribute
from glmtrader.research.marking import Held, Marks, carried, row_of
from glmtrader.risk.portfolio import DOLLARS

GREEKS: Final = ("delta", "gamma", "vega", "theta", "vanna", "volga")
"""The parts that come from expanding options."""

Share = tuple[str, str, float]
"""A row (coin or underlying), a part of its P&L, and USD."""


PnlBooking = Fill | FundingPaid | SessionSettled | OptionDelivered
"""The bookings that earn or cost; a transfer does neither."""


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """Books and marks at one end of an interval."""

    ledger: Ledger
    held: Held
    marks: Marks


class Booked(msgspec.Struct, frozen=True, kw_only=True):
    """What one booking did to one instrument."""

    instrument: Instrument
    booking: PnlBooking
    change: LedgerChange


def shares(start: Moment, booked: Sequence[Booked], end: Moment) -> list[Share]:
    """Everything that explains the P&L between two moments."""
    return [
        *_coin_shares(start, end.marks),
        *_held_shares(start, end.marks),
        *_cash_shares(booked, end.marks),
        *_traded_shares(booked, start, end),
    ]


def actual(start: Moment, booked: Sequence[Booked], end: Moment) -> dict[str, float]:
    """Change of equity by row, from the books and the marks alone: what `shares` must explain."""
    change: defaultdict[str, float] = defaultdict(float)
    for sign, moment in ((1.0, end), (-1.0, start)):
        for coin, amount in _coin_equity(moment).items():
            if amount:
                change[coin] += sign * amount * moment.marks.usd(coin)
        for instrument, position in moment.held:
            if instrument.settlement_currency in DOLLARS:
                change[instrument.underlying] += sign * carried(instrument, position, moment.marks)
    for item in booked:
        for currency, cash in item.change.cash.items():
            if currency in DOLLARS:
                change[item.instrument.underlying] += float(cash)
    return dict(change)


def _coin_equity(moment: Moment) -> dict[str, float]:
    """Equity in every currency but dollars; coins without a price count as nothing, as in risk."""
    balances = moment.ledger.balances.items()
    equity = {
        coin: float(cash)
        for coin, cash in balances
        if coin not in DOLLARS and moment.marks.has_price(coin)
    }
    for instrument, position in moment.held:
        coin = instrument.settlement_currency
        if coin not in DOLLARS:
            equity[coin] = equity.get(coin, 0.0) + carried(instrument, position, moment.marks)
    return equity


def _coin_shares(start: Moment, end: Marks) -> list[Share]:
    """Equity in each coin times the move of its price."""
    return [
        (coin, "coin", amount * (end.usd(coin) - start.marks.usd(coin)))
        for coin, amount in _coin_equity(start).items()
        if amount and end.has_price(coin)
    ]


def _held_shares(start: Moment, end: Marks) -> list[Share]:
    """What positions earned: options by greek, perpetuals and what awaits delivery whole."""
    live: defaultdict[str, Held] = defaultdict(list)
    earned: list[Share] = []
    for instrument, position in start.held:
        currency = instrument.settlement_currency
        row = row_of(currency, instrument.underlying)
        if instrument.is_option and start.marks.options[instrument.instrument_id].years > 0:
            live[row].append((instrument, position))
            continue
        moved = carried(instrument, position, end) - carried(instrument, position, start.marks)
        part = "delivery" if instrument.is_option else "hedge"
        earned.append((row, part, moved * end.usd(currency)))
    for row, options in live.items():
        expanded = attribute(_option_interval(options, start.marks, end))
        earned.extend((row, part, float(getattr(expanded, part))) for part in GREEKS)
    return earned


def _cash_shares(booked: Iterable[Booked], end: Marks) -> list[Share]:
    """What bookings paid, fees apart from the rest."""
    paid: list[Share] = []
    for item in booked:
        underlying = item.instrument.underlying
        cash = {currency: float(amount) for currency, amount in item.change.cash.items()}
        fee, currency = float(item.change.fee), item.change.fee_currency
        if fee:
            cash[currency] = cash.get(currency, 0.0) + fee
            paid.append((row_of(currency, underlying), "fees", -fee * end.usd(currency)))
        paid.extend(
            (row_of(currency, underlying), _part_of(item.booking), amount * end.usd(currency))
            for currency, amount in cash.items()
            if amount
        )
    return paid


def _traded_shares(booked: Iterable[Booked], start: Moment, end: Moment) -> list[Share]:
    """What positions carry after trades and deliveries less what they carried before."""
    parts: dict[InstrumentId, str] = {}
    for item in booked:
        if not isinstance(item.booking, FundingPaid):
            parts[item.instrument.instrument_id] = _part_of(item.booking)
    found: list[Share] = []
    for sign, held in ((1.0, end.held), (-1.0, start.held)):
        for instrument, position in held:
            part = parts.get(instrument.instrument_id)
            if part is not None:
                currency = instrument.settlement_currency
                value = sign * carried(instrument, position, end.marks) * end.marks.usd(currency)
                found.append((row_of(currency, instrument.underlying), part, value))
    return found


def _part_of(booking: PnlBooking) -> str:
    if isinstance(booking, FundingPaid):
        return "funding"
    return "delivery" if isinstance(booking, OptionDelivered) else "execution"


def _option_interval(held: Held, start: Marks, end: Marks) -> OptionInterval:
    """The arrays of `quant.attribution`; what expires inside keeps its volatility to the end."""
    from_, to = _columns(held, start), _columns(held, end)
    return OptionInterval(
        quantity=np.array([float(position.quantity) for _, position in held]),
        strike=np.array([_strike(item) for item, _ in held]),
        is_call=np.array([bool(item.is_call) for item, _ in held]),
        inverse=np.array([item.is_inverse for item, _ in held]),
        forward_start=from_[0],
        forward_end=to[0],
        years_start=from_[1],
        years_end=to[1],
        vol_start=from_[2],
        vol_end=np.where(to[1] > 0, to[2], from_[2]),
        value_start=from_[3],
        value_end=to[3],
        index_end=np.array([end.prices[item.underlying] for item, _ in held]),
    )


def _strike(instrument: Instrument) -> float:
    assert instrument.strike is not None, f"{instrument.instrument_id} has no strike"
    return float(instrument.strike)


def _columns(held: Held, marks: Marks) -> FloatArray:
    """Forward, years, volatility and value of one unit, each of shape (n,)."""
    units = [marks.options[item.instrument_id] for item, _ in held]
    return np.array([(one.forward, one.years, one.vol, one.value_usd) for one in units]).T
