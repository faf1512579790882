"""What can stand in for hidden parts, by name."""

from __future__ import annotations

from types import SimpleNamespace

from backends.models.replacement_kinds import list_kinds


def test_the_default_comes_first_and_examples_lend_their_parts() -> None:
    model = SimpleNamespace(stand_ins=("mask", "pad"), examples=())
    assert list_kinds(model, is_image=False) == ("mask", "pad", "resample")
    model = SimpleNamespace(stand_ins=("blur", "mean"), examples=())
    assert list_kinds(model, is_image=True) == ("surroundings", "blur", "mean", "noise")
    model.examples = ({"image": "nodule.png"},)
    assert list_kinds(model, is_image=True) == ("surroundings", "resample", "blur", "mean", "noise")


def test_a_card_lists_them_without_any_evidence(opened) -> None:
    from backends import running

    assert running.card(opened("tiny_bert"))["replacements"] == list(list_kinds(opened("tiny_bert"), is_image=False))
