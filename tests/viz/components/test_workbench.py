"""Model → card → input → prediction → target."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backends.errors import Refused
from tests.viz.components.test_inputs import CLIP, PAIR, SEQ2SEQ
from tests.viz.fakes import FILM, TRIAGE
from viz.components import links, model_picker, workbench


def props(component: Any, id: str) -> Any:
    return next(c for c in component._traverse() if getattr(c, "id", None) == id)


def test_the_layout_restores_a_link(shipped: Path) -> None:
    bench = workbench.Workbench("page")
    made = bench.layout({"model": "bundled/names", "target": "Mary|John", "text": "hello"})
    assert props(made, "page-model").value == "bundled/names"
    assert [props(made, f"page-{p}").value for p in ("target", "versus", "kind")] == ["Mary", "John", "pair"]
    assert props(made, "page-linked").data == {
        "input": None,
        "text": "hello",
        "pair": "",
        "output": "",
        "generated": None,
        "step": 0,
        "aim": True,
    }
    other = bench.layout({"model": "gpt2", "sequence": "a b"})
    assert props(other, "page-model").value == model_picker.OTHER
    assert props(other, "page-other").value == "gpt2"
    assert [props(other, f"page-{p}").value for p in ("target", "kind")] == ["a b", "sequence"]


@pytest.mark.parametrize("link", [{"model": ["a", "b"], "target": ["x"]}, {"target": "|||", "input": "../x"}, {"": ""}])
def test_the_layout_survives_nonsense(shipped: Path, link: dict[str, Any]) -> None:
    ids = [str(c.id) for c in workbench.Workbench("page").layout(link)._traverse() if getattr(c, "id", None)]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("triggers", "clicks", "wanted"),
    [
        ([{"type": "p-example", "index": 2}], [None, None, 1], 2),
        ([{"type": "p-example", "index": 2}], [None, None, None], None),
        (["p-apply"], [], "text"),
        (["p-swap"], [], "swap"),
        (["p-upload"], [], "image"),
        (["p-card", {"type": "p-example", "index": 0}], [None], "card"),
        ([], [], None),
    ],
)
def test_what_was_asked_for(triggers: list[Any], clicks: list[Any], wanted: Any) -> None:
    assert workbench.asked_for("p", triggers, clicks) == wanted


def test_targets() -> None:
    assert workbench.target_of("own", "urgent", "") is None
    assert workbench.target_of("one", "urgent", "x") == "urgent"
    assert workbench.target_of("pair", "a", "b") == ["a", "b"]
    assert workbench.target_of("pair", "a", "") == "a"
    assert workbench.target_of("sequence", "a b", "") == {"sequence": "a b"}
    assert workbench.target_of("one", "", "") is None


def test_empty_targets_are_proposed_from_the_prediction() -> None:
    prediction = {"prediction": [{"label": "urgent"}, {"label": "soon"}]}
    assert workbench.proposed("pair", "", "", prediction) == ("urgent", "soon")
    assert workbench.proposed("pair", "", "urgent", prediction) == ("soon", "urgent")
    assert workbench.proposed("one", "", "", prediction) == ("urgent", "")
    assert workbench.proposed("own", "", "", prediction) == ("", "")
    assert workbench.proposed("pair", "", "", None) == ("", "")


@pytest.mark.parametrize("aim", [None, "urgent", ["a", "b"], {"sequence": "and then"}])
def test_a_link_restores_the_target(aim: Any) -> None:
    params = workbench.link_params(TRIAGE, {"digest": "d" * 64, "text": "short"}, aim)
    first, second, kind = workbench._aims(params)
    assert workbench.target_of(kind, first, second) == aim
    assert links.link("/attribution", **params).startswith("/attribution?model=bundled%2Ftriage&text=short")


def test_requests_are_complete_and_checked() -> None:
    request = workbench.run_request(TRIAGE, {"digest": "d"}, "integrated_gradients", {"steps": "32"}, "urgent")
    assert request["options"]["steps"] == 32
    assert request["target"] == "urgent"
    assert workbench.run_request(TRIAGE, {"digest": "d"}, "attention_rollout", {}, "urgent")["target"] is None
    with pytest.raises(Refused, match=r"no method 'astrology'; there are: .*attention"):
        workbench.run_request(TRIAGE, {"digest": "d"}, "astrology", {}, None)


@pytest.mark.parametrize(
    ("probability", "words"), [(0.99999, "> 99.9 %"), (1.0, "100.0 %"), (0.5, "50.0 %"), (0.0001, "< 0.1 %")]
)
def test_probabilities_in_words(probability: float, words: str) -> None:
    assert workbench.percent(probability) == words


def test_the_input_panel_suits_the_model() -> None:
    areas = {name: workbench.fields(card)[:3] for name, card in {"text": TRIAGE, "film": FILM, "clip": CLIP}.items()}
    assert areas == {"text": ["", "d-none", "d-none"], "film": ["d-none", "", "d-none"], "clip": ["", "", "d-none"]}
    assert workbench.fields(CLIP)[3] == "Captions, one a line"
    assert workbench.fields(PAIR)[2:] == ["mt-2", "First sentence", "Second sentence", "", ""]
    *_, label, hint, swap = workbench.fields(SEQ2SEQ)
    assert (label, swap) == ("Answer so far", "d-none")
    assert "it has not begun" in hint


def test_only_models_with_answers_to_choose_from_take_a_target() -> None:
    assert workbench.takes_target(TRIAGE)
    assert workbench.takes_target(SEQ2SEQ)
    assert not workbench.takes_target(PAIR)
    assert not workbench.takes_target({**FILM, "offers": ["pixels"]})


def test_an_answer_that_is_missing_is_explained() -> None:
    given = {"digest": "d", "text": "a"}
    assert workbench.unanswered(None, None) == []
    assert workbench.unanswered(TRIAGE, given) == []
    assert "only encodes" in str(workbench.unanswered({**FILM, "offers": ["pixels"]}, {"digest": "d"}))
    assert "Give a second sentence" in str(workbench.unanswered(PAIR, given, asked=True))
    masked = {**TRIAGE, "offers": ["answer", "masked_token", "tokens"]}
    assert "[MASK] or <mask>" in str(workbench.unanswered(masked, given, asked=True))


def test_a_similarity_is_a_number_and_no_class() -> None:
    shown = workbench.similarity({"prediction": [], "output": -0.25})
    assert "−0.250" in str(shown)
    assert "width': '0.0%'" in str(shown)
    assert workbench.similarity({"prediction": [], "output": None}) == []
    assert workbench.similarity({"prediction": []}) == []
