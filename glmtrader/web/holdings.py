"""The options held, each with its own greeks and profit at the newest surface. Pure."""

from decimal import Decimal

from glmtrader.domain.instruments import Instrument
from glmtrader.domain.pnl import average_price
from glmtrader.risk.pricing import PricingInput, UnitRisk, price_units
from glmtrader.web.responses import OptionPosition, OptionPositions, PositionGreeks, utc_text
from glmtrader.web.views import Held, ViewCache


def option_positions(views: ViewCache, now_ns: int) -> OptionPositions:
    """Every option position of the account, by symbol."""
    rows = [
        (held, views.instruments[name])
        for name, held in sorted(views.held.items())
        if name in views.instruments and views.instruments[name].is_option
    ]
    units = [_unit(views, instrument, now_ns) for _, instrument in rows]
    positions = [
        _position(views, held, instrument, unit)
        for (held, instrument), unit in zip(rows, units, strict=True)
    ]
    return OptionPositions(
        positions=positions, total_count=len(positions), timestamp=utc_text(now_ns)
    )


def _unit(views: ViewCache, instrument: Instrument, now_ns: int) -> UnitRisk | None:
    """One unit at the price that the portfolio's totals were computed at."""
    price_usd = _price_usd(views, instrument.underlying)
    if price_usd is None:
        return None
    point = views.slices.point(instrument, price_usd)
    priced = PricingInput(instrument=instrument, price_usd=price_usd, point=point)
    return price_units([priced], now_ns)[0]


def _price_usd(views: ViewCache, underlying: str) -> float | None:
    rows = () if views.portfolio is None else views.portfolio.by_underlying
    prices = {row.underlying: row.price_usd for row in rows}
    surface = views.surfaces.get(underlying)
    return prices.get(underlying, None if surface is None else surface.index_usd)


def _position(
    views: ViewCache, held: Held, instrument: Instrument, unit: UnitRisk | None
) -> OptionPosition:
    average = _average_price(held, instrument)
    coin_usd = 1.0
    if unit is not None and instrument.is_inverse:
        coin_usd = unit.price_usd
    mark = None if unit is None else unit.value_usd / coin_usd
    profit = None
    if mark is not None and average is not None:
        profit = float(held.quantity) * (mark - float(average))
    return OptionPosition(
        symbol=instrument.symbol,
        quantity=held.quantity,
        avg_price=average,
        unrealized_pnl=profit,
        greeks=None if unit is None else _greeks(unit, float(held.quantity)),
        strategy_id=held.strategy_id or _holder(views, held),
        underlying=instrument.underlying,
        expiry=None if instrument.expiry_ns is None else utc_text(instrument.expiry_ns),
        strike=instrument.strike,
        is_call=instrument.is_call,
        mark_price=mark,
        currency=instrument.settlement_currency,
        unrealized_pnl_usd=None if profit is None else profit * coin_usd,
    )


def _average_price(held: Held, instrument: Instrument) -> Decimal | None:
    if held.entry is not None:
        return average_price(instrument, held.entry)
    return held.average_price


def _greeks(unit: UnitRisk, quantity: float) -> PositionGreeks:
    return PositionGreeks(
        delta_coin=quantity * unit.delta_coin,
        gamma_per_usd=quantity * unit.gamma,
        vega_per_vol=quantity * unit.vega,
        theta_per_year=quantity * unit.theta,
        rho_per_rate=quantity * unit.rho,
    )


def _holder(views: ViewCache, held: Held) -> str | None:
    """The strategy whose straddles contain the option: after a restart no booking names it."""
    for event in views.decisions.values():
        for pair in event.state.straddles:
            if held.instrument_id in (pair.call_id, pair.put_id):
                return event.strategy_id
    return None
