"""`glmtrader replay`: decide everything again from the journal and compare bytes."""

import sys
from pathlib import Path

import click
import msgspec

from glmtrader.cli import EXIT_CHECK_FAILED
from glmtrader.config.loader import load
from glmtrader.research.replay import ReplayReport, verify


@click.command("replay")
@click.option("--journal", type=click.Path(path_type=Path), required=True)
@click.option("--verify", "must_equal", is_flag=True, help="Exit 1 if one byte differs.")
@click.option("--config", "config_name", help="Decide with this configuration instead.")
@click.option("--json", "as_json", is_flag=True, help="Print one object.")
def command(*, journal: Path, must_equal: bool, config_name: str | None, as_json: bool) -> None:
    """Rebuild every state from the journaled inputs and decide again."""
    report = verify(journal, override=None if config_name is None else load(config_name))
    click.echo(msgspec.json.encode(report).decode() if as_json else _spoken(report))
    if must_equal and report.differing:
        sys.exit(EXIT_CHECK_FAILED)


def _spoken(report: ReplayReport) -> str:
    head = (
        f"{report.runs} runs, {report.decisions} decisions and {report.actions} intents replayed:"
        f" {report.differing} differ"
    )
    told = [
        f"record {item.seq} {item.kind}\n  journal: {item.journaled}\n  replay: {item.replayed}"
        for item in report.differences
    ]
    return "\n".join([head, *told])
