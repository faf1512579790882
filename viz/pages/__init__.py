"""The pages, one file or one folder a page, and which of them have something to show of a model."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from types import ModuleType
from typing import Any


def page_modules() -> list[ModuleType]:
    """Return the pages in the order of their ORDER."""
    names = [m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")]
    found = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return sorted(found, key=lambda page: page.ORDER)


def pages_for(card: Mapping[str, Any]) -> list[ModuleType]:
    """Return the pages that have something to show of the model: those whose NEEDS are among what it `offers`.

    A page without NEEDS, such as the gallery, is of no model in particular and is not among them.
    """
    there = set(card["offers"])
    return [page for page in page_modules() if getattr(page, "NEEDS", None) and there >= page.NEEDS]
