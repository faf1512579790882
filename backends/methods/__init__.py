"""Methods, one file each. Called, `backends.methods(model)` names those that the model can serve."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backends.models.base import Model


class _Door(ModuleType):
    """This package, callable: the design gives the folder and the door's function one name."""

    def __call__(self, model: Model | None = None) -> list[str]:
        """The names of all methods, or of those whose needs `model` meets."""
        from backends import registry

        offered = None if model is None else model.offers
        entries = registry.entries("methods").items()
        return [name for name, entry in entries if offered is None or entry.needs <= offered]


sys.modules[__name__].__class__ = _Door
