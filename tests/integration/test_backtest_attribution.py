"""Three recorded days through the whole system: what was traded when, delivered at what, and why.

The shipped backtest with options of a day or two, so that an expiry falls into the span.
"""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from glmtrader.cli.run import command
from glmtrader.config.loader import find
from glmtrader.domain.event import Event
from glmtrader.domain.instruments import DAY_NS, MINUTE_NS, SECOND_NS
from glmtrader.domain.market_events import VolatilitySurface
from glmtrader.domain.order_events import Fill, OptionDelivered
from glmtrader.kernel.journal import open_for_reading, read_records
from glmtrader.research.attribution import PARTS, of_journal
from glmtrader.research.replay import verify

START_NS = 20_454 * DAY_NS  # 1 January 2026; an expiry is held over its 3 January
TRADE_WINDOW_NS = 60 * SECOND_NS
PARAMS = (
    "params = { surface_age_s_max = 46800.0, vol_threshold = 0.001, exit_edge_vol = -0.5,"
    " close_days = 0.1, expiry_days_min = 0.5, expiry_days_target = 1.0, expiry_days_max = 3.0 }"
)


class Backtest:
    """A finished run: its journal, its events and its summary."""

    def __init__(self, folder: Path, output: str) -> None:
        self.journal = folder / "glmtrader.journal"
        self.summary = json.loads(output.splitlines()[-1])
        connection = open_for_reading(self.journal)
        self.events: list[Event] = [record.event for record in read_records(connection)]
        connection.close()

    def options(self) -> Iterable[Fill]:
        """Fills of options."""
        fills = (event for event in self.events if isinstance(event, Fill))
        return [fill for fill in fills if not fill.instrument_id.endswith("PERP")]


@pytest.fixture(scope="module")
def backtest(recorded_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Backtest:
    """Three days of the shipped configuration with short expiries."""
    folder = tmp_path_factory.mktemp("backtest")
    text = find("configs", "backtest-btc-2026.toml").read_text()
    shipped = "params = { surface_age_s_max = 46800.0 }"
    assert shipped in text, "the shipped configuration changed: say again what is replaced"
    config = folder / "three-days.toml"
    config.write_text(text.replace(shipped, PARAMS))
    environment = {
        "GLMTRADER__DATA_DIR": str(folder),
        "GLMTRADER__MARKET__RECORDED__FOLDER": str(recorded_data),
        "GLMTRADER__MARKET__RECORDED__START_NS": str(START_NS),
    }
    asked = ["--config", str(config), "--for", "3d", "--json"]
    result = CliRunner().invoke(command, asked, env=environment, catch_exceptions=False)
    assert result.exit_code == 0, result.output[-2000:]
    return Backtest(folder, result.stdout)


def test_the_parts_sum_to_the_change_of_equity(backtest: Backtest) -> None:
    """Greeks, coin, hedge, execution, delivery, funding, fees and residual are the whole P&L."""
    summary = backtest.summary
    for pnl in (summary["pnl"]["total"], summary["pnl"]["by_underlying"]["BTC"]):
        parts = sum(pnl[name] for name in (*PARTS, "residual"))
        assert parts == pytest.approx(pnl["actual"], abs=1e-6)
    change = summary["equity_usd"] - summary["equity_start_usd"]
    assert summary["pnl"]["total"]["actual"] == pytest.approx(change, abs=1e-6)
    moved = sum(abs(summary["pnl"]["total"][name]) for name in PARTS)
    assert abs(summary["pnl"]["total"]["residual"]) < 0.02 * moved


def test_the_journal_gives_the_same_attribution_as_the_run(backtest: Backtest) -> None:
    """What the summary said while events passed, the journal says again."""
    again = of_journal(backtest.journal)
    assert again is not None
    assert again.equity_end_usd == backtest.summary["equity_usd"]
    assert again.total.gamma == pytest.approx(backtest.summary["pnl"]["total"]["gamma"])
    assert again.unallocated == pytest.approx(backtest.summary["pnl"]["unallocated_usd"])


def test_options_trade_only_in_the_minute_after_a_snapshot(backtest: Backtest) -> None:
    """Every option fill follows a recorded chain by no more than the trade window."""
    chains = np.array(
        [event.ts_event for event in backtest.events if isinstance(event, VolatilitySurface)]
    )
    fills = list(backtest.options())
    assert len(fills) == backtest.summary["trades"] > 0
    for fill in fills:
        age_ns = fill.ts_event - chains[np.searchsorted(chains, fill.ts_event, "right") - 1]
        assert 0 <= age_ns <= TRADE_WINDOW_NS


def test_deliveries_are_the_mean_of_the_last_half_hours_closes(
    backtest: Backtest, recorded_data: Path
) -> None:
    """Each delivery price is the mean of the six closes from 07:35 to 08:00 UTC."""
    (path,) = (recorded_data / "klines").glob("BTCUSDT_5m_20251220_*.parquet")
    table = pq.read_table(path, columns=["ts", "close"])
    closes_ns = table["ts"].to_numpy().astype(np.int64) * 1_000_000 + 5 * MINUTE_NS
    close = table["close"].to_numpy()
    deliveries = [event for event in backtest.events if isinstance(event, OptionDelivered)]
    assert len(deliveries) == backtest.summary["deliveries"] > 0
    for event in deliveries:
        last = (closes_ns > event.expiry_ns - 30 * MINUTE_NS) & (closes_ns <= event.expiry_ns)
        assert last.sum() == 6
        assert float(event.delivery_price_usd) == pytest.approx(close[last].mean(), abs=0.005)
        assert event.ts_event - event.expiry_ns < 5 * MINUTE_NS


def test_replay_verifies_the_backtest(backtest: Backtest) -> None:
    """Every decision is reproduced from the journal, byte for byte."""
    report = verify(backtest.journal)
    assert (report.differing, report.runs) == (0, 1)
    assert report.decisions > 0


def test_the_summary_says_what_it_takes_for_granted(backtest: Backtest) -> None:
    """The assumptions are sentences with the numbers of the configuration."""
    said = " ".join(backtest.summary["assumptions"])
    for words in ("recorded snapshots", "13 hours", "07:30-08:00", "USD-M perpetual", "USDT"):
        assert words in said
