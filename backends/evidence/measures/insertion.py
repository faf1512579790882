"""Insertion: the mean score while the brightest cells are shown first (Petsiuk et al. 2018, RISE, section 3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backends.evidence.deletion_curves import SOURCE, UNIT, compute_curves
from backends.evidence.measure import HIGHER, Measure, Reading

if TYPE_CHECKING:
    from backends.evidence.map_under_test import MapUnderTest


def compute(tested: MapUnderTest) -> Reading:
    """The area under the insertion curve; it has no control of its own."""
    return Reading(compute_curves(tested.masked, tested.values).insertion)


ENTRY = Measure(
    title="insertion",
    source=SOURCE,
    unit=UNIT,
    better=HIGHER,
    order=20,
    meaning="the score while the brightest come first",
    number=compute,
)
