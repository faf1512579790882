"""What a model is given: texts, pictures, both, and how a link and a change of model keep them."""

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
from viz.components import inputs, workbench

PAIR: dict[str, Any] = {
    **TRIAGE, "name": "someone/sentences", "task": "sentence-similarity", "labels": [], "limit": 256,
    "offers": ["answer", "attention", "gradient", "mean_of_tokens", "pair", "residual", "tokens"],
}  # fmt: skip
SEQ2SEQ: dict[str, Any] = {
    **TRIAGE, "name": "someone/t5", "task": "text-to-text", "labels": [], "answers": "decoder",
    "offers": ["answer", "gradient", "next_token", "output", "residual", "tokens", "unembedding"],
}  # fmt: skip
CLIP: dict[str, Any] = {
    **FILM, "name": "someone/clip", "task": "image-text", "labels": [],
    "offers": ["answer", "attention", "captions", "gradient", "pixels", "residual"],
}  # fmt: skip


def png(size: tuple[int, int] = (8, 6)) -> str:
    file = io.BytesIO()
    Image.new("RGB", size, "gray").save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def test_an_example_brings_its_text_its_note_and_its_target(engine: FakeEngine, shipped: Path) -> None:
    chosen, text, _, picture, note, problem, target, versus, kind, linked = inputs.given(engine, NAMES, 0)
    assert (text, picture, problem, linked) == (NAMES_TEXT, [], [], None)
    assert (target, versus, kind) == ("Mary", "John", "pair")
    assert engine.store.get_input(chosen["digest"]) == {"text": NAMES_TEXT}
    note = inputs.given(engine, TRIAGE, 0).note
    assert "urgent" in str(note)
    assert inputs.given(engine, TRIAGE, 0)[6:9] == ("", "", "own")


NAMES_TEXT = "When Mary and John went, John gave to"


def test_an_image_example_is_recognised_by_its_content(engine: FakeEngine, shipped: Path) -> None:
    chosen = inputs.given(engine, FILM, 0)[0]
    assert chosen["example"] == 0
    again = inputs.given(engine, FILM, "card", linked={"input": chosen["digest"]})
    assert again[0] == chosen
    assert inputs.example_of(FILM, chosen)["label"] == "lesion"


def test_typing_an_example_s_text_finds_its_truth(engine: FakeEngine, shipped: Path) -> None:
    typed = inputs.given(engine, TRIAGE, "text", typed="denies chest pain")[0]
    assert typed["example"] == 1
    assert "example" not in inputs.given(engine, TRIAGE, "text", typed="denies pain")[0]


def test_a_forged_card_cannot_name_files(engine: FakeEngine, shipped: Path) -> None:
    forged = {**FILM, "examples": [{"name": "x", "input": "../../../../etc/passwd"}]}
    assert inputs.given(engine, forged, 0)[0]["example"] == 0  # the shipped example, not the forged one
    lent = inputs.given(engine, {**forged, "name": "someone/else"}, 0)[0]  # a picture to begin with
    assert lent["digest"] == inputs.given(engine, FILM, 0)[0]["digest"]
    with pytest.raises(Refused, match="has 1 examples, not one numbered 1"):
        inputs.given(engine, {**forged, "name": "someone/else"}, 1)


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
        inputs.given(engine, TRIAGE, wanted, **given)


def test_a_link_to_an_image_does_not_fit_a_text_model(engine: FakeEngine, shipped: Path) -> None:
    digest = inputs.given(engine, FILM, "image", upload=png())[0]["digest"]
    with pytest.raises(Refused, match="not one that bundled/triage reads"):
        inputs.given(engine, TRIAGE, "card", linked={"input": digest})


def test_a_link_to_a_text_does_not_fit_a_model_of_pictures(engine: FakeEngine, shipped: Path) -> None:
    with pytest.raises(Refused, match="the link holds a text, and bundled/radiograph reads a picture"):
        inputs.given(engine, FILM, "card", linked={"text": "no fever"})


