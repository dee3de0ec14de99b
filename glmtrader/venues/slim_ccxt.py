"""Load one exchange of ccxt without the other hundred: 0.75 s and 57 MB instead of 3.3 s, 115 MB.

`import ccxt` executes every exchange. Here its two packages are put in place bare for as long as
the wanted module is imported, and taken away again: whoever imports ccxt whole later gets it
whole. Where it was imported whole before, that is used. This leans on ccxt's layout, so its
version is pinned from below in the project metadata, and a test loads it.
"""

import importlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Final

from glmtrader.errors import ConfigurationError

VERSION_MIN: Final = (4, 5, 90)
"""Older ones freeze their WebSockets with a current aiohttp."""

_BARE_PACKAGES: Final = ("ccxt", "ccxt.async_support")


def load_exchange(name: str) -> Any:
    """The asynchronous exchange class of that name, for example `deribit`.

    Raises:
        ConfigurationError: ccxt is missing, too old or has no such exchange.
    """
    _check_version()
    with _bare_packages():
        try:
            module = importlib.import_module(f"ccxt.async_support.{name}")
        except ModuleNotFoundError as error:
            raise ConfigurationError(f"ccxt has no exchange {name!r}: {error}") from error
    return getattr(module, name)


def ccxt_errors() -> Any:
    """Ccxt's module of exceptions; an exchange must have been loaded before."""
    return sys.modules["ccxt.base.errors"]


def _check_version() -> None:
    try:
        installed = importlib.metadata.version("ccxt")
    except importlib.metadata.PackageNotFoundError as error:
        raise ConfigurationError("ccxt is not installed: pip install 'ccxt>=4.5.90'") from error
    if tuple(int(part) for part in installed.split(".")[:3]) < VERSION_MIN:
        wanted = ".".join(map(str, VERSION_MIN))
        raise ConfigurationError(f"ccxt {installed} is too old: pip install 'ccxt>={wanted}'")


@contextmanager
def _bare_packages() -> Iterator[None]:
    added = [package for package in _BARE_PACKAGES if _put_bare(package)]
    try:
        if added:
            _fill_bare(sys.modules["ccxt"])
        yield
    finally:
        for package in added:
            del sys.modules[package]


def _fill_bare(package: ModuleType) -> None:
    """Ccxt's own modules take the errors and the base class from the package."""
    errors = vars(importlib.import_module("ccxt.base.errors"))
    vars(package).update({key: item for key, item in errors.items() if key[0] != "_"})
    vars(package)["Exchange"] = importlib.import_module("ccxt.base.exchange").Exchange


def _put_bare(package: str) -> bool:
    if package in sys.modules:
        return False
    found = importlib.util.find_spec(package)
    assert found is not None, f"{package} is installed but cannot be found"
    bare = ModuleType(package)
    bare.__path__ = list(found.submodule_search_locations or ())
    bare.__spec__ = found
    vars(bare)["__version__"] = importlib.metadata.version("ccxt")
    sys.modules[package] = bare
    return True
