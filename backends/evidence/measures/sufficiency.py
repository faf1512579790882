"""Sufficiency: what the probability loses with only the brightest words left (DeYoung et al. 2020, ERASER, eq. 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from backends.evidence.erasure import SOURCE, draw_copies, erase_words
from backends.evidence.measure import LOWER, Measure, Reading

if TYPE_CHECKING:
    from backends.evidence.map_under_test import MapUnderTest


def compute(tested: MapUnderTest) -> Reading:
    """The mean loss over all shares of the words, beside that of copies of the map."""
    maps = tested.values, *draw_copies(tested.masked, tested.values)
    found = np.array([erase_words(tested.masked, values)[1].mean() for values in maps])
    return Reading.against(found[0], found[1:], LOWER)


ENTRY = Measure(
    title="sufficiency",
    source=f"{SOURCE}, equation 2",
    unit="probability",
    better=LOWER,
    meaning="the fall with only the brightest words; copies of the map",
    inputs=("text",),
    order=70,
    number=compute,
)
