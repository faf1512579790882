"""Fixtures of the data page: a table in the store and its answers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.viz.fakes import FakeEngine
from tests.viz.tables import kept_answers, kept_table


@pytest.fixture
def table(engine: FakeEngine) -> dict[str, Any]:
    """A table of texts in the store, as the page keeps it."""
    return kept_table(engine)


@pytest.fixture
def key(engine: FakeEngine, table: dict[str, Any]) -> str:
    """The key of its answers."""
    return kept_answers(engine, table)
