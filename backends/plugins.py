"""Somebody's own files, found beside the bundled ones: the folders that VITRINE_PLUGINS names.

Such a folder holds `methods`, `families`, `jobs`, `measures`, `figures` and `pages`, any of them, with one file for an
extension. `<folder>/jobs/wish.py` becomes the module `vitrine_plugins.jobs.wish`. What is wrong with a file is kept as
a sentence and logged; it stops no other file.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from backends import settings

log = logging.getLogger("vitrine")

SETTING = "VITRINE_PLUGINS"
PACKAGE = "vitrine_plugins"
KINDS = ("methods", "families", "jobs", "measures", "figures", "pages")

_problems: dict[str, str] = {}


def files(kind: str) -> Iterator[tuple[str, Path]]:
    """Yield the module's name and the path of every public file, and of every package, of `kind`."""
    for folder in settings.folders(SETTING):
        if not folder.is_dir():
            report(folder, f"{SETTING} names {folder}, and there is no such folder")
            continue
        try:
            there = sorted((folder / kind).iterdir()) if (folder / kind).is_dir() else []
        except OSError as error:
            report(folder / kind, f"{folder / kind} cannot be read ({type(error).__name__})")
            continue
        for path in there:
            package = path / "__init__.py"
            if path.name.startswith(("_", ".")) or not (path.suffix == ".py" or package.is_file()):
                continue
            _make_packages()
            yield f"{PACKAGE}.{kind}.{path.stem}", package if package.is_file() else path


def is_plugin(module: ModuleType) -> bool:
    """Tell whether `module` is somebody's own."""
    return module.__name__.startswith(f"{PACKAGE}.")


def report(path: Path, sentence: str) -> None:
    """Keep what is wrong with the file or folder at `path`, and log it once."""
    if _problems.get(str(path)) != sentence:
        _problems[str(path)] = sentence
        log.warning("%s", sentence)


def problems(stem: str = "") -> list[str]:
    """Return what was found wrong so far, a sentence for each file; with `stem`, of files of that name."""
    return [said for path, said in _problems.items() if not stem or stem in (Path(path).stem, Path(path).parent.stem)]


def forget() -> None:
    """Forget what was loaded and what was wrong, so that files are read anew: for tests."""
    _problems.clear()
    for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
        del sys.modules[name]


def _make_packages() -> None:
    """Let Python find the files: a package for all folders, and one in it for each kind."""
    folders = settings.folders(SETTING)
    for name, paths in ((PACKAGE, []), *((f"{PACKAGE}.{kind}", [f / kind for f in folders]) for kind in KINDS)):
        package = sys.modules.setdefault(name, ModuleType(name, "Extensions that VITRINE_PLUGINS names."))
        package.__path__ = [str(path) for path in paths]
