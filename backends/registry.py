"""One module, one ENTRY, found by file name: the only list of what there is.

A file `backends/methods/<question>/<name>.py` with an ENTRY is a method called `<name>`, a file
`backends/models/families/<name>.py` is a model family.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import logging
import pkgutil
import threading
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

from backends.errors import Refused

log = logging.getLogger("vitrine")

_PARSING = threading.Lock()
"""Python 3.11 counts the depth of a syntax tree for all threads together: of two that parse at once one fails."""


@cache
def entries(package: str) -> MappingProxyType[str, Any]:
    """Return every ENTRY in `backends.<package>` and its folders, by file name, in alphabetical order.

    Only files that assign ENTRY are loaded: what lies beside them may need torch, which the web process never loads.
    Raises `Refused` when two files have one name, or when a file cannot be loaded.
    """
    home = importlib.import_module(f"backends.{package}")
    found: dict[str, Any] = {}
    for name in modules(home):
        spec = importlib.util.find_spec(name)
        if spec is None or not spec.origin or not assigns(Path(spec.origin), "ENTRY"):
            continue
        stem = name.rsplit(".", 1)[-1]
        if stem in found:
            raise Refused(f"two files are called {stem}: {spec.origin} and another in backends/{package}")
        found[stem] = load(name, ("ENTRY",)).ENTRY
    return MappingProxyType(dict(sorted(found.items())))


def modules(home: ModuleType) -> Iterator[str]:
    """Name every public module of the package `home` and of the packages in it."""
    for module in pkgutil.iter_modules(home.__path__):
        name = f"{home.__name__}.{module.name}"
        if module.name.startswith("_"):
            continue
        if module.ispkg:
            yield from modules(importlib.import_module(name))
        else:
            yield name


def assigns(path: Path, name: str) -> bool:
    """Tell whether the file at `path` assigns `name` at its top, without running it."""
    try:
        text = path.read_text()
        with _PARSING:
            body = ast.parse(text).body
    except (SyntaxError, UnicodeDecodeError):
        return True  # whoever loads it says what is wrong
    targets = [t for node in body if isinstance(node, ast.Assign) for t in node.targets]
    targets += [node.target for node in body if isinstance(node, ast.AnnAssign)]
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def load(module: str, parts: Iterable[str] = ()) -> ModuleType:
    """Return the module called `module`, which has all of `parts`. Raises `Refused`, naming file and fault."""
    try:
        found = importlib.import_module(module)
    except Exception as error:  # whatever somebody's own file raises
        log.warning("loading %s failed", module, exc_info=True)
        spec = importlib.util.find_spec(module)
        where = (spec and spec.origin) or module
        raise Refused(f"{where} cannot be loaded ({type(error).__name__}: {str(error)[:200]})") from error
    missing = [part for part in parts if not hasattr(found, part)]
    if missing:
        raise Refused(f"{found.__file__} has no {missing[0]}; a file of its kind has {', '.join(parts)}")
    return found


def method(name: str) -> Any:
    """Return the method class called `name`. Raises `Refused`, naming what there is."""
    return entry("methods", "method", name)


def family(name: str) -> Any:
    """Return the model family called `name`. Raises `Refused`, naming what there is."""
    return entry("models.families", "model family", name)


def entry(package: str, noun: str, name: str) -> Any:
    """Return the ENTRY called `name` in `backends.<package>`. Raises `Refused`, naming what there is."""
    found = entries(package)
    if name not in found:
        raise Refused(f"no {noun} {str(name)[:80]!r}; there are: {', '.join(found)}")
    return found[name]
