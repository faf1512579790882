"""Networks that the tests of causal methods share; each opens once."""

from __future__ import annotations

from typing import Any

import pytest

import backends
from tests import families
from tests.backends.methods.causal.sweeps import IOI


@pytest.fixture(scope="session")
def family(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Opens a family's tiny network, the same one for the whole session: leave it as it is."""
    there: dict[str, Any] = {}

    def get(name: str) -> Any:
        if name not in there:
            there[name] = backends.open_model(str(families.make(name, tmp_path_factory.mktemp("family"))))
        return there[name]

    return get


@pytest.fixture(scope="session")
def names() -> Any:
    """The bundled network of two names: leave it as it is."""
    return backends.open_model("bundled/names")


@pytest.fixture(scope="session")
def ioi(names: Any) -> dict[str, Any]:
    """The sentence of two names, and the same with the names swapped."""
    return {"clean": {"text": IOI}, "corrupted": backends.corrupt(names, {"text": IOI}, "swap")}
