"""Transfers move cash and the equity peak together; coins without a price stop no valuation."""

from decimal import Decimal

import msgspec
import pytest
from risk_cases import ACCOUNT, CALL, PERPETUAL, World, report

from glmtrader.domain.order_events import CashTransferred
from glmtrader.domain.risk_events import LedgerSnapshot, PortfolioRisk, RiskAlert, Severity
from glmtrader.risk.service import RiskService

D = Decimal


def transfer(amount: str, currency: str = "BTC", cursor: int = 5) -> CashTransferred:
    """A transfer of signed amount."""
    return CashTransferred(
        ts_event=0,
        ts_init=0,
        account_id=ACCOUNT.account_id,
        currency=currency,
        amount=D(amount),
        kind="transfer",
        cursor=cursor,
    )


def risk_of(world: World) -> PortfolioRisk:
    """The newest valuation."""
    event = world.last(PortfolioRisk)
    assert isinstance(event, PortfolioRisk)
    return event


def restarted(world: World) -> RiskService:
    """A new service folded from everything journaled."""
    service = world.make_service()
    service.restore([event for event in world.seen if event.journaled])
    return service


def test_a_withdrawal_is_no_drawdown() -> None:
    """Nine of ten coins leave: cash follows, the drawdown stays zero."""
    world = World().start()
    world.send(transfer("-9"), transfer("-9"))
    assert world.service.books(ACCOUNT.account_id).cash() == {"BTC": D(1)}
    assert (risk_of(world).equity, risk_of(world).drawdown_pct) == (1.0, 0.0)


def test_a_deposit_hides_no_drawdown() -> None:
    """A loss of one coin below the peak of ten is still one coin below it after a deposit."""
    world = World().start()
    world.hold(PERPETUAL, "900000")
    world.market(90_000 / 1.1)
    before = risk_of(world)
    world.send(transfer("10"))
    assert before.equity < 10
    assert risk_of(world).equity == pytest.approx(before.equity + 10)
    lost = 10 - before.equity
    assert risk_of(world).drawdown_pct == pytest.approx(lost / 20)


def test_a_transfer_in_another_currency_moves_the_peak_at_its_price() -> None:
    """90,000 dollars are one coin at 90,000, where the account counts in coin."""
    world = World().start()
    world.send(transfer("90000", "USDC"))
    assert world.service.desks[ACCOUNT.account_id].equity_peak == pytest.approx(11.0)


def test_a_restart_keeps_the_peak_that_a_withdrawal_lowered() -> None:
    """The larger peak of an earlier valuation in the journal does not come back."""
    world = World().start()
    world.send(transfer("-9"))
    assert restarted(world).desks[ACCOUNT.account_id].equity_peak == pytest.approx(1.0)


def test_a_restart_moves_the_peak_by_a_transfer_no_snapshot_knows() -> None:
    """Killed between the transfer and the snapshot: the peak follows with the first valuation."""
    world = World().start()
    peak = world.service.desks[ACCOUNT.account_id].equity_peak
    snapshot = world.last(LedgerSnapshot)
    assert isinstance(snapshot, LedgerSnapshot)
    kept = msgspec.structs.replace(snapshot, equity_peak=peak)
    journal = [event for event in world.seen if event.journaled]
    world.service = world.make_service()
    world.service.restore([*journal, kept, transfer("-9")])
    world.service.inputs.prices = {"BTC": 90_000.0, "ETH": 3_000.0}
    desk = world.service.desks[ACCOUNT.account_id]
    desk.reprice(world.clock.now_ns())
    assert desk.revalue("test", world.clock.now_ns()) is not None
    assert desk.equity_peak == pytest.approx(1.0)
    assert desk.drawdown_pct == 0.0


def test_dust_in_a_coin_that_nobody_trades_counts_as_nothing() -> None:
    """An account with a coin nobody lists is valued without it, and says so."""
    world = World().start()
    world.send(transfer("0.3", "DOGE"))
    assert risk_of(world).equity == 10.0
    assert "DOGE" in (risk_of(world).degraded or "")
    assert world.ask(CALL, "1") == "approved"


def test_a_debt_in_a_coin_without_a_price_is_no_dust() -> None:
    """What is owed cannot count as nothing: the account cannot be valued."""
    world = World().start()
    world.send(transfer("-0.3", "DOGE"))
    assert world.ask(CALL, "1") == "data"


def test_a_coin_that_is_traded_waits_for_its_price() -> None:
    """At a start a large balance must not look like nothing until its first price arrives."""
    world = World(numeraire="USD").start()
    world.service.inputs.prices.pop("BTC")
    desk = world.service.desks[ACCOUNT.account_id]
    desk.valuation = None
    desk.reprice(world.clock.now_ns())
    assert desk.revalue("test", world.clock.now_ns()) is None
    assert desk.missing == "no price of BTC"


def test_not_being_valued_with_positions_is_critical() -> None:
    """Without positions a missing price is a warning; with them it is critical."""
    world = World().start()
    world.send(transfer("-0.3", "DOGE"))
    world.hold(CALL, "1")
    alerts = [e for e in world.seen if isinstance(e, RiskAlert) and e.alert_type == "data"]
    assert [alert.severity for alert in alerts][-2:] == [Severity.WARNING, Severity.CRITICAL]


def test_books_open_on_a_history_with_transfers() -> None:
    """A first report's transfers are part of its cash, and are not booked again."""
    world = World()
    told = msgspec.structs.replace(report(0, "3"), cashflows=(transfer("3"),))
    world.bus.register("risk", world.service.run, *RiskService.EVENTS)
    world.send(told, transfer("3"))
    assert world.service.books(ACCOUNT.account_id).cash() == {"BTC": D(3)}
