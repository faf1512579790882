"""Deletion: the area under the curve of the exact map, which no other order undercuts."""

from __future__ import annotations

import pytest

from backends.evidence.deletion_curves import compute_curves
from backends.evidence.measures import deletion


def test_it_is_the_area_and_the_exact_map_has_the_smallest(tested) -> None:
    made = tested()
    found = deletion.compute(made)
    assert found.value == pytest.approx(compute_curves(made.masked, made.values).deletion)
    assert found.value < deletion.compute(tested(-1.0)).value
    assert (found.control, found.p) == (None, None)
