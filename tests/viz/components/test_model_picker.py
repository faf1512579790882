"""Name → job → card, and what is said of the model that is open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from dash import Output, no_update

from backends import catalog
from backends.errors import Refused
from backends.requests import key_of
from tests.viz.callbacks import functions
from tests.viz.components.test_inputs import SEQ2SEQ
from tests.viz.fakes import TRIAGE, FakeEngine
from viz.components import model_picker
from viz.components.model_picker import OTHER, ModelPicker

PICKER = ModelPicker("page")


def found(parts: list[Any]) -> dict[str, Any]:
    """The parts that have an id, by it."""
    every = [c for made in parts for c in [made, *made._traverse()]]
    return {c.id: c for c in every if isinstance(getattr(c, "id", None), str)}


def callbacks(picker: ModelPicker, engine: FakeEngine, *more: Any, **ways: Any) -> dict[str, Any]:
    """The functions that a picker connects, by name."""
    return functions(lambda app: picker.register(app, engine, *more, **ways))  # type: ignore[arg-type]


def test_models_that_draw_have_a_page_of_their_own(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawing = {**TRIAGE, "name": "bundled/scenes", "task": model_picker.DRAWS}
    monkeypatch.setattr(catalog, "bundled", lambda: (TRIAGE, drawing))
    assert [c["name"] for c in PICKER.cards()] == ["bundled/triage"]
    assert [c["name"] for c in ModelPicker("page", task=model_picker.DRAWS, without="").cards()] == ["bundled/scenes"]
    assert len(ModelPicker("page", without="").cards()) == 2


def test_a_link_names_the_model_else_the_first_is_opened(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert PICKER.wanted({}) == "bundled/triage"
    assert PICKER.wanted({"model": "org/big"}) == "org/big"
    assert PICKER.wanted({"model": ["a", "b"]}) == "bundled/triage"
    monkeypatch.setattr(catalog, "bundled", lambda: ())
    assert PICKER.wanted({}) == OTHER


def test_a_model_that_is_not_listed_stands_in_the_box(shipped: Path) -> None:
    there = found(PICKER.parts("org/big"))
    assert (there["page-model"].value, there["page-other"].value) == (OTHER, "org/big")
    assert there["page-other-area"].className == "mt-2"
    there = found(PICKER.parts("bundled/names"))
    assert (there["page-model"].value, there["page-other"].value) == ("bundled/names", "")
    assert there["page-other-area"].className == "d-none"
    assert there["page-model"].options[-1] == {"label": "Another model …", "value": OTHER}
    assert found(ModelPicker("page", kind="pipeline").parts(OTHER))["page-other"].value == ""


def test_what_is_chosen_is_asked_for(shipped: Path) -> None:
    requests, said, shown = model_picker.chosen("bundled/triage", "")
    assert requests["model"]["job"] == "open"
    assert requests["model"]["model"] == "bundled/triage"
    assert (said, shown) == ([], "d-none")
    assert model_picker.chosen(OTHER, " gpt2 ")[0]["model"]["model"] == "gpt2"


def test_an_empty_box_leaves_what_is_open(shipped: Path) -> None:
    assert model_picker.chosen(OTHER, "  ") == (no_update, no_update, "mt-2")
    assert model_picker.chosen(OTHER, None) == (no_update, no_update, "mt-2")


def test_a_name_that_is_none_is_a_sentence(shipped: Path) -> None:
    requests, said, shown = model_picker.chosen(OTHER, "no such name")
    assert requests == {}
    assert "neither a folder here nor a hub id" in said.children
    assert shown == "mt-2"
    with pytest.raises(Refused, match="no model named"):
        model_picker.open_jobs("")


def test_an_opened_model_brings_its_card_and_what_follows_from_it(engine: FakeEngine) -> None:
    key = key_of({"job": "open"})
    engine.store.put_document(key, TRIAGE)
    asked = callbacks(PICKER, engine, [Output("page-more", "children")], lambda card: [card and card["name"]])
    card, said, more = asked["opened"]({"keys": {"model": key}})
    assert (card, more) == (TRIAGE, "bundled/triage")
    assert "Reads a note." in str(said)
    assert asked["opened"]({"keys": {}}) == (None, no_update, None)
    assert asked["choose"]("bundled/triage", "")[0]["model"]["model"] == "bundled/triage"


def test_a_model_that_the_page_cannot_use_is_refused(engine: FakeEngine) -> None:
    key = key_of({"job": "open"})
    engine.store.put_document(key, TRIAGE)
    asked = callbacks(PICKER, engine, refuse=lambda card: f"{card['name']} draws nothing")
    card, said = asked["opened"]({"keys": {"model": key}})
    assert card is None
    assert said.children == "bundled/triage draws nothing"


def test_a_card_that_is_not_kept_is_refused(engine: FakeEngine) -> None:
    assert model_picker.opened_card(engine, None) is None
    with pytest.raises(Refused):
        model_picker.opened_card(engine, {"keys": {"model": "0" * 64}})


def test_about_says_what_a_person_must_know() -> None:
    told = str(model_picker.about({**TRIAGE, "warnings": ["weights were missing"]}))
    for words in (
        "Reads a note.",
        "0.12 M parameters",
        "2 layers",
        "2 heads",
        "not for clinical use",
        "weights were missing",
    ):
        assert words in told


def test_titles_fit_the_picker() -> None:
    assert model_picker.short_title({"name": "a", "title": "Names: who gets the gift?"}) == "Names: who gets the gift?"
    long = "Radiograph, misled: right for the wrong reason"
    assert model_picker.short_title({"name": "a", "title": long}) == "Radiograph, misled"


def test_about_links_to_what_is_inside() -> None:
    parts = {"encoder": {"layers": 3}, "decoder": {"layers": 2}, "cross": {"layers": 2}}
    told = str(model_picker.about({**SEQ2SEQ, "summary": "", "parts": parts}))
    assert "layers: 3 in its encoder, 2 in its decoder" in told
    assert "href='/model?model=someone%2Ft5'" in told


def test_only_other_pages_lead_to_the_one_of_models_that_draw() -> None:
    card = {**TRIAGE, "offers": ["denoising"]}
    assert "/diffusion?model=bundled%2Ftriage" in str(model_picker.about(card))
    assert "/diffusion" not in str(model_picker.about(card, drawing=False))
