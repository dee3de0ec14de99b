"""What a simulated process sees instead of real time, randomness, sockets and DNS.

`patched_process` replaces, and on exit restores:

* `time.time`, `time_ns`, `monotonic`, `monotonic_ns`, `perf_counter`, `perf_counter_ns`, `sleep`,
  and the present in `gmtime`, `localtime`, `ctime`, `asctime` and `strftime`. Modules that hold
  one of the originals by `from time import monotonic` are found and patched too;
* `os.urandom`, `os.getrandom` and with them `uuid4`, `uuid1`, `secrets` and `SystemRandom`; the
  `random` module's generator is seeded and every `Random()` without a seed gets a seeded one;
* `socket.socket` by `SimSocket` and the blocking look-ups by a refusal;
* aiohttp's resolver by the one that asks the loop (`aiodns` opens sockets of its own).

Not replaced: `datetime.now()`, `time.clock_gettime` and threads, which code under simulation must
not use; hash randomisation, so never iterate over a set of strings or of plain objects.

The garbage collector is off meanwhile, and what lives already is frozen: when it runs depends on
allocation counts, and finalizers would run at unseeded moments. The loop collects after a fixed
number of iterations instead.
"""

import gc
import os
import random
import socket
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NoReturn

from glmtrader.kernel.simloop.addresses import SimSocket
from glmtrader.kernel.simloop.clock import SimClock
from glmtrader.kernel.simloop.errors import SimUnsupportedError
from glmtrader.kernel.simloop.third_party import patched_third_party

Function = Callable[..., Any]

LOOKUPS = ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getnameinfo")
NODE = 0x02_00_00_00_00_01


@contextmanager
def patched_process(clock: SimClock, seed: int) -> Iterator[None]:
    """Show virtual time and seeded randomness to everything in this process.

    Args:
        clock: The clock behind `time`.
        seed: Seeds every source of randomness.
    """
    with ExitStack() as stack:
        stack.enter_context(_collector_frozen())
        stack.enter_context(_random_seeded(seed))
        for owner, name, replacement in _replacements(clock, seed):
            stack.enter_context(_replaced(owner, name, replacement))
        stack.enter_context(_imported_by_name(_time_functions(clock)))
        stack.enter_context(patched_third_party(seed))
        yield


def _replacements(clock: SimClock, seed: int) -> list[tuple[Any, str, Any]]:
    entropy = random.Random(f"entropy {seed}")  # noqa: S311 - simulation, not secrets
    uuid1 = uuid.uuid1

    def urandom(size: int, flags: int = 0) -> bytes:  # noqa: ARG001 - os.getrandom's signature
        return entropy.randbytes(size)

    def seeded_uuid1(node: int | None = None, clock_seq: int | None = None) -> uuid.UUID:
        return uuid1(node or NODE, entropy.getrandbits(14) if clock_seq is None else clock_seq)

    found: list[tuple[Any, str, Any]] = [
        (time, name, replacement) for name, replacement in _time_functions(clock).items()
    ]
    found += [
        (os, "urandom", urandom),
        (os, "getrandom", urandom),
        (random, "_urandom", urandom),
        (random.Random, "seed", _seed_for_unseeded(entropy)),
        (uuid, "uuid1", seeded_uuid1),
        (uuid, "_last_timestamp", None),
        (socket, "socket", SimSocket),
    ]
    return found + [(socket, name, _refusal(name)) for name in LOOKUPS]


def _time_functions(clock: SimClock) -> dict[str, Function]:
    def now_s() -> float:
        return clock.now_ns() / 1e9

    def monotonic_s() -> float:
        return clock.monotonic_ns() / 1e9

    def sleep(duration_s: float) -> None:
        clock.advance(round(duration_s * 1e9))

    functions: dict[str, Function] = {
        "time": now_s,
        "time_ns": clock.now_ns,
        "monotonic": monotonic_s,
        "monotonic_ns": clock.monotonic_ns,
        "perf_counter": monotonic_s,
        "perf_counter_ns": clock.monotonic_ns,
        "sleep": sleep,
    }
    return functions | _calendar_functions(now_s)


def _calendar_functions(now_s: Callable[[], float]) -> dict[str, Function]:
    real_gmtime, real_localtime = time.gmtime, time.localtime
    real_strftime, real_asctime = time.strftime, time.asctime

    def gmtime(seconds: float | None = None) -> time.struct_time:
        return real_gmtime(now_s() if seconds is None else seconds)

    def localtime(seconds: float | None = None) -> time.struct_time:
        return real_localtime(now_s() if seconds is None else seconds)

    def ctime(seconds: float | None = None) -> str:
        return real_asctime(localtime(seconds))

    def asctime(moment: Any = None) -> str:
        return real_asctime(localtime() if moment is None else moment)

    def strftime(form: str, moment: Any = None) -> str:
        return real_strftime(form, localtime() if moment is None else moment)

    return {
        "gmtime": gmtime,
        "localtime": localtime,
        "ctime": ctime,
        "asctime": asctime,
        "strftime": strftime,
    }


def _seed_for_unseeded(entropy: random.Random) -> Function:
    real_seed = random.Random.seed

    def seed(self: random.Random, a: Any = None, version: int = 2) -> None:
        real_seed(self, entropy.getrandbits(128) if a is None else a, version)

    return seed


def _refusal(name: str) -> Function:
    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise SimUnsupportedError(f"socket.{name} would ask a real resolver; use the loop's")

    return refuse


@contextmanager
def _replaced(owner: Any, name: str, replacement: Any) -> Iterator[None]:
    original = getattr(owner, name)
    setattr(owner, name, replacement)
    try:
        yield
    finally:
        setattr(owner, name, original)


@contextmanager
def _imported_by_name(replacements: dict[str, Function]) -> Iterator[None]:
    """Patch modules that took one of `time`'s functions by name before the simulation.

    Must be entered after `time` itself is patched; it restores later imports as well.
    """
    originals = {
        id(original): (original, replacements[name])
        for name, original in _REAL_TIME.items()
        if name in replacements
    }
    _swap_in_modules(originals)
    try:
        yield
    finally:
        _swap_in_modules({id(new): (new, old) for old, new in originals.values()})


def _swap_in_modules(swaps: dict[int, tuple[Function, Function]]) -> None:
    for module in list(sys.modules.values()):
        names = getattr(module, "__dict__", None)
        if not isinstance(names, dict) or module in {time, sys.modules[__name__]}:
            continue
        for name, value in list(names.items()):
            swap = swaps.get(id(value))
            if swap is not None and swap[0] is value:
                names[name] = swap[1]


@contextmanager
def _random_seeded(seed: int) -> Iterator[None]:
    state = random.getstate()
    random.seed(f"random {seed}")
    try:
        yield
    finally:
        random.setstate(state)


@contextmanager
def _collector_frozen() -> Iterator[None]:
    was_enabled = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if was_enabled:
            gc.enable()


_REAL_TIME: dict[str, Function] = {
    name: value for name, value in vars(time).items() if callable(value)
}
