"""Words and squares: trials and minimal sets of them, exact on linear networks."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from backends.errors import Refused
from backends.evidence import regions
from tests.backends.evidence import linear


def test_words_that_matter_are_found_with_their_names() -> None:
    model, _ = linear.text({"b": 3.0, "e": 2.0, "h": -1.0})
    made = regions.find_regions(model, {"text": linear.TEXT}, "yes")
    found = regions.run_trial(made)
    assert [made.names[i] for i in np.flatnonzero(found.found)] == ["b", "e", "h"]
    assert found.effect[1] == pytest.approx(3.0, abs=1e-5)


def test_the_smallest_set_that_flips_and_that_suffices() -> None:
    model, _ = linear.text({"b": 3.0, "e": 2.0}, bias=-1.0)
    found = regions.find_minimal_sets(regions.find_regions(model, {"text": linear.TEXT}, "yes"))
    assert (found["flips"]["names"], found["flips"]["flips"]) == (["b", "e"], True)
    assert (found["suffices"]["names"], found["suffices"]["margin"]) == (["b"], pytest.approx(2.0))


def test_squares_cover_a_picture_once() -> None:
    model, image, exact = linear.picture()
    made = regions.find_regions(model, {"image": image}, "yes", "zero")
    assert made.groups.shape == (64, 256)
    assert (made.groups.sum(0) == 1).all()
    assert made.names[9] == "row 2, column 2"
    found = regions.run_trial(made, least=0.0)
    assert found.effect == pytest.approx(made.groups @ exact.ravel(), abs=1e-3)


def test_pieces_of_words_stay_together() -> None:
    model, _ = linear.text({}, words="a b c")
    batch = model.encode({"text": "abc d."})
    pieces = {"tokens": ("ab", "c", "d", "."), "special": np.zeros(4, bool)}
    spans = np.array([[0, 2], [2, 3], [4, 5], [5, 6]])
    groups, names = regions._split_words(regions.Cells(dataclasses.replace(batch, spans=spans, **pieces)))
    assert names == ("abc", "d", ".")
    assert groups.astype(int).tolist() == [[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]


def test_answers_that_cannot_flip() -> None:
    model, _ = linear.text({"b": 1.0}, bias=-3.0)
    with pytest.raises(Refused, match="does not give this answer in the first place"):
        regions.find_minimal_sets(regions.find_regions(model, {"text": linear.TEXT}, "yes"))
    model.__class__ = type("Bare", (linear.Linear,), {"offers": frozenset({"answer"})})
    with pytest.raises(Refused, match="answer is a number, not a choice"):
        regions.find_minimal_sets(regions.find_regions(model, {"text": linear.TEXT}, "yes"))
    one, _ = linear.text({"b": 1.0}, words="[CLS] b [SEP]")
    with pytest.raises(Refused, match="the input has 1 part that can be hidden"):
        regions.find_regions(one, {"text": "[CLS] b [SEP]"}, "yes")
