from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dash import no_update

from backends.requests import key_of
from backends.results import Result
from tests.viz.callbacks import functions
from tests.viz.fakes import FakeEngine, bundle
from viz.pages.gallery import drawing


@pytest.fixture
def drawn() -> Result:
    """A red circle on light ground, and the maps of four words: one on it, one beside it."""
    image = np.full((64, 64, 3), 235, np.uint8)
    rows, columns = np.mgrid[:64, :64]
    image[(rows - 20) ** 2 + (columns - 20) ** 2 < 120] = (220, 40, 40)
    maps = np.full((4, 8, 8), 0.01, np.float32)
    maps[2, 2, 2] = 2.0
    maps[1, 6:, 6:] = 1.0
    return Result(
        method="daam",
        arrays={"map": maps, "image": image},
        axes={"map": ("word", "row", "column"), "image": ("height", "width", "channel")},
        labels={"word": ("a", "red", "circle", "above")},
        unit="attention",
        signed=False,
        facts={"text": "a red circle above"},
        request={"model": "bundled/scenes"},
    )


def test_a_word_is_told_by_where_its_map_lies(drawn: Result) -> None:
    assert drawing.tell(drawn, 2).startswith("“circle” went to the red circle: ")
    assert drawing.tell(drawn, 1).startswith("“red” did not go to the red circle: ")
    assert drawing.tell(drawn, 3).startswith("“above” names no thing that was drawn; ")
    assert drawing.tell(drawn, 9) == drawing.INVITATION


def test_the_map_lies_over_the_drawing(drawn: Result) -> None:
    plain, over = drawing.address(drawn), drawing.address(drawn, 2)
    assert plain.startswith("data:image/webp;base64,")
    assert plain != over
    assert len(over) < 12_000


def test_what_is_asked_for_is_shown_once_it_is_there(drawn: Result, tmp_path: Path) -> None:
    engine: Any = FakeEngine(tmp_path)
    made = functions(lambda app: drawing.register(app, engine))
    assert made["ask"](None, None) is no_update  # who only passes by asks nothing
    request = made["ask"](2, None)["drawing"]
    assert made["ask"](3, {"drawing": request}) is no_update
    assert request["method"] == "daam"
    assert request["options"]["steps"] == 20
    assert made["show"]({}, 2)[1] == drawing.WAITING
    assert made["show"]({"sentences": {"drawing": "no room"}}, 2)[1] == "no room"
    engine.store.put_result(key_of(request), drawn)
    picture, said = made["show"]({"keys": {"drawing": key_of(request)}}, 2)
    assert picture.src.startswith("data:")
    assert said.startswith("“circle” went to the red circle")
    assert made["show"]({"keys": {"drawing": key_of(request)}}, None)[1] == drawing.INVITATION


def test_a_vitrine_that_ships_no_such_model_asks_for_nothing(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "models").mkdir()
    bundle(tmp_path / "models", monkeypatch)
    assert drawing.prompt() == ""
    engine: Any = FakeEngine(tmp_path)
    assert drawing.requests(engine) == {}
