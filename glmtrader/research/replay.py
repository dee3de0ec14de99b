"""Replay: rebuilds every state from the journaled inputs, decides again, and compares bytes.

The engine that runs live is fed the journaled surfaces, forecasts, fills and risk events in their
order; what it publishes must equal, byte for byte, what the journal says it published.
"""

import itertools
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import msgspec

from glmtrader.config.loader import instances
from glmtrader.config.schema import Config
from glmtrader.config.types import convert
from glmtrader.domain.event import Event
from glmtrader.domain.strategy_events import DecisionMade, StrategyIntent, StrategySnapshot
from glmtrader.domain.system_events import RunStarted
from glmtrader.kernel.journal import Record, encode, open_for_reading, read_records
from glmtrader.quant.trading_clock import BTC_CLOCK
from glmtrader.strategies.engine import StrategyEngine

DIFFERENCES_MAX = 20
"""Differences kept for the report; the count goes on."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One record that replay could not reproduce."""

    seq: int
    kind: str
    journaled: str
    replayed: str


class ReplayReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay found; it verifies when nothing differs.

    Attributes:
        decisions: records compared. actions: those among them that were no hold.
        differing: records that differ; `differences` holds the first of them.
    """

    runs: int
    decisions: int
    actions: int
    differing: int
    differences: tuple[Difference, ...]


class _Run:
    """One run of the journal being replayed: the engine and what it has said so far."""

    def __init__(self, started: RunStarted, past: list[Event], override: Config | None) -> None:
        config = override or convert(msgspec.json.decode(started.config), Config)
        self.said: deque[Event] = deque()
        self.engine = StrategyEngine(
            instances(config), epoch=started.epoch, publish=self._keep, clock=BTC_CLOCK
        )
        for event in past:
            self.engine.restore(event)
        self.engine.forget_inputs()

    def _keep(self, event: Event) -> None:
        if not isinstance(event, StrategySnapshot):
            self.said.append(event)


class _Tally:
    """Counts and the first differences."""

    def __init__(self) -> None:
        self.runs = 0
        self.decisions = 0
        self.actions = 0
        self.differing = 0
        self.kept: list[Difference] = []

    def compare(self, record: Record, said: Event | None) -> None:
        body = b"" if said is None else encode(said)
        if isinstance(record.event, DecisionMade):
            self.decisions += 1
        else:
            self.actions += 1
        if body != record.body:
            self.differ(record.seq, record.kind, record.body, body)

    def differ(self, seq: int, kind: str, journaled: bytes, replayed: bytes) -> None:
        self.differing += 1
        if len(self.kept) < DIFFERENCES_MAX:
            told = _first_difference(journaled, replayed)
            self.kept.append(Difference(seq=seq, kind=kind, journaled=told[0], replayed=told[1]))

    def report(self) -> ReplayReport:
        return ReplayReport(
            runs=self.runs,
            decisions=self.decisions,
            actions=self.actions,
            differing=self.differing,
            differences=tuple(self.kept),
        )


def verify(path: Path, *, override: Config | None = None) -> ReplayReport:
    """Replay every run of a journal.

    Args:
        path: the journal; it may be in use.
        override: another configuration, to see which decisions it would change.

    Raises:
        JournalError: the journal cannot be read, or a record was changed.
    """
    connection = open_for_reading(path)
    try:
        return _replay(read_records(connection), override)
    finally:
        connection.close()


def _replay(records: Iterator[Record], override: Config | None) -> ReplayReport:
    tally = _Tally()
    past: list[Event] = []
    run: _Run | None = None
    for record in records:
        event = record.event
        if isinstance(event, RunStarted):
            _end(run, tally)
            run = _Run(event, past, override)
            tally.runs += 1
        elif isinstance(event, DecisionMade | StrategyIntent):
            if run is not None:
                tally.compare(record, run.said.popleft() if run.said else None)
        elif run is not None and isinstance(event, StrategyEngine.EVENTS):
            run.engine.handle(event)
        _remember(past, event)
    _end(run, tally)
    return tally.report()


def _end(run: _Run | None, tally: _Tally) -> None:
    """What the engine said and the journal does not hold differs too.

    A run that was killed may have lost its last, uncommitted records; but inputs are committed no
    later than what follows from them, so at most the answer to the very last input may be missing.
    """
    if run is None or not run.said:
        return
    answers_last = 2
    for event in list(run.said)[:-answers_last]:
        tally.differ(0, type(event).__name__, b"", encode(event))


def _remember(past: list[Event], event: Event) -> None:
    """Keep what a later run's restore will fold: the same classes that the running system folds."""
    if isinstance(event, StrategyEngine.FOLDS):
        past.append(event)


def _first_difference(journaled: bytes, replayed: bytes) -> tuple[str, str]:
    """The surroundings of the first differing byte, from both sides."""
    pairs = zip(journaled, replayed, strict=False)
    at = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
    around = slice(max(0, at - 60), at + 60)
    return journaled[around].decode(errors="replace"), replayed[around].decode(errors="replace")
