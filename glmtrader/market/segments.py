"""The recordings on disk: complete Parquet files by stream and UTC day, never more than allowed.

A file is written under a temporary name, flushed to the disk and renamed: whatever happens, only
complete files have a final name. Blocking, so it is called off the loop's thread, one call at a
time. pyarrow is imported when a store is opened.
"""

import os
from pathlib import Path
from typing import Any, Final

from glmtrader.errors import GlmtraderError
from glmtrader.market.recorded_rows import TIME_COLUMNS, Stream

MEGABYTE: Final = 1_000_000
UNFINISHED_SUFFIX: Final = ".part"
_NUMBER_DIGITS: Final = 6


class RecordingError(GlmtraderError):
    """The recording cannot go on: no room, no disk, or files that are not what they claim."""


class SegmentStore:
    """One folder of recordings.

    Args:
        folder: made when it does not exist.
        size_mb_max: of all files together; a file that would exceed it is not kept.
    """

    def __init__(self, folder: Path, size_mb_max: float) -> None:
        assert size_mb_max > 0, f"size_mb_max {size_mb_max} must be positive"
        self._folder = folder
        self._size_bytes_max = round(size_mb_max * MEGABYTE)
        self._numbers: dict[tuple[Path, str], int] = {}
        self.size_bytes = 0

    def open(self) -> None:
        """Drop what a killed writer left unfinished, and measure what is there.

        Raises:
            RecordingError: the folder cannot be made or read.
        """
        import pyarrow.parquet  # noqa: F401, PLC0415  # half a second, before trading begins

        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for unfinished in self._folder.glob(f"*/*/*{UNFINISHED_SUFFIX}"):
                unfinished.unlink()
            complete = self._folder.glob("*/*/*.parquet")
            self.size_bytes = sum(path.stat().st_size for path in complete)
        except OSError as error:
            raise _broken(self._folder, error) from error

    def write(self, stream: Stream, day: str, table: Any) -> Path:
        """Add one complete file; returns its path.

        Raises:
            RecordingError: no room is left, or the disk refuses.
        """
        folder = self._folder / stream.kind / day
        try:
            folder.mkdir(parents=True, exist_ok=True)
            number = self._next_number(folder, stream.stem)
            path = folder / f"{stream.stem}_{number:0{_NUMBER_DIGITS}d}.parquet"
            self._write_whole(path, table)
        except OSError as error:
            raise _broken(folder, error) from error
        self._numbers[folder, stream.stem] = number
        return path

    def last_time(self, stream: Stream) -> int | None:
        """The newest row time on disk of a stream, from the files' statistics; None without any.

        Raises:
            RecordingError: a file cannot be read as Parquet.
        """
        import pyarrow as pa  # noqa: PLC0415  # imported by `open` already
        import pyarrow.parquet as pq  # noqa: PLC0415  # as above

        paths = self._newest_day(stream)
        try:
            times = [_newest(pq.read_metadata(path), TIME_COLUMNS[stream.kind]) for path in paths]
        except (OSError, pa.ArrowException) as error:
            raise _broken(self._folder / stream.kind, error) from error
        return max(times, default=None)

    def _newest_day(self, stream: Stream) -> list[Path]:
        pattern = f"{stream.stem}_{'[0-9]' * _NUMBER_DIGITS}.parquet"
        for day in sorted((self._folder / stream.kind).glob("*"), reverse=True):
            paths = list(day.glob(pattern))
            if paths:
                return paths
        return []

    def _next_number(self, folder: Path, stem: str) -> int:
        known = self._numbers.get((folder, stem))
        if known is None:
            names = (path.stem for path in folder.glob(f"{stem}_{'[0-9]' * _NUMBER_DIGITS}.*"))
            known = max((int(name[-_NUMBER_DIGITS:]) for name in names), default=0)
        return known + 1

    def _write_whole(self, path: Path, table: Any) -> None:
        import pyarrow.parquet as pq  # noqa: PLC0415  # as above

        unfinished = path.with_suffix(UNFINISHED_SUFFIX)
        try:
            pq.write_table(table, unfinished, compression="zstd")  # by name: a file object of
            with unfinished.open("rb") as file:  # Python's would take the loop's lock in turns
                os.fsync(file.fileno())
            size = unfinished.stat().st_size
            self._refuse_beyond(size)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
        self.size_bytes += size

    def _refuse_beyond(self, size: int) -> None:
        if self.size_bytes + size > self._size_bytes_max:
            raise RecordingError(
                f"{self._folder} holds {self.size_bytes} bytes of at most {self._size_bytes_max}:"
                " move old days away, or raise recorder.size_mb_max"
            )


def _newest(metadata: Any, column: str) -> int:
    place = metadata.schema.names.index(column)
    groups = (metadata.row_group(i).column(place) for i in range(metadata.num_row_groups))
    return max(int(group.statistics.max) for group in groups)


def _broken(folder: Path, error: Exception) -> RecordingError:
    return RecordingError(f"{folder} cannot be recorded to: {error}")