def test_changing_the_model_keeps_what_was_typed_but_not_another_s_example(engine: FakeEngine, shipped: Path) -> None:
    typed = inputs.given(engine, TRIAGE, "text", typed="my own words")[0]
    assert inputs.given(engine, NAMES, "card", before=typed)[0]["text"] == "my own words"
    example = inputs.given(engine, NAMES, 0)[0]
    assert inputs.given(engine, TRIAGE, "card", before=example)[0]["example"] == 0
    assert inputs.given(engine, TRIAGE, "card", before=example)[1] == "no fever but severe chest pain"


def test_a_link_s_target_outlives_the_first_example(engine: FakeEngine, shipped: Path) -> None:
    assert inputs.given(engine, NAMES, "card", linked={"aim": True})[6:9] == (no_update,) * 3
    assert inputs.given(engine, NAMES, "card", linked={"aim": False})[6:9] == ("Mary", "John", "pair")


def test_a_model_without_examples_waits_for_an_input(engine: FakeEngine, shipped: Path) -> None:
    assert inputs.given(engine, {**TRIAGE, "name": "someone/else"}, "card")[0] is None


def test_long_texts_and_images_travel_by_digest() -> None:
    assert workbench.link_params(TRIAGE, {"digest": "d", "text": "x" * 601}, None) == {
        "model": TRIAGE["name"],
        "input": "d",
    }
    assert workbench.link_params(FILM, {"digest": "d"}, None) == {"model": FILM["name"], "input": "d"}


def test_inputs_fit_their_kind_of_model() -> None:
    assert inputs.fits(TRIAGE, {"digest": "d", "text": "x"})
    assert inputs.fits(FILM, {"digest": "d"})
    for card, given in ((TRIAGE, {"digest": "d"}), (FILM, {"digest": "d", "text": "x"}), (None, {}), (TRIAGE, None)):
        assert not inputs.fits(card, given)


def test_two_sentences_are_one_input_and_the_second_may_be_missing(engine: FakeEngine, shipped: Path) -> None:
    both = inputs.given(engine, PAIR, "text", typed="a cat", beside="a dog")
    assert engine.store.get_input(both.input["digest"]) == {"text": "a cat", "pair": "a dog"}
    assert (both.text, both.second) == ("a cat", "a dog")
    swapped = inputs.given(engine, PAIR, "swap", typed="a cat", beside="a dog")
    assert (swapped.text, swapped.second) == ("a dog", "a cat")
    alone = inputs.given(engine, PAIR, "text", typed="a cat", beside=" ").input
    assert engine.store.get_input(alone["digest"]) == {"text": "a cat"}
    assert inputs.fits(PAIR, alone)
    assert "Give a second sentence" in inputs.guidance(PAIR, alone)
    assert inputs.guidance(PAIR, both.input) == ""
    with pytest.raises(Refused, match="the text is empty"):
        inputs.given(engine, PAIR, "swap", typed="a cat", beside="")
    with pytest.raises(Refused, match="the text has 60000 characters"):
        inputs.given(engine, PAIR, "text", typed="a", beside="x" * 60_000)


def test_an_answer_so_far_may_be_empty_and_is_always_given(engine: FakeEngine, shipped: Path) -> None:
    begun = inputs.given(engine, SEQ2SEQ, "text", typed="translate", beside="Das")
    assert engine.store.get_input(begun.input["digest"]) == {"text": "translate", "output": "Das"}
    fresh = inputs.given(engine, SEQ2SEQ, "text", typed="translate", beside="").input
    assert engine.store.get_input(fresh["digest"]) == {"text": "translate", "output": ""}
    assert inputs.guidance(SEQ2SEQ, fresh) == ""
    restored = inputs.given(engine, SEQ2SEQ, "card", linked=inputs.linked_of(inputs.link_of(begun.input)))
    assert restored.input == begun.input
    assert restored.linked is None
    bare = engine.store.put_input({"text": "translate"})  # such as a row of a table: its answer has not begun
    assert inputs.given(engine, SEQ2SEQ, "card", linked={"input": bare}).input == fresh


