"""The demo as a process: what it prints, how it stops, resumes, refuses, explains and replays."""

import select
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from demo_runs import LINE_TYPES, generated_backtest, glmtrader, lines, of_type, started

DEMO = ("run", "--config", "paper.toml", "--json")
JOURNAL = "data/paper/glmtrader.journal"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two runs of the demo behind it."""
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def runs(home: Path) -> list[list[dict[str, Any]]]:
    """what two runs of three seconds, one after the other, had to say."""
    told = []
    for _ in range(2):
        began = time.monotonic()
        done = glmtrader(home, *DEMO, "--for", "3s")
        assert done.returncode == 0, done.stderr
        assert time.monotonic() - began < 3 + 15
        told.append(lines(done.stdout))
    return told


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The journal of three hours of the demo's market, in virtual time."""
    folder = tmp_path_factory.mktemp("traded")
    config = generated_backtest(folder)
    done = glmtrader(folder, "run", "--config", config.name, "--for", "3h", "--json")
    assert done.returncode == 0, done.stderr
    assert of_type(lines(done.stdout), "summary")[0]["trades"] > 0
    return folder / "data" / "glmtrader.journal"


def test_every_json_line_is_an_object_of_a_known_type(runs: list[list[dict[str, Any]]]) -> None:
    """`--json` prints nothing else, and ends with the one summary."""
    for told in runs:
        assert {line["type"] for line in told} <= LINE_TYPES
        assert all("time" in line for line in told)
        assert [line["type"] for line in told].index("summary") == len(told) - 1
        assert of_type(told, "decision")


def test_a_second_run_resumes_the_account(runs: list[list[dict[str, Any]]], home: Path) -> None:
    """Equity goes on where it stopped, time does not go back, and the epoch is the second."""
    first, second = runs
    before = of_type(first, "equity")[-1]
    after = of_type(second, "equity")[0]
    assert after["equity_usd"] == pytest.approx(before["equity_usd"], rel=0.01)
    assert second[0]["time"] >= before["time"]
    assert second[-1]["journal"] == JOURNAL
    ids = [line["intent_id"] for line in of_type(second, "decision")]
    assert ids
    assert all(name.startswith("pq-2-") for name in ids)


def test_a_second_process_on_the_same_folder_is_refused(home: Path) -> None:
    """Exit 2 and a sentence that says who is in the way; the first one trades on."""
    first = started(home, *DEMO)
    try:
        _decision_within(first, 15.0)
        second = glmtrader(home, *DEMO, "--for", "1s")
        assert second.returncode == 2
        assert "being written by another process" in second.stderr
        assert "Traceback" not in second.stderr
        assert first.poll() is None
    finally:
        first.send_signal(signal.SIGINT)
        first.communicate(timeout=10)


def test_interrupt_stops_within_two_seconds_with_a_summary(tmp_path: Path) -> None:
    """The first decision comes within 15 seconds; Ctrl-C ends in order, exit 0."""
    run = started(tmp_path, *DEMO)
    _decision_within(run, 15.0)
    asked = time.monotonic()
    run.send_signal(signal.SIGINT)
    output, errors = run.communicate(timeout=10)
    assert time.monotonic() - asked < 2.0
    assert run.returncode == 0, errors
    summary = lines(output)[-1]
    assert summary["type"] == "summary"
    assert summary["stopped_by"] == "SIGINT"
    assert "Traceback" not in errors


def test_a_journal_explains_its_last_intent(traded: Path) -> None:
    """Inputs, intent, veto, orders, fills and effect, of the last decision that acted."""
    told = glmtrader(traded.parent, "explain", "--journal", str(traded), "--last")
    assert told.returncode == 0, told.stderr
    for part in ("inputs", "intent", "veto", "command", "orders", "fills", "P&L effect"):
        assert f"\n{part}\n" in told.stdout


def test_a_journal_replays_byte_for_byte(traded: Path) -> None:
    """Every state and decision is made again, equal."""
    done = glmtrader(traded.parent, "replay", "--journal", str(traded), "--verify")
    assert done.returncode == 0, done.stdout
    assert " 0 differ" in done.stdout


def test_one_changed_byte_is_found_and_its_record_named(traded: Path, tmp_path: Path) -> None:
    """A digit of one fill's price; the digest does not follow."""
    seq, body = _record(traded, "Fill")
    place = body.index(b'"price":"') + len(b'"price":"')
    digit = b"9" if body[place : place + 1] != b"9" else b"8"
    changed = _changed(traded, tmp_path, seq, body[:place] + digit + body[place + 1 :])
    done = glmtrader(tmp_path, "replay", "--journal", str(changed), "--verify")
    assert done.returncode != 0
    assert f"record {seq} (Fill)" in done.stderr
    assert "Traceback" not in done.stderr


def test_other_thresholds_decide_differently_and_exit_one(traded: Path) -> None:
    """`replay --verify` with another configuration says which records differ."""
    config = generated_backtest(traded.parent)
    text = config.read_text().replace(
        "size_straddles = 1.0", "size_straddles = 1.0, vol_threshold = 0.2"
    )
    config.write_text(text)
    arguments = ("replay", "--journal", str(traded), "--config", config.name, "--verify")
    done = glmtrader(traded.parent, *arguments)
    assert done.returncode == 1, done.stderr
    assert "record " in done.stdout


def _decision_within(run: Any, seconds: float) -> None:
    until = time.monotonic() + seconds
    while True:
        ready, _, _ = select.select([run.stdout], [], [], max(0.0, until - time.monotonic()))
        assert ready, f"no decision within {seconds} s"
        line = run.stdout.readline()
        assert line, run.stderr.read()
        if '"type":"decision"' in line:
            return


def _record(journal: Path, kind: str) -> tuple[int, bytes]:
    connection = sqlite3.connect(journal)
    row = connection.execute("SELECT seq, body FROM record WHERE kind = ?", (kind,)).fetchone()
    connection.close()
    return int(row[0]), bytes(row[1])


def _changed(journal: Path, folder: Path, seq: int, body: bytes) -> Path:
    copy = folder / "changed.journal"
    copy.write_bytes(journal.read_bytes())
    connection = sqlite3.connect(copy)
    connection.execute("UPDATE record SET body = ? WHERE seq = ?", (body, seq))
    connection.commit()
    connection.close()
    return copy
