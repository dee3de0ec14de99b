"""What a ledger is worth at one moment, position by position: pure, from journaled events alone.

The same marks as the risk service's: an option at the volatility of its strike on the newest
surface of its expiry, with the forward moved by the index; a perpetual at its own mark; what has
expired and awaits delivery at its payoff on the index.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

import msgspec

from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import Instrument, InstrumentKind
from glmtrader.domain.ledger import InstrumentLookup, Ledger
from glmtrader.domain.pnl import delivery_payoff
from glmtrader.domain.risk_events import PortfolioRisk, PositionEntry
from glmtrader.errors import LedgerError
from glmtrader.quant.black76_scalar import price_one
from glmtrader.risk.portfolio import DOLLARS
from glmtrader.risk.pricing import SurfaceView

Held = list[tuple[Instrument, PositionEntry]]
"""Open positions with their instruments."""

NO_VOL: Final = float("nan")
"""Volatility of an option that has expired: it has none."""


class OptionMark(msgspec.Struct, frozen=True):
    """One unit of an option: `value_usd` is its Black-76 price, coin mark x forward if inverse."""

    forward: float
    years: float
    vol: float
    value_usd: float


class Marks(msgspec.Struct, frozen=True, kw_only=True):
    """Prices of everything held at one moment.

    Attributes:
        prices: USD by underlying. perpetuals: USD by instrument. options: by instrument.
    """

    prices: dict[str, float]
    perpetuals: dict[InstrumentId, float]
    options: dict[InstrumentId, OptionMark]

    def has_price(self, currency: str) -> bool:
        """Whether a currency can be counted in USD."""
        return currency in DOLLARS or currency in self.prices

    def usd(self, currency: str) -> float:
        """USD for one unit of a currency.

        Raises:
            LedgerError: no price of it is known.
        """
        if currency in DOLLARS:
            return 1.0
        price = self.prices.get(currency)
        if price is None:
            raise LedgerError(f"no price of {currency}: its P&L cannot be counted in USD")
        return price


def row_of(currency: str, underlying: str) -> str:
    """Where money of a currency counts: with its own coin, dollars with what earned them."""
    return underlying if currency in DOLLARS else currency


def open_positions(ledger: Ledger, lookup: InstrumentLookup) -> Held:
    """Positions that are not flat, by name.

    Raises:
        LedgerError: an instrument is held that nobody listed.
    """
    found = []
    for name in sorted(ledger.positions):
        entry = ledger.positions[name]
        if entry.quantity:
            instrument = lookup(name)
            if instrument is None:
                raise LedgerError(f"{name} is held but not known: no listing of it was journaled")
            found.append((instrument, entry))
    return found


def mark(
    risk: PortfolioRisk, surfaces: SurfaceView, instruments: Iterable[Instrument]
) -> Marks | None:
    """Mark instruments at the prices of one risk event; None while one cannot be marked."""
    prices = {row.underlying: row.price_usd for row in risk.by_underlying}
    perpetuals: dict[InstrumentId, float] = {}
    options: dict[InstrumentId, OptionMark] = {}
    for instrument in instruments:
        name, price = instrument.instrument_id, prices.get(instrument.underlying)
        if price is None:
            return None
        if instrument.is_perpetual:
            perpetuals[name] = risk.marks_usd.get(name, price)
        elif instrument.is_option:
            found = _mark_option(instrument, surfaces, price, risk.ts_init)
            if found is None:
                return None
            options[name] = found
    return Marks(prices=prices, perpetuals=perpetuals, options=options)


def carried(instrument: Instrument, position: PositionEntry, marks: Marks) -> float:
    """What a position carries beyond cash, in its settlement currency."""
    name, quantity = instrument.instrument_id, float(position.quantity)
    if not quantity or instrument.kind is InstrumentKind.SPOT:
        return 0.0
    if instrument.is_option:
        unit = marks.options[name]
        return quantity * unit.value_usd / (unit.forward if instrument.is_inverse else 1.0)
    cost, price = float(position.entry_value), marks.perpetuals[name]
    return cost - quantity / price if instrument.is_inverse else quantity * price - cost


def _mark_option(
    instrument: Instrument, surfaces: SurfaceView, price_usd: float, now_ns: int
) -> OptionMark | None:
    if instrument.is_expired(now_ns):
        payoff = float(delivery_payoff(instrument, Decimal(repr(price_usd))))
        value_usd = payoff * price_usd if instrument.is_inverse else payoff
        return OptionMark(price_usd, 0.0, NO_VOL, value_usd)
    point = surfaces.point(instrument, price_usd)
    if point is None:
        return None
    assert instrument.strike is not None, f"{instrument.instrument_id} has no strike"
    years, strike = instrument.years(now_ns), float(instrument.strike)
    value_usd = price_one(point.forward, strike, years, point.vol, bool(instrument.is_call))
    return OptionMark(point.forward, years, point.vol, value_usd)
