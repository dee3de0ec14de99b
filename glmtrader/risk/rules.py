"""The rules that every order passes: pure functions of facts, account and limits.

`RULES` is the whole veto, in order, with what each rule lets a reducing order skip: a close skips
all limits but the collar, a hedge skips leverage, notional, premium, scenario, drawdown, FOMO, rate
and the count of orders in flight. Missing data fails closed for everything else.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

import msgspec
import numpy as np

from glmtrader.domain.instruments import Instrument
from glmtrader.domain.risk_events import TradingMode
from glmtrader.errors import InstrumentError
from glmtrader.risk import collar
from glmtrader.risk.facts import OrderFacts, RiskView
from glmtrader.risk.limits import RiskLimits
from glmtrader.risk.pricing import worst_margin_usd
from glmtrader.risk.reduces import Reduction
from glmtrader.risk.verdicts import APPROVE, Approve, Resize, Verdict, Veto, veto

Check = Callable[[OrderFacts, RiskView, RiskLimits], Verdict]


class Rule(msgspec.Struct, frozen=True):
    """A named check and the reductions that skip it."""

    name: str
    check: Check
    skipped_by: frozenset[Reduction]


def trading_mode(facts: OrderFacts, view: RiskView, limits: RiskLimits) -> Verdict:
    """Kill switch, halt, fence and reduce-only: what may pass at all."""
    del limits
    closes = facts.reduction is Reduction.CLOSE
    if view.kill_engaged and not (view.kill_flatten and closes):
        return veto("kill_switch", "the kill switch is engaged; clear it to trade")
    if view.kill_engaged:
        return APPROVE
    return mode_verdict(view, facts.reduction, is_reduce_only=facts.order.reduce_only)


def mode_verdict(view: RiskView, reduction: Reduction, *, is_reduce_only: bool) -> Verdict:
    """Whether fence, halt or reduce-only stop something; orders and intents alike.

    Args:
        view: the account.
        reduction: what is asked for.
        is_reduce_only: the venue itself would let it do no more than reduce.
    """
    if view.mode is TradingMode.FENCED:
        return veto("trading_mode", "trading is fenced", mode=view.mode)
    if view.halted is not None and reduction is not Reduction.CLOSE:
        return veto("trading_mode", f"only closes pass: {view.halted}", mode="halted")
    if view.mode is TradingMode.HALTED and view.books_in_doubt:
        # A close by wrong books may open; only the venue knows what there is to close.
        if reduction is not Reduction.CLOSE or not is_reduce_only:
            reason = "books are in doubt: only reduce-only closes pass"
            return veto("trading_mode", reason, mode=view.mode)
    elif view.mode is not TradingMode.OPEN and reduction is Reduction.NONE:
        return veto("trading_mode", f"trading is {view.mode}: nothing new", mode=view.mode)
    return APPROVE


def tradable(facts: OrderFacts, view: RiskView, limits: RiskLimits) -> Verdict:
    """Listed, not expired, a valid quantity and price, and a client id never used before."""
    del limits
    order, instrument = facts.order, facts.instrument
    if instrument is None or not facts.is_listed:
        return veto("tradable", f"{order.instrument_id} is not listed")
    if instrument.is_expired(view.now_ns):
        return veto(
            "tradable", f"{order.instrument_id} has expired", expiry_ns=instrument.expiry_ns
        )
    if facts.is_repeated:
        return veto("tradable", f"{order.client_order_id} was approved before")
    try:
        instrument.check_order(order.quantity, order.price)
    except InstrumentError as error:
        return veto("tradable", str(error), quantity=order.quantity, price=order.price)
    return APPROVE


def data(facts: OrderFacts, view: RiskView, limits: RiskLimits) -> Verdict:
    """Prices, greeks and equity are there and fresh."""
    if view.missing is not None or view.equity_usd is None:
        return veto("data", f"the account cannot be valued: {view.missing}")
    if facts.quote is None or facts.unit is None:
        what = "quote" if facts.quote is None else "volatility"
        return veto("data", f"{facts.order.instrument_id} has no {what}")
    if collar.is_stale(facts, view, limits):
        return veto(
            "data",
            f"{facts.order.instrument_id}: quote or surface is stale",
            quote_age_ns=facts.quote_age_ns,
            quote_age_ns_max=limits.quote_age_ns_max,
            surface_ns=facts.unit.surface_ns,
            surface_age_ns_max=limits.surface_age_ns_max,
        )
    return APPROVE


def venue_health(facts: OrderFacts, view: RiskView, limits: RiskLimits) -> Verdict:
    """The venue takes orders, and its clock agrees with ours."""
    del facts
    if view.venue_down is not None:
        return veto("venue_health", f"the venue takes no orders: {view.venue_down}")
    offset_ns = view.clock_offset_ns
    if offset_ns is not None and abs(offset_ns) > limits.clock_offset_ns_max:
        return veto(
            "venue_health",
            "the venue's clock and ours disagree",
            clock_offset_ns=offset_ns,
            clock_offset_ns_max=limits.clock_offset_ns_max,
        )
    return APPROVE


def margin(facts: OrderFacts, view: RiskView, limits: RiskLimits) -> Verdict:
    """Estimated initial margin, with the order's premium, within its part of the collateral.

    An order that needs neither passes however much is used: it may be what frees margin.
    """
    if view.collateral_usd is None or facts.unit is None:
        return veto("margin", "collateral or margin cannot be computed")
    unit = facts.unit
    high = facts.high + max(facts.quantity, 0.0)
    low = facts.low + min(facts.quantity, 0.0)
    added_usd = worst_margin_usd(unit, low, high) - worst_margin_usd(unit, facts.low, facts.high)
    premium_usd = max(facts.quantity, 0.0) * unit.value_usd
    if added_usd <= 0.0 and premium_usd <= 0.0:
        return APPROVE
    needed_usd = view.margin_usd + added_usd + premium_usd
    allowed_usd = limits.margin_used_pct_max * view.collateral_usd
    if needed_usd > allowed_usd:
        return veto(
            "margin",
            f"initial margin {needed_usd:.2f} USD would exceed {allowed_usd:.2f} USD",
            margin_usd=needed_usd,
            margin_usd_max=allowed_usd,
        )
    return APPROVE


def drawdown(facts: OrderFacts, view: RiskView, limits: RiskLimits) -> Verdict:
    """Nothing increases while mark-to-market equity is too far below its peak."""
    del facts
    return drawdown_verdict(view, limits)


def drawdown_verdict(view: RiskView, limits: RiskLimits) -> Verdict:
    """The drawdown rule, of orders and intents alike."""
    if view.drawdown_pct is None:
        return veto("drawdown", "drawdown cannot be computed")
    if view.drawdown_pct >= limits.drawdown_pct_max:
        return veto(
            "drawdown",
            f"equity is {view.drawdown_pct:.2%} below its peak: only reductions pass",
            drawdown_pct=view.drawdown_pct,
            drawdown_pct_max=limits.drawdown_pct_max,
        )
    return APPROVE


def fomo(facts: OrderFacts, view: RiskView, limits: RiskLimits) -> Verdict:
    """Nothing increases in a frenzy; no score configured is no frenzy."""
    del facts
    return fomo_verdict(view, limits)


def fomo_verdict(view: RiskView, limits: RiskLimits) -> Verdict:
    """The FOMO rule, of orders and intents alike."""
    score = view.fomo_score
    if score is not None and score > limits.fomo_score_max:
        return veto(
            "fomo", "the crowd is too excited", fomo=score, fomo_score_max=limits.fomo_score_max
        )
    return APPROVE


def leverage(facts: OrderFacts, view: RiskView, limits: RiskLimits) -> Verdict:
    """Gross delta-notional over equity, everything in flight filled the worse way."""
    if view.equity_usd is None or facts.unit is None or facts.instrument is None:
        return veto("leverage", "equity or delta cannot be computed")
    per_unit = abs(facts.unit.delta_coin) * facts.unit.price_usd
    gross_usd = view.gross_usd + (facts.worst_after - facts.worst_before) * per_unit
    room_usd = limits.leverage_max * view.equity_usd - view.gross_usd
    if gross_usd <= limits.leverage_max * view.equity_usd:
        return APPROVE
    return resized(
        "leverage",
        facts.instrument,
        room_usd / per_unit if per_unit > 0 else 0.0,
        gross_usd=gross_usd,
        equity_usd=view.equity_usd,
        leverage_max=limits.leverage_max,
    )


def order_notional(facts: OrderFacts, view: RiskView, limits: RiskLimits) -> Verdict:
    """Underlying notional of this one order."""
    del view
    if facts.unit is None or facts.instrument is None:
        return veto("order_notional", "notional cannot be computed")
    notional_usd = abs(facts.quantity) * facts.unit.notional_usd
    if notional_usd <= limits.order_notional_usd_max:
        return APPROVE
    return resized(
        "order_notional",
        facts.instrument,
        limits.order_notional_usd_max / facts.unit.notional_usd,
        notional_usd=notional_usd,
        order_notional_usd_max=limits.order_notional_usd_max,
    )


def position(facts: OrderFacts, view: RiskView, limits: RiskLimits) -> Verdict:
    """Notional in the instrument, and straddles on the underlying."""
    if facts.unit is None or facts.instrument is None:
        return veto("position", "notional cannot be computed")
    notional_usd = facts.worst_after * facts.unit.notional_usd
    if notional_usd > limits.position_notional_usd_max and facts.worst_after > facts.worst_before:
        room = limits.position_notional_usd_max / facts.unit.notional_usd - facts.worst_before
        return resized(
            "position",
            facts.instrument,
            room,
            notional_usd=notional_usd,
            position_notional_usd_max=limits.position_notional_usd_max,
        )
    if not facts.instrument.is_option:
        return APPROVE
    held = view.calls if facts.instrument.is_call else view.puts
    straddles = held + facts.worst_after - facts.worst_before
    if straddles <= limits.straddles_max + 1e-9 or facts.worst_after <= facts.worst_before:
        return APPROVE
    room = limits.straddles_max - held
    return resized(
        "position",
        facts.instrument,
        room,
        straddles=straddles,
        straddles_max=limits.straddles_max,
    )


def premium(facts: OrderFacts, view: RiskView, limits: RiskLimits) -> Verdict:
    """Value of options held long over equity: what can be lost to silence."""
    if view.equity_usd is None or facts.unit is None:
        return veto("premium", "equity or premium cannot be computed")
    added_usd = max(facts.quantity, 0.0) * facts.unit.value_usd
    allowed_usd = limits.premium_pct_max * view.equity_usd
    if added_usd > 0.0 and view.premium_usd + added_usd > allowed_usd:
        return veto(
            "premium",
            f"options held long would be worth more than {allowed_usd:.2f} USD",
            premium_usd=view.premium_usd + added_usd,
            premium_usd_max=allowed_usd,
        )
    return APPROVE


def scenario(facts: OrderFacts, view: RiskView, limits: RiskLimits) -> Verdict:
    """Worst loss over the spot x volatility grid; adds the order's vector to the cached sum."""
    if view.equity_usd is None or facts.unit is None:
        return veto("scenario", "equity or scenarios cannot be computed")
    with_order = view.scenario_usd + facts.quantity * facts.unit.scenario_usd
    worst_usd = min(view.scenario_worst_usd, float(np.minimum.reduce(with_order)))
    allowed_usd = limits.scenario_loss_pct_max * view.equity_usd
    if -worst_usd > allowed_usd and worst_usd < view.scenario_worst_usd:
        return veto(
            "scenario",
            f"the worst scenario would lose {-worst_usd:.2f} USD",
            scenario_loss_usd=-worst_usd,
            scenario_loss_usd_max=allowed_usd,
        )
    return APPROVE


