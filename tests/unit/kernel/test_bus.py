"""The bus: one order of steps, journal before delivery, and no suspension but on the inbox."""

import asyncio

import pytest

from glmtrader.domain.event import Event
from glmtrader.domain.system_events import ComponentFailed, Health, TimerFired
from glmtrader.errors import QueueOverflowError
from glmtrader.kernel.bus import QUEUE_EVENTS_MAX, Bus
from glmtrader.kernel.clock import VirtualClock
from glmtrader.kernel.inbox import Inbox


def timer(key: str) -> TimerFired:
    return TimerFired(ts_event=1, ts_init=1, component="test", key=key)


class Collector:
    """A core component that keeps what it sees and may answer."""

    def __init__(self, log: list[tuple[str, str]], name: str) -> None:
        self.log = log
        self.name = name

    async def run(self, inbox: Inbox) -> None:
        async for event in inbox:
            assert isinstance(event, TimerFired)
            self.log.append((self.name, event.key))


class Sink:
    """A journal that keeps numbers and events."""

    def __init__(self) -> None:
        self.kept: list[tuple[int, Event]] = []

    def append(self, seq: int, event: Event) -> None:
        self.kept.append((seq, event))


def test_components_are_stepped_in_order_of_registration() -> None:
    """Every event reaches the first registered component first."""
    bus = Bus(VirtualClock(0))
    log: list[tuple[str, str]] = []
    for name in ("market", "risk", "execution"):
        bus.register(name, Collector(log, name).run, TimerFired)
    bus.publish(timer("a"))
    bus.publish(timer("b"))
    bus.drain()
    assert log == [(name, key) for key in "ab" for name in ("market", "risk", "execution")]


def test_events_published_in_a_step_come_after_those_already_queued() -> None:
    """One queue: an answer waits its turn behind what was published before it."""
    bus = Bus(VirtualClock(0))
    log: list[tuple[str, str]] = []

    async def answering(inbox: Inbox) -> None:
        async for event in inbox:
            assert isinstance(event, TimerFired)
            if event.key == "question":
                bus.publish(timer("answer"))

    bus.register("answering", answering, TimerFired)
    bus.register("listening", Collector(log, "listening").run, TimerFired)
    bus.publish(timer("question"))
    bus.publish(timer("other"))
    bus.drain()
    assert [key for _, key in log] == ["question", "other", "answer"]


def test_an_event_is_journaled_before_it_is_delivered() -> None:
    """Write ahead: when a component sees an event, the journal has it under its number."""
    sink = Sink()
    bus = Bus(VirtualClock(0), journal=sink, seq_start=41)
    seen: list[int] = []

    async def counting(inbox: Inbox) -> None:
        async for event in inbox:
            assert isinstance(event, TimerFired)
            seen.append(len(sink.kept))

    bus.register("counting", counting, TimerFired)
    bus.publish(timer("a"))
    bus.drain()
    assert seen == [1]
    assert sink.kept[0][0] == 42


def test_passing_events_are_numbered_but_not_journaled() -> None:
    """High-rate events take a number and leave no record."""
    sink = Sink()
    bus = Bus(VirtualClock(0), journal=sink)
    bus.publish(
        Health(
            ts_event=0, ts_init=0, feeds_age_ms={}, queue_depths={}, dropped={}, stall_ms_max=0.0
        )
    )
    bus.publish(timer("a"))
    bus.drain()
    assert [seq for seq, _ in sink.kept] == [2]


@pytest.mark.asyncio
async def test_a_core_component_that_awaits_anything_else_is_stopped_and_reported() -> None:
    """A suspension outside the inbox is an error that halts, not a silent wait."""
    bus = Bus(VirtualClock(0))
    failures: list[ComponentFailed] = []

    async def sleeping(inbox: Inbox) -> None:
        async for _ in inbox:
            await asyncio.sleep(0)

    async def watching(inbox: Inbox) -> None:
        async for event in inbox:
            assert isinstance(event, ComponentFailed)
            failures.append(event)

    bus.register("sleeping", sleeping, TimerFired)
    bus.register("watching", watching, ComponentFailed)
    bus.publish(timer("a"))
    bus.drain()
    assert [failure.component for failure in failures] == ["sleeping"]
    assert "CoreSuspendedError" in failures[0].error
    assert failures[0].fatal


def test_a_crashed_component_is_reported_and_the_others_go_on() -> None:
    """One crash is a fatal event; the components that must halt trading still get theirs."""
    bus = Bus(VirtualClock(0))
    log: list[tuple[str, str]] = []

    async def crashing(inbox: Inbox) -> None:
        async for _ in inbox:
            raise ZeroDivisionError("planted")

    bus.register("crashing", crashing, TimerFired)
    bus.register("steady", Collector(log, "steady").run, TimerFired)
    bus.publish(timer("a"))
    bus.publish(timer("b"))
    bus.drain()
    assert log == [("steady", "a"), ("steady", "b")]


def test_a_full_queue_refuses_loudly() -> None:
    """Nothing is dropped from the one queue: publishing into a full one is an error."""
    bus = Bus(VirtualClock(0))
    event = timer("a")
    for _ in range(QUEUE_EVENTS_MAX):
        bus.publish(event)
    with pytest.raises(QueueOverflowError, match="publishes without end"):
        bus.publish(event)


@pytest.mark.asyncio
async def test_a_lossless_subscription_yields_everything_in_order_and_ends() -> None:
    """An edge reads every event with its number, and its loop ends when the bus closes."""
    bus = Bus(VirtualClock(0))
    subscription = bus.subscribe(TimerFired, name="edge")
    for key in "abc":
        bus.publish(timer(key))
    bus.close()
    got = [(seq, event.key) async for seq, event in subscription if isinstance(event, TimerFired)]
    assert got == [(1, "a"), (2, "b"), (3, "c")]


def test_a_full_lossless_subscription_is_fatal() -> None:
    """A reader that is stuck must stop the process, not lose a fill."""
    bus = Bus(VirtualClock(0))
    bus.subscribe(TimerFired, name="stuck", capacity=2)
    for key in "abc":
        bus.publish(timer(key))
    with pytest.raises(QueueOverflowError, match="stuck"):
        bus.drain()


@pytest.mark.asyncio
async def test_a_conflating_subscription_keeps_the_newest_of_each_key() -> None:
    """The newest wins, in order of its arrival, and drops are counted."""
    bus = Bus(VirtualClock(0))

    def key_of(event: Event) -> str:
        assert isinstance(event, TimerFired)
        return event.key[0]

    subscription = bus.subscribe(TimerFired, name="web", conflate_by=key_of)
    for key in ("a1", "b1", "a2"):
        bus.publish(timer(key))
    bus.close()
    got = [event.key async for _, event in subscription if isinstance(event, TimerFired)]
    assert got == ["b1", "a2"]
    assert subscription.dropped == 1


@pytest.mark.asyncio
async def test_the_live_dispatcher_delivers_like_drain() -> None:
    """Live and virtual dispatch run the same steps in the same order."""
    bus = Bus(VirtualClock(0))
    log: list[tuple[str, str]] = []
    bus.register("one", Collector(log, "one").run, TimerFired)
    task = asyncio.get_running_loop().create_task(bus.run())
    for key in "abc":
        bus.publish(timer(key))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [key for _, key in log] == ["a", "b", "c"]
