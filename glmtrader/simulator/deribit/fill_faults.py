"""Duplicate, reordered and back-to-back fills: faults of the `user.trades` notifications."""

from typing import Any

from glmtrader.simulator.deribit.faults import FaultKind, Faults

Messages = list[Any]


class FillShaper:
    """Holds, doubles or swaps the messages of one `user.trades` channel."""

    def __init__(self, faults: Faults, channel: str) -> None:
        self._faults = faults
        self._channel = channel
        self._held: Messages = []
        self._release_ns: int | None = None
        self._splits = False

    def shape(self, messages: Messages, now_ns: int) -> Messages:
        """What to send now, of these messages and those held before."""
        if messages:
            messages = self._strike(messages, now_ns)
        if self._release_ns is None or now_ns < self._release_ns:
            return messages
        return messages + self._release()

    def _strike(self, messages: Messages, now_ns: int) -> Messages:
        if self._release_ns is not None:
            return self._follow(messages)
        if self._faults.on_channel(FaultKind.DUPLICATE_FILL, self._channel) is not None:
            return [message for message in messages for _ in range(2)]
        for kind in (FaultKind.REORDER_FILLS, FaultKind.BACK_TO_BACK_FILLS):
            fault = self._faults.on_channel(kind, self._channel)
            if fault is not None:
                self._held = list(messages)
                self._release_ns = now_ns + fault.delay_ns
                self._splits = kind is FaultKind.BACK_TO_BACK_FILLS
                return []
        return messages

    def _follow(self, messages: Messages) -> Messages:
        """Messages that come while others are held: join them, or overtake them."""
        if self._splits:
            self._held.extend(messages)
            return []
        return messages + self._release()

    def _release(self) -> Messages:
        held, self._held, self._release_ns = self._held, [], None
        if not self._splits:
            return held
        return [[trade] for message in held for trade in message]
