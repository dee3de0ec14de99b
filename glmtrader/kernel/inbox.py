"""The inbox of a core coroutine: the only thing that it may await.

A core component is a coroutine `async for event in inbox: ...`. The dispatcher steps it by
sending one event; the inbox hands itself back to the dispatcher when the coroutine asks for more.
Whatever else a core coroutine awaits reaches the dispatcher as a foreign object, and is an error.
"""

from collections.abc import Generator

from glmtrader.domain.event import Event


class Inbox:
    """Async iterator of events, stepped from outside; ends when `None` is sent."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __aiter__(self) -> "Inbox":
        return self

    def __anext__(self) -> "Inbox":
        return self

    def __await__(self) -> Generator["Inbox", Event | None, Event]:
        event = yield self
        if event is None:
            raise StopAsyncIteration
        return event
