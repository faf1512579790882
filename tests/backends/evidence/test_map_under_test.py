"""What a measure gets: the map on its cells, the target as asked and as understood, and a count of the forwards."""

from __future__ import annotations

import numpy as np
import pytest

from backends.errors import Refused
from backends.evidence.map_under_test import MapUnderTest
from tests.backends.evidence import linear


def test_a_map_is_read_and_its_forwards_are_counted() -> None:
    model, weight = linear.text({"b": 3.0})
    made = MapUnderTest(model, linear.result_of(weight))
    assert made.values == pytest.approx(weight[1:-1])
    assert (made.kind, made.asked_target, made.target.words, made.masked.input.kind) == ("text", "yes", "yes", "zero")
    assert made.replacements == ("zero", "minus", "resample")
    spent = len(np.unique(made.masked.hidden, axis=0)) + 1  # each mask once, and the whole input
    assert made.forwards == spent
    other = made.mask("minus", 0.0)
    assert made.forwards == spent + 1
    assert other.input.kind == "minus"
    assert len(other.hidden) == 0


def test_more_effort_draws_more_and_another_target_is_explained() -> None:
    model, image, exact = linear.picture()
    one = MapUnderTest(model, linear.result_of(exact, image), target="no")
    two = MapUnderTest(model, linear.result_of(exact, image), effort=2)
    assert len(one.masked.hidden) == 96
    assert len(two.masked.hidden) == 192
    assert np.array_equal(two.masked.hidden[:96], one.masked.hidden)
    assert (one.target.words, two.target.words, one.kind) == ("no", "yes", "image")


def test_an_input_of_few_words_is_refused() -> None:
    model, weight = linear.text({"b": 1.0}, words="[CLS] b e [SEP]")
    with pytest.raises(Refused, match="the input has 2 parts that can be hidden; a test needs at least 4"):
        MapUnderTest(model, linear.result_of(weight, words="[CLS] b e [SEP]"))
