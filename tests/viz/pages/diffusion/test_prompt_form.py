"""The prompt's form: what it asks for, its link, and which models fit."""

from __future__ import annotations

from typing import Any

import pytest

from backends.errors import Refused
from backends.requests import key_of
from tests.viz.fakes import FakeEngine
from tests.viz.pages.diffusion.cases import FORM
from tests.viz.paintings import CARD, WORDS, drawing
from tests.viz.reading import text_of
from viz.components.model_picker import OTHER
from viz.pages.diffusion import page as diffusion
from viz.pages.diffusion import prompt_form


def test_a_drawing_is_asked_for_with_the_options_of_the_form(engine: FakeEngine) -> None:
    asked = prompt_form.requests(engine, CARD, {**FORM, "guidance": 2.5, "height": 64})
    assert list(asked) == ["a"]
    request = asked["a"]
    assert request["method"] == "daam"
    assert engine.store.get_input(request["input"]) == {"text": "a red circle"}
    wanted = {"seed": 5, "steps": 20, "negative": "blue", "guidance": 2.5, "height": 64, "width": None, "frames": 20}
    assert {name: request["options"][name] for name in wanted} == wanted
    assert request["options"]["by_head"]
    assert request["options"]["mode"] == "exact"


def test_heads_stay_apart_where_there_are_few_or_when_asked(engine: FakeEngine) -> None:
    many = {**CARD, "painting": {**CARD["painting"], "layers": [{"name": "x", "heads": 8}] * 15}}
    assert not prompt_form.apart(many, "auto")
    assert prompt_form.apart(many, "apart")
    assert not prompt_form.apart(CARD, "averaged")
    assert prompt_form.requests(engine, many, FORM)["a"]["options"]["mode"] == "fast"


def test_beside_it_another_seed_or_prompt(engine: FakeEngine) -> None:
    other = prompt_form.requests(engine, CARD, {**FORM, "beside": "seed", "seed2": 6})
    assert [other[n]["options"]["seed"] for n in "ab"] == [5, 6]
    assert other["a"]["input"] == other["b"]["input"]
    other = prompt_form.requests(engine, CARD, {**FORM, "beside": "prompt", "prompt2": "a blue square"})
    assert [other[n]["options"]["seed"] for n in "ab"] == [5, 5]
    assert engine.store.get_input(other["b"]["input"]) == {"text": "a blue square"}


def test_an_empty_prompt_and_a_bad_number_are_sentences(engine: FakeEngine) -> None:
    with pytest.raises(Refused, match="an empty prompt: write what the picture should show"):
        prompt_form.requests(engine, CARD, {**FORM, "prompt": "  \n"})
    with pytest.raises(Refused, match="an empty prompt"):
        prompt_form.requests(engine, CARD, {**FORM, "beside": "prompt"})
    with pytest.raises(Refused, match="steps"):
        prompt_form.requests(engine, CARD, {**FORM, "steps": 501})
    shown = diffusion.drawn(engine, CARD, {**FORM, "prompt": ""}, {})
    assert shown[0] == {}
    assert "an empty prompt" in text_of(shown[2])


def test_the_link_says_what_differs_and_restores_the_form(engine: FakeEngine) -> None:
    form = {**FORM, "beside": "seed", "seed2": 9, "guidance": 4, "width": 96}
    params = prompt_form.link_params(CARD, form)
    assert params == {
        "model": "bundled/scenes", "prompt": "a red circle", "negative": "blue", "seed": "5", "guidance": "4",
        "width": "96", "beside": "seed", "seed2": "9",
    }  # fmt: skip
    there = {
        part.id: part.value
        for part in diffusion.layout(**params)._traverse()
        if isinstance(getattr(part, "id", None), str) and hasattr(part, "value")
    }
    assert there["diffusion-text"] == "a red circle"
    assert there["diffusion-negative"] == "blue"
    assert there["diffusion-seed"] == 5
    assert there["diffusion-guidance"] == 4
    assert there["diffusion-width"] == 96
    assert there["diffusion-beside"] == "seed"
    assert there["diffusion-seed2"] == 9
    assert there["diffusion-steps"] == 20
    assert "prompt2" not in prompt_form.link_params(CARD, {**form, "prompt2": "left from before"})


def test_only_models_that_draw_are_listed(shipped: Any) -> None:
    assert prompt_form.PICKER.cards() == []
    assert prompt_form.wanted({"model": "bundled/triage"}) == OTHER
    assert prompt_form.wanted({"model": "~/my-pipeline"}) == "~/my-pipeline"


def test_why_a_model_does_not_fit() -> None:
    assert prompt_form.unfit(CARD) == ""
    other = {**CARD, "name": "gpt2", "task": "causal-lm", "offers": ["answer"]}
    assert "gpt2 draws no pictures (causal-lm)" in prompt_form.unfit(other)
    deaf = {**CARD, "offers": ["denoising"], "withdrawn": {"cross_attention": "x has no cross-attention: no layer …"}}
    assert prompt_form.unfit(deaf) == "x has no cross-attention: no layer …"
    assert prompt_form.placeholders(CARD) == ["3", "64", "64"]
    assert prompt_form.placeholders(None) == ["", "", ""]


def test_every_words_map_can_be_tested_words_that_mean_something_first(engine: FakeEngine) -> None:
    requests = prompt_form.requests(engine, CARD, FORM)
    key = key_of(requests["a"])
    engine.store.put_result(key, drawing())
    there = prompt_form.tests(engine, {"keys": {"a": key}}, requests)
    assert len(there) == len(WORDS)
    first = WORDS[int(next(iter(there)).removeprefix("a"))]
    assert first not in ("a", "the", "above")
    assert next(iter(there.values())) == (f"“{first}”", requests["a"], {"word": WORDS.index(first)})
    assert prompt_form.tests(engine, None, requests) == {}
