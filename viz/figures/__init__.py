"""Result -> plotly Figure, pure: the same picture on a page, in a notebook and in a report.

One file a shape. A module here that has `accepts(result)` and `draw(result, **view)` is a builder called
by its file's name; `FIRST` says that it is drawn when nobody names one. Every builder takes `dark`, and every
one that colours values takes `scale`, so that several pictures can share theirs.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from backends import plugins, registry
from backends.errors import Refused

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from backends.results import Result

PLAIN = "by_axes"
"""The builder that draws what no other one knows."""
PARTS = ("accepts", "draw")
"""What the module of a builder has."""


@cache
def builders() -> dict[str, ModuleType]:
    """Every figure builder by its name, those drawn first in front."""
    names = [m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")]
    found = {name: importlib.import_module(f"{__name__}.{name}") for name in sorted(names)}
    fitting = {name: module for name, module in found.items() if hasattr(module, "accepts")}
    fitting |= registry.extensions("figures", found, PARTS, _check_parts)
    return dict(sorted(fitting.items(), key=lambda item: not getattr(item[1], "FIRST", False)))


def _check_parts(module: ModuleType) -> None:
    """Raise `Refused` where a part of somebody's own builder cannot be called."""
    for part in PARTS:
        if not callable(getattr(module, part)):
            raise Refused(f"{module.__file__}: {part} is a function")


def available(result: Result) -> list[str]:
    """The names of the builders that can draw `result`; the first is the one `draw` takes.

    Where none knows it, a plain figure of its axes is left, if it has an array of one or two.
    """
    fitting = [name for name, module in builders().items() if name != PLAIN and _accepts(module, result)]
    return fitting or ([PLAIN] if builders()[PLAIN].accepts(result) else [])


def _accepts(module: ModuleType, result: Result) -> bool:
    """Whether the builder can draw `result`; somebody's own that fails at the question is reported, and cannot."""
    try:
        return bool(module.accepts(result))
    except Exception as error:
        if not plugins.is_plugin(module):
            raise
        said = f"accepts fails on a result of {result.method} ({type(error).__name__}: {str(error)[:200]})"
        plugins.report(Path(str(module.__file__)), f"{module.__file__}: {said}")
        return False


def draw(result: Result, figure: str | None = None, **view: Any) -> Figure:
    """The picture of `result`; `figure` names another builder than the first that fits, `view` is passed on to it.

    Raises `Refused` when nothing fits, or when the view is not one of the builder's.
    """
    names = available(result)
    if not names:
        arrays = ", ".join(f"{name} ({', '.join(axes)})" for name, axes in result.axes.items())
        raise Refused(f"there is no picture for a result of {result.method} with {arrays}")
    if figure is not None and figure not in names:
        raise Refused(f"no picture {str(figure)[:40]!r} of this result; there are: {', '.join(names)}")
    module = builders()[figure or names[0]]
    known = list(inspect.signature(module.draw).parameters)[1:]
    unknown = [name for name in view if name not in known]
    if unknown:
        raise Refused(f"{module.__name__.split('.')[-1]} has no view {unknown[0]!r}; there are: {', '.join(known)}")
    return module.draw(result, **view)
