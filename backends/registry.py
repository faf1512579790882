"""One module, one ENTRY, found by file name: the only list of what there is.

A file `backends/methods/<name>.py` with an ENTRY is a method called `<name>`; a file
`backends/models/<name>.py` is a model family. Files whose name starts with `_` are not entries.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from types import MappingProxyType
from typing import Any

from backends.errors import Refused


@cache
def entries(package: str) -> MappingProxyType[str, Any]:
    """Every ENTRY in `backends.<package>`, by file name, in alphabetical order."""
    home = importlib.import_module(f"backends.{package}")
    names = sorted(m.name for m in pkgutil.iter_modules(home.__path__) if not m.name.startswith("_"))
    modules = {name: importlib.import_module(f"{home.__name__}.{name}") for name in names}
    return MappingProxyType({name: module.ENTRY for name, module in modules.items() if hasattr(module, "ENTRY")})


def method(name: str) -> Any:
    """The method class called `name`. Raises `Refused`, naming what there is."""
    return _entry("methods", "method", name)


def runs(name: str) -> float:
    """How many runs of a network the method called `name` takes, for an input of usual size; a gradient counts three.

    Raises `Refused`.
    """
    from backends.methods._base import Size

    usual = Size(tokens=64, parts=64, numbers=3 * 64 * 64, side=64, batch=16, layers=4, heads=4, width=64, outputs=2)
    cost = method(name).build({}).cost(usual)
    return cost.forwards + 3 * cost.gradients


def family(name: str) -> Any:
    """The model family called `name`. Raises `Refused`, naming what there is."""
    return _entry("models", "model family", name)


def _entry(package: str, noun: str, name: str) -> Any:
    found = entries(package)
    if name not in found:
        raise Refused(f"no {noun} {str(name)[:80]!r}; there are: {', '.join(found)}")
    return found[name]
