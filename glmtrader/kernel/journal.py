"""The journal: every arrow of the system in one SQLite file, written ahead, chained by digest.

One writing connection lives on the loop's thread. Records are buffered by `append` and committed
by `commit`, which the gateway calls before an order's first byte leaves; the dispatcher's shell
calls it when the buffer is large or old. In WAL mode with `synchronous=NORMAL` a commit survives
kill -9; with `durability="power"` each commit is fsynced and survives a power cut too.

Each record carries the BLAKE2b of the previous digest and its own body, so that one changed byte
anywhere is found, and the last digest names the whole history. Schema versions only grow; an older
journal is migrated when it is opened for writing.
"""

import fcntl
import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Final, Literal, Self

import msgspec

from glmtrader.domain.event import Event
from glmtrader.domain.events import JOURNALED_EVENTS
from glmtrader.errors import JournalCorruptError, JournalError, JournalLockedError
from glmtrader.kernel.journal_schema import SCHEMA_VERSION, migrate

DIGEST_BYTES: Final = 16
BUFFER_RECORDS_MAX: Final = 512
"""Records held in memory before a commit is forced: what a kill -9 may lose of the unordered."""

DELETE_RECORDS_MAX: Final = 20_000
"""Records dropped in one go: some milliseconds of the loop's time."""

Durability = Literal["process", "power"]
"""What a committed record survives: the death of the process, or of the machine."""

