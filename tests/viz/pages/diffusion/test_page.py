"""The diffusion page: drawing, forming and finished pictures, its tables and its link."""

from __future__ import annotations

from typing import Any

import pytest

from backends.jobs.engine import State
from backends.requests import key_of
from backends.results import Result
from tests.viz.fakes import FakeEngine
from tests.viz.pages.diffusion.cases import FORM, SETTLED
from tests.viz.paintings import CARD, drawing
from tests.viz.reading import text_of
from viz.pages.diffusion import page as diffusion
from viz.pages.diffusion import prompt_form


def test_a_link_may_hold_anything() -> None:
    layout = diffusion.layout(seed="x", steps="1e999", opacity="2", show="?", tab="nowhere", first="-1", words="<b>")
    there = {p.id: p.value for p in layout._traverse() if getattr(p, "id", None) == "diffusion-opacity"}
    assert there == {"diffusion-opacity": 0.85}


def test_a_link_draws_at_once_and_a_bare_visit_waits(engine: FakeEngine) -> None:
    linked = prompt_form.linked({"prompt": "a red circle"})
    shown = diffusion.drawn(engine, CARD, dict(FORM), linked, opened=True)
    assert list(shown[0]) == ["a"]
    assert shown[1]["path"] == "/diffusion"
    assert shown[1]["alone"]  # other pages' links do not get a model that they cannot open
    bare = diffusion.drawn(engine, CARD, {**FORM, "prompt": ""}, prompt_form.linked({}), opened=True)
    assert bare[0] == {}
    assert bare[3:5] == ["a red circle above a blue square", 7]
    digest = engine.store.put_input({"text": "a kept prompt"})
    kept = diffusion.drawn(engine, CARD, {**FORM, "prompt": ""}, prompt_form.linked({"input": digest}), opened=True)
    assert list(kept[0]) == ["a"]
    assert kept[3] == "a kept prompt"


def test_an_example_brings_its_prompt_and_seed(engine: FakeEngine) -> None:
    shown = diffusion.drawn(engine, CARD, dict(FORM), {}, example=0)
    assert shown[0]["a"]["options"]["seed"] == 7
    assert shown[3:5] == ["a red circle above a blue square", 7]
    assert prompt_form.example({"examples": []}, 9)[0] == prompt_form.PROMPTS[0]


def test_without_a_pipeline_nothing_is_drawn(engine: FakeEngine) -> None:
    assert "Open a pipeline first" in text_of(diffusion.drawn(engine, None, dict(FORM), {})[2])
    assert diffusion.drawn(engine, None, dict(FORM), {}, opened=True)[2] == ""


def test_the_picture_forms_while_it_is_drawn(engine: FakeEngine) -> None:
    requests = prompt_form.requests(engine, CARD, FORM)
    key = key_of(requests["a"])
    assert diffusion.forming(engine, requests, None) == []
    engine.states[key] = State("running", 0.3, preview={"picture": "data:image/png;base64,AA", "done": 6, "steps": 20})
    shown = diffusion.forming(engine, requests, {"asked": {}, "keys": {}, "sentences": {}})
    assert shown[0].children[0].src == "data:image/png;base64,AA"
    assert text_of(shown).strip() == "step 6 of 20"
    assert diffusion.forming(engine, requests, {"asked": {"a": key}, "keys": {"a": key}}) == []
    assert diffusion.forming(engine, requests, {"asked": {"a": key}, "sentences": {"a": "cancelled"}}) == []
    assert len(diffusion.forming(engine, requests, {"asked": {"a": "0"}, "keys": {"a": "0"}})) == 1  # an older answer


def finished(engine: FakeEngine, **drawings: Result) -> dict[str, Any]:
    keys = {name: str(index) * 64 for index, name in enumerate(sorted(drawings))}
    for name, result in drawings.items():
        engine.store.put_result(keys[name], result)
    return {"asked": keys, "keys": keys, "sentences": {}}


