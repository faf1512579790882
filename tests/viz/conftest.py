"""Fixtures of the web tests: a fake engine over a store in a temporary folder, and made-up shipped models."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.viz.fakes import FakeEngine, bundle


@pytest.fixture
def engine(tmp_path: Path) -> FakeEngine:
    """An engine that computes nothing."""
    return FakeEngine(tmp_path / "store")


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Makes the catalogue list the cards of `tests.viz.fakes`."""
    return bundle(tmp_path / "bundled", monkeypatch)
