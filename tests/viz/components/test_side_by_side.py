"""What is said of several results at once."""

from __future__ import annotations

from tests.viz.attributions import film_result, text_result
from tests.viz.components.test_inputs import CLIP, PAIR, SEQ2SEQ
from tests.viz.fakes import FILM, TRIAGE
from viz.components import side_by_side


def test_a_sentence_that_holds_for_all_is_told_once() -> None:
    why = {"a": "too long", "b": "too long"}
    assert side_by_side.common_sentence(["a", "b"], why) == "too long"
    assert side_by_side.common_sentence(["a", "b", "c"], why) == ""
    assert side_by_side.common_sentence(["a"], why) == ""
    assert side_by_side.common_sentence(["a"], why, {"too long"}) == "too long"  # told at the input: not here again
    assert side_by_side.common_sentence([], {}) == ""


def test_one_scale_for_results_of_one_unit() -> None:
    one, two = text_result(), text_result(method="deep_lift")
    scales, note = side_by_side.shared([one, two], "token", True)
    assert scales["integrated_gradients"] == scales["deep_lift"] == (-1.0, 1.0)
    assert "in logit: equal colours are equal numbers" in note
    scales, note = side_by_side.shared([film_result(), film_result("logit", "grad_cam")], "word", True)
    assert "measure different things: occlusion in logit per window; grad cam in logit" in note
    assert side_by_side.shared([one, two], "word", False) == (
        {}, "Each picture has its own scale: colours cannot be compared between them.",
    )  # fmt: skip


def test_the_headline_names_answer_and_target() -> None:
    result = text_result(facts={"text": "", "prediction": [{"label": "urgent", "probability": 0.991}]})
    said = str(side_by_side.headline({"integrated_gradients": result}, TRIAGE))
    assert "urgent" in said
    assert "99.1 %" in said
    assert side_by_side.headline({}, TRIAGE) == []


def test_the_headline_says_what_is_explained_of_two_things() -> None:
    told = {"facts": {"text": "", "prediction": [{"label": "Haus", "probability": 0.5}]}}
    found = {"integrated_gradients": text_result(**told)}
    assert "the answer so far stays as it is" in str(side_by_side.headline(found, SEQ2SEQ))
    assert "the captions stay as they are" in str(side_by_side.headline(found, CLIP))
    similar = {"integrated_gradients": text_result(facts={"text": "", "prediction": [], "output": 0.832})}
    said = str(side_by_side.headline(similar, PAIR))
    assert "0.832" in said
    assert "words of the first" in said
    encoder = {**FILM, "offers": ["attention", "pixels"]}
    assert "names no answers" in str(side_by_side.headline({"attention_rollout": film_result()}, encoder))