def test_a_finished_drawing_arrives_with_its_words(engine: FakeEngine) -> None:
    shown = diffusion.arrived(engine, finished(engine, a=drawing(1)), {"words": "circle"})
    spec = shown[0]
    assert spec["words"] == "circle"
    assert spec["panels"][0]["ids"][4] == "a~2"
    assert spec["panels"][0]["truth"]
    assert spec["panels"][0]["stages"] == [1, 2, 3, 4]
    assert [o["value"] for o in shown[4]] == ["all", "steps", "layer"]
    assert shown[5:9] == [4, 4, 2, 1]
    assert "64 × 64 pixels, seed 1" in text_of(shown[9])
    links = [part.href for row in shown[10] for part in row._traverse() if hasattr(part, "href")]
    assert f"/results/{'0' * 64}/gif" in links
    assert f"/results/{'0' * 64}/csv" in links
    steps, none, layers, _ = shown[11:]
    assert steps["map"] == f"/maps/{'0' * 64}/by_step/sprite?cell=64&sqrt=0&sink=1"
    assert none is None
    assert layers["scale"][1] == pytest.approx(float(drawing(1).arrays["by_layer"].max()))


def test_two_drawings_share_a_scale_and_wait_for_each_other(engine: FakeEngine) -> None:
    answers = finished(engine, a=drawing(1), b=drawing(2, model="org/other"))
    shown = diffusion.arrived(engine, answers, {})
    assert [p["truth"] for p in shown[0]["panels"]] == [True, False]
    assert shown[11]["scale"] == shown[12]["scale"]
    half = {**answers, "keys": {"a": answers["keys"]["a"]}}
    assert diffusion.arrived(engine, half, {})[0] is diffusion.no_update
    one = {**half, "sentences": {"b": "cancelled"}}
    assert len(diffusion.arrived(engine, one, {})[0]["panels"]) == 1


def test_words_that_were_cut_are_said(engine: FakeEngine) -> None:
    cut = drawing(notes=["it does not hear: zebra, giraffe"])
    assert "it does not hear: zebra, giraffe" in text_of(diffusion.arrived(engine, finished(engine, a=cut), {})[9])


def test_tables_follow_the_threshold(engine: FakeEngine) -> None:
    key = finished(engine, a=drawing())["keys"]["a"]
    words, rule, overlap, pairs = diffusion.tables(engine, {**SETTLED, "keys": [key]}, "iou")
    assert "above 40% of each word's own range" in rule
    assert "not smoothed" in rule
    said = text_of(words)
    assert "IoU with its thing" in said
    assert "top" in said
    assert "bottom" in said
    assert "red → circle" in text_of(pairs)
    cells = [p for p in overlap[0]._traverse() if getattr(p, "className", None) == "pair"]
    assert len(cells) == 6  # three pairs, twice
    assert "red and circle, adjective: 1.000" in [c.title for c in cells]
    none = diffusion.tables(engine, {**SETTLED, "keys": [key], "threshold": 1.0}, "directed")[2]
    assert "–" in text_of(none)
    assert "Share of the row's mask" in text_of(none)


def test_a_part_that_is_not_there_is_told_in_the_table(engine: FakeEngine) -> None:
    key = finished(engine, a=drawing())["keys"]["a"]
    shown = diffusion.tables(engine, {**SETTLED, "keys": [key], "part": "head"}, "iou")
    assert "kept no maps of one head" in text_of(shown[0])
    assert diffusion.tables(engine, None, "iou") == [diffusion.no_update] * 4


def test_the_page_says_that_attention_is_correlation() -> None:
    assert "Attention is correlation" in text_of(diffusion.layout())


def test_example_buttons_that_come_with_the_card_do_not_hide_it() -> None:
    button = {"type": "diffusion-example", "index": 1}
    assert diffusion.asking([button, "diffusion-card"], [None, None]) == ("diffusion-card", None)
    assert diffusion.asking(["diffusion-apply", "diffusion-card", button], [None]) == ("diffusion-card", None)
    assert diffusion.asking([button], [None, None]) == (None, None)
    assert diffusion.asking([button], [None, 1]) == ("diffusion-example", 1)
    assert diffusion.asking(["diffusion-apply"], [None, 1]) == ("diffusion-apply", None)


def test_what_was_tested_is_in_the_link() -> None:
    link = {"path": diffusion.PATH, "params": {"prompt": "a red circle"}, "keep": ["tab", "tested"], "alone": True}
    made = diffusion.tested_link(["a1", "b2"], link)
    assert made["params"] == {"prompt": "a red circle", "tested": "a1,b2"}
    assert made["keep"] == ["tab"]
