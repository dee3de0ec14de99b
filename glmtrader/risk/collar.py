"""The price collar: how far from mark and book a price may be on its losing side. Pure.

A buyer loses by paying more, a seller by taking less; a price on the other side only fails to
fill. Options are measured in volatility (through their vega), everything else in fractions.
"""

import math
from typing import Final

from glmtrader.domain.instruments import Instrument
from glmtrader.domain.orders import Order, OrderType, Side
from glmtrader.market.quote_book import Quote
from glmtrader.risk.facts import OrderFacts, RiskView
from glmtrader.risk.limits import RiskLimits
from glmtrader.risk.pricing import UnitRisk
from glmtrader.risk.reduces import Reduction
from glmtrader.risk.verdicts import APPROVE, Verdict, veto

RULE: Final = "price_collar"
TICKS_MIN: Final = 2
"""No collar is narrower than this: far out of the money a volatility point is below a tick."""


def check(facts: OrderFacts, view: RiskView, limits: RiskLimits) -> Verdict:
    """Refuse a price beyond the collar around the mark, or beyond the far touch by as much."""
    order, instrument, quote = facts.order, facts.instrument, facts.quote
    if instrument is None or quote is None:
        return veto(RULE, "no quote to hold the price against", instrument=order.instrument_id)
    price = _price_bound(facts, quote)
    if price is None or not math.isfinite(price) or price <= 0:
        return veto(RULE, "the price has no bound above zero", price=order.price)
    reference, touch = _reference(quote), _touch(quote, order.side)
    if reference is None:
        return veto(RULE, "neither mark nor both sides of the book", instrument=order.instrument_id)
    width = _width(facts, instrument, reference, view, limits)
    if width is None:
        return veto(RULE, "no volatility to measure the price with", price=price, mark=reference)
    sign = order.side.sign
    beyond_mark = sign * (price - reference)
    beyond_touch = -math.inf if touch is None else sign * (price - touch)
    if max(beyond_mark, beyond_touch) > width * (1 + 1e-9):
        return veto(
            RULE,
            f"{order.side} at {price} is further than {width:.6g} from mark {reference} or book",
            price=price,
            mark=reference,
            touch=touch,
            width=width,
        )
    return APPROVE


def is_stale(facts: OrderFacts, view: RiskView, limits: RiskLimits) -> bool:
    """Whether quote or surface are older than their budgets (a missing one is not stale)."""
    age_ns = facts.quote_age_ns
    if age_ns is not None and age_ns > limits.quote_age_ns_max:
        return True
    surface_ns = None if facts.unit is None else facts.unit.surface_ns
    return surface_ns is not None and view.now_ns - surface_ns > limits.surface_age_ns_max


def _price_bound(facts: OrderFacts, quote: Quote) -> float | None:
    """The worst price the order can trade at; of a market order the far touch, to close alone."""
    order: Order = facts.order
    if order.order_type is OrderType.LIMIT:
        return None if order.price is None else float(order.price)
    touch = _touch(quote, order.side)
    return touch if facts.reduction is Reduction.CLOSE else None


def _touch(quote: Quote, side: Side) -> float | None:
    best = quote.ask if side is Side.BUY else quote.bid
    return None if best is None else float(best)


def _reference(quote: Quote) -> float | None:
    if quote.mark is not None:
        return float(quote.mark)
    if quote.bid is None or quote.ask is None:
        return None
    return 0.5 * (float(quote.bid) + float(quote.ask))


def _width(
    facts: OrderFacts,
    instrument: Instrument,
    reference: float,
    view: RiskView,
    limits: RiskLimits,
) -> float | None:
    """Half width of the collar in the instrument's own price unit."""
    is_reducing = facts.reduction is not Reduction.NONE
    if instrument.is_option:
        vol = limits.collar_reducing_vol if is_reducing else limits.collar_vol
        if facts.unit is None:
            # An expiry that lost its surface may still be left, at the venue's own mark.
            width = vol * reference if is_reducing else None
        else:
            width = vol * _vega_per_price(facts.unit, instrument)
    else:
        width = (limits.collar_reducing_pct if is_reducing else limits.collar_pct) * reference
    if width is None:
        return None
    if is_reducing and is_stale(facts, view, limits):
        width *= limits.collar_degraded_factor
    tick = instrument.tick_steps[0].tick
    return max(width, TICKS_MIN * float(tick))


def _vega_per_price(unit: UnitRisk, instrument: Instrument) -> float:
    return unit.vega / unit.price_usd if instrument.is_inverse else unit.vega
