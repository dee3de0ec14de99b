"""A configuration that cannot run: every fault at once, each with file, line and key path."""

from pathlib import Path

import pytest

from glmtrader.config.loader import load
from glmtrader.errors import ConfigurationError

PAPER = 'mode = "paper"\n'
STRADDLES = PAPER + '[[strategy]]\nid = "pq"\nkind = "pq_vol"\nunderlying = "BTC"\n'


def faults(folder: Path, text: str, **environment: str) -> list[str]:
    """What is wrong with a configuration, without the folder's name."""
    path = folder / "x.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load(str(path), environment)
    return str(caught.value).replace(str(path), "x.toml").splitlines()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (PAPER + "speeed = 2.0\n", "x.toml:2: speeed: unknown key; did you mean 'speed'?"),
        (PAPER + "[risk]\nbogus = 1\n", "x.toml:3: risk.bogus: unknown key"),
        (PAPER + "[execution]\nbogus = 1\n", "x.toml:3: execution.bogus: unknown key"),
        (PAPER + 'speed = "fast"\n', "x.toml:2: speed: Expected `float`, got `str`"),
        (PAPER + "speed = 0\n", "x.toml:2: speed: Expected `float` > 0.0"),
        (PAPER + "speed = nan\n", "x.toml:2: speed:"),
        (PAPER + "[paper]\nstep_s = inf\n", "x.toml:3: paper.step_s: inf is not a finite number"),
        (PAPER + "[api]\nport = 70000\n", "x.toml:3: api.port: Expected `int` <= 65535"),
        (PAPER + "risk = 3\n", "x.toml:2: risk: must be a table, not int"),
        (PAPER + "[strategy]\nid = 'pq'\n", "x.toml:2: strategy: must be a list of tables"),
        ("speed = 1.0\n", "x.toml:1: top level: key 'mode' is missing"),
        ('mode = "fast"\n', "x.toml:1: mode: Invalid enum value 'fast'"),
        ('mode = "live"\n', "x.toml:1: mode: mode live needs a [deribit] table"),
        (
            'mode = "backtest"\n',
            (
                "x.toml:1: mode: mode backtest needs [market.recorded], or"
                " [market.generated] with market.start"
            ),
        ),
        (PAPER + 'underlyings = ["BTC", "BTC"]\n', "x.toml:2: underlyings:"),
        (PAPER + "[account]\nnumeraire = 'XAU'\n", "account.numeraire 'XAU' is no dollar"),
        (
            PAPER + "[risk]\n\n# of equity\nleverage_max = -1\n",
            "x.toml:5: risk.leverage_max: leverage_max = -1.0 must be positive",
        ),
        (
            PAPER + "[execution]\nleg_attempts_max = 0\n",
            "x.toml:3: execution.leg_attempts_max: leg_attempts_max 0 must be positive",
        ),
        (
            PAPER + "[market.generated]\nstep_s = 7\n",
            "x.toml:3: market.generated.step_s: step_s 7 must divide 300",
        ),
        (
            PAPER + "[market.generated.variance]\njump_share = 1.5\n",
            "x.toml:3: market.generated.variance.jump_share: jump_share 1.5",
        ),
        (
            PAPER + '[market.recorded]\nfolder = "."\nhistory_days = 0\n',
            "x.toml:4: market.recorded.history_days: history_days 0 must be positive",
        ),
        (
            PAPER + "[forecast]\ncandle_interval_s = 7\n",
            "x.toml:3: forecast.candle_interval_s: candle_interval_s 7 must divide an hour",
        ),
        (
            PAPER + '[paper]\nbalances = { BTC = "-1" }\n',
            "x.toml:3: paper.balances: balances of BTC are negative",
        ),
        (
            PAPER + '[paper.balances]\nBTC = "nan"\n',
            "x.toml:2: paper.balances:",
        ),
        (
            PAPER + '[[strategy]]\nid = "pq"\nkind = "grd"\nunderlying = "BTC"\n',
            "x.toml:4: strategy[0].kind: kind 'grd' is not one of delta_hedger, pq_vol",
        ),
        (STRADDLES.replace('"BTC"', '"ETH"'), "strategies trade ['ETH'], which underlyings"),
        (STRADDLES.replace('"pq"', '"PQ-1"'), "x.toml:3: strategy[0].id: Expected `str` matching"),
        (STRADDLES + STRADDLES.removeprefix(PAPER), "strategy ids ['pq', 'pq'] repeat"),
        (
            STRADDLES + "params = { vol_treshold = 0.1 }\n",
            "x.toml:6: strategy[0].params.vol_treshold: unknown key; did you mean 'vol_threshold'?",
        ),
        (
            STRADDLES + "[strategy.params]\nvol_threshold = 2.0\n",
            "x.toml:7: strategy[0].params.vol_threshold: vol_threshold 2.0 is not in (0, 1)",
        ),
        (
            STRADDLES + '[strategy.params]\nsize_straddles = "nan"\n',
            "x.toml:7: strategy[0].params.size_straddles: nan is not a finite number",
        ),
        (STRADDLES + "params = 3\n", "x.toml:6: strategy[0].params: Expected `object`"),
        (
            STRADDLES + "[strategy.costs]\nhedge_cost_rate = 1.0\n",
            "x.toml:7: strategy[0].costs.hedge_cost_rate: hedge_cost_rate is not in [0, 1)",
        ),
        ("mode = \n", "x.toml: not TOML:"),
    ],
)
def test_a_fault_names_its_line_and_key(tmp_path: Path, text: str, told: str) -> None:
    """Each fault is one line of the message, and the only one."""
    (line,) = faults(tmp_path, text)
    assert told in line


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    """Unknown keys, wrong types and impossible limits of several tables, in one message."""
    text = (
        STRADDLES
        + "params = { cooldown_s = -1.0, bogus = 1, confidence_min = 7 }\n"
        + "[risk]\nleverage_max = -1\ndrawdown_pct_max = 20.0\nbogus = 1\n"
        + "[journal]\nsize_mb_max = 'big'\nretention_days = 0\n"
        + "[market.generated]\nstep_s = 7\nhistory_days = 1\n"
    )
    told = {line.split(": ")[0] + " " + line.split(": ")[1] for line in faults(tmp_path, text)}
    assert told == {
        "x.toml:6 strategy[0].params.bogus",
        "x.toml:6 strategy[0].params.cooldown_s",
        "x.toml:6 strategy[0].params.confidence_min",
        "x.toml:8 risk.leverage_max",
        "x.toml:9 risk.drawdown_pct_max",
        "x.toml:10 risk.bogus",
        "x.toml:12 journal.size_mb_max",
        "x.toml:13 journal.retention_days",
        "x.toml:15 market.generated.step_s",
        "x.toml:16 market.generated.history_days",
    }


