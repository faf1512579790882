"""Mass inside, the energy-based pointing game (Wang et al. 2020): how much of the map lies in the region."""

from __future__ import annotations

import numpy as np

from backends.evidence.measure import HIGHER, Measure


def compute(maps: np.ndarray, region: np.ndarray) -> np.ndarray:
    """The share of what speaks for the answer (values above zero) that lies inside."""
    positive = maps.clip(min=0)
    total = positive.sum(1)
    return np.divide(positive[:, region].sum(1), total, out=np.zeros(len(maps)), where=total > 0)


ENTRY = Measure(
    title="mass inside",
    source="Wang et al. 2020, Score-CAM: Score-Weighted Visual Explanations",
    unit="share",
    better=HIGHER,
    order=20,
    meaning="the share of what speaks for the answer that lies in the region; copies of the map",
    region=compute,
)
