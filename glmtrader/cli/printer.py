"""The edge that prints a run: reads the bus, writes lines, and counts for the summary."""

import os
import sys
from collections import Counter
from decimal import Decimal

import click
import msgspec
import structlog

from glmtrader.cli.lines import EQUITY_INTERVAL_NS, Line, Narrator, clock_time, spoken
from glmtrader.cli.summary import pnl_fields
from glmtrader.domain.event import Event
from glmtrader.domain.ledger import InstrumentLookup
from glmtrader.domain.order_events import (
    Fill,
    IntentCompleted,
    OptionDelivered,
    OrderCommand,
)
from glmtrader.domain.risk_events import PortfolioRisk, RiskAlert, RiskVeto, TradingModeChanged
from glmtrader.domain.strategy_events import DecisionMade
from glmtrader.kernel.bus import Bus, Subscription
from glmtrader.research.attribution import PnlBook

_log = structlog.get_logger("glmtrader.printer")

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
    """Prints what happens, a line each, and knows the totals at the end.

    Args:
        bus: to read from.
        lookup: finds instruments, listed or retired.
        as_json: objects instead of lines for people.
        quiet: print nothing but what `say` is asked to.
        equity_interval_ns: process time between equity lines that no fill caused.
    """

    def __init__(
        self,
        bus: Bus,
        lookup: InstrumentLookup,
        *,
        as_json: bool,
        quiet: bool = False,
        equity_interval_ns: int = EQUITY_INTERVAL_NS,
    ) -> None:
        kinds = dict.fromkeys((*PRINTED, *PnlBook.EVENTS))
        self._subscription: Subscription = bus.subscribe(*kinds, name="printer", capacity=65_536)
        self._narrator = Narrator(equity_interval_ns)
        self._lookup = lookup
        self._book = PnlBook(lookup)
        self._as_json = as_json
        self._quiet = quiet
        self._reader_left = False
        self._counts: Counter[str] = Counter()
        self._fees: dict[str, Decimal] = {}
        self._first_ns: int | None = None
        self._last: PortfolioRisk | None = None
        self._drawdown_pct_max = 0.0

    async def run(self) -> None:
        """Print until the bus closes the subscription."""
        async for _, event in self._subscription:
            self._first_ns = self._first_ns or event.ts_init
            self._book.apply(event)
            self._count(event)
            for line in self._narrator.lines(event):
                self._counts[line["type"]] += 1
                if not self._quiet:
                    self.say(line)

    def say(self, line: Line) -> None:
        """Print one line, as an object or for people.

        A reader that went away (`run ... | head`) ends the printing, never the trading.
        """
        if self._reader_left:
            return
        try:
            click.echo(msgspec.json.encode(line).decode() if self._as_json else spoken(line))
        except OSError as error:
            self._reader_left = True
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  takes what the interpreter flushes at its end
            _log.warning("output_lost", why=str(error))

    def summary(self, now_ns: int) -> Line:
        """Totals of the run so far."""
        last = self._last
        return {
            "type": "summary",
            "time": clock_time(now_ns),
            "started": clock_time(self._first_ns or now_ns),
            "decisions": self._counts["decision"],
            "intents": self._counts["intent"],
            "vetoes": self._counts["veto"],
            "orders": self._counts["order"],
            "fills": self._counts["fill"],
            "trades": self._counts["trade"],
            "hedges": self._counts["hedge"],
            "deliveries": self._counts["delivery"],
            "fees": {coin: str(total) for coin, total in sorted(self._fees.items())},
            **pnl_fields(self._book.result()),
            "drawdown_pct_max": self._drawdown_pct_max,
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
                instrument = self._lookup(event.instrument_id)
                self._counts["trade"] += instrument is not None and instrument.is_option
            case OptionDelivered():
                self._counts["delivery"] += 1
            case PortfolioRisk():
                self._last = event
                self._drawdown_pct_max = max(self._drawdown_pct_max, event.drawdown_pct)
            case _:
                pass
