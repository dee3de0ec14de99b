"""Replay: what was decided is decided again to the byte, and one changed thing is found."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from journal_cases import CONFIG, write

from glmtrader.cli.replay import command
from glmtrader.config.schema import StrategyConfig
from glmtrader.errors import JournalCorruptError, JournalError
from glmtrader.kernel import journal as journal_module
from glmtrader.research.replay import verify


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "a.journal")


def rewrite(path: Path, kind: str, change: Callable[[bytes], bytes], *, row: int = 0) -> None:
    """Change a record's body and mend every digest after it, as a careful forger would."""
    connection = sqlite3.connect(path)
    seqs = connection.execute(
        "SELECT seq FROM record WHERE kind = ? ORDER BY seq", (kind,)
    ).fetchall()
    target = seqs[row][0]
    digest = connection.execute("SELECT value FROM meta WHERE key = 'base_digest'").fetchone()[0]
    rows = connection.execute("SELECT seq, kind, body FROM record ORDER BY seq").fetchall()
    for seq, name, body in rows:
        forged = change(body) if seq == target else body
        assert seq != target or forged != body
        digest = journal_module._chain(bytes(digest), name, forged)
        connection.execute(
            "UPDATE record SET body = ?, digest = ? WHERE seq = ?", (forged, digest, seq)
        )
    connection.commit()
    connection.close()


def test_an_honest_journal_verifies(path: Path) -> None:
    """Every decision and intent is compared, holds and hedges too."""
    report = verify(path)
    assert (report.runs, report.decisions, report.actions) == (1, 5, 2)
    assert (report.differing, report.differences) == (0, ())


def test_a_journal_of_several_runs_verifies(tmp_path: Path) -> None:
    """Each run starts from what the runs before it left, under its own epoch."""
    report = verify(write(tmp_path / "a.journal", runs=3))
    assert (report.runs, report.differing) == (3, 0)
    assert report.decisions >= 12


def test_one_changed_byte_is_found_by_the_chain(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute(
        "UPDATE record SET body = replace(body, '0.51', '0.52') WHERE kind = 'VolatilitySurface'"
    )
    connection.commit()
    connection.close()
    with pytest.raises(JournalCorruptError, match="was changed"):
        verify(path)


@pytest.mark.parametrize(
    ("kind", "row", "old", "new"),
    [
        ("VolatilitySurface", 1, b'"straddle_ask":0.51', b'"straddle_ask":0.52'),
        ("VolatilityForecast", 0, b'"q_straddle":0.58', b'"q_straddle":0.59'),
        ("PortfolioRisk", 1, b'"delta_coin":0.3', b'"delta_coin":0.4'),
        ("Fill", 1, b'"side":"buy"', b'"side":"sell"'),
        ("TradingModeChanged", 0, b'"mode":"open"', b'"mode":"halted"'),
        ("IntentCompleted", 0, b'"intent_id":"pq-1-2"', b'"intent_id":"pq-1-9"'),
        ("DecisionMade", 2, b'"direction":1', b'"direction":-1'),
        ("DecisionMade", 0, b'"reason":"trading_halted"', b'"reason":"trading_halter"'),
        ("StrategyIntent", 0, b'"quantity":"0.1"', b'"quantity":"9.1"'),
    ],
)
def test_one_forged_input_or_answer_is_found(
    path: Path, kind: str, row: int, old: bytes, new: bytes
) -> None:
    """Even with every digest mended, a decision that does not follow from its inputs differs."""
    rewrite(path, kind, lambda body: body.replace(old, new, 1), row=row)
    report = verify(path)
    assert report.differing > 0
    first = report.differences[0]
    assert first.journaled != first.replayed


def test_one_changed_threshold_is_found(path: Path) -> None:
    """With another threshold the same inputs give other decisions, and replay shows which."""
    dearer = StrategyConfig(id="pq", kind="pq_vol", underlying="BTC", params={"vol_threshold": 0.2})
    other = msgspec.structs.replace(CONFIG, strategy=(dearer, CONFIG.strategy[1]))
    report = verify(path, override=other)
    assert report.differing > 0
    assert verify(path, override=CONFIG).differing == 0


def test_a_record_that_was_cut_out_is_missed(path: Path) -> None:
    """An intent without its record leaves the engine saying what the journal does not hold."""
    rewrite(path, "StrategyIntent", lambda body: body.replace(b"pq-1-2", b"pq-1-3"))
    assert verify(path).differing == 1


def test_the_command_exits_by_the_outcome(path: Path) -> None:
    """0 when it verifies, 1 when a byte differs and `--verify` asks; the report says what."""
    runner = CliRunner()
    good = runner.invoke(command, ["--journal", str(path), "--verify"])
    assert (good.exit_code, good.output) == (
        0,
        "1 runs, 5 decisions and 2 intents replayed: 0 differ\n",
    )
    rewrite(path, "StrategyIntent", lambda body: body.replace(b'"0.1"', b'"9.1"'))
    bad = runner.invoke(command, ["--journal", str(path), "--verify"])
    assert bad.exit_code == 1
    assert "1 differ\nrecord 11 StrategyIntent\n  journal:" in bad.output
    assert runner.invoke(command, ["--journal", str(path)]).exit_code == 0
    told = runner.invoke(command, ["--journal", str(path), "--json"])
    assert msgspec.json.decode(told.output)["differing"] == 1


def test_a_missing_journal_is_named(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="does not exist"):
        verify(tmp_path / "nowhere.journal")
