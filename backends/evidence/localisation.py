"""With the truth or a drawn region: does the map lie where it should?

The measures are those that have a `region`. Their controls are copies of the map, so that a large region wins nothing
by its size.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from backends.errors import Refused
from backends.evidence.controls import copy_map
from backends.evidence.measure import Reading, list_measures


def localise(attribution: np.ndarray, region: np.ndarray, seed: int = 0) -> dict[str, dict[str, Any]]:
    """Each measure of a map with its control: {title: {"value", "control": [5 %, 95 %], "p"}}.

    `attribution` and `region` are (row, column) or (word,). A flat map has no copies, so its control is None. Raises
    `Refused`.
    """
    if attribution.shape != region.shape:
        raise Refused(f"the region is {region.shape} but the map is {attribution.shape}: draw it on the same picture")
    inside = np.asarray(region, bool).ravel()
    if not inside.any() or inside.all():
        raise Refused("the region is empty or everything: there must be an inside and an outside to tell apart")
    values = np.asarray(attribution, float).ravel()
    maps = np.concatenate([values[None], copy_map(values, attribution.shape, seed)])
    kind, made = "image" if attribution.ndim == 2 else "text", {}
    for measure in list_measures("region").values():
        if kind in measure.inputs:
            found = measure.region(maps, inside)
            reading = Reading.against(found[0], found[1:], measure.better)
            made[measure.title] = {"value": reading.value, "control": reading.control, "p": reading.p}
    return made
