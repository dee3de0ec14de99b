"""`glmtrader version`."""

import click

from glmtrader import __version__


@click.command("version")
def command() -> None:
    """Print the version."""
    click.echo(__version__)
