"""Input that cannot be run, as a user meets it: every fault at once, a sentence, an exit code."""

import json
from pathlib import Path

import pytest
from demo_runs import ROOT, glmtrader

FAULTY = """mode = "paper"
speed = "fast"
colour = "blue"
[risk]
leverage_max = -1.0
[[strategy]]
id = "pq"
kind = "pq_vol"
underlying = "BTC"
params = { vol_threshold = 2.0 }
"""


@pytest.mark.parametrize(
    ("variables", "code"), [({}, 2), ({"NOTIFY_SOCKET": "/run/systemd/notify"}, 78)]
)
def test_a_faulty_configuration_is_told_whole_and_starts_nothing(
    variables: dict[str, str], code: int, tmp_path: Path
) -> None:
    """File, line and key of each fault; under systemd a code that forbids a restart."""
    (tmp_path / "faulty.toml").write_text(FAULTY)
    done = glmtrader(tmp_path, "run", "--config", "faulty.toml", "--for", "1s", **variables)
    assert done.returncode == code
    for told in (
        "faulty.toml:2: speed",
        "faulty.toml:3: colour",
        "faulty.toml:5: risk.leverage_max",
        "faulty.toml:10: strategy[0].params.vol_threshold",
    ):
        assert told in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["faulty.toml"]


def test_a_file_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    """The run does not write over it, and says what to do."""
    journal = tmp_path / "data" / "paper" / "glmtrader.journal"
    journal.parent.mkdir(parents=True)
    journal.write_bytes(b"not a database, and longer than one page of it " * 200)
    before = journal.read_bytes()
    done = glmtrader(tmp_path, "run", "--config", "paper.toml", "--for", "1s")
    assert done.returncode == 2
    assert "is not a sound journal" in done.stderr
    assert "Traceback" not in done.stderr
    assert journal.read_bytes() == before


def test_a_changed_artefact_is_refused(tmp_path: Path) -> None:
    """A model whose hash does not follow its content forecasts nothing."""
    shipped = json.loads((ROOT / "models" / "q-gamma-glm-7d.json").read_text())
    text = json.dumps(shipped)
    place = text.index('"coefficients"')
    digit = next(i for i in range(place, len(text)) if text[i] in "12345678")
    changed = text[:digit] + str(int(text[digit]) + 1) + text[digit + 1 :]
    (tmp_path / "changed.json").write_text(changed)
    variables = {"GLMTRADER__FORECAST__MODEL": '"changed.json"'}
    done = glmtrader(tmp_path, "run", "--config", "paper.toml", "--for", "1s", **variables)
    assert done.returncode == 2, done.stdout
    assert "hash" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_recording_is_named(tmp_path: Path) -> None:
    """The backtest says which folder it looked for."""
    variables = {"GLMTRADER__MARKET__RECORDED__FOLDER": '"nowhere/at/all"'}
    done = glmtrader(tmp_path, "run", "--config", "backtest-btc-2026.toml", **variables)
    assert done.returncode == 2, done.stdout
    assert "nowhere/at/all" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_venue_that_is_not_there_ends_in_order(tmp_path: Path) -> None:
    """Mode live without a server at its address: nothing traded, no traceback, a summary."""
    config = (
        'mode = "live"\n[deribit]\nws_url = "ws://127.0.0.1:9/ws/api/v2"\n'
        'rest_url = "http://127.0.0.1:9"\n'
        '[deribit.credentials]\nclient_id = "a"\nclient_secret = "b"\n'
        '[[strategy]]\nid = "pq"\nkind = "pq_vol"\nunderlying = "BTC"\n'
    )
    (tmp_path / "live.toml").write_text(config)
    done = glmtrader(tmp_path, "run", "--config", "live.toml", "--for", "2s", "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["orders"] == summary["fills"] == 0
    assert "Traceback" not in done.stderr
