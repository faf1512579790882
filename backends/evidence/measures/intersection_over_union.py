"""Intersection over union of the region and as many brightest cells as it has."""

from __future__ import annotations

import numpy as np

from backends.evidence.measure import HIGHER, Measure
from backends.evidence.measures import rank_accuracy


def compute(maps: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Of two sets of one size with the share s in common, s / (2 − s)."""
    inside = rank_accuracy.compute(maps, region)
    return inside / (2 - inside)


ENTRY = Measure(
    title="intersection over union",
    source="Jaccard 1912, The Distribution of the Flora in the Alpine Zone",
    unit="share",
    better=HIGHER,
    order=30,
    meaning="the overlap of the region and as many brightest cells, over their union; copies of the map",
    region=compute,
)
