"""Ids that never repeat, random streams that do."""

import subprocess
import sys

import numpy as np
import pytest

from glmtrader.domain.ids import (
    CLIENT_ORDER_ID_LENGTH_MAX,
    IntentId,
    StrategyId,
    client_order_id,
    instrument_id,
)
from glmtrader.kernel.ids import IntentIds, config_hash, generator, secret_token

PQ = StrategyId("pq")


def test_ids_count_from_one_within_strategy_and_epoch() -> None:
    ids = IntentIds(PQ, 3)
    assert [ids.next(), ids.next()] == ["pq-3-1", "pq-3-2"]
    assert IntentIds(PQ, 4).next() == "pq-4-1"


@pytest.mark.parametrize("epoch", [0, -1])
def test_an_epoch_counts_from_one(epoch: int) -> None:
    with pytest.raises(AssertionError, match="must be positive"):
        IntentIds(PQ, epoch)


def test_a_client_order_id_is_a_function_of_intent_leg_and_attempt() -> None:
    assert client_order_id(IntentId("pq-1-7"), 1, 2) == "pq-1-7-1-2"
    with pytest.raises(AssertionError, match="too long"):
        client_order_id(IntentId("x" * CLIENT_ORDER_ID_LENGTH_MAX), 0, 0)


def test_the_longest_allowed_name_fits_every_venue() -> None:
    """Twelve letters, a million starts and a billion decisions still make a valid id."""
    ids = IntentId("abcdefghijkl-999999-999999999")
    assert len(client_order_id(ids, 1, 99)) <= CLIENT_ORDER_ID_LENGTH_MAX


def test_an_instrument_needs_venue_and_symbol() -> None:
    assert instrument_id("deribit", "BTC-PERPETUAL") == "deribit:BTC-PERPETUAL"
    for venue, symbol in (("", "x"), ("x", "")):
        with pytest.raises(AssertionError, match="needs"):
            instrument_id(venue, symbol)


def test_a_stream_is_repeated_by_its_seed_and_name() -> None:
    """The same pair gives the same numbers; another seed or name gives others."""
    first = generator(7, "market").random(8)
    assert np.array_equal(first, generator(7, "market").random(8))
    assert not np.array_equal(first, generator(8, "market").random(8))
    assert not np.array_equal(first, generator(7, "link").random(8))


def test_streams_and_hashes_do_not_depend_on_the_process() -> None:
    """Another process with another hash seed draws the same numbers and hashes alike."""
    code = (
        "from glmtrader.kernel.ids import generator, config_hash;"
        "print(generator(7, 'market').integers(2**62), config_hash('{}'))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONHASHSEED": "99", "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert answer.split() == [
        str(generator(7, "market").integers(2**62)),
        config_hash("{}"),
    ]


def test_one_changed_byte_changes_the_hash() -> None:
    assert len(config_hash("{}")) == 32
    assert config_hash("{}") != config_hash("{ }")


def test_tokens_are_long_and_never_the_same() -> None:
    assert len({secret_token() for _ in range(100)}) == 100
    assert len(secret_token(32)) == 64
