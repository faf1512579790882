"""The pointing game: does the largest value lie in the region (Zhang et al. 2018)?"""

from __future__ import annotations

import numpy as np

from backends.evidence.measure import HIGHER, Measure


def compute(maps: np.ndarray, region: np.ndarray) -> np.ndarray:
    """1 where the largest value lies inside; the share of them where several are equally large."""
    top = maps == maps.max(1, keepdims=True)
    return (top & region).sum(1) / top.sum(1)


ENTRY = Measure(
    title="pointing",
    source="Zhang et al. 2018, Top-Down Neural Attention by Excitation Backprop",
    unit="share",
    better=HIGHER,
    order=10,
    meaning="whether the largest value lies in the region; copies of the map",
    region=compute,
)
