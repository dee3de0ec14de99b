"""Explain: the whole way of one decision, from its inputs to its effect, as people read it."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from journal_cases import BOUGHT, REFUSED, write

from glmtrader.cli.explain import command
from glmtrader.domain.ids import IntentId
from glmtrader.errors import InputError, JournalError
from glmtrader.kernel.journal import Journal
from glmtrader.research.explain import story_of

BOUGHT_TOLD = """\
pq-1-2  pq_vol on BTC  2026-01-05T08:00:00Z  (record 10)
inputs
  spot 90,000  expiry 2026-01-12T08:00:00Z (7.00 days)  strike 90,000
  P 50.0  straddle bid/ask 49.0/51.0  (age 0.0 s)
  Q 58.0  90 % 45.0-75.0  straddle 58.0  model model  (age 0.0 s)
  spread 8.0  cost 1.8  net edge long 5.2 short -10.8
  regime absent  FOMO absent  sentiment absent  (age absent)
  delta 0 coin  gamma 0  vega 0  leverage 0  drawdown 0  (age 0.0 s)
  position 0 straddles, in flight 0
intent
  increase_long_gamma  buy_straddle 0.1
  because market_underpricing_volatility  confidence 0.70
  net_edge 0.052088
  threshold 0.020000
veto
  approved by risk
command
  0.1  (record 12)
orders
  pq-1-2-0-0  buy 0.1 sim:BTC-20465-90000-C at 0.0305  approval a0  (record 13)
    filled   (record 14)
  pq-1-2-1-0  buy 0.1 sim:BTC-20465-90000-P at 0.0305  approval a1  (record 16)
    filled   (record 17)
fills
  t0  buy 0.1 sim:BTC-20465-90000-C at 0.03  fee 0.00003 BTC  (record 15)
  t1  buy 0.1 sim:BTC-20465-90000-P at 0.03  fee 0.00003 BTC  (record 18)
outcome
  filled 0.1: both legs filled  (record 19)
P&L effect
  equity 90,000.00 -> 89,950.00 USD (-50.00), fees 0.00006 BTC
  delta +0 -> +27,000 USD  vega +0.0 -> +0.0 USD/pt
"""

REFUSED_TOLD = """\
intent
  hedge_delta  sell 26550
  because delta_left_band  confidence 1.00
  band 0.005000
  delta 0.300000
veto
  the intent: margin: initial margin would be exceeded  (record 23)
    margin_usd 9
    margin_usd_max 8
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("explain") / "a.journal")


def told(path: Path, *options: str) -> str:
    result = CliRunner().invoke(command, ["--journal", str(path), *options])
    assert result.exit_code == 0, result.output
    return result.output


def test_a_trade_is_told_from_its_inputs_to_its_effect(path: Path) -> None:
    """Every record of the way is there with its number, in the order of what happened."""
    assert told(path, "--intent", BOUGHT) == BOUGHT_TOLD


def test_a_veto_is_told_with_its_rule_and_numbers(path: Path) -> None:
    """The last decision that acted is the default; it was refused, so nothing follows."""
    for options in ((), ("--last",), ("--intent", REFUSED)):
        text = told(path, *options)
        assert text.startswith("hedger-1-2  delta_hedger on BTC")
        assert text.endswith(REFUSED_TOLD)


def test_a_hold_is_told_with_what_was_absent(path: Path) -> None:
    """What was not known is said to be absent, and nothing was asked of the veto."""
    text = told(path, "--intent", "pq-1-1")
    assert "Q -  90 % absent  straddle -  model absent  (age absent)" in text
    assert "hold  none 0\n  because trading_halted" in text
    assert text.endswith("veto\n  not asked: a hold sends nothing\n")


def test_the_story_as_an_object(path: Path) -> None:
    story = story_of(path, BOUGHT)
    assert story.decision_seq == 10
    assert [seq for seq, _ in story.orders] == [13, 16]
    assert [seq for seq, _ in story.fills] == [15, 18]
    assert story.fees() == {"BTC": Decimal("0.00006")}
    assert story.equity_before is not None
    assert story.equity_after is not None
    assert story.equity_after.equity_usd - story.equity_before.equity_usd == -50.0
    told_json = msgspec.json.decode(told(path, "--intent", BOUGHT, "--json"))
    assert told_json["decision"]["intent_id"] == BOUGHT
    assert len(told_json["orders"]) == 2


def test_the_stories_of_two_decisions_share_nothing(path: Path) -> None:
    """What belongs to one intent is in no other's story."""
    refused = story_of(path, REFUSED)
    assert (refused.orders, refused.fills, refused.command) == ([], [], None)
    assert len(refused.vetoes) == 1
    assert story_of(path, BOUGHT).vetoes == []


def test_an_unknown_decision_is_refused(path: Path) -> None:
    with pytest.raises(InputError, match="holds no decision pq-9-9"):
        story_of(path, IntentId("pq-9-9"))


def test_an_empty_journal_has_nothing_to_explain(tmp_path: Path) -> None:
    with Journal(tmp_path / "a.journal"):
        pass
    with pytest.raises(InputError, match="holds no decision yet"):
        story_of(tmp_path / "a.journal", None)


def test_a_missing_journal_is_named(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="does not exist"):
        story_of(tmp_path / "nowhere.journal", None)


def test_two_ways_to_choose_are_one_too_many(path: Path) -> None:
    result = CliRunner().invoke(command, ["--journal", str(path), "--last", "--intent", "x"])
    assert result.exit_code == 2
    assert "not both" in result.output
