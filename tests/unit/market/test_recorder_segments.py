"""Files on disk: complete, numbered, within their size, and nothing twice."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from recorder_samples import DAY_START_NS, candle, chain, files, tick

from glmtrader.domain.instruments import DAY_NS, MINUTE_NS
from glmtrader.market.recorded_rows import Stream, table_of
from glmtrader.market.recording import Recording
from glmtrader.market.segments import MEGABYTE, RecordingError, SegmentStore

BARS = Stream("klines", "BTC_300s")
DAY = "2026-05-27"


def opened(folder: Path, size_mb_max: float = 10.0) -> SegmentStore:
    store = SegmentStore(folder, size_mb_max)
    store.open()
    return store


def recording(folder: Path) -> Recording:
    made = Recording(SegmentStore(folder, 10.0))
    made.open()
    return made


def test_numbers_go_on_after_a_restart(tmp_path: Path) -> None:
    """A second start adds files beside those of the first."""
    table = table_of("klines", [candle(DAY_START_NS)])
    for _ in range(2):
        opened(tmp_path).write(BARS, DAY, table)
    names = [f"klines/{DAY}/BTC_300s_{number:06d}.parquet" for number in (1, 2)]
    assert files(tmp_path) == names
    assert opened(tmp_path).size_bytes == sum((tmp_path / name).stat().st_size for name in names)


def test_what_a_kill_left_unfinished_is_dropped(tmp_path: Path) -> None:
    """An unfinished file of an earlier run is no recording."""
    unfinished = tmp_path / "klines" / DAY / "BTC_300s_000001.part"
    unfinished.parent.mkdir(parents=True)
    unfinished.write_bytes(b"PAR1")
    opened(tmp_path)
    assert files(tmp_path) == []


def test_a_file_beyond_the_size_is_not_kept(tmp_path: Path) -> None:
    """The folder never holds more than it may, and the message says what to do."""
    table = table_of("klines", [candle(DAY_START_NS)])
    first = opened(tmp_path).write(BARS, DAY, table)
    size_bytes = first.stat().st_size
    store = opened(tmp_path, size_mb_max=2.5 * size_bytes / MEGABYTE)
    store.write(BARS, DAY, table)
    with pytest.raises(RecordingError, match=r"raise recorder\.size_mb_max"):
        store.write(BARS, DAY, table)
    assert len(files(tmp_path)) == 2
    assert store.size_bytes == 2 * size_bytes


def test_the_newest_time_is_read_from_disk(tmp_path: Path) -> None:
    """Of the newest day that has files of the stream, and of that stream alone."""
    store = opened(tmp_path)
    assert store.last_time(BARS) is None
    store.write(BARS, "2026-05-28", table_of("klines", [candle(DAY_START_NS + DAY_NS)]))
    store.write(BARS, DAY, table_of("klines", [candle(DAY_START_NS)]))
    other = Stream("klines", "ETH_300s")
    store.write(other, "2026-05-29", table_of("klines", [candle(DAY_START_NS + 2 * DAY_NS)]))
    assert store.last_time(BARS) == (DAY_START_NS + DAY_NS) // 1_000_000


def test_bars_that_are_repeated_at_a_start_are_kept_once(tmp_path: Path) -> None:
    """A restart sends the history again; only what is newer is added."""
    bars = [candle(DAY_START_NS + i * 5 * MINUTE_NS) for i in range(6)]
    recording(tmp_path).write(bars[:4])
    again = recording(tmp_path)
    again.write(bars)
    assert again.events_refused == {"repeated": 4}
    table = pq.read_table(tmp_path / "klines" / DAY)
    assert table["ts"].to_pylist() == [bar.open_ns // 1_000_000 for bar in bars]


def test_a_snapshot_is_kept_once(tmp_path: Path) -> None:
    """A chain that is shown again between two snapshots is not recorded again."""
    made = recording(tmp_path)
    made.write([chain(DAY_START_NS), chain(DAY_START_NS), chain(DAY_START_NS + MINUTE_NS)])
    assert made.events_refused == {"repeated": 1}
    assert made.rows_written == {"options": 8}


def test_ticks_of_one_moment_are_all_kept(tmp_path: Path) -> None:
    """Books of several instruments share their times."""
    made = recording(tmp_path)
    made.write([tick(DAY_START_NS), tick(DAY_START_NS), tick(DAY_START_NS - 1)])
    assert made.rows_written == {"ticks": 3}
    assert len(files(tmp_path)) == 2


def test_a_linear_chain_is_counted(tmp_path: Path) -> None:
    """What the schema has no place for is refused with its reason."""
    made = recording(tmp_path)
    made.write([chain(DAY_START_NS, inverse=False)])
    assert made.events_refused == {"linear_chain": 1}
    assert files(tmp_path) == []


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    """A recording that cannot be read is an error, not an empty one."""
    broken = tmp_path / "klines" / DAY / "BTC_300s_000001.parquet"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"no parquet at all")
    with pytest.raises(RecordingError, match="klines cannot be recorded to"):
        opened(tmp_path).last_time(BARS)
