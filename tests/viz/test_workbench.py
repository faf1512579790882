"""Model → card → input → prediction → target."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import pytest
from dash import no_update
from PIL import Image

from backends.errors import Refused
from tests.viz.fakes import FILM, NAMES, TRIAGE, FakeEngine
from viz.components import query, workbench


def png(size: tuple[int, int] = (8, 6)) -> str:
    file = io.BytesIO()
    Image.new("RGB", size, "gray").save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def props(component: Any, id: str) -> Any:
    return next(c for c in component._traverse() if getattr(c, "id", None) == id)


def test_the_layout_restores_a_link(shipped: Path) -> None:
    bench = workbench.Workbench("page")
    made = bench.layout({"model": "bundled/names", "target": "Mary|John", "text": "hello"})
    assert props(made, "page-model").value == "bundled/names"
    assert [props(made, f"page-{p}").value for p in ("target", "versus", "kind")] == ["Mary", "John", "pair"]
    assert props(made, "page-linked").data == {"input": None, "text": "hello", "aim": True}
    other = bench.layout({"model": "gpt2", "sequence": "a b"})
    assert props(other, "page-model").value == workbench.OTHER
    assert props(other, "page-other").value == "gpt2"
    assert [props(other, f"page-{p}").value for p in ("target", "kind")] == ["a b", "sequence"]


@pytest.mark.parametrize("link", [{"model": ["a", "b"], "target": ["x"]}, {"target": "|||", "input": "../x"}, {"": ""}])
def test_the_layout_survives_nonsense(shipped: Path, link: dict[str, Any]) -> None:
    ids = [str(c.id) for c in workbench.Workbench("page").layout(link)._traverse() if getattr(c, "id", None)]
    assert len(ids) == len(set(ids))


def test_an_example_brings_its_text_its_note_and_its_target(engine: FakeEngine, shipped: Path) -> None:
    chosen, text, picture, note, problem, target, versus, kind, linked = workbench.given(engine, NAMES, 0)
    assert (text, picture, problem, linked) == (NAMES_TEXT, [], [], None)
    assert (target, versus, kind) == ("Mary", "John", "pair")
    assert engine.store.get_input(chosen["digest"]) == {"text": NAMES_TEXT}
    note = workbench.given(engine, TRIAGE, 0)[3]
    assert "urgent" in str(note)
    assert workbench.given(engine, TRIAGE, 0)[5:8] == ("", "", "own")


NAMES_TEXT = "When Mary and John went, John gave to"


def test_an_image_example_is_recognised_by_its_content(engine: FakeEngine, shipped: Path) -> None:
    chosen = workbench.given(engine, FILM, 0)[0]
    assert chosen["example"] == 0
    again = workbench.given(engine, FILM, "card", linked={"input": chosen["digest"]})
    assert again[0] == chosen
    assert workbench.example_of(FILM, chosen)["label"] == "lesion"


def test_typing_an_example_s_text_finds_its_truth(engine: FakeEngine, shipped: Path) -> None:
    typed = workbench.given(engine, TRIAGE, "text", typed="denies chest pain")[0]
    assert typed["example"] == 1
    assert "example" not in workbench.given(engine, TRIAGE, "text", typed="denies pain")[0]


def test_a_forged_card_cannot_name_files(engine: FakeEngine, shipped: Path) -> None:
    forged = {**FILM, "examples": [{"name": "x", "input": "../../../../etc/passwd"}]}
    assert workbench.given(engine, forged, 0)[0]["example"] == 0  # the shipped example, not the forged one
    with pytest.raises(Refused, match="has 0 examples, not one numbered 0"):
        workbench.given(engine, {**forged, "name": "someone/else"}, 0)


@pytest.mark.parametrize(
    ("wanted", "given", "sentence"),
    [
        ("text", {"typed": "  "}, "the text is empty; type a sentence, or pick an example"),
        ("text", {"typed": None}, "the text is empty"),
        ("text", {"typed": "x" * 10_000}, "the text has 10000 characters; bundled/triage reads at most 48 tokens"),
        ("image", {"upload": None}, "no image came; Vitrine reads PNG, JPEG"),
        ("image", {"upload": "data:image/png;base64,???"}, "the upload broke off; try again"),
        ("image", {"upload": "data:image/png;base64,aGVsbG8="}, "this is not an image Vitrine reads"),
        ("image", {"upload": png((8000, 6000))}, "the image is 8000 × 6000 = 48 megapixels; at most 40"),
        ("card", {"linked": {"input": "a" * 64}}, "the input of this link is not kept on this machine"),
        (7, {}, "bundled/triage has 2 examples, not one numbered 7"),
    ],
)
def test_bad_input_is_a_sentence(
    engine: FakeEngine, shipped: Path, wanted: Any, given: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(Refused, match=sentence):
        workbench.given(engine, TRIAGE, wanted, **given)


def test_a_link_to_an_image_does_not_fit_a_text_model(engine: FakeEngine, shipped: Path) -> None:
    digest = workbench.given(engine, FILM, "image", upload=png())[0]["digest"]
    with pytest.raises(Refused, match="not one that bundled/triage reads"):
        workbench.given(engine, TRIAGE, "card", linked={"input": digest})


def test_changing_the_model_keeps_what_was_typed_but_not_another_s_example(engine: FakeEngine, shipped: Path) -> None:
    typed = workbench.given(engine, TRIAGE, "text", typed="my own words")[0]
    assert workbench.given(engine, NAMES, "card", before=typed)[0]["text"] == "my own words"
    example = workbench.given(engine, NAMES, 0)[0]
    assert workbench.given(engine, TRIAGE, "card", before=example)[0]["example"] == 0
    assert workbench.given(engine, TRIAGE, "card", before=example)[1] == "no fever but severe chest pain"


def test_a_link_s_target_outlives_the_first_example(engine: FakeEngine, shipped: Path) -> None:
    assert workbench.given(engine, NAMES, "card", linked={"aim": True})[5:8] == (no_update,) * 3
    assert workbench.given(engine, NAMES, "card", linked={"aim": False})[5:8] == ("Mary", "John", "pair")


def test_a_model_without_examples_waits_for_an_input(engine: FakeEngine, shipped: Path) -> None:
    assert workbench.given(engine, {**TRIAGE, "name": "someone/else"}, "card")[0] is None


@pytest.mark.parametrize(
    ("triggers", "clicks", "wanted"),
    [
        ([{"type": "p-example", "index": 2}], [None, None, 1], 2),
        ([{"type": "p-example", "index": 2}], [None, None, None], None),
        (["p-apply"], [], "text"),
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
    assert query.link("/attribution", **params).startswith("/attribution?model=bundled%2Ftriage&text=short")


def test_long_texts_and_images_travel_by_digest() -> None:
    assert workbench.link_params(TRIAGE, {"digest": "d", "text": "x" * 601}, None) == {
        "model": TRIAGE["name"],
        "input": "d",
    }
    assert workbench.link_params(FILM, {"digest": "d"}, None) == {"model": FILM["name"], "input": "d"}


def test_requests_are_complete_and_checked() -> None:
    request = workbench.run_request(TRIAGE, {"digest": "d"}, "integrated_gradients", {"steps": "32"}, "urgent")
    assert request["options"]["steps"] == 32
    assert request["target"] == "urgent"
    assert workbench.run_request(TRIAGE, {"digest": "d"}, "attention_rollout", {}, "urgent")["target"] is None
    with pytest.raises(Refused, match="no method 'astrology'; there are: attention"):
        workbench.run_request(TRIAGE, {"digest": "d"}, "astrology", {}, None)


def test_what_is_offered_and_why_the_rest_is_not() -> None:
    there = workbench.offered(TRIAGE, "attribution")
    assert "integrated_gradients" in there
    assert "guided_grad_cam" not in there
    why = workbench.withheld(
        {**TRIAGE, "withdrawn": {"attention": "it is never computed"}, "offers": ["gradient"]}, "attribution"
    )
    assert "it is never computed" in why["attention_rollout"]
    assert "which this model does not give" in why["guided_grad_cam"]
    assert not set(there) & set(workbench.withheld(TRIAGE, "attribution"))


def test_about_says_what_a_person_must_know() -> None:
    told = str(workbench.about({**TRIAGE, "warnings": ["weights were missing"]}))
    for words in (
        "Reads a note.",
        "0.12 M parameters",
        "2 layers",
        "2 heads",
        "not for clinical use",
        "weights were missing",
    ):
        assert words in told


@pytest.mark.parametrize(
    ("probability", "words"), [(0.99999, "> 99.9 %"), (1.0, "100.0 %"), (0.5, "50.0 %"), (0.0001, "< 0.1 %")]
)
def test_probabilities_in_words(probability: float, words: str) -> None:
    assert workbench.percent(probability) == words


def test_inputs_fit_their_kind_of_model() -> None:
    assert workbench.fits(TRIAGE, {"digest": "d", "text": "x"})
    assert workbench.fits(FILM, {"digest": "d"})
    for card, given in ((TRIAGE, {"digest": "d"}), (FILM, {"digest": "d", "text": "x"}), (None, {}), (TRIAGE, None)):
        assert not workbench.fits(card, given)
