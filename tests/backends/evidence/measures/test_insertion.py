"""Insertion: the area under the curve of the exact map, which no other order exceeds."""

from __future__ import annotations

import pytest

from backends.evidence.deletion_curves import compute_curves
from backends.evidence.measures import deletion, insertion


def test_it_is_the_area_and_the_opposite_of_the_inverted_maps_deletion(tested) -> None:
    made, inverted = tested(), tested(-1.0)
    found = insertion.compute(made)
    assert found.value == pytest.approx(compute_curves(made.masked, made.values).insertion)
    assert found.value > insertion.compute(inverted).value
    assert found.value == pytest.approx(deletion.compute(inverted).value, abs=0.6)  # but for words of equal value
