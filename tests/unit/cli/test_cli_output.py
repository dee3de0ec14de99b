"""What a run says: one line an event, the totals at the end, exit codes that scripts can use."""

import asyncio
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from strategy_cases import NOW_NS, PERPETUAL, SECOND_NS, STRATEGY, D, fill, portfolio, state

from glmtrader.cli import cli, exit_code, main
from glmtrader.cli.check import command as check
from glmtrader.cli.lines import Narrator, clock_time, points, spoken
from glmtrader.cli.printer import Printer
from glmtrader.cli.run import Duration
from glmtrader.domain.decisions import MarketState
from glmtrader.domain.event import Event
from glmtrader.domain.ids import IntentId, StrategyId
from glmtrader.domain.order_events import IntentCompleted
from glmtrader.domain.risk_events import RiskAlert, Severity
from glmtrader.domain.strategy_events import DecisionMade
from glmtrader.errors import (
    ArtefactError,
    ConfigurationError,
    GlmtraderError,
    InputError,
    JournalCorruptError,
    LedgerError,
    TradingHaltedError,
    VenueRefusedError,
)
from glmtrader.kernel.bus import Bus
from glmtrader.kernel.clock import VirtualClock
from glmtrader.strategies import delta_hedger, pq_vol


def decided(given: MarketState, *, number: int = 1) -> DecisionMade:
    """The record of a decision on a state."""
    hedges = given.hedge_instrument is not None
    decision = (
        delta_hedger.decide(given, delta_hedger.DeltaHedgerParams())
        if hedges
        else pq_vol.decide(given, pq_vol.PQVolParams())
    )
    return DecisionMade(
        ts_event=NOW_NS,
        ts_init=NOW_NS,
        intent_id=IntentId(f"x-1-{number}"),
        strategy=delta_hedger.NAME if hedges else pq_vol.NAME,
        strategy_id=StrategyId("hedger") if hedges else STRATEGY,
        state=given,
        params="{}",
        decision=decision,
    )


HEDGE = decided(
    state(hedge_instrument=PERPETUAL, total_delta=0.2, memory=delta_hedger.initial_memory())
)
HEDGED = IntentCompleted(
    ts_event=NOW_NS,
    ts_init=NOW_NS,
    intent_id=HEDGE.intent_id,
    strategy_id=StrategyId("hedger"),
    outcome="filled",
    quantity_done=D(17550),
    detail="",
)
ALERT = RiskAlert(
    ts_event=NOW_NS,
    ts_init=NOW_NS,
    alert_type="drawdown",
    severity=Severity.CRITICAL,
    message="equity fell",
    current_value="0.3",
    threshold_value="0.2",
    clears_by="a new peak",
)


def said(*events: Event) -> list[str]:
    narrator = Narrator()
    return [spoken(line) for event in events for line in narrator.lines(event)]


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            decided(state()),
            (
                "01-05 08:00:00 decision pq BTC 7.0d  P 50.0 (49.0-51.0)  Q 51.0 (straddle 50.0)"
                "  net edge long/short -3.0/-3.0  -> hold: threshold_not_met (5.0 to go)"
            ),
        ),
        (
            decided(state(q_straddle=0.57)),
            (
                "01-05 08:00:00 decision pq BTC 7.0d  P 50.0 (49.0-51.0)  Q 51.0 (straddle 57.0)"
                "  net edge long/short 4.0/-10.0"
                "  -> increase_long_gamma 0.1: market_underpricing_volatility"
            ),
        ),
        (
            fill(PERPETUAL, "-17550", order="hedger-1-1-0-0"),
            (
                "01-05 08:00:00 fill     hedger-1-1-0-0  sell 17550 sim:BTC-PERPETUAL at 0.03"
                "  fee 0 BTC"
            ),
        ),
        (
            ALERT,
            "01-05 08:00:00 alert    severity critical  message equity fell  clears_by a new peak",
        ),
    ],
)
def test_an_event_is_one_line(event: Event, line: str) -> None:
    assert said(event) == [line]


def test_an_intent_that_was_not_filled_says_why() -> None:
    """A filled one is told by its fills; what came to nothing would otherwise be a riddle."""
    missed = msgspec.structs.replace(
        HEDGED, intent_id=IntentId("pq-1-7"), outcome="not_filled", quantity_done=D(0), detail="far"
    )
    assert said(missed) == ["01-05 08:00:00 outcome  pq-1-7  not_filled 0: far"]
    assert said(msgspec.structs.replace(missed, outcome="filled")) == []


