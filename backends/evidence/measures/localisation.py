"""With the truth or a drawn region: does the map lie where it should?

Pointing game (Zhang et al. 2018), mass inside (energy-based pointing, Wang et al. 2020), intersection over union of
the region with as many brightest places, rank accuracy (Arras et al. 2022): the share of as many brightest places as
the region has that lie inside. Controls are copies of the map, so that a large region wins nothing by its size.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from backends.errors import Refused
from backends.evidence.controls import copies, rank, spread

NUMBERS = "pointing", "mass inside", "intersection over union", "rank accuracy"


def _pointing(maps: np.ndarray, region: np.ndarray) -> np.ndarray:
    """1 where the largest value lies inside; the share of them where several are equally large."""
    top = maps == maps.max(1, keepdims=True)
    return (top & region).sum(1) / top.sum(1)


def _mass(maps: np.ndarray, region: np.ndarray) -> np.ndarray:
    """The share of what speaks for the answer (values above zero) that lies inside."""
    positive = maps.clip(min=0)
    total = positive.sum(1)
    return np.divide(positive[:, region].sum(1), total, out=np.zeros(len(maps)), where=total > 0)


def _rank_accuracy(maps: np.ndarray, region: np.ndarray) -> np.ndarray:
    """The share of as many brightest places as the region has that lie inside."""
    count = int(region.sum())
    least = -np.partition(-maps, count - 1, 1)[:, count - 1 : count]  # of the brightest; what equals it shares the rest
    above, level = maps > least, maps == least
    share = (count - above.sum(1)) / level.sum(1)
    return ((above & region).sum(1) + share * (level & region).sum(1)) / count


def numbers(maps: np.ndarray, region: np.ndarray) -> dict[str, np.ndarray]:
    """Each number of every map (map, place); intersection over union is of the region and as many brightest places."""
    inside = _rank_accuracy(maps, region)
    found = _pointing(maps, region), _mass(maps, region), inside / (2 - inside), inside
    return dict(zip(NUMBERS, found, strict=True))


def localisation(attribution: np.ndarray, region: np.ndarray, seed: int = 0) -> dict[str, dict[str, Any]]:
    """Each number of a map with its control: {name: {"value", "control": [5 %, 95 %], "p"}}.

    A flat map has no copies, so its control is None. Raises `Refused`.
    """
    if attribution.shape != region.shape:
        raise Refused(f"the region is {region.shape} but the map is {attribution.shape}: draw it on the same picture")
    inside = np.asarray(region, bool).ravel()
    if not inside.any() or inside.all():
        raise Refused("the region is empty or everything: there must be an inside and an outside to tell apart")
    values = np.asarray(attribution, float).ravel()
    maps = np.concatenate([values[None], copies(values, attribution.shape, seed)])
    made = {}
    for name, found in numbers(maps, inside).items():
        made[name] = {"value": float(found[0]), "control": spread(found[1:]), "p": rank(float(found[0]), found[1:])}
    return made
