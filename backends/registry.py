"""One module, one ENTRY, found by file name: the only list of what there is.

A file `backends/methods/<question>/<name>.py` with an ENTRY is a method called `<name>`, a file
`backends/models/families/<name>.py` is a model family, and so on; beside them stand those of `backends.plugins`.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import logging
import pkgutil
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cache
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

from backends import plugins
from backends.errors import Refused

log = logging.getLogger("vitrine")

_PARSING = threading.Lock()
"""Python 3.11 counts the depth of a syntax tree for all threads together: of two that parse at once one fails."""

ENTRY_PARTS = {
    "methods": ("title", "source", "question", "needs", "build"),
    "models.families": ("task", "claim", "auto_class", "load"),
    "jobs": ("name", "request", "perform", "model"),
    "evidence.measures": ("title", "source", "unit", "better", "meaning", "number", "region", "line"),
}
"""What an ENTRY has, by the package it is of."""


@cache
def entries(package: str) -> MappingProxyType[str, Any]:
    """Return every ENTRY in `backends.<package>` and its folders, by file name, in alphabetical order.

    Only files that assign ENTRY are loaded: what lies beside them may need torch, which the web process never loads.
    Raises `Refused` when two files have one name, or when a file cannot be loaded; somebody's own file with a fault is
    left out instead: see `extensions`.
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
        _check_entry(package, found[stem], spec.origin)
    names = {_name_of(entry, stem): stem for stem, entry in found.items()}

    def check(module: ModuleType) -> None:
        _check_entry(package, module.ENTRY, str(module.__file__))
        stem = module.__name__.rsplit(".", 1)[-1]
        name = _name_of(module.ENTRY, stem)
        if name in names:
            raise Refused(f"{module.__file__} is left out: {names[name]}.py is called {name!r} already")
        names[name] = stem

    added = extensions(package.rsplit(".", 1)[-1], found, ("ENTRY",), check)
    found |= {name: module.ENTRY for name, module in added.items()}
    return MappingProxyType(dict(sorted(found.items())))


def _name_of(entry: Any, stem: str) -> str:
    """What an ENTRY is called: a job as requests call it, all else like its file."""
    name = getattr(entry, "name", stem)
    return name if isinstance(name, str) else stem


def _check_entry(package: str, entry: Any, path: str) -> None:
    """Raise `Refused` where the ENTRY of a file in `package` is of another kind."""
    missing = [part for part in ENTRY_PARTS.get(package, ()) if not hasattr(entry, part)]
    if missing:
        raise Refused(f"{path}: its ENTRY has no {missing[0]}, which every entry of {package} has")


def extensions(
    kind: str,
    taken: Collection[str],
    parts: Collection[str],
    check: Callable[[ModuleType], None] = lambda module: None,
) -> dict[str, ModuleType]:
    """Load somebody's own files of `kind` which have all of `parts`, by file name: see `backends.plugins`.

    A file with a name that is `taken`, without a part, or to which `check` objects by `Refused` is reported and left
    out. Of a kind whose parts are ENTRY, files without one are not looked at.
    """
    found: dict[str, ModuleType] = {}
    seen = set(taken)
    for name, path in plugins.files(kind):
        stem = name.rsplit(".", 1)[-1]
        if "ENTRY" in parts and not assigns(path, "ENTRY"):
            continue
        try:
            if stem in seen:
                raise Refused(f"{path} is left out: there is another file called {stem} among the {kind}")
            seen.add(stem)
            module = load(name, parts)
            check(module)
        except Refused as refused:
            plugins.report(path, str(refused))
        except Exception as error:  # whatever somebody's own parts do when they are looked at
            log.warning("looking at %s failed", path, exc_info=True)
            plugins.report(path, f"{path} is left out ({type(error).__name__}: {str(error)[:200]})")
        else:
            found[stem] = module
    return found


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
        text = path.read_bytes()
        with _PARSING:
            body = ast.parse(text).body
    except (OSError, SyntaxError, ValueError):
        return True  # whoever loads it says what is wrong
    targets = [t for node in body if isinstance(node, ast.Assign) for t in node.targets]
    targets += [node.target for node in body if isinstance(node, ast.AnnAssign)]
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def load(module: str, parts: Iterable[str] = ()) -> ModuleType:
    """Return the module called `module`, which has all of `parts`. Raises `Refused`, naming file and fault."""
    try:
        found = importlib.import_module(module)
    except (Exception, SystemExit) as error:  # whatever somebody's own file raises
        log.warning("loading %s failed", module, exc_info=True)
        spec = importlib.util.find_spec(module)
        where = (spec and spec.origin) or module
        kind = "" if isinstance(error, Refused) else f"{type(error).__name__}: "
        raise Refused(f"{where} cannot be loaded ({kind}{str(error)[:200]})") from error
    parts = tuple(parts)
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
    """Return the ENTRY called `name` in `backends.<package>`. Raises `Refused`, naming what there is.

    Where somebody's own file of that name was left out, the sentence says why.
    """
    found = entries(package)
    if name not in found:
        said = "".join(f"; {problem}" for problem in plugins.problems(str(name)))
        raise Refused(f"no {noun} {str(name)[:80]!r}; there are: {', '.join(found)}{said}")
    return found[name]
