"""`glmtrader check`: says whether a configuration can run, without starting anything."""

import click

from glmtrader.config.loader import find, instances, load
from glmtrader.forecast.artefact import load_model


@click.command("check")
@click.option("--config", "config_name", required=True, help="TOML file, or a shipped one's name.")
def command(config_name: str) -> None:
    """Check a configuration and the files that it names; list every fault."""
    config = load(config_name)
    model = load_model(find("models", config.forecast.model))
    names = ", ".join(f"{item.strategy_id} ({item.kind})" for item in instances(config))
    click.echo(f"{config_name}: mode {config.mode}, strategies {names or 'none'}")
    click.echo(f"forecast model {model.model_id}, trained on {', '.join(model.underlyings)}")
