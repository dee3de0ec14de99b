"""What a run records, the recorded market shows again: row by row, after a kill, in a backtest."""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest

from glmtrader import assembly
from glmtrader.app import System, open_journal
from glmtrader.config.loader import load
from glmtrader.config.schema import Config, Mode, RecorderConfig
from glmtrader.domain.event import Event
from glmtrader.domain.instruments import DAY_NS, HOUR_NS, SECOND_NS, InstrumentKind
from glmtrader.domain.market_events import Candle, ChainSnapshot, MarketTick
from glmtrader.domain.strategy_events import DecisionMade
from glmtrader.kernel.clock import VirtualClock
from glmtrader.kernel.driver import run_virtual, settle
from glmtrader.kernel.supervisor import Supervisor
from glmtrader.market.recorder import Recorder, RecorderSettings
from glmtrader.simulator.recorded import RecordedMarket
from glmtrader.simulator.recorded_config import of_recorder

START_NS = 20_600 * DAY_NS + 23 * HOUR_NS  # an hour before midnight, 27 May 2026
RECORDED_NS = 2 * HOUR_NS
STEP_S = 60
CHAIN_INTERVAL_S = 180
ROOT = Path(__file__).parents[2]

Capture = dict[type[Event], list[Event]]
MakeRecorder = Callable[[System], Recorder | None]


def paper_config(folder: Path) -> Config:
    """The shipped paper configuration, its files in `folder`, with steps of a minute."""
    config = load("paper.toml")
    paper = msgspec.structs.replace(config.paper, step_s=STEP_S, chain_interval_s=CHAIN_INTERVAL_S)
    return msgspec.structs.replace(config, data_dir=str(folder), paper=paper)


async def run_paper(config: Config, make_recorder: MakeRecorder) -> tuple[Capture, str]:
    """Two hours of the paper system in virtual time: what its feed said, its journal's digest."""
    clock = VirtualClock(START_NS)
    with open_journal(config) as journal:
        market = assembly.generated_market(config, START_NS)
        make_venue = assembly.paper_venue(config, market, START_NS)
        system = System(config, clock=clock, journal=journal, make_venue=make_venue)
        said = system.bus.subscribe(Candle, ChainSnapshot, MarketTick, name="t", capacity=100_000)
        await drive(system, clock, START_NS + RECORDED_NS, make_recorder(system))
        capture: Capture = {Candle: [], ChainSnapshot: [], MarketTick: []}
        async for _, event in said:
            capture[type(event)].append(event)
        return capture, journal.digest


async def drive(
    system: System, clock: VirtualClock, until_ns: int, recorder: Recorder | None
) -> None:
    """Run a system to `until_ns` and stop it orderly."""
    async with Supervisor(clock, system.bus.publish) as supervisor:
        if recorder is not None:
            supervisor.spawn(recorder.name, recorder.run)
        system.start()
        supervisor.spawn("venue", system.venue.run)
        await settle()
        await run_virtual(clock, system.bus, until_ns=until_ns, should_stop=lambda: False)
        await supervisor.stop("venue")
        system.stop()
        await settle()
        if recorder is not None:
            await recorder.ended(10.0)


def in_place(folder: Path) -> MakeRecorder:
    """Makes a recorder for virtual time."""

    def make(system: System) -> Recorder:
        settings = RecorderSettings(folder=folder, size_mb_max=100.0, flush_s=600.0, in_place=True)
        recorder = Recorder(system.bus, settings, clock=system.clock)
        recorder.open()
        return recorder

    return make


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Capture, str]:
    """The folder of a recording over midnight, what the feed said, and the journal's digest."""
    folder = tmp_path_factory.mktemp("recorded")
    config = paper_config(folder / "data")
    capture, digest = asyncio.run(run_paper(config, in_place(folder / "recordings")))
    shutil.rmtree(folder / "data")
    return folder / "recordings", capture, digest


