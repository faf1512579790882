"""Deletion: the mean score while the brightest cells are hidden first (Petsiuk et al. 2018, RISE, section 3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backends.evidence.deletion_curves import SOURCE, UNIT, compute_curves
from backends.evidence.measure import LOWER, Measure, Reading

if TYPE_CHECKING:
    from backends.evidence.map_under_test import MapUnderTest


def compute(tested: MapUnderTest) -> Reading:
    """The area under the deletion curve; it has no control of its own."""
    return Reading(compute_curves(tested.masked, tested.values).deletion)


ENTRY = Measure(
    title="deletion",
    source=SOURCE,
    unit=UNIT,
    better=LOWER,
    order=10,
    meaning="the score while the brightest go first",
    number=compute,
)
