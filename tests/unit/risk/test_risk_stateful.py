"""No sequence of orders, fills, cancels and prices gets past a limit through an approved order."""

from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from risk_cases import ACCOUNT, CALL, PERPETUAL, PUT, SPOT, World, fill, mark, update, with_limits

from glmtrader.domain.orders import Order, OrderPurpose, OrderStatus
from glmtrader.risk.approval import Approved
from glmtrader.risk.exposure import Exposure

LEVERAGE_MAX = 1.0
STRADDLES_MAX = 4.0
POSITION_USD_MAX = 600_000.0


def worst(exposure: Exposure | None) -> Decimal:
    """The largest absolute position that can come of what is in flight."""
    if exposure is None:
        return Decimal(0)
    return max(abs(exposure.position + exposure.buys), abs(exposure.position - exposure.sells))


class Trading(RuleBasedStateMachine):
    """Orders of all purposes, filled in parts or never, while the price moves."""

    def __init__(self) -> None:
        super().__init__()
        self.live: list[tuple[Order, Decimal]] = []
        self.trades = 0

    @initialize()
    def begin(self) -> None:
        limits = with_limits(
            leverage_max=LEVERAGE_MAX,
            straddles_max=STRADDLES_MAX,
            position_notional_usd_max=POSITION_USD_MAX,
        )
        self.world = World(limits).start()
        self.spot = SPOT

    @rule(
        item=st.sampled_from((CALL, PUT, PERPETUAL)),
        size=st.integers(1, 60),
        side=st.sampled_from((1, -1)),
        purpose=st.sampled_from(OrderPurpose),
    )
    def order(self, item: object, size: int, side: int, purpose: OrderPurpose) -> None:
        instrument = next(one for one in (CALL, PUT, PERPETUAL) if one is item)
        unit = 10_000 if instrument is PERPETUAL else Decimal("0.1")
        price = Decimal(self.spot) if instrument is PERPETUAL else mark(instrument, self.spot)
        order = self.world.order(instrument, str(side * size * unit), price=price, purpose=purpose)
        desk = self.world.service.desks[ACCOUNT.account_id]
        desk.book.settle()
        before = worst(desk.book.by_id.get(instrument.instrument_id))
        if not isinstance(self.world.review(order), Approved):
            return
        self.live.append((order, order.quantity))
        desk.book.settle()
        exposure = desk.book.by_id[instrument.instrument_id]
        if purpose is OrderPurpose.OPEN:
            equity_usd = desk.valuation.risk.equity_usd if desk.valuation else 0.0
            assert desk.book.gross_usd <= LEVERAGE_MAX * equity_usd + 1e-6
        if worst(exposure) > before:
            assert exposure.unit is not None
            notional_usd = float(worst(exposure)) * exposure.unit.notional_usd
            assert notional_usd <= POSITION_USD_MAX + 1e-6
            sums = desk.book.sums("BTC")
            assert max(sums.calls, sums.puts) <= STRADDLES_MAX + 1e-6

    @rule(which=st.integers(0, 100), share=st.sampled_from(("0.5", "1")))
    def filled(self, which: int, share: str) -> None:
        if not self.live:
            return
        order, left = self.live.pop(which % len(self.live))
        item = next(
            one for one in (CALL, PUT, PERPETUAL) if one.instrument_id == order.instrument_id
        )
        part = item.quantity_down(left * Decimal(share)) or left
        self.trades += 1
        assert order.price is not None
        signed = part if order.signed_quantity > 0 else -part
        now_ns = self.world.clock.now_ns()
        name = f"f{self.trades}"
        self.world.send(fill(item, str(signed), order.price, now_ns, trade_id=name, order=order))
        if part < left:
            self.live.append((order, left - part))

    @rule(which=st.integers(0, 100), status=st.sampled_from(("cancelled", "unknown")))
    def told(self, which: int, status: str) -> None:
        if not self.live:
            return
        index = which % len(self.live)
        order, _ = self.live[index]
        self.world.send(update(order, OrderStatus(status), self.world.clock.now_ns()))
        if status == "cancelled":
            del self.live[index]

    @rule(move=st.sampled_from((-0.02, -0.003, 0.003, 0.02)))
    def moved(self, move: float) -> None:
        self.spot = float(round(self.spot * (1 + move)))
        self.world.market(self.spot)

    @invariant()
    def in_flight_is_what_may_still_fill(self) -> None:
        """The exposures count every live order with what is left of it, and nothing else."""
        desk = self.world.service.desks[ACCOUNT.account_id]
        for item in (CALL, PUT, PERPETUAL):
            mine = [
                (order, left)
                for order, left in self.live
                if order.instrument_id == item.instrument_id
            ]
            exposure = desk.book.by_id.get(item.instrument_id)
            buys = sum((left for order, left in mine if order.signed_quantity > 0), Decimal(0))
            sells = sum((left for order, left in mine if order.signed_quantity < 0), Decimal(0))
            if exposure is None:
                assert not mine
                continue
            assert (exposure.buys, exposure.sells) == (buys, sells)
            held = exposure.position
            assert held == desk.positions().get(item.instrument_id, Decimal(0))


TestTrading = Trading.TestCase
TestTrading.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