def replayed(folder: Path) -> RecordedMarket:
    return RecordedMarket(of_recorder(str(folder)))


def test_every_chain_is_replayed_row_by_row(recorded: tuple[Path, Capture, str]) -> None:
    """At each snapshot quotes, sizes and forwards are equal, marks to their rounding."""
    folder, capture, _ = recorded
    market = replayed(folder)
    chains = [event for event in capture[ChainSnapshot] if isinstance(event, ChainSnapshot)]
    assert len(chains) == RECORDED_NS // (CHAIN_INTERVAL_S * SECOND_NS) + 1
    assert market.rows_refused == {"BTC": {}}
    for said in chains:
        market.advance(said.ts_event)
        chain = market.chain("BTC")
        rows = [chain.instrument_ids.index(name) for name in said.instrument_ids]
        assert len(rows) == len(chain.instrument_ids)
        np.testing.assert_array_equal(chain.bid[rows], said.bid)
        np.testing.assert_array_equal(chain.ask[rows], said.ask)
        np.testing.assert_array_equal(chain.bid_size[rows], said.bid_quantity)
        np.testing.assert_array_equal(chain.ask_size[rows], said.ask_quantity)
        np.testing.assert_array_equal(chain.forward[rows], said.forward)
        np.testing.assert_array_equal(chain.mark_vol[rows], said.mark_vol)
        np.testing.assert_allclose(chain.mark[rows], said.mark, rtol=0, atol=1e-8)


def test_the_perpetual_is_replayed_tick_by_tick(recorded: tuple[Path, Capture, str]) -> None:
    """At each tick the inverse perpetual's book, mark and index are those that were recorded."""
    folder, capture, _ = recorded
    market = replayed(folder)
    perpetual = market.instruments()[0]
    assert perpetual.kind is InstrumentKind.INVERSE_PERPETUAL
    ticks = [
        event
        for event in capture[MarketTick]
        if isinstance(event, MarketTick) and event.instrument_id == perpetual.instrument_id
    ]
    assert len(ticks) == RECORDED_NS // (STEP_S * SECOND_NS) + 1
    for tick in ticks:
        market.advance(tick.ts_event)
        quote = market.perpetual("BTC")
        shown = (quote.bid, quote.ask, quote.bid_size_usd, quote.ask_size_usd, quote.mark)
        said = (tick.bid, tick.ask, tick.bid_quantity, tick.ask_quantity, tick.mark)
        assert shown == tuple(float(value) for value in said if value is not None)
        assert tick.index_usd is not None
        assert market.index_usd("BTC") == float(tick.index_usd)


def test_every_bar_is_replayed(recorded: tuple[Path, Capture, str]) -> None:
    """All bars, those from before the start too, come back equal and once."""
    folder, capture, _ = recorded
    market = replayed(folder)
    said = [event for event in capture[Candle] if isinstance(event, Candle)]
    market.advance(market.end_ns)
    bars = market.candles("BTC", 300 * SECOND_NS, market.end_ns, 100_000)
    assert bars.open_ns.tolist() == [bar.open_ns for bar in said]
    for name in ("open", "high", "low", "close", "volume"):
        assert getattr(bars, name).tolist() == [getattr(bar, name) for bar in said]


