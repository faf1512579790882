"""Comprehensiveness: what the probability loses without the brightest words (DeYoung et al. 2020, ERASER, eq. 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from backends.evidence.erasure import SOURCE, draw_copies, erase_words
from backends.evidence.measure import HIGHER, Measure, Reading

if TYPE_CHECKING:
    from backends.evidence.map_under_test import MapUnderTest


def compute(tested: MapUnderTest) -> Reading:
    """The mean loss over all shares of the words, beside that of copies of the map."""
    maps = tested.values, *draw_copies(tested.masked, tested.values)
    found = np.array([erase_words(tested.masked, values)[0].mean() for values in maps])
    return Reading.against(found[0], found[1:], HIGHER)


ENTRY = Measure(
    title="comprehensiveness",
    source=f"{SOURCE}, equation 1",
    unit="probability",
    better=HIGHER,
    meaning="the fall without the brightest words; copies of the map",
    inputs=("text",),
    order=60,
    number=compute,
)
