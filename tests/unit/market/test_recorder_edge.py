"""The recorder on the bus: when it writes, what it drops, and that a broken disk stops it alone."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from recorder_samples import DAY_START_NS, candle, chain, files, tick
from structlog.testing import capture_logs

from glmtrader.domain.event import Event
from glmtrader.domain.instruments import DAY_NS, MINUTE_NS, SECOND_NS
from glmtrader.domain.system_events import StateSnapshot
from glmtrader.kernel.bus import Bus
from glmtrader.kernel.clock import VirtualClock
from glmtrader.kernel.driver import settle
from glmtrader.market.recorder import TICKS_WAITING_MAX, Recorder, RecorderSettings

ROOT = Path(__file__).parents[3]


class Desk:
    """A bus with a recorder on it, in virtual time."""

    def __init__(
        self,
        folder: Path,
        *,
        rows_max: int = 1_000,
        size_mb_max: float = 10.0,
        threads: bool = False,
    ) -> None:
        self.clock = VirtualClock(DAY_START_NS)
        self.bus = Bus(self.clock)
        settings = RecorderSettings(
            folder=folder,
            size_mb_max=size_mb_max,
            flush_s=60.0,
            rows_max=rows_max,
            in_place=not threads,
        )
        self.recorder = Recorder(self.bus, settings, clock=self.clock)
        self.states = self.bus.subscribe(StateSnapshot, name="states")

    async def show(self, *events: Event) -> None:
        """Publish events and let the recorder read them."""
        for event in events:
            self.bus.publish(event)
        self.bus.drain()
        await settle()

    async def finish(self, running: asyncio.Task[None]) -> None:
        """Close the bus and wait for the last rows."""
        self.bus.close()
        await self.recorder.ended(5.0)
        await running


def started(desk: Desk, group: asyncio.TaskGroup) -> asyncio.Task[None]:
    """Open the recorder and run it."""
    desk.recorder.open()
    return group.create_task(desk.recorder.run())


@pytest.mark.asyncio
async def test_collected_rows_are_written_in_time(tmp_path: Path) -> None:
    """After `flush_s` of process time, though few, they are on disk."""
    desk = Desk(tmp_path)
    async with asyncio.TaskGroup() as group:
        running = started(desk, group)
        await desk.show(tick(DAY_START_NS))
        assert files(tmp_path) == []
        desk.clock.fire_next(DAY_START_NS + 60 * SECOND_NS)
        await settle()
        assert files(tmp_path) == ["ticks/2026-05-27/deribit_000001.parquet"]
        await desk.finish(running)


@pytest.mark.asyncio
async def test_many_rows_are_written_at_once(tmp_path: Path) -> None:
    """With `rows_max` rows collected no time has to pass."""
    desk = Desk(tmp_path, rows_max=8)
    async with asyncio.TaskGroup() as group:
        running = started(desk, group)
        await desk.show(chain(DAY_START_NS))
        assert files(tmp_path) == []
        await desk.show(chain(DAY_START_NS + 1 * MINUTE_NS))
        assert desk.recorder.rows_written == {"options": 8}
        await desk.finish(running)


@pytest.mark.asyncio
@pytest.mark.parametrize("threads", [False, True])
async def test_the_end_writes_what_is_left_by_day(tmp_path: Path, *, threads: bool) -> None:
    """Closing the bus writes everything, each row in its day, on a thread or in place."""
    desk = Desk(tmp_path, threads=threads)
    midnight_ns = DAY_START_NS + DAY_NS
    async with asyncio.TaskGroup() as group:
        running = started(desk, group)
        await desk.show(chain(midnight_ns - SECOND_NS), tick(midnight_ns), chain(midnight_ns))
        await desk.show(candle(midnight_ns - 5 * MINUTE_NS))
        await desk.finish(running)
    assert files(tmp_path) == [
        "klines/2026-05-27/BTC_300s_000001.parquet",
        "options/2026-05-27/deribit_BTC_000001.parquet",
        "options/2026-05-28/deribit_BTC_000001.parquet",
        "ticks/2026-05-28/deribit_000001.parquet",
    ]
    assert pq.read_table(tmp_path / "options" / "2026-05-28").num_rows == 4


@pytest.mark.asyncio
async def test_a_burst_beyond_the_queue_drops_the_oldest(tmp_path: Path) -> None:
    """Too much at once is bounded and counted, and never raises on the bus."""
    desk = Desk(tmp_path, rows_max=100_000)
    async with asyncio.TaskGroup() as group:
        running = started(desk, group)
        await settle()
        for i in range(TICKS_WAITING_MAX + 5):
            desk.bus.publish(tick(DAY_START_NS + i))
            desk.bus.drain()
        await desk.finish(running)
    assert desk.recorder.events_dropped == 5
    table = pq.read_table(tmp_path / "ticks")
    assert table["ts_ns"].to_pylist()[0] == DAY_START_NS + 5
    assert table.num_rows == TICKS_WAITING_MAX


@pytest.mark.asyncio
async def test_a_broken_disk_stops_the_recorder_loudly_and_alone(tmp_path: Path) -> None:
    """It is logged and published, the rest is counted as dropped, and the bus goes on."""
    desk = Desk(tmp_path, rows_max=4)
    (tmp_path / "options").write_text("in the way", encoding="utf-8")
    with capture_logs() as logs:
        async with asyncio.TaskGroup() as group:
            running = started(desk, group)
            await desk.show(chain(DAY_START_NS))
            await desk.show(chain(DAY_START_NS + MINUTE_NS), tick(DAY_START_NS))
            await desk.finish(running)
    assert [line["event"] for line in logs] == ["recording_stopped"]
    assert "cannot be recorded to" in str(desk.recorder.stopped_because)
    assert desk.recorder.events_dropped == 3
    told = [event async for _, event in desk.states]
    assert [event.state["status"] for event in told if isinstance(event, StateSnapshot)] == [
        "stopped"
    ]


@pytest.mark.asyncio
async def test_a_full_folder_stops_the_recorder(tmp_path: Path) -> None:
    """At `size_mb_max` recording ends; what was recorded before stays readable."""
    desk = Desk(tmp_path, rows_max=4, size_mb_max=0.02)
    async with asyncio.TaskGroup() as group:
        running = started(desk, group)
        for minute in range(10):
            await desk.show(chain(DAY_START_NS + minute * MINUTE_NS))
        await desk.finish(running)
    kept = pq.read_table(tmp_path / "options").num_rows // 4
    assert 0 < kept < 10
    assert desk.recorder.rows_written == {"options": 4 * kept}
    assert desk.recorder.events_dropped == 10 - kept
    assert "size_mb_max" in str(desk.recorder.stopped_because)


@pytest.mark.asyncio
async def test_a_folder_that_cannot_be_made_stops_nothing_else(tmp_path: Path) -> None:
    """A fault at the start is a stopped recorder, not an error of the run."""
    in_the_way = tmp_path / "recordings"
    in_the_way.write_text("a file", encoding="utf-8")
    desk = Desk(in_the_way)
    async with asyncio.TaskGroup() as group:
        running = started(desk, group)
        await desk.show(tick(DAY_START_NS))
        await desk.finish(running)
    assert desk.recorder.stopped_because is not None
    assert desk.recorder.events_dropped == 1


def test_without_recording_pyarrow_is_not_imported() -> None:
    """The command and the recorder's modules load without half a second of pyarrow."""
    script = (
        "import sys, glmtrader.cli.run, glmtrader.market.recorder;"
        " sys.exit('pyarrow' in sys.modules)"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment, timeout=60)