def test_a_folder_a_day(recorded: tuple[Path, Capture, str]) -> None:
    """Rows are in the folder of their own UTC day."""
    folder, _, _ = recorded
    assert [path.name for path in sorted(folder.glob("options/*"))] == ["2026-05-27", "2026-05-28"]
    for path in folder.glob("options/2026-05-28/*.parquet"):
        times = pq.read_table(path)["snapshot_ts"].to_numpy()
        assert (times >= (START_NS + HOUR_NS) // 1_000_000).all()


def test_recording_changes_no_decision(recorded: tuple[Path, Capture, str]) -> None:
    """The journal of a run is the same with the recorder and without it."""
    folder, _, digest = recorded
    same_config = paper_config(folder.parent / "data")
    _, without = asyncio.run(run_paper(same_config, lambda _: None))
    assert digest == without


def test_a_backtest_runs_on_the_recording(
    recorded: tuple[Path, Capture, str], tmp_path: Path
) -> None:
    """The paper account trades the recording: decisions are made on it, in virtual time."""
    folder, _, _ = recorded
    market_config = msgspec.structs.replace(
        load("paper.toml").market, generated=None, recorded=of_recorder(str(folder))
    )
    config = msgspec.structs.replace(
        paper_config(tmp_path), mode=Mode.BACKTEST, speed=1.0, market=market_config
    )
    decisions = asyncio.run(_backtest(config))
    assert len(decisions) > 5
    assert any(item.state.p_vol is not None and item.state.q_vol is not None for item in decisions)


async def _backtest(config: Config) -> list[DecisionMade]:
    market = assembly.recorded_market(config)
    clock = VirtualClock(market.start_ns)
    with open_journal(config) as journal:
        make_venue = assembly.paper_venue(config, market, market.start_ns)
        system = System(config, clock=clock, journal=journal, make_venue=make_venue)
        made = system.bus.subscribe(DecisionMade, name="t", capacity=100_000)
        await drive(system, clock, market.end_ns, None)
        return [event async for _, event in made if isinstance(event, DecisionMade)]


def test_after_a_kill_every_file_is_whole_and_replays(tmp_path: Path) -> None:
    """A SIGKILL while files are written leaves complete ones, and the next start goes on."""
    folder = tmp_path / "recordings"
    for files_more in (3, 5, 30):
        _record_and_kill(folder, files_more)
        files = list(folder.glob("*/*/*.parquet"))
        rows = [pq.read_table(path).num_rows for path in files]
        assert all(rows)
    market = replayed(folder)
    assert market.rows_refused == {"BTC": {}}
    assert len(market.snapshot_times()) > 3
    market.advance(market.end_ns)
    assert market.perpetual("BTC").mark > 0


def _record_and_kill(folder: Path, files_more: int) -> None:
    """Let a process record as fast as it can, and kill it while it writes."""
    script = Path(__file__).with_name("recording_process.py")
    before = len(list(folder.glob("options/*/*.parquet")))
    process = subprocess.Popen(
        [sys.executable, str(script), str(folder)], env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    try:
        deadline_s = time.perf_counter() + 20.0
        while len(list(folder.glob("options/*/*.parquet"))) < before + files_more:
            assert process.poll() is None, "the recording process ended by itself"
            assert time.perf_counter() < deadline_s, "nothing was recorded in time"
            time.sleep(0.011)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def test_the_command_records_when_it_is_told_to(tmp_path: Path) -> None:
    """`run` with `recorder.enabled` leaves a recording behind; the shipped demo leaves none."""
    source = (ROOT / "configs" / "paper.toml").read_text(encoding="utf-8")
    source = source.replace('data_dir = "data/paper"', f'data_dir = "{tmp_path}"')
    source = re.sub(r"(?m)^speed = .*$", "speed = 600.0", source)
    source = re.sub(r"(?m)^chain_interval_s = .*$", "chain_interval_s = 60.0", source)
    config = tmp_path / "paper.toml"
    config.write_text(
        source + "\n[api]\nenabled = false\n\n[recorder]\nenabled = true\n", encoding="utf-8"
    )
    command = [sys.executable, "-m", "glmtrader", "run", "--config", str(config)]
    done = subprocess.run(
        [*command, "--for", "2s", "--json"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=ROOT,
    )
    assert json.loads(done.stdout.splitlines()[-1])["type"] == "summary"
    market = RecordedMarket(of_recorder(str(tmp_path / "recordings")))
    assert len(market.snapshot_times()) >= 2
    assert not RecorderConfig().enabled
