"""The hooks that unmodified libraries need to run in a simulation, undone on exit.

* aiohttp resolves names through `aiodns` where that is installed, which opens sockets and, being
  C, ignores the loop; it is kept from importing it, and told to ask the loop.
* aiohttp draws WebSocket masks from a generator made when it was imported; where that was before
  the simulation, the generator is seeded anew.
"""

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

RESOLVER_USERS = ("aiohttp.connector", "aiohttp.resolver", "aiohttp")
MASK_WRITER = "aiohttp._websocket.writer"


@contextmanager
def patched_third_party(seed: int) -> Iterator[None]:
    """Let aiohttp, imported or yet to be imported, run on the simulated loop."""
    aiodns = sys.modules.get("aiodns")
    resolvers = _use_loop_resolver()
    masks = [(one, one.getstate()) for one in _mask_generators()]
    for one, _ in masks:
        one.seed(f"masks {seed}")
    sys.modules["aiodns"] = None  # type: ignore[assignment]  # makes `import aiodns` fail
    try:
        yield
    finally:
        del sys.modules["aiodns"]
        if aiodns is not None:
            sys.modules["aiodns"] = aiodns
        for module, resolver in resolvers:
            module.DefaultResolver = resolver
        for one, state in masks:
            one.setstate(state)


def _use_loop_resolver() -> list[tuple[Any, Any]]:
    replaced: list[tuple[Any, Any]] = []
    for name in RESOLVER_USERS:
        module: Any = sys.modules.get(name)
        if module is not None and hasattr(module, "DefaultResolver"):
            replaced.append((module, module.DefaultResolver))
            module.DefaultResolver = (
                module.ThreadedResolver
                if name != "aiohttp.connector"
                else (sys.modules["aiohttp.resolver"].ThreadedResolver)
            )
    return replaced


def _mask_generators() -> list[random.Random]:
    writer: Any = sys.modules.get(MASK_WRITER)
    if writer is None:
        return []
    init = writer.WebSocketWriter.__init__
    defaults = [*(init.__defaults__ or ()), *(init.__kwdefaults__ or {}).values()]
    return [value for value in defaults if isinstance(value, random.Random)]
