"""Touching the input: what of a link is believed, what is asked, and what is said of both answers."""

from __future__ import annotations

from typing import Any

import pytest

from viz.components import touch
from viz.components.touch import Touch

CARD: dict[str, Any] = {
    "name": "bundled/triage", "revision": "r1", "offers": ["answer"], "replacements": ["mask", "zero"], "labels": [],
}  # fmt: skip
GIVEN: dict[str, Any] = {"digest": "a" * 64, "text": "no fever"}
FOUND = {"prediction": [{"label": "routine"}], "output": None, "spans": [[0, 0], [0, 2], [3, 8], [0, 0]]}


def test_a_link_is_believed_where_it_can_be_read() -> None:
    assert touch.linked({"touch": '[[0,2],[3,8,"pain"]]'}) == [[0, 2], [3, 8, "pain"]]
    for odd in ("nonsense", "[[2,1]]", '{"a":1}', "[" * 5000, '[["x"]]', None):
        assert touch.linked({"touch": odd}) == []
    assert touch.unread({"touch": "[[2,1]]"})
    assert not touch.unread({"touch": "[[0,2]]"})
    assert not touch.unread({})


def test_what_is_touched_is_asked_for_of_its_own_input() -> None:
    about = touch.told(CARD, GIVEN, FOUND)  # type: ignore[arg-type]
    assert about == {"of": "a" * 64, "text": "no fever", "words": [[0, 2], [3, 8]], "more": 0}
    (request,) = touch.asked(CARD, GIVEN, [[0, 2]], "mask", about).values()
    assert request["job"] == "edit"
    assert request["edits"] == [[0, 2]]
    assert request["replacement"] == "mask"
    assert touch.asked(CARD, GIVEN, [], "mask", about) == {}
    assert touch.asked(CARD, {**GIVEN, "digest": "b" * 64}, [[0, 2]], "mask", about) == {}  # another text
    assert touch.asked(CARD, GIVEN, [[0, 2]], "", about) == {}


EACH = [[2 * i, 2 * i + 1] for i in range(900)]


def test_nothing_is_touched_where_nothing_can_be() -> None:
    assert touch.told({**CARD, "replacements": []}, GIVEN, FOUND) is None  # type: ignore[arg-type]
    assert touch.told(CARD, GIVEN, {**FOUND, "prediction": []}) is None  # type: ignore[arg-type]
    assert touch.told(CARD, GIVEN, {**FOUND, "spans": None}) is None  # type: ignore[arg-type]
    image = touch.told(CARD, {"digest": "c" * 64, "image": True}, FOUND)  # type: ignore[arg-type]
    assert image == {"of": "c" * 64, "image": True}
    film = {**CARD, "offers": ["answer", "pixels"]}
    asked = touch.asked(film, {"digest": "c" * 64, "image": True}, [[0, 0, 9, 9]], "mask", image)
    assert [request["edits"] for request in asked.values()] == [[[0, 0, 9, 9]], []]
    assert touch.asked(film, {"digest": "c" * 64, "image": True}, [], "mask", image, opened=False) == {}
    long = touch.told(CARD, {**GIVEN, "text": "a " * 900}, {**FOUND, "spans": EACH})  # type: ignore[arg-type]
    assert long is not None
    assert (len(long["words"]), long["more"]) == (400, 500)


@pytest.mark.parametrize(
    ("made", "after", "said"),
    [
        ([[0, 2]], 0.2, "With “no” hidden: the answer flips from urgent (90.0 %) to routine (80.0 %)."),
        ([[3, 8, "pain"]], 0.7, "With “fever” swapped for “pain”: the answer stays urgent (90.0 % → 70.0 %)."),
        ([[0, 0, 9, 9], [0, 0, 5, 5]], 0.7, "With 2 regions hidden: the answer stays urgent (90.0 % → 70.0 %)."),
    ],
)
def test_one_sentence_says_what_was_done_and_what_became_of_the_answer(made: Any, after: float, said: str) -> None:
    choices = [
        {"label": "urgent", "before": 0.9, "after": after},
        {"label": "routine", "before": 0.1, "after": 1 - after},
    ]
    found = {"choices": choices, "output": None, "flips": after < 0.5}
    assert touch.sentence(found, made, {"text": "no fever"}) == said
    assert len(touch.bars(found)) == 3
    similar = {"choices": [], "output": [0.9, -0.1], "flips": False}
    assert touch.sentence(similar, made, {"text": "no fever"}).endswith("the similarity goes from 0.900 to −0.100.")
    assert touch.bars(similar) == []


def test_the_panel_stands_closed_with_names_of_its_own() -> None:
    section = Touch("here").parts({"touch": "[[0,2]]"})
    parts = {part.id: part for part in section._traverse() if getattr(part, "id", None)}
    assert parts["here-touch-edits"].data == [[0, 2]]
    assert parts["here-touch-body"].hidden
    assert parts["here-touch-open"].disabled
