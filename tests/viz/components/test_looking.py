"""An engine that only looks: nothing is started or kept while a view is settled."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends import catalog
from backends.errors import Refused
from backends.requests import key_of
from tests.viz.fakes import FakeEngine
from viz.components.looking import Later, looking, only_looking

REQUEST = {"job": "predict", "model": "bundled/triage"}


def test_outside_it_is_the_engine_itself(engine: FakeEngine) -> None:
    page = only_looking(engine)  # type: ignore[arg-type]
    assert page.submit(REQUEST, "tab", 3) == key_of(REQUEST)
    assert engine.asked == [REQUEST]
    assert page.store.get_input(page.store.put_input({"text": "hello"})) == {"text": "hello"}


def test_while_looking_nothing_is_started_or_kept(engine: FakeEngine) -> None:
    page = only_looking(engine)  # type: ignore[arg-type]
    with looking() as seen:
        with pytest.raises(Later):
            page.submit(REQUEST, "tab")
        with pytest.raises(Later):
            page.store.put_input({"text": "somebody's own words"})
    assert seen.missed
    assert engine.asked == []
    assert not engine.store.root.exists() or not list(engine.store.root.rglob("*.json"))


def test_what_is_there_is_found(engine: FakeEngine) -> None:
    page = only_looking(engine)  # type: ignore[arg-type]
    engine.store.put_document(key_of(REQUEST), {})
    digest = engine.store.put_input({"text": "somebody's own words"})
    with looking() as seen:
        assert page.submit(REQUEST, "tab") == key_of(REQUEST)
        assert page.store.put_input({"text": "somebody's own words"}) == digest
    assert (seen.keys, seen.models, seen.missed) == ({key_of(REQUEST)}, {"bundled/triage"}, False)
    assert engine.asked == []


def test_what_is_not_there_may_come(engine: FakeEngine) -> None:
    page = only_looking(engine)  # type: ignore[arg-type]
    digest = engine.store.put_input({"text": "somebody's own words"})
    with looking() as seen:
        page.store.get_input(digest)
    assert (seen.inputs, seen.passing) == ({digest}, False)
    for read in (page.store.get_input, page.store.get_document, page.store.get_result):
        with looking() as seen, pytest.raises(Refused):
            read("0" * 64)
        assert seen.passing
        assert not seen.inputs | seen.keys


def test_examples_that_ship_are_kept_and_their_like_is_not(engine: FakeEngine, tmp_path: Path) -> None:
    page = only_looking(engine)  # type: ignore[arg-type]
    picture = next(catalog.BUNDLED.rglob("examples/*.png"))
    copy = tmp_path / "copy.png"
    copy.write_bytes(picture.read_bytes() + b"more")
    with looking():
        assert page.store.get_input(page.store.put_input({"image": picture}))["image"].is_file()
        with pytest.raises(Later):
            page.store.put_input({"image": copy})
        with pytest.raises(Later):
            page.store.put_input({"image": picture, "text": "and words of somebody"})
