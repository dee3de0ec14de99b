"""Recorded Deribit traffic (2021) goes through the decoder without a loss."""

import gzip
import json
import time
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from glmtrader.domain.event import Event
from glmtrader.domain.instruments import Instrument, InstrumentKind
from glmtrader.domain.market_events import MarketTick
from glmtrader.kernel.clock import VirtualClock
from glmtrader.venues.deribit.config import DeribitConfig
from glmtrader.venues.deribit.counters import Counters
from glmtrader.venues.deribit.frames import InstrumentData
from glmtrader.venues.deribit.limits import OrderLimiter
from glmtrader.venues.deribit.listing import Listing
from glmtrader.venues.deribit.session import Session
from glmtrader.venues.deribit.streams import PublicStreams

START_NS = 1_626_993_723_000_000_000


def recorded_frames(folder: Path) -> list[str]:
    path = folder / "wire" / "DERIBIT.ws.1.0.gz"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    stamped = [line.split(": ", 1) for line in lines if ": " in line]
    return [frame for stamp, frame in stamped if stamp.replace(".", "").isdigit()]


class Receiver:
    """A session without a socket, its notifications going to the streams."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.gaps: list[str] = []
        clock = VirtualClock(START_NS)
        self.counters = Counters()
        self.streams = PublicStreams(
            clock=clock,
            counters=self.counters,
            publish=self.events.append,
            on_gap=self.gaps.append,
            on_platform=lambda _data: None,
            on_listing=lambda: None,
        )
        config = DeribitConfig()
        self.session = Session(
            config,
            clock=clock,
            limiter=OrderLimiter(config.limits, now_ns=START_NS),
            counters=self.counters,
            on_notification=self.streams.take,
        )


def test_every_recorded_frame_is_read_and_only_the_reply_is_unclaimed(
    recorded_data: Path,
) -> None:
    """Each frame becomes a tick or a book step; nothing is malformed, unknown or a gap."""
    frames = recorded_frames(recorded_data)
    kinds = Counter(
        json.loads(frame).get("params", {}).get("channel", "reply").split(".")[0]
        for frame in frames
    )
    receiver = Receiver()
    for frame in frames:
        receiver.session.take_frame(frame)
    assert kinds == {"ticker": 89, "book": 46, "reply": 1}
    assert len(receiver.events) == kinds["ticker"]
    assert receiver.counters.as_strings() == {"reply_unclaimed": "1"}
    assert receiver.gaps == []


def test_recorded_books_agree_with_the_tickers_of_the_same_moment(recorded_data: Path) -> None:
    """Best bid and ask of each kept book equal the last ticker's of that instrument."""
    receiver = Receiver()
    for frame in recorded_frames(recorded_data):
        receiver.session.take_frame(frame)
    compared = 0
    for tick in receiver.streams.ticks.values():
        book = receiver.streams.books[tick.instrument_id.partition(":")[2]]
        bid, ask = book.best_bid(), book.best_ask()
        assert (bid[0] if bid else None) == tick.bid
        assert (ask[0] if ask else None) == tick.ask
        compared += 1
    assert compared == len(receiver.streams.books) == 10


def test_a_dropped_recorded_book_frame_is_noticed(recorded_data: Path) -> None:
    """Leaving out one change of a book makes the next change of it a gap."""
    frames = recorded_frames(recorded_data)
    changes = [
        frame for frame in frames if '"type":"change"' in frame and "BTC-24SEP21-8000-P" in frame
    ]
    receiver = Receiver()
    for frame in frames:
        if frame is not changes[0]:
            receiver.session.take_frame(frame)
    assert receiver.gaps == ["book.BTC-24SEP21-8000-P.raw"]


def test_all_recorded_instruments_of_traded_kinds_become_instruments(recorded_data: Path) -> None:
    """Only dated futures are left out, and every option's name agrees with its terms."""
    path = recorded_data / "wire" / "DERIBIT.0.gz"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    listed: list[InstrumentData] = []
    for line in gzip.decompress(path.read_bytes()).decode().splitlines():
        if " -> " in line:
            body = line.split(" -> ", 1)[1].split(": ", 1)[1]
            listed += msgspec.convert(json.loads(body)["result"], list[InstrumentData])
    counters = Counters()
    event = Listing(counters).replace(listed, now_ns=START_NS)
    assert event is not None
    dated = [item for item in listed if item.kind == "future"]
    dated = [item for item in dated if item.settlement_period != "perpetual"]
    assert len(event.listed) == len(listed) - len(dated) > 900
    assert counters["instrument_impossible"] == 0
    _check_kinds(event.listed)


def _check_kinds(listed: tuple[Instrument, ...]) -> None:
    by_name = {item.symbol: item for item in listed}
    assert by_name["BTC-PERPETUAL"].kind is InstrumentKind.INVERSE_PERPETUAL
    assert by_name["BTC-PERPETUAL"].quantity_currency == "USD"
    assert by_name["UNI_USDC-PERPETUAL"].kind is InstrumentKind.LINEAR_PERPETUAL
    assert by_name["BTC-24SEP21-40000-P"].kind is InstrumentKind.INVERSE_OPTION


@pytest.mark.bench
def test_cpu_of_a_ticker_frame(recorded_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Decoding and publishing a ticker frame costs at most 60 us of CPU."""
    frames = [frame for frame in recorded_frames(recorded_data) if '"ticker.' in frame]
    receiver = Receiver()
    best_us = float("inf")
    for _ in range(5):
        started = time.process_time_ns()
        for _ in range(20):
            for frame in frames:
                receiver.session.take_frame(frame)
        best_us = min(best_us, (time.process_time_ns() - started) / 1000 / 20 / len(frames))
    with capsys.disabled():
        print(f"\nticker frame to published tick: {best_us:.1f} us CPU")  # noqa: T201  a benchmark prints
    assert isinstance(receiver.events[-1], MarketTick)
    assert best_us <= 60
