"""Does the answer fall where the map says it will? All masks of the bank at once, against copies of the map.

The number is the correlation of the attribution that each mask removes with the drop of the score, with the size
of the mask partialled out. Its control are rotated, flipped and shifted copies of the map, which cost no forward.
Named after faithfulness correlation (Bhatt et al. 2020, eq. 3), with another control and without the size.
"""

from __future__ import annotations

import numpy as np

from backends.evidence._bank import Bank
from backends.evidence._controls import copies, rank
from backends.evidence._receipt import CANNOT, FAILS, HOLDS, Line

STRICT, LOOSE = 0.01, 0.2
"""Up to STRICT of copies as good, the map holds; above LOOSE it fails; between, it cannot be told."""


def correlation(hidden: np.ndarray, drops: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Partial correlations (map,) of removed `values` (map, place) with `drops` (mask,); `hidden` is (mask, place)."""
    removed = hidden.astype(float) @ values.T  # (mask, map)
    size = np.stack([np.ones(len(hidden)), hidden.sum(1)], 1)
    basis, _ = np.linalg.qr(size.astype(float))
    left = removed - basis @ (basis.T @ removed)
    right = drops - basis @ (basis.T @ drops)
    norm = np.linalg.norm(left, axis=0) * np.linalg.norm(right)
    return np.divide(left.T @ right, norm, out=np.zeros(len(values)), where=norm > 1e-12 * max(np.abs(drops).max(), 1))


def against_copies(bank: Bank, values: np.ndarray) -> tuple[float, np.ndarray]:
    """The map's correlation and those of its copies (copy,)."""
    controls = copies(values, bank.places.shape, bank.seed)
    found = correlation(bank.hidden, bank.drops, np.concatenate([values[None], controls]))
    return float(found[0]), found[1:]


def line(bank: Bank, values: np.ndarray) -> Line:
    """The map against its copies on the whole bank."""
    found, control = against_copies(bank, values)
    p = rank(found, control)
    verdict = HOLDS if p <= STRICT and found > 0 else FAILS if p > LOOSE or found <= 0 else CANNOT
    better = round((1 - p) * (len(control) + 1))
    kind = "rotated, flipped and shifted" if bank.places.pictured else "shifted and reordered"
    sentence = (
        f"In {len(bank.hidden)} trials that hid random parts, the map foresaw where the answer would fall better than "
        f"{better} of {len(control)} {kind} copies of itself."
    )
    bounds = tuple(float(b) for b in np.quantile(control, (0.05, 0.95)))
    return Line("random parts", found, bounds, verdict, sentence, {"p": p, "copies": len(control)})  # type: ignore[arg-type]
