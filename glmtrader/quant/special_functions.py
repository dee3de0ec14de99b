"""Normal distribution and scaled complementary error function, as NumPy ufuncs from SciPy.

`import scipy.special` executes SciPy's bridges to other array libraries and with them numpy.f2py
and numpy.testing: 230 ms and 28 MB for three functions. Here the package is put in place bare for
as long as its compiled ufuncs are imported (35 ms, 6 MB), and taken away again: whoever imports
scipy.special later gets it whole, with these very functions. Only SciPy may enter.
"""

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Final

_PACKAGE: Final = "scipy.special"


def _compiled() -> ModuleType:
    """SciPy's own module of ufuncs; the whole package where its layout is another."""
    if _PACKAGE in sys.modules:
        return sys.modules[_PACKAGE]
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or found.submodule_search_locations is None:
        return importlib.import_module(_PACKAGE)
    bare = ModuleType(_PACKAGE)
    bare.__path__ = list(found.submodule_search_locations)
    bare.__spec__ = found
    sys.modules[_PACKAGE] = bare
    try:
        return importlib.import_module(f"{_PACKAGE}._ufuncs")
    except ImportError:
        del sys.modules[_PACKAGE]
        return importlib.import_module(_PACKAGE)
    finally:
        if sys.modules.get(_PACKAGE) is bare:
            del sys.modules[_PACKAGE]


if TYPE_CHECKING:
    from scipy.special import erfcx, ndtr, ndtri
else:
    _functions = _compiled()
    erfcx, ndtr, ndtri = _functions.erfcx, _functions.ndtr, _functions.ndtri

__all__ = ["erfcx", "ndtr", "ndtri"]
