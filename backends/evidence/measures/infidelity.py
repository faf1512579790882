"""Infidelity: how far the removed attribution is from the drop it should equal (Yeh et al. 2019, definition 2.1).

E[(Iᵀa − (f(x) − f(x − I)))²] with I the removal of a mask's places, over the masks of the bank; scaled by the best
factor for the map, as captum's `infidelity(normalize=True)` does, since most maps have units of their own. Captum's
factor may be negative, so that an inverted map scores like the map itself; the number reported here takes none below 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from backends.evidence.controls import copies, rank, spread
from backends.evidence.masked_forwards import Bank


def infidelity(
    hidden: np.ndarray, drops: np.ndarray, maps: np.ndarray, scaled: bool = True, least: float = -np.inf
) -> np.ndarray:
    """Infidelity (map,) of maps (map, place) given what was `hidden` (mask, place) and the score's `drops` (mask,).

    With `scaled`, each map has its best factor, but none below `least`.
    """
    removed = hidden.astype(float) @ maps.T  # (mask, map)
    if scaled:
        power = (removed**2).mean(0)
        factor = np.divide((removed * drops[:, None]).mean(0), power, out=np.zeros(len(maps)), where=power > 0)
        removed = removed * factor.clip(min=least)
    return ((removed - drops[:, None]) ** 2).mean(0)


def against_copies(bank: Bank, values: np.ndarray) -> dict[str, Any]:
    """The scaled infidelity as a share of the mean squared drop, with its control from copies of the map."""
    maps = np.concatenate([values[None], copies(values, bank.places.shape, bank.seed)])
    found = infidelity(bank.hidden, bank.drops, maps, least=0.0) / max(float((bank.drops**2).mean()), 1e-12)
    return {"value": float(found[0]), "control": spread(found[1:]), "p": rank(-float(found[0]), -found[1:])}
