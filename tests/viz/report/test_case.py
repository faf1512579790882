"""What a page that leaves has on it: truth, verdict, warning, link and words, from result and store alone."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import numpy as np
import pytest

from backends import catalog
from backends.errors import Refused
from backends.inputs.images import open_image
from backends.results import Result
from tests.viz import samples
from viz.components import receipt as tested
from viz.report import case

FACTS = {"replacement": "mask", "samples": 76, "seed": 0}


def receipt(verdict: str = "fails") -> dict[str, Any]:
    line = {"name": "hiding", "value": 0.1, "control": [0.1, 0.4], "verdict": verdict, "sentence": "It <b>falls."}
    return {"lines": [line], "verdict": verdict, "rule": "Fails because of “hiding”.", "facts": FACTS}


def with_receipt(result: Result, found: dict[str, Any]) -> Result:
    return dataclasses.replace(result, facts={**result.facts, "receipt": found})


def film() -> Result:
    """A map of the radiograph's first example, as a method would make it."""
    pixels = np.asarray(open_image(catalog.shipped("bundled/radiograph") / "examples/nodule.png").convert("RGB"))
    made = samples.image_attribution(pixels.shape[0])
    return dataclasses.replace(made, arrays={**made.arrays, "image": pixels})


def test_the_truth_of_a_bundled_film_is_found_by_what_the_model_saw() -> None:
    made = case.make(film())
    assert made.truth_name == "lesion"
    assert made.truth is not None
    assert made.truth.shape == (64, 64)
    assert 0 < made.truth.mean() < 0.5
    assert case.make(film(), view=case.View(mask="")).truth is None
    assert case.make(samples.image_attribution()).truth is None  # some other film


def test_the_truth_of_a_bundled_note_is_found_by_its_text() -> None:
    note = catalog.card("bundled/triage")["examples"][0]
    result = samples.text_attribution(tuple(note["input"].split()))
    assert case.make(result).spans == tuple((a, b, "decides (known truth)") for a, b in note["truth"]["spans"])
    assert case.make(samples.text_attribution()).spans == ()


def test_a_badge_says_verdict_and_reason() -> None:
    (badge,) = case.make(with_receipt(samples.text_attribution(), receipt())).badges
    assert badge[:3] == ("fails", "✗", "Fails")
    assert badge.sentence == f"{tested.effect(receipt())} Fails because of “Hide the brightest part”."
    assert "elsewhere" in badge.sentence
    assert case.make(samples.text_attribution()).badges == ()


def test_each_tested_word_of_a_drawing_has_its_badge() -> None:
    one = {**receipt("holds"), "facts": {**FACTS, "target": "red"}}
    words = {"words": {"1": one, "2": {**receipt(), "facts": {**FACTS, "target": "blue"}}}}
    made = case.make(with_receipt(samples.text_attribution(), words))
    assert [badge.word for badge in made.badges] == ["“red”: Holds", "“blue”: Fails"]


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("bundled/triage", case.CLINICAL),
        ("bundled/radiograph?dtype=float16", case.CLINICAL),
        ("bundled/names", ""),
        ("someone/chest-net", case.UNCHECKED),
        ("", case.UNCHECKED),
    ],
)
def test_the_warning_stands_where_it_applies(model: str, said: str) -> None:
    assert case.warning(model) == said


def test_nothing_says_none() -> None:
    bare = dataclasses.replace(samples.text_attribution(), target="", request={}, facts={})
    made = case.make(bare)
    assert made.question == "What did the model look at?"
    assert made.target == made.link == made.origin == ""
    assert "None" not in " ".join(map(str, (made.question, made.method, made.model, made.caption)))
    own = dataclasses.replace(samples.text_attribution(), target="")
    assert case.make(own).question == "What drove the answer “urgent”?"


def test_the_link_asks_for_the_same_view() -> None:
    request = {"model": "bundled/triage", "input": "a" * 64, "target": ["urgent", "soon"], "options": {"steps": 32}}
    result = dataclasses.replace(samples.text_attribution(), request=request)
    link = case.make(result, root="http://here:8050/").link
    assert link.startswith("http://here:8050/attribution?model=bundled%2Ftriage&input=aaaa")
    assert "target=urgent%7Csoon" in link
    assert "methods=integrated_gradients" in link
    assert "baseline" not in link  # only what differs from the usual
    assert case.make(result).link == ""  # no server is named
    unknown = dataclasses.replace(result, method="somebody_elses")
    assert case.make(unknown, root="http://here:8050").link == ""


def test_the_input_comes_from_the_store_where_it_is_kept() -> None:
    class Store:
        def get_input(self, digest: str) -> dict[str, Any]:
            if digest == "b" * 64:
                raise Refused("gone")
            return {"clean": {"text": "first"}, "corrupted": {"text": "second"}}

    grid = samples.attention()
    kept = dataclasses.replace(grid, request={"model": "bundled/names", "input": "a" * 64})
    assert case.make(kept, Store()).text == "first\n(corrupted) second"
    pair = dataclasses.replace(kept, method="activation_patching")
    assert case.make(pair, Store(), "http://here").link == (
        "http://here/causal?model=bundled%2Fnames&text=first&other=second"
    )
    gone = dataclasses.replace(grid, request={"model": "bundled/names", "input": "b" * 64})
    assert case.make(gone, Store()).text == ""


def test_the_caption_names_what_counts_most() -> None:
    result = samples.text_attribution()
    best = max(zip(np.abs(result.arrays["attribution"]), result.labels["token"], strict=True))[1]
    assert f"on this map: {best} (" in case.make(result).caption
    zero = dataclasses.replace(result, arrays={**result.arrays, "attribution": np.zeros(9, np.float32)})
    assert "nothing is marked" in case.make(zero).caption
    assert case.make(samples.attention()).caption == ""
    film = case.make(samples.image_attribution()).caption
    assert film.startswith("What speaks for the answer most lies in the middle right; ")
    assert film.endswith("what speaks against it most lies at the bottom left.")


def test_the_day_is_the_day_on_which_it_leaves() -> None:
    made = case.make(samples.text_attribution(), today=datetime.date(2026, 3, 9))
    assert made.date == "9 March 2026"


def test_a_case_says_its_answers_in_words() -> None:
    assert case.answer_words(case.make(samples.text_attribution())) == "urgent 93.0 % · routine 7.0 %"
