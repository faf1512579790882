"""Two inputs to compare: what must agree, and the ways to make the second."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import backends
from backends.errors import Refused
from backends.models import input_pair
from tests.conftest import TEXT


def test_two_inputs_are_encoded_side_by_side(opened: Any) -> None:
    model = opened("tiny_gpt2")
    batch = input_pair.encode(model, {"clean": TEXT, "corrupted": {"text": TEXT.replace("no", "and")}})
    assert batch.text == TEXT
    assert batch.corrupted is not None
    assert batch.corrupted.tokens[0] == "and"
    assert input_pair.encode(model, TEXT).corrupted is None


@pytest.mark.parametrize(
    ("corrupted", "message"),
    [
        (TEXT, "the clean and the corrupted input are the same"),
        (TEXT.replace("chest pain", "pain"), "7 tokens and the corrupted one 6.*token 4: 'chest' against nothing"),
        ("a " + TEXT, "the corrupted one 8.*token 0: nothing against 'a'"),
        (None, "two inputs are given as"),
    ],
)  # fmt: skip
def test_what_two_inputs_must_share(opened: Any, corrupted: Any, message: str) -> None:
    with pytest.raises(Refused, match=message):
        input_pair.encode(opened("tiny_gpt2"), {"clean": TEXT, "corrupted": corrupted})


def test_alignment_says_who_stands_opposite() -> None:
    assert input_pair.align("abc", "axc") == [(0, 0), (1, 1), (2, 2)]
    assert input_pair.align("abcd", "acd") == [(0, 0), (1, None), (2, 1), (3, 2)]


def test_two_lengths_are_laid_beside_one_another(opened: Any) -> None:
    with pytest.raises(input_pair.Unequal) as told:
        input_pair.encode(opened("tiny_gpt2"), {"clean": TEXT, "corrupted": TEXT.replace("chest pain", "pain")})
    opposite = told.value.opposite
    assert ("chest", "") in [(a.strip(), b.strip()) for a, b in opposite]
    assert [a for a, _ in opposite if a] == list(opened("tiny_gpt2").encode(TEXT).tokens)
    assert "white space" in input_pair.explain_unequal(["a", " "], ["a", " ", " "])


def test_a_name_is_swapped(fresh: Any) -> None:
    model = backends.open_model("bundled/names")
    clean = "When Mary and John went to the store, John gave a drink to"
    assert backends.corrupt(model, clean, "swap") == {"text": clean.replace(", John", ", Mary")}
    assert backends.corrupt(model, clean, "swap", tokens=(1, 3))["text"].startswith("When John and Mary went")
    assert backends.corrupt(model, clean, "swap", tokens=(9,), word="Alice") == {
        "text": clean.replace(", John", ", Alice")
    }
    with pytest.raises(Refused, match="no name stands twice"):
        backends.corrupt(model, "the store", "swap")
    with pytest.raises(Refused, match="a swap takes two tokens, or one and the word"):
        backends.corrupt(model, clean, "swap", tokens=(1, 2, 3))
    with pytest.raises(Refused, match="is 2 tokens and stands in the place of one"):
        backends.corrupt(model, clean, "swap", tokens=(9,), word="Alice Tom")
    with pytest.raises(Refused, match="there is no token 99"):
        backends.corrupt(model, clean, "swap", tokens=(99, 1))


@pytest.mark.parametrize("name", ["tiny_gpt2", "tiny_bert"])
def test_words_are_drawn_anew_in_place(opened: Any, name: str) -> None:
    model = opened(name)
    made = backends.corrupt(model, TEXT, "resample", seed=3)
    assert made == backends.corrupt(model, {"text": TEXT}, "resample", seed=3)
    batch = input_pair.encode(model, {"clean": TEXT, "corrupted": made})
    assert len(batch.corrupted.tokens) == len(batch.tokens)  # type: ignore[union-attr]
    one = backends.corrupt(model, TEXT, "resample", tokens=(2,))
    changed = input_pair.encode(model, {"clean": TEXT, "corrupted": one})
    differs = changed.inputs["input_ids"] != changed.corrupted.inputs["input_ids"]  # type: ignore[union-attr]
    assert differs[0].nonzero().flatten().tolist() == [2]
    with pytest.raises(Refused, match="one word only"):
        backends.corrupt(model, "pain", "resample")


def test_words_become_words_like_them() -> None:
    from backends.bundled.data.names import PEOPLE

    model = backends.open_model("bundled/names")
    text = "When Mary and John went to the store, John gave a drink to"
    made = [backends.corrupt(model, text, "kin", tokens=(9,), seed=seed)["text"] for seed in range(6)]
    words = {one.replace(",", "").split()[8] for one in made}
    assert len(words) > 2
    assert words <= set(PEOPLE) - {"Mary", "John"}
    assert {one.split(",")[0] for one in made} == {"When Mary and John went to the store"}
    with pytest.raises(Refused, match="choose the tokens"):
        backends.corrupt(model, text, "kin")


def test_patches_get_noise_or_blur(opened: Any, picture: Any) -> None:
    model = opened("tiny_vit")
    made = backends.corrupt(model, {"image": picture}, "noise", tokens=(1, 6), seed=2)
    batch = input_pair.encode(model, {"clean": picture, "corrupted": made})
    differs = (batch.image != batch.corrupted.image).any(-1)  # type: ignore[union-attr]
    assert differs[:8, :8].mean() > 0.9
    assert differs[8:16, 8:16].mean() > 0.9
    assert not differs[16:].any()
    blurred = backends.corrupt(model, {"image": picture}, "blur")
    assert np.asarray(blurred["image"]).std() < batch.image.std()
    with pytest.raises(Refused, match="token 0 is no patch; the patches are tokens 1 to 16"):
        backends.corrupt(model, {"image": picture}, "noise", tokens=(0,))
    with pytest.raises(Refused, match="two patches of a picture are not swapped"):
        backends.corrupt(model, {"image": picture}, "swap")
    with pytest.raises(Refused, match="no way 'shake' to corrupt"):
        backends.corrupt(model, {"image": picture}, "shake")
    with pytest.raises(Refused, match="'blur' is for pictures"):
        backends.corrupt(opened("tiny_gpt2"), TEXT, "blur")
    with pytest.raises(Refused, match="this network has no patches"):
        backends.corrupt(opened("tiny_resnet"), {"image": picture}, "noise", tokens=(1,))


def test_a_pair_is_kept_as_two_inputs(tmp_path: Any) -> None:
    from backends.store import Store

    store = Store(tmp_path)
    digest = store.put_input({"clean": {"text": "a"}, "corrupted": {"text": "b"}})
    assert store.get_input(digest) == {"clean": {"text": "a"}, "corrupted": {"text": "b"}}
    assert digest == store.put_input({"corrupted": {"text": "b"}, "clean": {"text": "a"}})
    with pytest.raises(Refused, match="an input has a text, an image or both"):
        store.put_input({"clean": {"text": "a"}})
