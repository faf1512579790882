"""Do several methods say the same of one input? Their agreement, beside what copies of the maps reach by chance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from backends.errors import Refused
from backends.evidence.controls import copy_map, p_value


def rank_values(maps: np.ndarray) -> np.ndarray:
    """Ranks (map, place) centred and scaled to length one, so that products are Spearman correlations."""
    from scipy.stats import rankdata

    made = rankdata(maps, axis=-1)
    made = made - made.mean(-1, keepdims=True)
    return made / np.linalg.norm(made, axis=-1, keepdims=True).clip(min=1e-12)


def similarity(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's rank correlation of two maps of any shape; 0 where one of them is flat."""
    return float(rank_values(one.ravel()[None])[0] @ rank_values(other.ravel()[None])[0])


def compare_maps(maps: Mapping[str, np.ndarray], seed: int = 0) -> dict[str, Any]:
    """Rank correlation of each pair of maps (in order of `names`) and its p value against copies of the second map."""
    if len({m.shape for m in maps.values()}) != 1:
        raise Refused("the maps to compare must be of one input: their shapes differ")
    names = list(maps)
    shape = next(iter(maps.values())).shape
    flat = rank_values(np.stack([np.asarray(maps[name], float).ravel() for name in names]))
    chance = [copy_map(row, shape, seed) for row in flat]  # a copy's ranks are those of the map, moved
    p = [[p_value(float(a @ b), control @ a) for b, control in zip(flat, chance, strict=True)] for a in flat]
    return {"names": names, "similarity": (flat @ flat.T).tolist(), "p": p}
