"""Which head, part and window a link asks for, and what is said of those that are not there."""

from __future__ import annotations

from typing import Any

import pytest

from tests.viz.pages.attention.cases import KEY, LM, PARTS, attention, long, put
from viz.pages.attention import attention_link as link
from viz.pages.attention import attention_view as shown
from viz.pages.attention import heads


def test_a_link_restores_the_head_by_name() -> None:
    result = attention(induction=put({(1, 1): 0.8}))
    model = {"model": "bundled/names"}
    assert link.picked(result, {"link": {"layer": "0", "head": "2"}}) == {"layer": 0, "head": 2, **model}
    assert link.picked(result, {"link": {"layer": "0", "head": "mean"}}) == {"layer": 0, "head": "mean", **model}
    assert link.picked(result, {"link": {"layer": "1", "head": ""}}) == {"layer": 1, "head": 0, **model}
    assert link.unknown_head(result, {"link": {"layer": "0", "head": "2"}}) == ""


def test_a_wrong_head_in_a_link_is_said() -> None:
    result = attention(induction=put({(1, 1): 0.8}))
    wrong = {"link": {"layer": "7", "head": "<b>"}}
    assert link.picked(result, wrong) == {"layer": 1, "head": 1, "model": "bundled/names"}
    assert link.unknown_head(result, wrong) == (
        "The link asks for layer “7” and head “<b>”, which this model does not have: layers go from 0 to 1, "
        "heads from 0 to 2. You see layer 1, head 1."
    )
    assert "asks for head “9”, which" in link.unknown_head(result, {"link": {"layer": "0", "head": "9"}})


def test_a_wrong_part_in_a_link_is_said() -> None:
    _, part, told = link.part_of({**LM, "parts": PARTS}, "tower")
    assert part == "encoder"
    assert told == (
        "“tower” was asked for, a part that is not to be seen in this model, which has encoder, decoder, cross; "
        "you see “encoder”."
    )
    assert link.sentence_of({"sentence": told, "part": "encoder"}, "encoder") == told
    assert link.sentence_of({"sentence": told, "part": "encoder"}, "decoder") == ""
    assert "this model is one stack of layers" in link.part_of(LM, "cross")[2]
    gone = {**PARTS, "cross": {**PARTS["cross"], "withdrawn": {"attention": "its patterns differ"}}}
    assert "in this model (its patterns differ); you see “encoder”." in link.part_of({**LM, "parts": gone}, "cross")[2]


def test_the_window_in_a_link() -> None:
    assert link.window_in({"rows": "512-768", "keys": "0-256"}) == {"rows": [512, 768], "keys": [0, 256]}
    for wrong in ({}, {"rows": "5-5", "keys": "0-2"}, {"rows": "a-b", "keys": "0-2"}, {"rows": "0-2"}):
        assert link.window_in(wrong) is None


def test_a_pick_outlives_the_input_but_not_the_model() -> None:
    result = attention(induction=put({(1, 1): 0.8}))
    pick = {"layer": 0, "head": 2, "model": "bundled/names"}
    assert link.picked(result, pick) == pick
    assert link.picked(result, {**pick, "model": "gpt2"})["layer"] == 1
    assert link.picked(result, "nonsense")["layer"] == 1


@pytest.mark.parametrize(
    "pick",
    [
        None,
        "x",
        {},
        {"layer": 2, "head": 0},
        {"layer": 0, "head": 3},
        {"layer": -1, "head": 0},
        {"layer": True, "head": 0},
    ],
)
def test_a_pick_that_is_none_is_no_place(pick: Any) -> None:
    assert link.placed(shown.grid_data(KEY, attention()), pick) is None


def test_the_mean_is_a_head_also_of_a_long_text() -> None:
    mean = {"layer": 1, "head": heads.MEAN}
    assert link.placed(shown.grid_data(KEY, attention()), mean) == (1, "mean")
    assert link.placed(shown.grid_data(KEY, long()), mean) == (1, "mean")
    one = shown.grid_data(KEY, attention(part=(0, 0)))  # a result that somebody made of one head
    assert link.placed(one, mean) is None
    assert link.placed(one, {"layer": 1, "head": 2}) == (1, 2)
