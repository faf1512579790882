"""The pages, one file or one folder a page, and which of them have something to show of a model."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from backends import registry
from backends.errors import Refused

PARTS = ("PATH", "TITLE", "QUESTION", "ORDER", "layout", "register")
"""What a page's module hands on."""


def page_modules() -> list[ModuleType]:
    """Return the pages in the order of their ORDER, somebody's own among them.

    Raises `Refused` when a bundled page lacks a part; somebody's own with a fault is left out: see `registry`.
    """
    found: dict[str, ModuleType] = {}
    paths: dict[str, str] = {}

    def check(page: ModuleType) -> None:
        _check_parts(page)
        if page.PATH in paths:
            raise Refused(f"{page.__file__}: {paths[page.PATH]} has the PATH {page.PATH!r} already")
        paths[page.PATH] = page.TITLE

    for module in pkgutil.iter_modules(__path__):
        if not module.name.startswith("_"):
            found[module.name] = registry.load(f"{__name__}.{module.name}", PARTS)
            check(found[module.name])
    added = registry.extensions("pages", found, PARTS, check)
    return sorted([*found.values(), *added.values()], key=lambda page: page.ORDER)


def pages_for(card: Mapping[str, Any]) -> list[ModuleType]:
    """Return the pages that have something to show of the model: those whose NEEDS are among what it `offers`.

    A page without NEEDS, such as the gallery, is of no model in particular and is not among them.
    """
    there = set(card["offers"])
    return [page for page in page_modules() if getattr(page, "NEEDS", None) and there >= page.NEEDS]


def _check_parts(page: ModuleType) -> None:
    """Raise `Refused`, naming the part that the app could not use."""
    words = [name for name in ("PATH", "TITLE", "QUESTION") if not isinstance(getattr(page, name), str)]
    if words or not page.PATH.startswith("/"):
        raise Refused(f"{page.__file__}: {words[0]} is no text" if words else f"{page.__file__}: PATH begins with /")
    if isinstance(page.ORDER, bool) or not isinstance(page.ORDER, (int, float)):
        raise Refused(f"{page.__file__}: ORDER is a number, such as 90")
    if not isinstance(getattr(page, "NEEDS", frozenset()), (set, frozenset)):
        raise Refused(f"{page.__file__}: NEEDS is a set, such as frozenset({{'answer'}})")
    for name in ("layout", "register"):
        if not callable(getattr(page, name)):
            raise Refused(f"{page.__file__}: {name} is a function")
