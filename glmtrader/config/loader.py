"""Loading a configuration: file, environment, credentials; every fault named at once.

Environment variables override keys: `GLMTRADER__JOURNAL__PATH=x` sets `journal.path`. Credentials
come from the environment or a systemd credential file only when the table names none.
"""

import os
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Final

import msgspec

from glmtrader.config.faults import Fault, struct_faults
from glmtrader.config.schema import Config
from glmtrader.config.secret import secret_enc_hook
from glmtrader.config.toml_lines import KeyPath, key_lines, line_of, spelled
from glmtrader.config.types import convert
from glmtrader.domain.ids import AccountId, StrategyId
from glmtrader.errors import ConfigurationError
from glmtrader.strategies.registry import KINDS, StrategyInstance

ENVIRONMENT_PREFIX: Final = "GLMTRADER__"
CONFIG_BYTES_MAX: Final = 1_000_000


def shipped(kind: str, name: str) -> Path | None:
    """A file that came with the package: `configs` or `models`, from a wheel or a checkout."""
    package = Path(str(resources.files("glmtrader")))
    for folder in (package / "_shipped" / kind, package.parent / kind):
        if (folder / name).is_file():
            return folder / name
    return None


def find(kind: str, name: str) -> Path:
    """A file as named, else one of that name that came with the package.

    Raises:
        ConfigurationError: neither exists.
    """
    path = Path(name)
    if path.is_file():
        return path
    found = shipped(kind, path.name)
    if found is None:
        raise ConfigurationError(f"{name}: no such file here, and none came with glmtrader")
    return found


def load(name: str, environment: Mapping[str, str] | None = None) -> Config:
    """Read, override and check a configuration.

    Raises:
        ConfigurationError: every fault, each with file, line and key path.
    """
    path = find("configs", name)
    text = _read(path)
    try:
        document: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: not TOML: {error}") from error
    overrides = _Overrides(document, os.environ if environment is None else environment)
    faults = overrides.faults + struct_faults(document, Config, ()) + _params_faults(document)
    if faults:
        lines = key_lines(text)
        told = [
            f"{overrides.source_of(at) or f'{path}:{line_of(at, lines)}'}: {spelled(at)}: {what}"
            for at, what in faults
        ]
        raise ConfigurationError("\n".join(dict.fromkeys(told)))
    config: Config = convert(document, Config)
    return config


def instances(config: Config) -> tuple[StrategyInstance, ...]:
    """The strategies of a checked configuration, their parameters decoded."""
    return tuple(
        StrategyInstance(
            strategy_id=StrategyId(item.id),
            kind=item.kind,
            account_id=AccountId(config.account.id),
            underlying=item.underlying,
            params=convert(item.params, KINDS[item.kind].params_type),
            costs=item.costs,
        )
        for item in config.strategy
    )


def without_secrets(config: Config) -> str:
    """The configuration as canonical JSON, credentials masked: what the journal keeps."""
    encoder = msgspec.json.Encoder(order="deterministic", enc_hook=secret_enc_hook)
    return encoder.encode(config).decode()


def _read(path: Path) -> str:
    data = path.read_bytes()
    if len(data) > CONFIG_BYTES_MAX:
        raise ConfigurationError(f"{path}: {len(data)} bytes is no configuration")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: not UTF-8: {error}") from error


def _params_faults(document: dict[str, Any]) -> list[Fault]:
    """Faults of each strategy's `params`, checked against the parameters of its kind."""
    faults: list[Fault] = []
    entries = document.get("strategy")
    if not isinstance(entries, list):
        return faults
    for index, entry in enumerate(entries):
        kind = KINDS.get(str(entry.get("kind"))) if isinstance(entry, dict) else None
        params = {} if kind is None else entry.get("params", {})
        if kind is not None and isinstance(params, dict):
            faults += struct_faults(params, kind.params_type, ("strategy", index, "params"))
    return faults


class _Overrides:
    """Writes `GLMTRADER__A__B` into `a.b` of a document, and remembers which key came from where.

    A value is read as TOML, else as a string.
    """

    def __init__(self, document: dict[str, Any], environment: Mapping[str, str]) -> None:
        self.faults: list[Fault] = []
        self._names: dict[KeyPath, str] = {}
        for name in sorted(environment):
            if name.startswith(ENVIRONMENT_PREFIX):
                self._write(document, name, environment[name])

    def source_of(self, path: KeyPath) -> str | None:
        """The environment variable that set a key or a table around it; None for the file's own."""
        lengths = range(len(path), 0, -1)
        found = next((name for n in lengths if (name := self._names.get(path[:n]))), None)
        return None if found is None else f"environment variable {found}"

    def _write(self, document: dict[str, Any], name: str, text: str) -> None:
        keys = tuple(name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__"))
        self._names[keys] = name
        table = document
        for key in keys[:-1]:
            child = table.setdefault(key, {})
            if not isinstance(child, dict):
                self.faults.append((keys, f"{key} is no table"))
                return
            table = child
        table[keys[-1]] = _toml_value(text)


def _toml_value(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
