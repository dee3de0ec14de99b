"""Tables of the journal and how older versions become the newest; versions only grow."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

from glmtrader.errors import JournalError

SCHEMA_VERSION: Final = 2

_VERSION_1 = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE record (
    seq INTEGER PRIMARY KEY,
    ts_ns INTEGER NOT NULL,
    kind TEXT NOT NULL,
    body BLOB NOT NULL,
    digest BLOB NOT NULL
);
CREATE INDEX record_kind ON record(kind, seq);
"""


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring a journal to `SCHEMA_VERSION`, step by step; a new file gets the newest tables.

    Raises:
        JournalError: the journal was written by a newer version.
    """
    version = _version(connection)
    if version > SCHEMA_VERSION:
        raise JournalError(
            f"journal {path} has schema {version}, this version writes {SCHEMA_VERSION}:"
            " upgrade glmtrader, or start a new journal"
        )
    for step in range(version, SCHEMA_VERSION):
        connection.execute("BEGIN IMMEDIATE")
        _STEPS[step](connection)
        connection.execute("UPDATE meta SET value = ? WHERE key = 'schema'", (step + 1,))
        connection.execute("COMMIT")


def _version(connection: sqlite3.Connection) -> int:
    has_meta = connection.execute(
        "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'meta'"
    ).fetchone()[0]
    if not has_meta:
        return 0
    row = connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
    return int(row[0])


def _create_version_1(connection: sqlite3.Connection) -> None:
    for statement in _VERSION_1.split(";"):
        if statement.strip():
            connection.execute(statement)
    connection.executemany(
        "INSERT INTO meta(key, value) VALUES (?, ?)",
        [("schema", 0), ("epoch", 0), ("base_digest", bytes(16))],
    )


def _index_snapshots_alone(connection: sqlite3.Connection) -> None:
    """Each kind had its own leaf of the index: an order's commit wrote one more page a kind."""
    connection.execute("DROP INDEX record_kind")
    connection.execute("CREATE INDEX record_snapshot ON record(seq) WHERE kind = 'LedgerSnapshot'")


_STEPS: Final[tuple[Callable[[sqlite3.Connection], None], ...]] = (
    _create_version_1,
    _index_snapshots_alone,
)
