"""Descriptions of where tasks wait, for the message of a deadlock or livelock."""

import asyncio
from types import FrameType
from typing import Any

FRAMES_MAX = 12
TASKS_MAX = 40


def describe_tasks(loop: asyncio.AbstractEventLoop) -> str:
    """Describe every unfinished task of `loop` with its chain of awaits, by task name."""
    tasks = sorted(asyncio.all_tasks(loop), key=lambda task: task.get_name())
    lines = [line for task in tasks[:TASKS_MAX] for line in _describe_task(task)]
    if len(tasks) > TASKS_MAX:
        lines.append(f"... and {len(tasks) - TASKS_MAX} more tasks")
    return "\n".join(lines) or "(no task is left)"


def _describe_task(task: asyncio.Task[Any]) -> list[str]:
    lines = [f"task {task.get_name()}:"]
    awaitable: Any = task.get_coro()
    for _ in range(FRAMES_MAX):
        frame = _frame_of(awaitable)
        if frame is None:
            break
        code = frame.f_code
        lines.append(f"  {code.co_filename}:{frame.f_lineno} in {code.co_name}")
        awaitable = _awaited_by(awaitable)
    return lines


def _frame_of(awaitable: Any) -> FrameType | None:
    for attribute in ("cr_frame", "gi_frame", "ag_frame"):
        frame = getattr(awaitable, attribute, None)
        if isinstance(frame, FrameType):
            return frame
    return None


def _awaited_by(awaitable: Any) -> Any:
    for attribute in ("cr_await", "gi_yieldfrom", "ag_await"):
        inner = getattr(awaitable, attribute, None)
        if inner is not None:
            return inner
    return None
