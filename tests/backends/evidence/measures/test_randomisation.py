"""Shuffled weights: one copy a model, the judgement in numbers, and no line for a map from elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from backends.evidence.map_under_test import MapUnderTest
from backends.evidence.measures import randomisation
from tests.backends.evidence import linear


def test_a_model_has_one_randomised_copy(fresh) -> None:
    model = fresh("tiny_bert")
    made = randomisation.get_randomised_model(model)
    assert made is not model
    assert randomisation.get_randomised_model(model) is made


def test_judgement() -> None:
    chance = np.random.default_rng(0)
    own, other = chance.standard_normal((2, 8, 8))
    same = randomisation.judge(own, -own, other)
    assert (same.value, same.verdict) == (pytest.approx(1.0), "fails")  # its opposite is the same map
    assert randomisation.judge(own, other, own).verdict == "holds"
    assert (
        randomisation.judge(own, own * np.nan, other).sentence == "With shuffled weights the map has no finite numbers."
    )
    assert randomisation.judge(own, np.ones((8, 8)), other).value is None


def test_a_map_from_elsewhere_cannot_be_made_again(image_tested: MapUnderTest) -> None:
    assert "method" not in linear.result_of(np.ones(14)).request
    assert randomisation.ENTRY.line(image_tested) is None
