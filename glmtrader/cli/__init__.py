"""The command line: thin commands over the rooms, with exit codes that scripts can rely on.

0 done, 1 a check failed, 2 usage or input, 3 venue refused, 4 halted by risk; a configuration error
is 2, and 78 when started by systemd, so that it does not restart what cannot run.
"""

import os
import sys
from typing import Final

import click

from glmtrader.errors import (
    ConfigurationError,
    GlmtraderError,
    InputError,
    JournalError,
    TradingHaltedError,
    VenueError,
)

EXIT_CHECK_FAILED: Final = 1
EXIT_INPUT: Final = 2
EXIT_VENUE: Final = 3
EXIT_HALTED: Final = 4
EXIT_CONFIG_SYSTEMD: Final = 78


class _LazyGroup(click.Group):
    """Imports a command's module when it is asked for: `version` need not load NumPy."""

    commands_by_name: Final = {
        "run": "glmtrader.cli.run",
        "explain": "glmtrader.cli.explain",
        "replay": "glmtrader.cli.replay",
        "simulate": "glmtrader.cli.simulate",
        "check": "glmtrader.cli.check",
        "train": "glmtrader.cli.train",
        "version": "glmtrader.cli.version",
    }

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        return sorted(self.commands_by_name)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click's signature
        module_name = self.commands_by_name.get(cmd_name)
        if module_name is None:
            return None
        module = __import__(module_name, fromlist=["command"])
        command: click.Command = module.command
        return command


@click.group(cls=_LazyGroup)
def cli() -> None:
    """Trades implied against forecast volatility, and can explain every decision."""


def exit_code(error: GlmtraderError) -> int:
    """The process's exit code for an error that ends it."""
    match error:
        case ConfigurationError():
            return EXIT_CONFIG_SYSTEMD if "NOTIFY_SOCKET" in os.environ else EXIT_INPUT
        case InputError() | JournalError():
            return EXIT_INPUT
        case VenueError():
            return EXIT_VENUE
        case TradingHaltedError():
            return EXIT_HALTED
        case _:
            return EXIT_CHECK_FAILED


def main() -> None:
    """Run the command line; an error of ours is a sentence on stderr, not a traceback."""
    try:
        cli.main(standalone_mode=False)
    except GlmtraderError as error:
        click.echo(str(error), err=True)
        sys.exit(exit_code(error))
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
