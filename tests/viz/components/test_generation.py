"""The steps of a continuation on a page: what is asked, what is drawn, what the page stands on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backends.errors import Refused
from backends.requests import key_of
from tests.viz.fakes import NAMES, TRIAGE, FakeEngine
from viz.components import generation, inputs, workbench

CARD = {**NAMES, "offers": [*NAMES["offers"], "generation"]}
TEXT = "When Mary and John went, John gave to"
KEY = key_of({"job": "generate"})
SETTINGS: tuple[Any, ...] = (2, "greedy", 1, 0, 1, 0)


def told(engine: FakeEngine, **more: Any) -> dict[str, Any]:
    """A kept continuation of two tokens."""
    texts = [TEXT, f"{TEXT} Mary", f"{TEXT} Mary."]
    steps = [engine.store.put_input({"text": texts[0]})]
    steps += [engine.store.put_input({"text": t, "ids": [3, *range(n)]}) for n, t in enumerate(texts[1:], 1)]
    one = [{"token": " Mary", "probability": 0.97}, {"token": " John", "probability": 0.02}]
    document = {
        "steps": steps, "tokens": [" Mary", "."], "ids": [7, 2], "probability": [0.97, 0.0004],
        "alternatives": [one, one], "partial": [False, True], "end": {"probability": 0.9999},
        "sentence": "The model ended the text here.", "model": CARD["name"],
    } | more  # fmt: skip
    engine.store.put_document(KEY, document)
    return document


def at(engine: FakeEngine, step: int) -> dict[str, Any]:
    return generation.standing(engine, told(engine), KEY, step)


def test_it_asks_for_what_the_fields_say(engine: FakeEngine, shipped: Path) -> None:
    given = inputs.given(engine, CARD, 0).input
    asked = generation.request(CARD, given, *SETTINGS)["text"]
    assert asked["job"] == "generate"
    assert asked["input"] == given["digest"]
    assert asked["options"] == {"tokens": 2}  # so that settings which do nothing make no other job
    drawn = generation.request(CARD, given, 2, "drawn", 0.7, 5, 0.9, 3)["text"]["options"]
    assert drawn == {"tokens": 2, "temperature": 0.7, "top_k": 5, "top_p": 0.9, "seed": 3}
    empty = generation.request(CARD, given, None, "greedy", None, None, None, None)["text"]["options"]
    assert empty == {"tokens": "empty or out of range"}
    assert generation.request(NAMES, given, *SETTINGS) == {}
    assert generation.request(CARD, None, *SETTINGS) == {}


def test_the_tokens_are_buttons_with_their_probability(engine: FakeEngine) -> None:
    start, mary, part, end = generation.chips(told(engine))
    assert (start.children, mary.children, part.children) == ("start", "·Mary", ".")
    assert "“·Mary”: probability 97.0 %. Likeliest: “·Mary” 97.0 %, “·John” 2.0 %." in mary.title
    assert "one of the tokens that this character is made of" in part.title
    assert "< 0.1 %" in part.title
    assert mary.style["backgroundColor"] > part.style["backgroundColor"]  # yellow is 1, violet 0
    assert getattr(mary, "aria-label") == "Step 1: ·Mary"
    assert end.children == "The model ended the text here (probability > 99.9 %)."


def test_the_page_shows_the_continuation_it_stands_on(engine: FakeEngine) -> None:
    there, drawn, last, value, known, problem = generation.shown(engine, CARD, at(engine, 1), None)
    assert (there, len(drawn), last, value, problem) == ("", 4, 2, 1, [])
    assert known == {"key": KEY, "steps": 3}
    again = generation.shown(engine, CARD, at(engine, 2), known)
    assert again[0] == ""
    assert list(again[1:5]) == [generation.no_update] * 4  # the slider moved it: nothing is drawn again


@pytest.mark.parametrize(
    ("card", "change"),
    [
        (TRIAGE, {}),
        (CARD, {"step": 0}),
        (CARD, {"step": 9}),
        (CARD, {"step": "1"}),
        (CARD, {"digest": "0" * 64}),
        (CARD, {"generated": None}),
    ],
)
def test_another_model_or_input_has_no_steps(engine: FakeEngine, card: Any, change: dict[str, Any]) -> None:
    given = {**at(engine, 1), **change}
    assert generation.shown(engine, card, given, None)[0] == "d-none"
    assert generation.stood(engine, card, given, 2) is None


def test_a_continuation_that_is_gone_is_a_sentence(engine: FakeEngine) -> None:
    given = {**at(engine, 1), "generated": "f" * 64}
    assert "no longer kept here" in str(generation.shown(engine, CARD, given, None)[5])


def test_a_document_of_another_kind_is_no_continuation(engine: FakeEngine) -> None:
    given = at(engine, 1)
    engine.store.put_document("e" * 64, {"name": "a card"})
    assert generation.shown(engine, CARD, {**given, "generated": "e" * 64}, None)[0] == "d-none"


def test_a_step_becomes_the_page_s_input(engine: FakeEngine, shipped: Path) -> None:
    given = at(engine, 0)
    moved = generation.stood(engine, CARD, given, 2)
    assert moved is not None
    assert moved[0]["text"] == moved[1] == f"{TEXT} Mary."
    assert (moved[0]["generated"], moved[0]["step"], moved[0]["ids"]) == (KEY, 2, [3, 0, 1])
    assert workbench.fits(CARD, moved[0])
    assert generation.stood(engine, CARD, moved[0], 2) is None
    back = generation.stood(engine, CARD, moved[0], 0)
    assert back is not None
    assert back[0]["example"] == 0  # its truth is known again
    assert moved[5] is back[5] is generation.no_update
    onward = generation.stood(engine, CARD, back[0], 1)
    assert onward is not None
    assert onward[5] == "own"  # the example's target answers the example
    for step in (None, "1", 7, -1):
        assert generation.stood(engine, CARD, given, step) is None


def test_a_step_that_is_gone_is_a_sentence(engine: FakeEngine, shipped: Path) -> None:
    document = told(engine)
    given = generation.standing(engine, document, KEY, 0)
    (engine.store.root / "inputs" / f"{document['steps'][2]}.json").unlink()
    with pytest.raises(Refused, match="is not kept on this machine"):
        generation.stood(engine, CARD, given, 2)


def test_a_link_restores_the_step(engine: FakeEngine, shipped: Path) -> None:
    given = at(engine, 1)
    params = inputs.link_of(given)
    assert params == {"input": given["digest"], "generated": KEY, "step": "1"}
    found = inputs.given(engine, CARD, "card", linked=inputs.linked_of(params))
    assert found.input == given
    assert found.text == f"{TEXT} Mary"


def test_another_model_is_given_the_text_but_not_the_steps(engine: FakeEngine, shipped: Path) -> None:
    for step in (0, 1):
        kept = inputs.given(engine, {**CARD, "name": "someone/else"}, "card", before=at(engine, step)).input
        assert not {"generated", "step", "ids"} & set(kept)
        assert kept["text"].startswith(TEXT)


def test_it_is_offered_where_the_model_continues(shipped: Path) -> None:
    parts = generation.Generation("page").parts()
    assert parts.className == "d-none"
    ids = [part.id for part in parts._traverse_ids()]
    assert len(ids) == len(set(ids))
    assert all(id.startswith("page-continue-") for id in ids)
