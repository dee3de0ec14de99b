"""A small journal, made by the real engine on the real bus: two decisions and their way."""

from decimal import Decimal
from pathlib import Path

import msgspec
from strategy_cases import (
    ACCOUNT,
    CALL,
    NOW_NS,
    PERPETUAL,
    PUT,
    SECOND_NS,
    fill,
    forecast,
    portfolio,
    surface,
)

from glmtrader.config.loader import instances, without_secrets
from glmtrader.config.schema import AccountConfig, Config, Mode, StrategyConfig
from glmtrader.domain.event import Event
from glmtrader.domain.ids import ClientOrderId, IntentId, StrategyId, VenueOrderId
from glmtrader.domain.market_events import InstrumentsListed
from glmtrader.domain.order_events import (
    ExecutionCommand,
    IntentCompleted,
    OrderCommand,
    OrderUpdate,
)
from glmtrader.domain.orders import (
    Order,
    OrderPurpose,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from glmtrader.domain.risk_events import RiskVeto, TradingMode, TradingModeChanged
from glmtrader.domain.strategy_events import StrategyIntent
from glmtrader.domain.system_events import RunStarted
from glmtrader.kernel.bus import Bus
from glmtrader.kernel.clock import VirtualClock
from glmtrader.kernel.ids import config_hash
from glmtrader.kernel.journal import Journal
from glmtrader.quant.trading_clock import BTC_CLOCK
from glmtrader.strategies.engine import StrategyEngine

D = Decimal
CONFIG = Config(
    mode=Mode.PAPER,
    account=AccountConfig(id=ACCOUNT, numeraire="BTC"),
    strategy=(
        StrategyConfig(id="pq", kind="pq_vol", underlying="BTC"),
        StrategyConfig(id="hedger", kind="delta_hedger", underlying="BTC"),
    ),
)
BOUGHT, REFUSED = IntentId("pq-1-2"), IntentId("hedger-1-2")


def started(epoch: int, config: Config = CONFIG) -> RunStarted:
    """The first record of a run."""
    text = without_secrets(config)
    return RunStarted(
        ts_event=NOW_NS,
        ts_init=NOW_NS,
        epoch=epoch,
        mode=config.mode.value,
        config=text,
        config_hash=config_hash(text),
        code_version="test",
    )


def order(intent_id: IntentId, leg: int, *, is_call: bool) -> Order:
    """One leg of the straddle."""
    return Order(
        client_order_id=ClientOrderId(f"{intent_id}-{leg}-0"),
        intent_id=intent_id,
        strategy_id=StrategyId("pq"),
        account_id=ACCOUNT,
        instrument_id=(CALL if is_call else PUT).instrument_id,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
        purpose=OrderPurpose.OPEN,
        quantity=D("0.1"),
        price=D("0.0305"),
        post_only=False,
        reduce_only=False,
        valid_until_ns=NOW_NS + 5 * SECOND_NS,
        leg=leg,
        attempt=0,
    )


def carried_out(intent: StrategyIntent, quantity_asked: str = "0.1") -> list[Event]:
    """What follows an approved straddle: command, orders, answers, fills, completion."""
    at_ns = intent.ts_init + SECOND_NS
    events: list[Event] = [
        ExecutionCommand(
            ts_event=at_ns,
            ts_init=at_ns,
            intent_id=intent.intent_id,
            strategy_id=intent.strategy_id,
            account_id=ACCOUNT,
            underlying="BTC",
            intent=intent.intent,
            approved_by="risk",
            quantity_asked=D(quantity_asked),
        )
    ]
    for leg, item in enumerate((CALL, PUT)):
        sent = order(intent.intent_id, leg, is_call=item is CALL)
        answer = OrderUpdate(
            ts_event=at_ns,
            ts_init=at_ns,
            account_id=ACCOUNT,
            client_order_id=sent.client_order_id,
            venue_order_id=VenueOrderId(f"v{leg}"),
            instrument_id=sent.instrument_id,
            status=OrderStatus.FILLED,
            quantity_filled=D("0.1"),
            source="reply",
            reason="",
        )
        command = OrderCommand(
            ts_event=at_ns,
            ts_init=at_ns,
            order=sent,
            approval_id=f"a{leg}",
            order_hash="h",
            degraded=False,
        )
        traded = fill(item, "0.1", order=sent.client_order_id, trade=f"t{leg}", now_ns=at_ns)
        events += [command, answer, msgspec.structs.replace(traded, fee=D("0.00003"))]
    events.append(
        IntentCompleted(
            ts_event=at_ns,
            ts_init=at_ns,
            intent_id=intent.intent_id,
            strategy_id=intent.strategy_id,
            outcome="filled",
            quantity_done=D("0.1"),
            detail="both legs filled",
        )
    )
    return events


def veto(intent_id: IntentId, strategy: str) -> RiskVeto:
    """The intent was refused."""
    return RiskVeto(
        ts_event=NOW_NS + 2 * SECOND_NS,
        ts_init=NOW_NS + 2 * SECOND_NS,
        intent_id=intent_id,
        strategy_id=StrategyId(strategy),
        client_order_id=None,
        rule="margin",
        reason="initial margin would be exceeded",
        details={"margin_usd": "9", "margin_usd_max": "8"},
    )


class Run:
    """One run that writes a journal, with the real engine on the real bus."""

    def __init__(self, journal: Journal, config: Config = CONFIG) -> None:
        self.bus = Bus(VirtualClock(NOW_NS), journal=journal, seq_start=journal.seq)
        self.engine = StrategyEngine(
            instances(config), epoch=journal.epoch, publish=self.bus.publish, clock=BTC_CLOCK
        )
        self.intents: list[StrategyIntent] = []
        self._seen = self.bus.subscribe(StrategyIntent, name="test")
        for event in journal.fold(StrategyEngine.FOLDS):
            self.engine.restore(event)
        self.engine.forget_inputs()
        self.send(started(journal.epoch, config))
        self.bus.register("strategies", self.engine.run, *StrategyEngine.EVENTS)

    def send(self, *events: Event) -> None:
        """Publish and dispatch."""
        for event in events:
            self.bus.publish(event)
            self.bus.drain()

    def last_intent(self) -> StrategyIntent:
        """The newest intent that was published."""
        pending = [event for _, event in self._seen._pending.values()]
        assert isinstance(pending[-1], StrategyIntent)
        return pending[-1]


def inputs(now_ns: int) -> list[Event]:
    """Listing, open trading, Q and risk: what must be known before a decision acts."""
    listed = InstrumentsListed(
        ts_event=now_ns, ts_init=now_ns, venue="sim", listed=(PERPETUAL, CALL, PUT), delisted=()
    )
    opened = TradingModeChanged(
        ts_event=now_ns, ts_init=now_ns, account_id=ACCOUNT, mode=TradingMode.OPEN, reason="test"
    )
    return [listed, opened, forecast(q_straddle=0.58, now_ns=now_ns), portfolio(now_ns=now_ns)]


def write(path: Path, *, runs: int = 1) -> Path:
    """A journal of a hold, a straddle that is bought, and a hedge that is vetoed; each run."""
    for number in range(runs):
        with Journal(path) as journal:
            run = Run(journal)
            now_ns = NOW_NS + number * 3600 * SECOND_NS
            run.send(surface(now_ns=now_ns), *inputs(now_ns), surface(now_ns=now_ns))
            run.send(*carried_out(run.last_intent()))
            after = portfolio(delta=0.3, now_ns=now_ns + 2 * SECOND_NS, equity_usd=89_950.0)
            run.send(after)
            run.send(veto(run.last_intent().intent_id, "hedger"))
            run.send(surface(now_ns=now_ns + 3 * SECOND_NS))
    return path
