"""Gini index: how few cells hold what the map says, from 0 (all alike) to almost 1 (a single one)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from backends.evidence.measure import HIGHER, Measure, Reading

if TYPE_CHECKING:
    from backends.evidence.map_under_test import MapUnderTest


def compute(tested: MapUnderTest) -> Reading:
    """The Gini index of the map's values without their sign; copies of a map are as sparse, so there is no control."""
    values = np.sort(np.abs(tested.values))
    weight = 2 * np.arange(1, len(values) + 1) - len(values) - 1
    return Reading(float(weight @ values / (len(values) * max(values.sum(), 1e-12))))


ENTRY = Measure(
    title="Gini index",
    source="Chalasani et al. 2020, Concise Explanations of Neural Networks using Adversarial Training",
    unit="from 0 to 1",
    better=HIGHER,
    meaning="how few cells hold the map",
    order=100,
    number=compute,
)
