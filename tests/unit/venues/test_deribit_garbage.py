"""Whatever arrives, the receive side counts it and stays alive."""

import json

from hypothesis import example, given
from hypothesis import strategies as st

from glmtrader.domain.event import Event
from glmtrader.domain.market_events import MarketTick
from glmtrader.kernel.clock import VirtualClock
from glmtrader.venues.deribit.config import DeribitConfig
from glmtrader.venues.deribit.counters import KINDS_MAX, Counters
from glmtrader.venues.deribit.limits import OrderLimiter
from glmtrader.venues.deribit.rpc import PendingRequests, Reply, Unanswered
from glmtrader.venues.deribit.session import Session
from glmtrader.venues.deribit.streams import PublicStreams

TICKER = {
    "instrument_name": "BTC-PERPETUAL",
    "timestamp": 1_774_000_000_000,
    "best_bid_price": 90000.0,
    "best_ask_price": 90000.5,
    "best_bid_amount": 10.0,
    "best_ask_amount": 20.0,
    "mark_price": 90000.1,
    "index_price": 90000.2,
}

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


class Receiver:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.counters = Counters()
        clock = VirtualClock(0)
        config = DeribitConfig()
        streams = PublicStreams(
            clock=clock,
            counters=self.counters,
            publish=self.events.append,
            on_gap=lambda _channel: None,
            on_platform=lambda _data: None,
            on_listing=lambda: None,
        )
        self.session = Session(
            config,
            clock=clock,
            limiter=OrderLimiter(config.limits, now_ns=0),
            counters=self.counters,
            on_notification=streams.take,
        )

    def total(self) -> int:
        return sum(int(count) for count in self.counters.as_strings().values())


def notification(channel: str, data: object) -> str:
    params = {"channel": channel, "data": data}
    return json.dumps({"jsonrpc": "2.0", "method": "subscription", "params": params})


@given(st.text() | json_values.map(json.dumps))
def test_any_text_is_counted_or_harmless(text: str) -> None:
    """A frame of any shape raises nothing and publishes nothing."""
    receiver = Receiver()
    receiver.session.take_frame(text)
    assert receiver.events == []


@given(st.sampled_from(["ticker", "book", "trades", "quote", "instrument"]), json_values)
def test_any_data_on_a_known_channel_is_counted(kind: str, data: object) -> None:
    """Data that does not fit its channel is counted; what fits nothing is never told."""
    receiver = Receiver()
    receiver.session.take_frame(notification(f"{kind}.BTC-PERPETUAL.100ms", data))
    assert receiver.events == []
    assert receiver.total() == (0 if kind == "trades" and data == [] else 1)


@given(
    st.sampled_from(sorted(TICKER)), json_values | st.sampled_from(["NaN", "-1", "Infinity", -0.5])
)
@example("instrument_name", "")
def test_one_spoilt_field_never_makes_a_wrong_tick(field: str, value: object) -> None:
    """A spoilt ticker is either told with that very value or counted as undecodable."""
    receiver = Receiver()
    receiver.session.take_frame(notification("ticker.X.100ms", TICKER | {field: value}))
    assert len(receiver.events) + receiver.counters["undecodable:ticker"] == 1
    for tick in receiver.events:
        assert isinstance(tick, MarketTick)
        prices = (tick.bid, tick.ask, tick.mark, tick.index_usd)
        assert all(price is None or (price.is_finite() and price >= 0) for price in prices)


def test_the_table_of_counts_is_bounded() -> None:
    """The venue cannot make this process remember names without end."""
    counters = Counters()
    for number in range(10 * KINDS_MAX):
        counters.warn(f"method_unknown:{number}", "")
    assert len(counters.as_strings()) <= KINDS_MAX + 1
    assert counters["other"] == 10 * KINDS_MAX - KINDS_MAX


@given(st.lists(st.sampled_from(["ask", "answer", "expire", "drop"]), max_size=40))
def test_every_request_is_told_once_in_time(steps: list[str]) -> None:
    """Whatever the order of events, each request ends once; only a late answer comes on top."""
    clock = VirtualClock(0)
    pending = PendingRequests(clock, capacity=5)
    told: dict[int, list[Reply]] = {}
    refused = 0
    for step in steps:
        if step == "ask":
            replies: list[Reply] = []
            request_id = pending.register("public/test", replies.append)
            if request_id is None:
                refused += 1
                continue
            told[request_id] = replies
            pending.mark_sent(request_id, timeout_s=1.0)
        elif step == "expire":
            clock.fire_next(clock.now_ns() + 2_000_000_000)
        elif step == "drop":
            pending.drop_all("gone")
        elif told:
            pending.answer(max(told), Unanswered("scripted", sent=True))
    pending.drop_all("end")
    assert len(pending) == 0
    assert all(1 <= len(replies) <= 2 for replies in told.values())
    assert refused == 0 or len(told) >= 5