_encoder = msgspec.json.Encoder(order="deterministic")


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One journaled event with its number and the raw bytes it was decoded from."""

    seq: int
    ts_ns: int
    kind: str
    body: bytes
    event: Event


def encode(event: Event) -> bytes:
    """Canonical bytes of an event: equal events give equal bytes, in every process."""
    return _encoder.encode(event)


_DECODERS: Final = {
    event_type.__name__: msgspec.json.Decoder(event_type) for event_type in JOURNALED_EVENTS
}


def decode(kind: str, body: bytes, *, seq: int) -> Event:
    """The event in a record's body.

    Raises:
        JournalCorruptError: no such kind of event, or the body does not decode to it.
    """
    decoder = _DECODERS.get(kind)
    if decoder is None:
        raise JournalCorruptError(f"record {seq} holds an unknown kind of event {kind!r}")
    try:
        return decoder.decode(body)
    except msgspec.DecodeError as error:
        raise JournalCorruptError(f"record {seq} ({kind}) cannot be decoded: {error}") from error


def _chain(previous: bytes, kind: str, body: bytes) -> bytes:
    digest = hashlib.blake2b(previous, digest_size=DIGEST_BYTES)
    digest.update(kind.encode())
    digest.update(body)
    return digest.digest()


class Journal:
    """The writing end; exactly one process holds it at a time.

    Args:
        path: the SQLite file; its directory must exist.
        durability: see the module.
        size_mb_max: above this, records before the last ledger snapshot are dropped.

    Raises:
        JournalLockedError: another process writes this journal.
        JournalCorruptError: the file is no journal, or fails its integrity check.
        JournalError: it cannot be opened.
    """

    def __init__(
        self, path: Path, *, durability: Durability = "process", size_mb_max: int = 2048
    ) -> None:
        assert size_mb_max > 0, f"size_mb_max {size_mb_max} must be positive"
        self.path = path
        self._size_mb_max = size_mb_max
        self._lock = _lock(path)
        try:
            self._connection = _open(path, durability)
            self.epoch = self._next_epoch()
            self._seq, self._digest = self._head()
        except sqlite3.DatabaseError as error:
            self._lock.close()
            raise JournalCorruptError(
                f"{path} is not a sound journal ({error}); move it away or restore a backup"
            ) from error
        except JournalError:
            self._lock.close()
            raise
        self._buffer: list[tuple[int, int, str, bytes, bytes]] = []

    @property
    def seq(self) -> int:
        """Number of the last record appended, committed or not; 0 for an empty journal."""
        return self._seq

    @property
    def digest(self) -> str:
        """Digest of the whole history up to the last record appended, in hex."""
        return self._digest.hex()

    @property
    def buffered(self) -> int:
        """Records appended and not yet committed."""
        return len(self._buffer)

    def append(self, seq: int, event: Event) -> None:
        """Take one event; it is on disk after the next `commit`.

        Raises:
            JournalError: `seq` does not grow, or the forced commit of a full buffer fails.
        """
        if seq <= self._seq:
            raise JournalError(f"record {seq} comes after {self._seq}: numbers must grow")
        kind = type(event).__name__
        body = _encoder.encode(event)
        self._digest = _chain(self._digest, kind, body)
        self._seq = seq
        self._buffer.append((seq, event.ts_init, kind, body, self._digest))
        if len(self._buffer) >= BUFFER_RECORDS_MAX:
            self.commit()

    def commit(self) -> None:
        """Put everything appended so far on disk, in one transaction.

        Raises:
            JournalError: the disk is full or failing; nothing that waits for this may go out.
        """
        if not self._buffer:
            return
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(
                "INSERT INTO record(seq, ts_ns, kind, body, digest) VALUES (?, ?, ?, ?, ?)",
                self._buffer,
            )
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise JournalError(f"journal {self.path} cannot be written: {error}") from error
        self._buffer.clear()

    def records(self, *, after_seq: int = 0) -> Iterator[Record]:
        """Committed records in order, verified against the chain as they are read."""
        return read_records(self._connection, after_seq=after_seq)

    def fold(self, kinds: Iterable[type[Event]]) -> Iterator[Event]:
        """Events of some kinds in order, for a restart; the tail's digests are verified first.

        The tail is what follows the last ledger snapshot: what a restart depends on most.

        Raises:
            JournalCorruptError: a record was changed or does not decode.
        """
        for _ in read_records(self._connection, after_seq=self.last_snapshot_seq()):
            pass
        names = sorted(kind.__name__ for kind in kinds)
        marks = ", ".join("?" for _ in names)
        rows = self._connection.execute(
            f"SELECT seq, kind, body FROM record WHERE kind IN ({marks}) ORDER BY seq",  # noqa: S608  only question marks are put in
            names,
        )
        for seq, kind, body in rows:
            yield decode(kind, body, seq=seq)

    def last_snapshot_seq(self) -> int:
        """Number of the last ledger snapshot; 0 if there is none: where a restart folds from."""
        row = self._connection.execute(
            "SELECT max(seq) FROM record WHERE kind = 'LedgerSnapshot'"
        ).fetchone()
        return int(row[0] or 0)

    def size_mb(self) -> float:
        """Size of what the database holds in MiB, the write-ahead log and freed pages left out."""
        pages = self._connection.execute("PRAGMA page_count").fetchone()[0]
        pages -= self._connection.execute("PRAGMA freelist_count").fetchone()[0]
        page_bytes = self._connection.execute("PRAGMA page_size").fetchone()[0]
        return float(pages * page_bytes) / 2**20

    def wants_retention(self, *, keep_after_ns: int) -> bool:
        """Whether there is something older than `keep_after_ns`, or the file is too large."""
        row = self._connection.execute("SELECT ts_ns FROM record ORDER BY seq LIMIT 1").fetchone()
        return row is not None and (row[0] < keep_after_ns or self.size_mb() > self._size_mb_max)

    def enforce_retention(self, *, keep_after_ns: int, before_seq: int) -> int:
        """Drop records older than `keep_after_ns`, or all possible ones above the size limit.

        Args:
            keep_after_ns: younger records stay while there is room.
            before_seq: nothing from here on is dropped: a restart must find, from here on, every
                snapshot that it folds from. At most `DELETE_RECORDS_MAX` go at once.

        The file keeps its size: what was freed is written again, and no commit pays for a map of
        pages that could be moved.

        Returns:
            How many records were dropped.

        Raises:
            JournalError: the disk refuses; nothing was dropped.
        """
        self.commit()
        border = before_seq
        if self.size_mb() <= self._size_mb_max:
            row = self._connection.execute(
                "SELECT min(seq) FROM record WHERE ts_ns >= ?", (keep_after_ns,)
            ).fetchone()
            border = border if row[0] is None else min(border, int(row[0]))
        first = self._connection.execute("SELECT min(seq) FROM record").fetchone()[0]
        if first is None or border <= first:
            return 0
        return self._drop_before(min(border, int(first) + DELETE_RECORDS_MAX))

    def _drop_before(self, border: int) -> int:
        base = _digest_at(self._connection, border - 1)
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute("UPDATE meta SET value = ? WHERE key = 'base_digest'", (base,))
            count = self._connection.execute("DELETE FROM record WHERE seq < ?", (border,)).rowcount
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise JournalError(f"journal {self.path} cannot drop old records: {error}") from error
        return count

    def checkpoint(self) -> None:
        """Move the write-ahead log into the database; called when nothing is urgent."""
        self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        """Commit, checkpoint and release the lock."""
        self.commit()
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _head(self) -> tuple[int, bytes]:
        row = self._connection.execute("SELECT max(seq) FROM record").fetchone()
        seq = int(row[0] or 0)
        return seq, _digest_at(self._connection, seq)

    def _next_epoch(self) -> int:
        """Count this start; committed at once, so that no two starts ever share an epoch."""
        self._connection.execute(
            "UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE key = 'epoch'"
        )
        row = self._connection.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()
        return int(row[0])


def open_for_reading(path: Path) -> sqlite3.Connection:
    """A read-only connection, also beside a running writer.

    Raises:
        JournalError: the file does not exist, or is of another version.
        JournalCorruptError: it is not a journal.
    """
    if not path.is_file():
        raise JournalError(f"journal {path} does not exist; `run` prints where it writes")
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        row = connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
    except sqlite3.DatabaseError as error:
        raise JournalCorruptError(f"{path} is not a sound journal ({error})") from error
    if row is None or int(row[0]) != SCHEMA_VERSION:
        found = None if row is None else row[0]
        raise JournalError(f"{path} has schema {found}, this version reads {SCHEMA_VERSION}")
    return connection


def read_records(connection: sqlite3.Connection, *, after_seq: int = 0) -> Iterator[Record]:
    """Records after a number, in order, each verified against the digest chain.

    Raises:
        JournalCorruptError: a digest does not follow, or a body does not decode.
    """
    try:
        digest = _digest_at(connection, after_seq)
        rows = connection.execute(
            "SELECT seq, ts_ns, kind, body, digest FROM record WHERE seq > ? ORDER BY seq",
            (after_seq,),
        )
        for seq, ts_ns, kind, body, stored in rows:
            digest = _chain(digest, kind, body) if isinstance(body, bytes) else b""
            if digest != stored:
                raise JournalCorruptError(
                    f"record {seq} ({kind}) does not match its digest: the journal was changed"
                )
            event = decode(kind, body, seq=seq)
            yield Record(seq=seq, ts_ns=ts_ns, kind=kind, body=body, event=event)
    except sqlite3.DatabaseError as error:
        raise JournalCorruptError(f"the journal cannot be read: {error}") from error


def _digest_at(connection: sqlite3.Connection, seq: int) -> bytes:
    """Digest of the last record up to `seq`; of the last dropped one where retention took it."""
    row = connection.execute(
        "SELECT digest FROM record WHERE seq <= ? ORDER BY seq DESC LIMIT 1", (seq,)
    ).fetchone()
    if row is None:
        row = connection.execute("SELECT value FROM meta WHERE key = 'base_digest'").fetchone()
    return bytes(row[0])


def _lock(path: Path) -> IO[bytes]:
    """Hold the writer's lock for the life of the returned file."""
    try:
        handle = path.with_name(path.name + ".lock").open("wb")
    except OSError as error:
        raise JournalError(f"journal {path} cannot be opened: {error}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        handle.close()
        raise JournalLockedError(
            f"journal {path} is being written by another process; stop it first"
        ) from error
    return handle


def _open(path: Path, durability: Durability) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(path, isolation_level=None, timeout=1.0)
    except sqlite3.OperationalError as error:
        raise JournalError(f"journal {path} cannot be opened: {error}") from error
    # A commit writes whole pages, and records are small; an existing journal keeps its own size.
    connection.execute("PRAGMA page_size=2048")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={'FULL' if durability == 'power' else 'NORMAL'}")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    migrate(connection, path)
    return connection
