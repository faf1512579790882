"""Infidelity: how far the removed attribution is from the drop it should equal (Yeh et al. 2019, definition 2.1).

E[(Iᵀa − (f(x) − f(x − I)))²] with I the removal of a mask's cells, over all masks; scaled by the best
factor for the map, as captum's `infidelity(normalize=True)` does, since most maps have units of their own. Captum's
factor may be negative, so that an inverted map scores like the map itself; the number reported here takes none below 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from backends.evidence.controls import copy_map
from backends.evidence.measure import LOWER, Measure, Reading

if TYPE_CHECKING:
    from backends.evidence.map_under_test import MapUnderTest
    from backends.evidence.masked_forwards import MaskedForwards


def infidelity(
    hidden: np.ndarray, drops: np.ndarray, maps: np.ndarray, scaled: bool = True, least: float = -np.inf
) -> np.ndarray:
    """Infidelity (map,) of maps (map, cell) given what was `hidden` (mask, cell) and the score's `drops` (mask,).

    With `scaled`, each map has its best factor, but none below `least`.
    """
    removed = hidden.astype(float) @ maps.T  # (mask, map)
    if scaled:
        power = (removed**2).mean(0)
        factor = np.divide((removed * drops[:, None]).mean(0), power, out=np.zeros(len(maps)), where=power > 0)
        removed = removed * factor.clip(min=least)
    return ((removed - drops[:, None]) ** 2).mean(0)


def compare_with_copies(masked: MaskedForwards, values: np.ndarray) -> Reading:
    """The scaled infidelity as a share of the mean squared drop, with its control from copies of the map."""
    maps = np.concatenate([values[None], copy_map(values, masked.cells.shape, masked.seed)])
    found = infidelity(masked.hidden, masked.drops, maps, least=0.0) / max(float((masked.drops**2).mean()), 1e-12)
    return Reading.against(found[0], found[1:], LOWER)


def compute(tested: MapUnderTest) -> Reading:
    """The scaled infidelity of the map, beside that of its copies."""
    return compare_with_copies(tested.masked, tested.values)


ENTRY = Measure(
    title="infidelity",
    source="Yeh et al. 2019, On the (In)fidelity and Sensitivity of Explanations, definition 2.1",
    unit="of the mean squared fall",
    better=LOWER,
    order=40,
    meaning="how far what a mask removes of the map is from what it costs; copies of the map",
    number=compute,
)
