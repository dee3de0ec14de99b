"""How orders are worked: budgets, caps and bounds, each with its unit and its reason.

Only configuration enters here. Defaults are for the crossing style on a liquid option venue.
"""

from enum import StrEnum

import msgspec

from glmtrader.domain.instruments import MINUTE_NS, SECOND_NS
from glmtrader.domain.validation import require


class ExternalOrders(StrEnum):
    """What to do about open orders that this journal never sent."""

    ADOPT = "adopt"
    """Show them as orders of the account; they are left working."""

    IGNORE = "ignore"
    """Leave them alone and do not show them; their fills still move the books."""

    HALT = "halt"
    """Someone else trades this account: stop until a person has looked."""


class ExecutionPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Budgets and caps of execution.

    Attributes:
        cap_vol: how far beyond the reference a first price may go, as volatility (0.02 is two
            points). cap_finish_vol: for the leg that is missing once the other is filled;
            cap_unwind_vol: for taking a filled leg back.
        hedge_slippage: through the far touch, as a fraction; hedge_collar: from the mark.
        degraded_factor: how much wider caps and collar are for a close or a hedge whose quote is
            stale or whose expiry has no surface now; an opening has no price then.
        strangle_delta: absolute delta of both legs of a strangle.
        leg_budget_ns: time for the attempts of one leg; finish_budget_ns, unwind_budget_ns: for
            the wider ones. retry_delay_ns: between attempts, so that quotes can come back.
        leg_attempts_max: orders of one leg, at the cap and again at the wider one;
            unwind_attempts_max: to take a leg back, which matters more.
        order_valid_ns: the venue must not accept an order later than this after it was made.
        quote_age_max_ns: an older quote has no price.
        intents_max: intents worked at once. orders_max: orders remembered.
        late_fill_window_ns: how long a finished order is remembered for late fills.
        report_interval_ns: between reconciliations; report_retry_ns: while one is unanswered or
            something is unresolved; report_lost_ns: an unanswered request is given up.
        grace_slack_ns: added to the grace of a not-found, for clocks that differ.
        mismatches_max: reports in a row that must disagree before trading halts, the last of them
            mismatch_window_ns or more after the first: a fact may be on its way for seconds.
        expiry_grace_ns: after an expiry, how long its delivery may be outstanding.
        external_orders: what to do about orders of others.
    """

    cap_vol: float = 0.02
    cap_finish_vol: float = 0.05
    cap_unwind_vol: float = 0.10
    hedge_slippage: float = 0.0005
    hedge_collar: float = 0.005
    degraded_factor: float = 2.0
    strangle_delta: float = 0.25
    leg_budget_ns: int = 10 * SECOND_NS
    finish_budget_ns: int = 10 * SECOND_NS
    unwind_budget_ns: int = 30 * SECOND_NS
    retry_delay_ns: int = SECOND_NS
    leg_attempts_max: int = 3
    unwind_attempts_max: int = 24
    order_valid_ns: int = 5 * SECOND_NS
    quote_age_max_ns: int = MINUTE_NS
    intents_max: int = 64
    orders_max: int = 4096
    late_fill_window_ns: int = 5 * MINUTE_NS
    report_interval_ns: int = 30 * SECOND_NS
    report_retry_ns: int = 2 * SECOND_NS
    report_lost_ns: int = 20 * SECOND_NS
    grace_slack_ns: int = 2 * SECOND_NS
    mismatches_max: int = 3
    mismatch_window_ns: int = 30 * SECOND_NS
    expiry_grace_ns: int = 10 * MINUTE_NS
    external_orders: ExternalOrders = ExternalOrders.HALT

    def __post_init__(self) -> None:
        caps = (self.cap_vol, self.cap_finish_vol, self.cap_unwind_vol)
        bounds = [name for name in self.__struct_fields__ if name.endswith(("_ns", "_max"))]
        require(
            (0 < caps[0] <= caps[1] <= caps[2], f"cap_vol and after it {caps} must ascend from 0"),
            (
                0 < self.strangle_delta < 0.5,
                f"strangle_delta {self.strangle_delta} is not in (0, 0.5)",
            ),
            (
                0 <= self.hedge_slippage <= self.hedge_collar < 1,
                (
                    f"hedge_slippage {self.hedge_slippage} is not in [0, hedge_collar"
                    f" {self.hedge_collar}], or that is not below 1"
                ),
            ),
            (self.degraded_factor >= 1, f"degraded_factor {self.degraded_factor} is below 1"),
            *(
                (getattr(self, name) > 0, f"{name} {getattr(self, name)} must be positive")
                for name in bounds
            ),
        )
