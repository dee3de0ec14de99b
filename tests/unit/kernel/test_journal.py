"""The journal: committed is kept, one changed byte is found, one writer at a time."""

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from glmtrader.domain.event import Event
from glmtrader.domain.risk_events import LedgerSnapshot
from glmtrader.domain.system_events import TimerFired
from glmtrader.errors import JournalCorruptError, JournalError, JournalLockedError
from glmtrader.kernel.journal import Journal, open_for_reading, read_records


def timer(key: str, ts_ns: int = 1) -> TimerFired:
    return TimerFired(ts_event=ts_ns, ts_init=ts_ns, component="test", key=key)


def snapshot(ts_ns: int) -> LedgerSnapshot:
    return LedgerSnapshot(
        ts_event=ts_ns,
        ts_init=ts_ns,
        account_id="main",  # type: ignore[arg-type]
        balances=(),
        positions=(),
        cursor=0,
        booked=(),
        fees_paid=(),
        funding_paid=(),
        equity_peak=None,
    )


def events_of(path: Path) -> list[Event]:
    return [record.event for record in read_records(open_for_reading(path))]


def test_what_was_committed_is_read_back_equal(tmp_path: Path) -> None:
    """Every committed event decodes to an equal one, in order, under its number."""
    path = tmp_path / "a.journal"
    with Journal(path) as journal:
        for seq, key in ((3, "a"), (7, "b")):
            journal.append(seq, timer(key))
        journal.commit()
        assert [record.seq for record in journal.records()] == [3, 7]
    assert events_of(path) == [timer("a"), timer("b")]


def test_epochs_count_starts(tmp_path: Path) -> None:
    """No two starts on one journal share an epoch, and numbering continues."""
    path = tmp_path / "a.journal"
    with Journal(path) as first:
        assert first.epoch == 1
        first.append(1, timer("a"))
    with Journal(path) as second:
        assert second.epoch == 2
        assert second.seq == 1


def test_one_changed_byte_is_found(tmp_path: Path) -> None:
    """A body that no longer matches its digest stops the reading with the record's number."""
    path = tmp_path / "a.journal"
    with Journal(path) as journal:
        for seq in range(1, 6):
            journal.append(seq, timer(f"key-{seq}"))
    connection = sqlite3.connect(path)
    connection.execute(
        "UPDATE record SET body = CAST(replace(body, 'key-3', 'key-9') AS BLOB) WHERE seq = 3"
    )
    connection.commit()
    connection.close()
    with pytest.raises(JournalCorruptError, match="record 3"):
        events_of(path)


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    """Two processes on one journal would double orders; the second is told so."""
    path = tmp_path / "a.journal"
    with Journal(path), pytest.raises(JournalLockedError, match="another process"):
        Journal(path)


def test_a_file_that_is_no_journal_is_refused_clearly(tmp_path: Path) -> None:
    """Rubbish in the journal's place is named, not overwritten."""
    path = tmp_path / "a.journal"
    path.write_bytes(b"this is not a database, it is a shopping list" * 100)
    with pytest.raises(JournalCorruptError, match=r"a\.journal"):
        Journal(path)
    assert path.read_bytes().startswith(b"this is not")


def test_numbers_must_grow(tmp_path: Path) -> None:
    """A record under an old number is refused before it can overwrite anything."""
    with Journal(tmp_path / "a.journal") as journal:
        journal.append(5, timer("a"))
        with pytest.raises(JournalError, match="numbers must grow"):
            journal.append(5, timer("b"))


def test_the_digest_names_the_history(tmp_path: Path) -> None:
    """Equal histories have equal digests; one different event makes a different one."""
    digests = []
    for name, key in (("a", "same"), ("b", "same"), ("c", "other")):
        with Journal(tmp_path / name) as journal:
            journal.append(1, timer(key))
            digests.append(journal.digest)
    assert digests[0] == digests[1]
    assert digests[0] != digests[2]


def test_retention_drops_nothing_from_where_a_restart_folds(tmp_path: Path) -> None:
    """However old it is, what a restart needs stays, and the chain of digests still holds."""
    path = tmp_path / "a.journal"
    with Journal(path) as journal:
        journal.append(1, timer("old", 1))
        journal.append(2, snapshot(2))
        journal.append(3, timer("young", 3))
        journal.commit()
        assert journal.wants_retention(keep_after_ns=100)
        assert journal.enforce_retention(keep_after_ns=100, before_seq=2) == 1
    assert events_of(path) == [snapshot(2), timer("young", 3)]


