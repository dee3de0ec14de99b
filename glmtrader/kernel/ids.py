"""Ids and random numbers: deterministic where a run must be repeatable, seeded by name."""

import hashlib
import os

import numpy as np

from glmtrader.domain.ids import IntentId, StrategyId


class IntentIds:
    """Numbers the intents of one strategy in one epoch: `{strategy}-{epoch}-{seq}`."""

    def __init__(self, strategy_id: StrategyId, epoch: int) -> None:
        assert epoch > 0, f"epoch {epoch} must be positive: the journal counts starts from 1"
        self._prefix = f"{strategy_id}-{epoch}"
        self._count = 0

    def next(self) -> IntentId:
        """The next id; never repeats on one journal because the epoch grows at each start."""
        self._count += 1
        return IntentId(f"{self._prefix}-{self._count}")


def generator(seed: int, stream: str) -> np.random.Generator:
    """A random stream of its own for each name, so that adding one disturbs no other."""
    digest = hashlib.blake2b(f"{seed}/{stream}".encode(), digest_size=16).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))


def secret_token(length_bytes: int = 16) -> str:
    """An unguessable token in hex, for sessions and nonces; never for anything replayed."""
    return os.urandom(length_bytes).hex()


def config_hash(text: str) -> str:
    """Content hash of a configuration's canonical JSON: 16 bytes of BLAKE2b, in hex."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
