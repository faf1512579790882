from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.viz.callbacks import functions
from tests.viz.fakes import FakeEngine, bundle
from viz.pages.gallery import page


def test_three_networks_stand_first_then_the_doors_then_the_box() -> None:
    parts = [str(p.className) for p in page.layout().children if getattr(p, "className", None)]
    assert parts[:4] == ["page-head", "exhibits", "front-doors", "panel gallery-opener"]
    assert len(page.exhibits()) == 3


def test_the_page_stands_without_the_models_that_are_played_with(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "models").mkdir()
    bundle(tmp_path / "models", monkeypatch)
    assert [s.className for s in page.exhibits()] == ["panel exhibit exhibit-sentence"] * len(page.exhibits())
    functions(lambda app: page.register(app, FakeEngine(tmp_path)))  # type: ignore[arg-type]