def test_the_second_of_two_tables_is_named_by_its_index(tmp_path: Path) -> None:
    hedger = '[[strategy]]\nid = "h"\nkind = "delta_hedger"\nunderlying = "BTC"\n'
    (line,) = faults(tmp_path, STRADDLES + hedger + "[strategy.params]\ncost_rate = 2.0\n")
    assert line.startswith("x.toml:11: strategy[1].params.cost_rate: cost_rate 2.0")


def test_every_fault_of_a_venue_is_told(tmp_path: Path) -> None:
    """Addresses, coins and timeouts of the venue's table are judged together."""
    text = (
        'mode = "live"\n[deribit]\nws_url = "x"\nrest_url = "y"\n'
        "[deribit.timeouts]\naccept_margin_s = 12.0\n"
    )
    told = "\n".join(faults(tmp_path, text))
    assert "x.toml:3: deribit.ws_url" in told
    assert "x.toml:4: deribit.rest_url" in told
    assert "accept_margin_s must be less" in told


def test_a_fault_of_the_environment_names_its_variable(tmp_path: Path) -> None:
    """A value that is not in the file is not blamed on a line of it."""
    told = faults(
        tmp_path,
        PAPER,
        GLMTRADER__RISK__LEVERAGE_MAX="-1",
        GLMTRADER__MODE__X="1",
        GLMTRADER__API__PORT="high",
        UNRELATED="1",
    )
    assert [line.split(": ")[:2] for line in told] == [
        ["environment variable GLMTRADER__MODE__X", "mode.x"],
        ["environment variable GLMTRADER__RISK__LEVERAGE_MAX", "risk.leverage_max"],
        ["environment variable GLMTRADER__API__PORT", "api.port"],
    ]


def test_a_secret_is_in_no_fault(tmp_path: Path) -> None:
    """A configuration with a credential can be wrong without telling it."""
    text = (
        'mode = "live"\n[deribit]\nws_url = "x"\n'
        '[deribit.credentials]\nclient_id = "me"\nclient_secret = "hunter2"\nbogus = 1\n'
    )
    told = "\n".join(faults(tmp_path, text))
    assert "deribit.credentials.bogus: unknown key" in told
    assert "hunter2" not in told


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.toml: no such file"):
        load("nowhere.toml", {})


@pytest.mark.parametrize(("data", "told"), [(b"\xff\xfe", "UTF-8"), (b" " * 1_000_001, "bytes")])
def test_what_is_no_text_is_refused(tmp_path: Path, data: bytes, told: str) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(data)
    with pytest.raises(ConfigurationError, match=told):
        load(str(path), {})