def test_a_picture_and_captions_come_one_after_the_other(engine: FakeEngine, shipped: Path) -> None:
    assert "Choose a picture and write" in inputs.guidance(CLIP, None)
    picture = inputs.given(engine, CLIP, "image", upload=png(), typed="").input
    assert not inputs.fits(CLIP, picture)
    assert "Now write" in inputs.guidance(CLIP, picture)
    whole = inputs.given(engine, CLIP, "text", typed="a cat\na dog", before=picture)
    assert inputs.fits(CLIP, whole.input)
    assert inputs.guidance(CLIP, whole.input) == ""
    assert engine.store.get_input(whole.input["digest"])["text"] == "a cat\na dog"
    assert whole.picture.src == f"/inputs/{whole.input['digest']}"
    words = inputs.given(engine, CLIP, "text", typed="a cat").input
    assert "Now choose a picture" in inputs.guidance(CLIP, words)
    assert inputs.given(engine, CLIP, "image", upload=png(), typed="a cat\na dog").input == whole.input
    assert workbench.link_params(CLIP, whole.input, "a dog") == {
        "model": CLIP["name"], "input": whole.input["digest"], "target": "a dog",
    }  # fmt: skip
    assert inputs.given(engine, CLIP, "card", linked={"input": whole.input["digest"]}).input == whole.input
    with pytest.raises(Refused, match="there is no caption; write one a line"):
        inputs.given(engine, CLIP, "text", typed=" ", before=picture)


def test_a_change_of_model_keeps_what_the_next_one_reads(engine: FakeEngine, shipped: Path) -> None:
    pair = inputs.given(engine, PAIR, "text", typed="my cat", beside="my dog").input
    assert inputs.given(engine, PAIR, "card", before=pair).input == pair
    assert inputs.given(engine, SEQ2SEQ, "card", before=pair).input["output"] == ""
    alone = inputs.given(engine, TRIAGE, "card", before=pair).input
    assert engine.store.get_input(alone["digest"]) == {"text": "my cat"}
    exact = {**alone, "ids": [1, 2]}  # tokens of one model mean nothing to another
    assert "ids" not in inputs.given(engine, NAMES, "card", before=exact).input
    whole = inputs.given(engine, CLIP, 0).input
    film = inputs.given(engine, FILM, "card", before=whole).input
    assert film["digest"] == inputs.given(engine, FILM, 0).input["digest"]
    assert inputs.fits(FILM, film)
    gone = {**whole, "digest": "e" * 64, "example": None}
    assert inputs.given(engine, FILM, "card", before=gone).input["example"] == 0


def test_models_without_examples_have_inputs_to_begin_with(engine: FakeEngine, shipped: Path) -> None:
    for card in (PAIR, SEQ2SEQ, CLIP, {**NAMES, "name": "gpt2"}, {**TRIAGE, "name": "someone/bert"}):
        assert inputs.fits(card, inputs.given(engine, card, 0).input), card["name"]
    assert inputs.example_image(CLIP, 0) == "/examples/radiograph/0"
    assert inputs.example_thumbnail(CLIP, 0).startswith("data:image/png;base64,")
    assert inputs.given(engine, CLIP, 0).text == inputs.CAPTIONS
    assert inputs.given(engine, PAIR, "card").input is None  # nothing is computed before it is asked for
    assert inputs.guidance(PAIR, None) == "Type a text, or pick an example."
    assert inputs.guidance(FILM, None) == "Choose an image."
    assert inputs.guidance(None, None) == ""


def test_exact_tokens_travel_by_digest(engine: FakeEngine) -> None:
    assert inputs.link_of({"digest": "d", "text": "a b", "ids": [1, 2]}) == {"input": "d"}
    assert inputs.link_of({"digest": "d", "text": "a b", "pair": "c"}) == {"text": "a b", "pair": "c"}
    assert inputs.link_of({"digest": "d", "text": "a" * 400, "pair": "c" * 400}) == {"input": "d"}