def test_a_hedge_is_told_when_it_is_done_with_delta_before_and_after() -> None:
    """The hedger's decisions are no lines of their own; its hold is none at all."""
    quiet = decided(
        state(hedge_instrument=PERPETUAL, total_delta=0.0, memory=delta_hedger.initial_memory())
    )
    assert said(quiet, HEDGE) == []
    (_, hedge) = said(HEDGE, portfolio(delta=0.005), HEDGED)
    assert hedge == (
        "01-05 08:00:00 hedge    BTC  delta +0.2000 -> +0.0050  (band 0.005000, filled 17550)"
    )
    assert "-> unknown" in said(HEDGE, HEDGED)[0]


def test_equity_is_told_after_fills_and_every_five_minutes() -> None:
    def at(second: int) -> Event:
        return portfolio(now_ns=NOW_NS + second * SECOND_NS)

    lines = said(at(0), at(1), at(299), at(300), at(301), fill(PERPETUAL, "10"), at(302), at(303))
    assert [line[9:23] for line in lines] == [
        "00:00 equity  ",
        "05:00 equity  ",
        "00:00 fill    ",
        "05:02 equity  ",
    ]


def test_numbers_for_people() -> None:
    assert (points(0.523), points(None), clock_time(NOW_NS)) == (
        "52.3",
        "-",
        "2026-01-05T08:00:00Z",
    )


def printed(*events: Event, **options: Any) -> Printer:
    """A printer that has read these events from the real bus."""

    async def run() -> Printer:
        bus = Bus(VirtualClock(NOW_NS))
        printer = Printer(bus, {PERPETUAL.instrument_id: PERPETUAL}.get, **options)
        for event in events:
            bus.publish(event)
        bus.close()
        await printer.run()
        return printer

    return asyncio.run(run())


DAY = (
    decided(state()),
    decided(state(q_straddle=0.57), number=2),
    portfolio(),
    HEDGE,
    fill(PERPETUAL, "-17550", trade="1"),
    portfolio(delta=0.005, equity_usd=89_990.0),
    HEDGED,
    ALERT,
)


def test_the_summary_counts_what_was_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Decisions, intents, fills, hedges, fees and delta of the run; without books no P&L."""
    summary = printed(*DAY, as_json=False).summary(NOW_NS)
    expected = {
        "type": "summary",
        "time": "2026-01-05T08:00:00Z",
        "decisions": 2,
        "intents": 2,
        "vetoes": 0,
        "orders": 0,
        "fills": 1,
        "trades": 0,
        "hedges": 1,
        "deliveries": 0,
        "fees": {"BTC": "0"},
        "pnl_usd": None,
        "delta_coin": {"BTC": 0.005},
    }
    assert {name: summary[name] for name in expected} == expected
    assert len(capsys.readouterr().out.splitlines()) == 7


def test_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    printed(*DAY, as_json=True)
    lines = [msgspec.json.decode(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["type"] for line in lines] == [
        "decision",
        "decision",
        "equity",
        "fill",
        "equity",
        "hedge",
        "alert",
    ]
    assert all(line["time"] == "2026-01-05T08:00:00Z" for line in lines)


def test_quiet_prints_nothing_and_counts_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(*DAY, as_json=False, quiet=True).summary(NOW_NS)["fills"] == 1
    assert capsys.readouterr().out == ""


def test_a_run_without_a_valuation_claims_no_profit() -> None:
    summary = printed(as_json=False).summary(NOW_NS)
    assert (summary["equity_usd"], summary["pnl_usd"], summary["delta_coin"]) == (None, None, {})


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("1.5m", 90), ("2h", 7200), ("1d", 86400)]
)
def test_time_spans(text: str, seconds: float) -> None:
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["30", "s", "-1s", "1w"])
def test_what_is_no_time_span_is_a_usage_error(text: str) -> None:
    result = CliRunner().invoke(cli, ["run", "--config", "paper.toml", "--for", text])
    assert result.exit_code == 2
    assert "is no time span" in result.output


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigurationError("x"), 2),
        (InputError("x"), 2),
        (ArtefactError("x"), 2),
        (JournalCorruptError("x"), 2),
        (VenueRefusedError("x", code="1"), 3),
        (TradingHaltedError("x"), 4),
        (LedgerError("x"), 1),
    ],
)
def test_exit_codes(monkeypatch: pytest.MonkeyPatch, error: GlmtraderError, code: int) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert exit_code(error) == code


def test_systemd_is_told_not_to_restart_what_cannot_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/x")
    assert exit_code(ConfigurationError("x")) == 78
    assert exit_code(InputError("x")) == 2


def test_an_error_of_ours_is_a_sentence_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.setattr("sys.argv", ["glmtrader", "check", "--config", "nowhere.toml"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert capsys.readouterr().err == (
        "nowhere.toml: no such file here, and none came with glmtrader\n"
    )


def test_check_says_what_would_run() -> None:
    result = CliRunner().invoke(check, ["--config", "paper.toml"])
    assert result.exit_code == 0
    assert "mode paper, strategies pq (pq_vol), hedger (delta_hedger)" in result.output
    assert "trained on BTC, ETH" in result.output
