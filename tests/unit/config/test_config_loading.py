"""A configuration that can run: the shipped ones, overrides, credentials, and where files are."""

import pickle
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from glmtrader.config.loader import find, instances, load, shipped, without_secrets
from glmtrader.config.schema import Config, Mode
from glmtrader.config.secret import MASK, Secret, secret_dec_hook, secret_enc_hook
from glmtrader.config.toml_lines import key_lines, line_of, spelled
from glmtrader.config.types import convert
from glmtrader.errors import ConfigurationError
from glmtrader.strategies.delta_hedger import DeltaHedgerParams
from glmtrader.strategies.pq_vol import PQVolParams

LIVE = """
mode = "live"
[deribit]
[deribit.credentials]
client_id = "me"
client_secret = "hunter2"
"""


def loaded(folder: Path, text: str, **environment: str) -> Config:
    path = folder / "x.toml"
    path.write_text(text)
    return load(str(path), environment)


@pytest.mark.parametrize(
    ("name", "mode"), [("paper.toml", Mode.PAPER), ("backtest-btc-2026.toml", Mode.BACKTEST)]
)
def test_the_shipped_configurations_load(name: str, mode: Mode) -> None:
    """Each one's strategies have parameters of their kind, and its model is there."""
    config = load(name, {})
    assert config.mode is mode
    straddles, hedger = instances(config)
    assert isinstance(straddles.params, PQVolParams)
    assert isinstance(hedger.params, DeltaHedgerParams)
    assert find("models", config.forecast.model).is_file()


def test_every_file_of_configs_is_loaded_by_a_test() -> None:
    """A configuration that is added to the folder must load too."""
    folder = Path(__file__).parents[3] / "configs"
    for path in sorted(folder.glob("*.toml")):
        assert load(str(path), {}).mode in Mode


def test_production_thresholds_are_the_defaults() -> None:
    """The demo decides as anyone would: its thresholds are not rigged, only its size is."""
    straddles, _ = instances(load("paper.toml", {}))
    for name in ("vol_threshold", "exit_edge_vol", "confidence_min", "cooldown_s"):
        assert getattr(straddles.params, name) == getattr(PQVolParams(), name)


def test_the_environment_overrides_and_makes_tables(tmp_path: Path) -> None:
    """Values are read as TOML, else as text; other variables are left alone."""
    config = loaded(
        tmp_path,
        'mode = "paper"\nspeed = 2.0\n',
        GLMTRADER__SPEED="60.0",
        GLMTRADER__JOURNAL__PATH="other.journal",
        GLMTRADER__RISK__LEVERAGE_MAX="2.5",
        GLMTRADER__UNDERLYINGS='["BTC", "ETH"]',
        GLMTRADERX="1",
    )
    assert config.speed == 60.0
    assert config.journal.path == "other.journal"
    assert config.risk.leverage_max == 2.5
    assert config.underlyings == ("BTC", "ETH")


def test_decimals_are_exact(tmp_path: Path) -> None:
    """A number with a point becomes the decimal that was written."""
    text = (
        'mode = "paper"\n[paper]\nbalances = { BTC = 0.1 }\n'
        '[[strategy]]\nid = "pq"\nkind = "pq_vol"\nunderlying = "BTC"\n'
        'params = { size_straddles = "0.3", position_straddles_max = 2 }\n'
    )
    config = loaded(tmp_path, text)
    assert config.paper.balances == {"BTC": Decimal("0.1")}
    (instance,) = instances(config)
    assert instance.params.size_straddles == Decimal("0.3")
    assert instance.params.position_straddles_max == Decimal(2)


def test_secrets_are_masked_wherever_they_show(tmp_path: Path) -> None:
    """Neither what the journal keeps nor any printed form has the credential."""
    config = loaded(tmp_path, LIVE)
    assert config.deribit is not None
    assert config.deribit.credentials is not None
    assert config.deribit.credentials.client_secret.reveal() == "hunter2"
    shown = (without_secrets(config), repr(config), str(config.deribit.credentials))
    assert all("hunter2" not in text and MASK in text for text in shown)


def test_a_secret_shows_itself_to_nobody() -> None:
    secret = Secret("hunter2")
    assert {repr(secret), str(secret), f"{secret}", f"{secret:>3}"} == {MASK}
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(secret)
    assert (secret == Secret("hunter2"), secret == Secret("x"), secret == "hunter2") == (
        True,
        False,
        False,
    )
    assert hash(secret) == hash(Secret("x"))


def test_secret_hooks_take_secrets_alone() -> None:
    with pytest.raises(NotImplementedError, match="bytes"):
        secret_dec_hook(bytes, "x")
    with pytest.raises(NotImplementedError, match="set"):
        secret_enc_hook({1})


def test_what_the_journal_keeps_is_a_configuration_again() -> None:
    """Replay reads the recorded text back into the very same settings."""
    config = load("paper.toml", {})
    again = convert(msgspec.json.decode(without_secrets(config)), Config)
    assert without_secrets(again) == without_secrets(config)
    assert instances(again) == instances(config)


def test_shipped_files_are_found_by_name_and_others_by_path(tmp_path: Path) -> None:
    assert shipped("configs", "nowhere.toml") is None
    found = shipped("configs", "paper.toml")
    assert found is not None
    assert find("configs", "configs/paper.toml").samefile(found)
    mine = tmp_path / "paper.toml"
    mine.write_text("")
    assert find("configs", str(mine)) == mine
    with pytest.raises(ConfigurationError, match="none came with glmtrader"):
        find("models", "nowhere.json")


def test_lines_of_keys() -> None:
    """Headers, arrays of tables, dotted and quoted keys each have their line."""
    text = '# note\na.b = 1\n[t."u v"]\nc = 2\n[[s]]\nd = 3\n[[s]]\n[s.p]\ne = 4\n'
    lines = key_lines(text)
    assert lines[("a", "b")] == 2
    assert lines[("t", "u v", "c")] == 4
    assert lines[("s", 0, "d")] == 6
    assert lines[("s", 1, "p", "e")] == 9
    assert line_of(("s", 1, "p", "missing"), lines) == 8
    assert line_of(("nowhere",), lines) == 1
    assert spelled(("s", 1, "p", "e")) == "s[1].p.e"
