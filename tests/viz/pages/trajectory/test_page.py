"""The trajectory page: its requests, its summary, its layout and its link."""

from __future__ import annotations

import json

import pytest

from tests.viz import samples
from tests.viz.pages.trajectory.cases import CNN, ENCODER, GIVEN, LM, T5, lens
from viz.components import graph as picture
from viz.pages.trajectory import page


def test_summary_follows_the_position_and_a_result_of_states() -> None:
    said = str(page.summary(lens([9, 4, 1, 1]), None, "0", LM))
    assert "After “·John” (position 0), the answer “·Mary” is never first" in said
    states = str(page.summary(None, samples.trajectory(), "auto", ENCODER))
    assert "least alike neighbours" in states
    assert "At “When” the state's length goes from" in states
    assert page.summary(None, None, "auto", None) == []
    assert page.summary(None, None, "auto", LM, GIVEN) == []
    assert "Type a text" in str(page.summary(None, None, "auto", LM, None))


def test_what_is_not_offered_says_why() -> None:
    assert page.missing(LM) == {}
    assert set(page.missing(ENCODER)) == {"lens", "curves"}
    assert "earlier layers cannot be read as answers" in page.missing(ENCODER)["lens"]
    assert "Paths, similarity and norms" in page.missing(ENCODER)["lens"]
    assert set(page.missing(CNN)) == set(page.TABS)
    assert "no residual stream" in page.missing(CNN)["path"]
    assert page.AUTO == "auto"
    assert "/attribution?model=bundled%2Fradiograph" in str(page.summary(None, None, "auto", CNN))
    withdrawn = {**CNN, "withdrawn": {"residual": "its windows have streams of their own"}}
    assert page.missing(withdrawn)["path"] == "its windows have streams of their own"


def test_requests_of_the_lens_follow_target_pair_and_chosen_words() -> None:
    asked = page.lens_requests(LM, GIVEN, [" Mary", " John"], [7, "drink", " John"])
    assert list(asked) == ["words", "word  John", "token 7", "word drink"]
    assert asked["words"]["target"] == [" Mary", " John"]
    assert asked["token 7"]["target"] == 7
    assert page.lens_requests(ENCODER, GIVEN, None, []) == {}
    assert page.lens_requests(LM, None, None, []) == {}


def test_the_lens_is_of_the_stack_that_answers() -> None:
    given = {**GIVEN, "output": "Das"}
    assert "words" in page.lens_requests(T5, given, None, [], "decoder")
    assert page.lens_requests(T5, given, None, [], "encoder") == {}
    assert page.state_requests(T5, given, "lens", part="decoder") == {}
    asked = page.state_requests(T5, given, "lens", part="encoder")["states"]
    assert asked["options"]["part"] == "encoder"
    assert page.state_requests(T5, given, "path", part="nonsense")["states"]["options"]["part"] == "decoder"
    assert page.state_requests(ENCODER, GIVEN, "path", part="decoder")["states"]["options"]["part"] == ""
    assert "read from the decoder: choose it above" in page.missing(T5, "encoder")["lens"]
    assert page.missing(T5, "decoder") == {}


def test_what_a_link_asks_for_and_is_not_there_is_told() -> None:
    assert page.unknown({}) == []
    told = page.unknown({"tab": "maze", "colour": "red", "similarity": "x", "paths": "y", "tokens": "{"})
    assert len(told) == 5
    assert told[0] == "The link asks for tab 'maze', which there is not: “Words by layer” is shown instead."
    assert "maze" in str(page.layout(tab="maze"))


def test_states_are_asked_for_when_they_are_looked_at() -> None:
    assert page.state_requests(LM, GIVEN, "lens") == {}
    asked = page.state_requests(LM, GIVEN, "path", unit=True)["states"]
    assert asked["options"]["unit_length"] is True
    assert asked["target"] is None
    assert "states" in page.state_requests(ENCODER, GIVEN, "lens")
    assert page.state_requests(CNN, {"digest": "a" * 64}, "path") == {}


def test_link_restores_the_view_and_leaves_out_what_is_usual() -> None:
    assert page.view_params(page.USUAL, []) == {}
    view = {**page.USUAL, "tab": "curves", "position": "3"}
    assert page.view_params(view, [7, "drink"]) == {"tab": "curves", "position": "3", "tokens": [7, "drink"]}
    link = {"tokens": json.dumps([7, "drink"]), "tab": "curves", "position": "3", "colour": "kl"}
    drawn = page.layout(**link)
    found = {c.id: c for c in drawn._traverse() if getattr(c, "id", None)}
    assert found["trajectory-tokens"].data == [7, "drink"]
    assert found["trajectory-tab"].data == "curves"
    assert found["trajectory-position"].value == "3"
    assert found["trajectory-colour"].value == "kl"


@pytest.mark.parametrize("nonsense", ["{", "7", '{"a": 1}', '[null, true, -1, "", [1]]', "x" * 5000])
def test_nonsense_in_the_link_is_left_out(nonsense: str) -> None:
    found = {
        c.id: c
        for c in page.layout(model="bundled/names", tab=nonsense, position=nonsense, colour=nonsense)._traverse()
        if hasattr(c, "id")
    }
    assert found["trajectory-tab"].data == "lens"
    assert page.place(found["trajectory-position"].value, lens([1, 1]), LM) == 1
    assert found["trajectory-colour"].value == "probability"


def test_ids_are_unique_and_begin_with_the_page() -> None:
    ids = [str(c.id) for c in page.layout()._traverse() if getattr(c, "id", None)]
    assert len(ids) == len(set(ids))
    assert all(i.startswith("trajectory-") for i in ids)


def test_every_picture_has_its_numbers_as_a_table_and_keeps_to_itself() -> None:
    shown = page.curve_pictures(lens([2, 1, 1]), [], 1, False)
    assert len(shown) == 4
    graph = shown[0].children[0]
    assert graph.config["showSendToCloud"] is False
    table = picture.table(graph.figure)
    cells = [c.children for c in table._traverse() if type(c).__name__ in ("Th", "Td")]
    assert cells[:4] == ["layer", "·Mary", "0", "0.5"]