def open_orders(facts: OrderFacts, view: RiskView, limits: RiskLimits) -> Verdict:
    """How many orders may be in flight at once, those of unknown outcome included."""
    del facts
    if view.open_orders >= limits.open_orders_max:
        return veto(
            "open_orders",
            "too many orders in flight",
            open_orders=view.open_orders,
            open_orders_max=limits.open_orders_max,
        )
    return APPROVE


def order_rate(facts: OrderFacts, view: RiskView, limits: RiskLimits) -> Verdict:
    """How many orders may be approved within a minute."""
    del facts
    if view.orders_last_minute >= limits.orders_per_minute_max:
        return veto(
            "order_rate",
            "too many orders in the last minute",
            orders_last_minute=view.orders_last_minute,
            orders_per_minute_max=limits.orders_per_minute_max,
        )
    return APPROVE


def resized(rule: str, instrument: Instrument, room: float, **numbers: object) -> Verdict:
    """As much as there is room for, or a refusal where that is less than the smallest order."""
    details = {name: str(value) for name, value in numbers.items()}
    # Rounded to 12 digits first: a room of 2.9999999999999996 is a room of 3.
    quantity = instrument.quantity_down(Decimal(repr(round(max(room, 0.0), 12))))
    if quantity > 0:
        return Resize(rule, quantity, details)
    return Veto(rule, f"no room left within {list(numbers)[-1]}", details)


