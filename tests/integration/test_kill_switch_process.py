"""The kill switch of a running process: by signal, flattening, over restarts, until cleared."""

import json
import signal
from pathlib import Path
from typing import TypeVar

from demo_runs import glmtrader, lines, of_type, started

from glmtrader.domain.risk_events import KillSwitchSet, PositionUpdate
from glmtrader.kernel.journal import open_for_reading, read_records

EventT = TypeVar("EventT")

RUN = ("run", "--config", "paper.toml", "--json")


def test_killed_by_signal_it_flattens_and_stays_off_until_cleared(tmp_path: Path) -> None:
    """SIGUSR2 cancels and closes everything; the next start opens nothing, a cleared one may."""
    with started(tmp_path, *RUN) as process:
        assert process.stdout is not None
        fills = 0
        for line in process.stdout:
            fills += json.loads(line)["type"] == "fill"
            if fills == 2:
                process.send_signal(signal.SIGUSR2)
            if fills >= 2 and _is_flat(tmp_path):
                break
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait(timeout=5) == 0
    assert _is_flat(tmp_path)
    still_off = lines(glmtrader(tmp_path, *RUN, "--for", "4s").stdout)
    assert of_type(still_off, "order") == []
    cleared = lines(glmtrader(tmp_path, *RUN, "--for", "4s", "--clear-kill").stdout)
    assert of_type(cleared, "decision")
    assert [event.engaged for event in _events(tmp_path, KillSwitchSet)][-1] is False


def _is_flat(folder: Path) -> bool:
    """Whether the switch was engaged and every position has come back to zero."""
    held = {event.instrument_id: event.quantity for event in _events(folder, PositionUpdate)}
    return bool(_events(folder, KillSwitchSet)) and not any(held.values())


def _events(folder: Path, kind: type[EventT]) -> list[EventT]:
    connection = open_for_reading(folder / "data" / "paper" / "glmtrader.journal")
    try:
        found = [record.event for record in read_records(connection)]
    finally:
        connection.close()
    return [event for event in found if isinstance(event, kind)]
