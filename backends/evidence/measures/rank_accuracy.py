"""Rank accuracy: how many of the brightest cells, as many as the region has, lie in it (Arras et al. 2022)."""

from __future__ import annotations

import numpy as np

from backends.evidence.measure import HIGHER, Measure


def compute(maps: np.ndarray, region: np.ndarray) -> np.ndarray:
    """The share of as many brightest places as the region has that lie inside."""
    count = int(region.sum())
    least = -np.partition(-maps, count - 1, 1)[:, count - 1 : count]  # of the brightest; what equals it shares the rest
    above, level = maps > least, maps == least
    share = (count - above.sum(1)) / level.sum(1)
    return ((above & region).sum(1) + share * (level & region).sum(1)) / count


ENTRY = Measure(
    title="rank accuracy",
    source="Arras et al. 2022, CLEVR-XAI: Ground Truth Evaluation of Neural Network Explanations",
    unit="share",
    better=HIGHER,
    order=40,
    meaning="the share of as many brightest cells as the region has that lie in it; copies of the map",
    region=compute,
)