_NOBODY: Final[frozenset[Reduction]] = frozenset()
_CLOSES: Final = frozenset({Reduction.CLOSE})
_REDUCING: Final = frozenset({Reduction.CLOSE, Reduction.HEDGE})

RULES: Final = (
    Rule("trading_mode", trading_mode, _NOBODY),
    Rule("tradable", tradable, _NOBODY),
    Rule("data", data, _REDUCING),
    Rule("venue_health", venue_health, _REDUCING),
    Rule("price_collar", collar.check, _NOBODY),
    Rule("margin", margin, _CLOSES),
    Rule("position", position, _CLOSES),
    Rule("open_orders", open_orders, _REDUCING),
    Rule("drawdown", drawdown, _REDUCING),
    Rule("fomo", fomo, _REDUCING),
    Rule("leverage", leverage, _REDUCING),
    Rule("order_notional", order_notional, _REDUCING),
    Rule("premium", premium, _REDUCING),
    Rule("scenario", scenario, _REDUCING),
    Rule("order_rate", order_rate, _REDUCING),
)
"""Every rule an order passes, in this order."""

_APPLYING: Final = {
    kind: tuple(rule.check for rule in RULES if kind not in rule.skipped_by) for kind in Reduction
}


def review(facts: OrderFacts, view: RiskView, limits: RiskLimits) -> Verdict:
    """The first verdict that is no approval, or the approval."""
    for check in _APPLYING[facts.reduction]:
        verdict = check(facts, view, limits)
        if verdict is not APPROVE:
            assert not isinstance(verdict, Approve), "rules approve with the one APPROVE"
            return verdict
    return APPROVE