def test_retention_keeps_what_is_young_enough(tmp_path: Path) -> None:
    """Records inside the retention time stay, needed or not."""
    path = tmp_path / "a.journal"
    with Journal(path) as journal:
        for seq in (1, 2, 3):
            journal.append(seq, timer(f"{seq}", seq * 10))
        journal.append(4, snapshot(40))
        assert journal.enforce_retention(keep_after_ns=20, before_seq=4) == 1
        assert not journal.wants_retention(keep_after_ns=20)
    assert len(events_of(path)) == 3


def test_an_oversized_journal_drops_young_records_too(tmp_path: Path) -> None:
    """Above the size limit, age protects nothing; what a restart needs still stays."""
    path = tmp_path / "a.journal"
    with Journal(path, size_mb_max=1) as journal:
        for seq in range(1, 8):
            journal.append(seq, timer("x" * 300_000, 100))
        journal.append(8, snapshot(100))
        journal.commit()
        assert journal.wants_retention(keep_after_ns=0)
        assert journal.enforce_retention(keep_after_ns=0, before_seq=8) == 7
    assert events_of(path) == [snapshot(100)]


def test_a_journal_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    """An older program must not write into a newer journal."""
    path = tmp_path / "a.journal"
    Journal(path).close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE meta SET value = 999 WHERE key = 'schema'")
    connection.commit()
    connection.close()
    with pytest.raises(JournalError, match="upgrade glmtrader"):
        Journal(path)


def test_a_missing_journal_is_named(tmp_path: Path) -> None:
    """Reading what does not exist says so, and creates nothing."""
    path = tmp_path / "absent.journal"
    with pytest.raises(JournalError, match="does not exist"):
        open_for_reading(path)
    assert not path.exists()


def test_a_failing_disk_keeps_what_was_committed(tmp_path: Path) -> None:
    """A commit that fails raises, and loses neither the old records nor the buffer."""
    path = tmp_path / "a.journal"
    journal = Journal(path)
    journal.append(1, timer("kept"))
    journal.commit()
    journal._connection.execute("PRAGMA max_page_count = 1")
    pages = journal._connection.execute("PRAGMA page_count").fetchone()[0]
    journal._connection.execute(f"PRAGMA max_page_count = {pages}")
    journal.append(2, timer("x" * 200_000))
    with pytest.raises(JournalError, match="cannot be written"):
        journal.commit()
    assert journal.buffered == 1
    journal._connection.execute("PRAGMA max_page_count = 1000000")
    journal.close()
    assert len(events_of(path)) == 2


def test_a_killed_writer_loses_nothing_that_was_committed(tmp_path: Path) -> None:
    """A kill -9 right after a commit: the records are there, the uncommitted one is not."""
    path = tmp_path / "a.journal"
    program = f"""
        import os, signal
        from pathlib import Path
        from glmtrader.domain.system_events import TimerFired
        from glmtrader.kernel.journal import Journal
        journal = Journal(Path({str(path)!r}))
        for seq in range(1, 101):
            event = TimerFired(ts_event=seq, ts_init=seq, component="c", key=str(seq))
            journal.append(seq, event)
            if seq == 99:
                journal.commit()
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        check=False,
        cwd=Path(__file__).parents[3],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert done.returncode == -signal.SIGKILL
    assert len(events_of(path)) == 99


def test_a_journal_of_the_first_version_is_brought_to_this_one(tmp_path: Path) -> None:
    """Its records and epochs stay, and its index over all kinds goes."""
    path = tmp_path / "a.journal"
    with Journal(path) as journal:
        journal.append(1, snapshot(1))
    connection = sqlite3.connect(path)
    connection.execute("DROP INDEX record_snapshot")
    connection.execute("CREATE INDEX record_kind ON record(kind, seq)")
    connection.execute("UPDATE meta SET value = 1 WHERE key = 'schema'")
    connection.commit()
    connection.close()
    with Journal(path) as journal:
        assert (journal.epoch, journal.last_snapshot_seq()) == (2, 1)
    names = open_for_reading(path).execute("SELECT name FROM sqlite_master WHERE type = 'index'")
    assert "record_kind" not in {name for (name,) in names}
    assert events_of(path) == [snapshot(1)]
