"""How the corrupted input comes about, and how both are shown."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from backends.errors import Refused
from backends.requests import key_of
from tests.viz.callbacks import functions
from tests.viz.fakes import EXAMPLES, FakeEngine
from tests.viz.pages.causal.cases import BERT, CNN, GIVEN, LM, VIT
from viz.components.workbench import Workbench
from viz.pages.causal import corrupted_input, page


@pytest.fixture
def pair(engine: FakeEngine) -> dict[str, Any]:
    """An input that the store keeps."""
    raw = {"text": EXAMPLES["bundled/names"][0]["input"]}
    return {"digest": engine.store.put_input(raw), **raw}


def test_a_typed_text_makes_a_pair_and_buttons_ask_for_one(engine: FakeEngine, pair: dict[str, Any]) -> None:
    requests, made, *_ = corrupted_input.begun(engine, LM, pair, "use", "another text", None, [], None, {}, 1)
    assert requests == {}
    assert engine.store.get_input(made["digest"]) == {
        "clean": {"text": pair["text"]},
        "corrupted": {"text": "another text"},
    }
    assert corrupted_input.link_params(made, [2]) == {"span": "2", "other": "another text"}
    requests, *_ = corrupted_input.begun(engine, LM, pair, "resample", "", "Sue", [2, 3], None, {}, 5)
    assert requests["made"]["tokens"] == [2, 3]
    assert requests["made"]["seed"] == 5
    assert "word" not in requests["made"]
    requests, *_ = corrupted_input.begun(engine, LM, pair, "swap", "", " Sue ", [2], None, {}, 5)
    assert requests["made"]["word"] == "Sue"
    with pytest.raises(Refused, match="the corrupted text is empty"):
        corrupted_input.begun(engine, LM, pair, "use", " ", None, [], None, {}, 1)


def test_a_new_input_gets_a_corruption_and_a_link_its_own(engine: FakeEngine, pair: dict[str, Any]) -> None:
    call = (engine, LM, pair, "input", "", None, [])
    assert corrupted_input.begun(*call, None, {}, 0)[0]["first"]["how"] == "swap"
    assert (
        corrupted_input.begun(engine, BERT, pair, "input", "", None, [], None, {}, 0)[0]["first"]["how"] == "resample"
    )
    linked = corrupted_input.linked({"made": '{"how": "resample", "tokens": [4], "seed": 2, "x": 1}'})
    assert linked == {"recipe": {"how": "resample", "tokens": [4], "seed": 2}}
    requests, _, _, _, kept = corrupted_input.begun(*call, None, linked, 0)
    assert requests["made"]["seed"] == 2
    assert kept["of"] == pair["digest"]
    other = {**pair, "digest": "f" * 64}
    assert "first" in corrupted_input.begun(engine, LM, other, "input", "", None, [], None, kept, 0)[0]
    assert corrupted_input.linked({"other": "typed", "made": "{}"}) == {"text": "typed"}
    assert corrupted_input.linked({"made": '{"how": "explode"}'}) == {}
    assert corrupted_input.begun(engine, CNN, None, "input", "", None, [], None, {}, 0)[0] == {}


def test_where_no_name_can_be_swapped_words_are_resampled(engine: FakeEngine, pair: dict[str, Any]) -> None:
    first = {"first": corrupted_input.corrupt_request(LM, pair, corrupted_input.first_recipe(LM))}
    failed = {"sentences": {"first": "no name stands twice"}}
    _, again = corrupted_input.arrived(engine, failed, first, pair, LM)
    assert again["first"]["how"] == "resample"
    told = {"clean": pair["digest"], "corrupted": "d" * 64, "pair": "e" * 64, "text": "other", "tokens": [[], []]}
    key = key_of(first["first"])
    engine.store.put_document(key, told)
    made, _ = corrupted_input.arrived(engine, {"keys": {"first": key}}, first, pair, LM)
    assert made["digest"] == "e" * 64
    assert corrupted_input.link_params(made, []) == {"span": "", "made": {"how": "swap"}}


def test_texts_of_two_lengths_get_a_sentence_and_their_alignment(engine: FakeEngine) -> None:
    key = "9" * 64
    told = {"unequal": "3 tokens and 2", "opposite": [["a", "a"], [" John", ""], [" left", " left"]]}
    engine.store.put_document(key, told)
    pair = {"of": "a" * 64, "digest": "b" * 64, "corrupted": "c" * 64, "text": "a left"}
    known, shown, text = corrupted_input.beside(engine, {"keys": {"both": key}, "asked": {"both": key}}, pair, LM, [])
    assert known == {"pair": "b" * 64, "failed": "3 tokens and 2"}
    assert "3 tokens and 2" in str(shown)
    assert "data-token" not in str(shown)
    assert str(shown).count("differs") == 1
    assert text == "a left"
    assert page.usable(GIVEN, {**pair, "of": GIVEN["digest"]}, known) is None


def png(grey: int) -> bytes:
    """A small grey picture."""
    file = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), grey, np.uint8)).save(file, "PNG")
    return file.getvalue()


def test_another_picture_is_compared_with(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    films = [{"name": "Nodule", "label": "lesion", "truth": {"lesion": "x"}, "input": "0"},
             {"name": "Tag", "label": "none", "truth": {"tag": "x"}, "input": "1"},
             {"name": "Clear", "label": "none", "truth": {}, "input": "2"}]  # fmt: skip
    raws = [{"image": png(40 * i)} for i in range(3)]
    monkeypatch.setattr(corrupted_input.inputs, "examples_of", lambda card: films)
    monkeypatch.setattr(corrupted_input.inputs, "raw_of", lambda card, example: raws[int(example["input"])])
    monkeypatch.setattr(corrupted_input.inputs, "example_image", lambda card, index: f"/examples/{index}")
    given = {"digest": engine.store.put_input(raws[0]), "image": True, "example": 0}
    assert corrupted_input.first_picture(VIT, given) == 2
    assert corrupted_input.first_picture(VIT, {"digest": "x", "image": True}) is None
    requests, pair, *_ = corrupted_input.begun(engine, VIT, given, "input", None, None, [], None, {}, 0)
    assert requests == {}
    assert pair["picture"] == 2
    assert set(engine.store.get_input(pair["digest"])) == {"clean", "corrupted"}
    assert corrupted_input.link_params(pair, []) == {"span": "", "against": "2"}
    assert corrupted_input.linked({"against": "1"}) == {"picture": 1}
    linked = corrupted_input.begun(engine, VIT, given, "input", None, None, [], None, {"picture": 1}, 0)[1]
    assert linked["picture"] == 1
    buttons = str(corrupted_input.other_pictures(VIT, given, pair))
    assert buttons.count("example chosen") == 1
    assert "/examples/0" not in buttons
    assert corrupted_input.other_pictures(LM, given, pair) == []
    with pytest.raises(Refused, match="this is the clean picture itself"):
        corrupted_input.begun(engine, VIT, given, 0, None, None, [], None, {}, 0)
    with pytest.raises(Refused, match="3 examples, not one numbered 7"):
        corrupted_input.begun(engine, VIT, given, 7, None, None, [], None, {}, 0)
    sent = "data:image/png;base64," + base64.b64encode(png(200)).decode()
    own = corrupted_input.begun(engine, VIT, given, "upload", None, None, [], None, {}, 0, sent)[1]
    assert len(own["picture"]) == 64
    assert corrupted_input.linked(corrupted_input.link_params(own, [])) == {"picture": own["picture"]}


def test_both_inputs_are_shown_token_above_token(engine: FakeEngine) -> None:
    key = "9" * 64
    answers = [{"label": "Mary", "probability": 0.9, "logit": 1.0}]
    told = {
        "prediction": answers,
        "tokens": ["a", " John"],
        "corrupted": {"prediction": answers, "tokens": ["a", " Sue"]},
    }
    engine.store.put_document(key, told)
    pair = {"of": "a" * 64, "digest": "b" * 64, "corrupted": "c" * 64, "made_text": "a Sue"}
    known, shown, text = corrupted_input.beside(engine, {"keys": {"both": key}, "asked": {"both": key}}, pair, LM, [1])
    assert known["other"] == ["a", " Sue"]
    assert text == "a Sue"
    assert "·Sue" in str(shown)
    assert "Clean" in str(shown)
    failed, *_ = corrupted_input.beside(engine, {"sentences": {"both": "14 and 13 tokens"}}, pair, LM, [])
    assert failed == {"pair": "b" * 64, "failed": "14 and 13 tokens"}
    film = {**told, "tokens": [], "patches": {"grid": [2, 2], "first": 1}}
    assert str(corrupted_input.shown(pair, film, [2])).count("data-token") == 4


def test_a_link_names_the_chosen_tokens() -> None:
    assert corrupted_input.span_of({"span": "3,4,x,-1"}) == [3, 4]
    assert corrupted_input.span_of({}) == []


def test_buttons_and_fields_follow_what_the_model_reads(engine: FakeEngine) -> None:
    panel = corrupted_input.Opposite(Workbench("causal"))
    offer = functions(lambda app: panel.register(app, engine))["offer"]  # type: ignore[arg-type]
    texts, pictures = offer(LM), offer(VIT)
    ways = list(corrupted_input.BUTTONS)
    assert [how for how, name in zip(ways, texts, strict=False) if name == ""] == ["swap", "resample"]
    assert [how for how, name in zip(ways, pictures, strict=False) if name == ""] == ["blur", "noise"]
    assert texts[len(ways) :] == ("", "", "", "d-none")
    assert pictures[len(ways) :] == ("d-none", "d-none", "d-none", "")
    assert set(offer(None)) == {"d-none"}


def test_the_model_is_asked_about_both_once_there_is_a_pair(engine: FakeEngine) -> None:
    panel = corrupted_input.Opposite(Workbench("causal"))
    connected = functions(lambda app: panel._register_asking(app, engine))  # type: ignore[arg-type]
    asked = connected["ask"]({"of": "a" * 64, "digest": "b" * 64}, LM)
    assert asked["both"]["input"] == "b" * 64
    assert asked["both"]["model"] == LM["name"]
    assert connected["ask"](None, LM) == {}
