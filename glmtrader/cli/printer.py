"""The edge that prints a run: reads the bus, writes lines, and counts for the summary."""

from collections import Counter
from decimal import Decimal

import click
import msgspec

from glmtrader.cli.lines import Line, Narrator, clock_time, spoken
from glmtrader.domain.event import Event
from glmtrader.domain.order_events import Fill, IntentCompleted, OrderCommand
from glmtrader.domain.risk_events import PortfolioRisk, RiskAlert, RiskVeto, TradingModeChanged
from glmtrader.domain.strategy_events import DecisionMade
from glmtrader.kernel.bus import Bus, Subscription

PRINTED: tuple[type[Event], ...] = (
    DecisionMade,
    RiskVeto,
    OrderCommand,
    Fill,
    IntentCompleted,
    PortfolioRisk,
    RiskAlert,
    TradingModeChanged,
)


class Printer:
    """Prints what happens, a line each, and knows the totals at the end."""

    def __init__(self, bus: Bus, *, as_json: bool, quiet: bool = False) -> None:
        self._subscription: Subscription = bus.subscribe(*PRINTED, name="printer", capacity=65_536)
        self._narrator = Narrator()
        self._as_json = as_json
        self._quiet = quiet
        self._counts: Counter[str] = Counter()
        self._fees: dict[str, Decimal] = {}
        self._first: PortfolioRisk | None = None
        self._last: PortfolioRisk | None = None

    async def run(self) -> None:
        """Print until the bus closes the subscription."""
        async for _, event in self._subscription:
            self._count(event)
            for line in self._narrator.lines(event):
                self._counts[line["type"]] += 1
                if not self._quiet:
                    self.say(line)

    def say(self, line: Line) -> None:
        """Print one line, as an object or for people."""
        click.echo(msgspec.json.encode(line).decode() if self._as_json else spoken(line))

    def summary(self, now_ns: int) -> Line:
        """Totals of the run so far."""
        first, last = self._first, self._last
        pnl = None if first is None or last is None else last.equity_usd - first.equity_usd
        return {
            "type": "summary",
            "time": clock_time(now_ns),
            "decisions": self._counts["decision"],
            "intents": self._counts["intent"],
            "vetoes": self._counts["veto"],
            "orders": self._counts["order"],
            "fills": self._counts["fill"],
            "hedges": self._counts["hedge"],
            "fees": {coin: str(total) for coin, total in sorted(self._fees.items())},
            "equity_usd": None if last is None else last.equity_usd,
            "pnl_usd": pnl,
            "delta_coin": {}
            if last is None
            else {item.underlying: item.delta_coin for item in last.by_underlying},
        }

    def _count(self, event: Event) -> None:
        match event:
            case DecisionMade() if event.decision.intent.quantity > 0:
                self._counts["intent"] += 1
            case Fill():
                paid = self._fees.get(event.fee_currency, Decimal(0))
                self._fees[event.fee_currency] = paid + event.fee
            case PortfolioRisk():
                self._first = self._first or event
                self._last = event
            case _:
                pass
