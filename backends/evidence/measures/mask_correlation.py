"""Does the answer fall where the map says it will? All masks at once, against copies of the map.

An image's number is the correlation of the attribution that each mask removes with the drop of the score, with the
size of the mask partialled out. Named after faithfulness correlation (Bhatt et al. 2020, eq. 3), with another control
and without the size. A text's number is how much its bright words are worth: their effects, estimated from all masks
and in units of the largest, averaged by brightness. The control of both are copies of the map, which cost no forward.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from backends.evidence.controls import control_range, copy_map, p_value
from backends.evidence.measure import HIGHER, Measure
from backends.evidence.verdict import CANNOT, FAILS, HOLDS, Line

if TYPE_CHECKING:
    from backends.evidence.masked_forwards import MaskedForwards

STRICT, LOOSE = 0.01, 0.2
"""Up to STRICT of copies as good, an image's map holds; above LOOSE any map fails; between, it cannot be told."""
WORTH, POOR = 0.4, 0.3
"""From WORTH of the largest effect on, the bright words matter; below POOR they do not."""


def correlation(hidden: np.ndarray, drops: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Partial correlations (map,) of removed `values` (map, cell) with `drops` (mask,); `hidden` is (mask, cell)."""
    removed = hidden.astype(float) @ values.T  # (mask, map)
    size = np.stack([np.ones(len(hidden)), hidden.sum(1)], 1)
    vectors, strength, _ = np.linalg.svd(size.astype(float), full_matrices=False)
    basis = vectors[:, strength > 1e-9 * strength.max()]  # masks of one size have nothing to partial out
    left = removed - basis @ (basis.T @ removed)
    right = drops - basis @ (basis.T @ drops)
    norm = np.linalg.norm(left, axis=0) * np.linalg.norm(right)
    return np.divide(left.T @ right, norm, out=np.zeros(len(values)), where=norm > 1e-12 * max(np.abs(drops).max(), 1))


def compare_with_copies(masked: MaskedForwards, values: np.ndarray) -> tuple[float, np.ndarray]:
    """The map's correlation and those of its copies (copy,)."""
    controls = copy_map(values, masked.cells.shape, masked.seed)
    found = correlation(masked.hidden, masked.drops, np.concatenate([values[None], controls]))
    return float(found[0]), found[1:]


def weigh_bright_words(effects: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """What the bright words of maps (map, word) are worth, (map,): 1 where all brightness is on the largest effect.

    A word's brightness is the square of how far its value lies above the map's median: what the eye falls on.
    `effects` (word,) below 0 count for nothing: such a word speaks against the answer.
    """
    known = effects.clip(min=0) / max(float(effects.max(initial=0.0)), 1e-12)
    bright = (maps - np.median(maps, 1, keepdims=True)).clip(min=0) ** 2
    return (bright @ known) / bright.sum(1).clip(min=1e-300)


def make_line(masked: MaskedForwards, values: np.ndarray, signed: bool = True) -> Line:
    """The map against its copies on all masks; of one that is not `signed`, bright words may speak either way."""
    return _make_image_line(masked, values) if masked.cells.is_image else _make_text_line(masked, values, signed)


def _make_image_line(masked: MaskedForwards, values: np.ndarray) -> Line:
    found, control = compare_with_copies(masked, values)
    p = p_value(found, control)
    verdict = HOLDS if p <= STRICT and found > 0 else FAILS if p > LOOSE or found <= 0 else CANNOT
    sentence = (
        f"In {len(masked.hidden)} trials that hid random parts, the map foresaw where the answer would fall better "
        f"than {_count_worse(p, control)} of {len(control)} rotated, flipped and shifted copies of itself."
    )
    return Line(
        "random parts",
        found,
        control_range(control, 0.0, 1 - STRICT),
        verdict,
        sentence,
        {"p": p, "copies": len(control)},
    )


def _make_text_line(masked: MaskedForwards, values: np.ndarray, signed: bool) -> Line:
    maps = np.concatenate([values[None], copy_map(values, masked.cells.shape, masked.seed)])
    found, *rest = weigh_bright_words(masked.effects if signed else np.abs(masked.effects), maps)
    control = np.array(rest)
    p = p_value(found, control)
    verdict = HOLDS if found >= WORTH and p <= LOOSE else FAILS if found < POOR or p > LOOSE else CANNOT
    sentence = (
        f"In {len(masked.hidden)} trials that hid words at random, the bright words of this map turned out to be worth "
        f"{found:.0%} of the most important word, more than in {_count_worse(p, control)} of {len(control)} reshuffled "
        f"copies of the map; to hold it takes {WORTH:.0%} and {round((1 - LOOSE) * (len(control) + 1))} copies."
    )
    return Line(
        "random parts",
        float(found),
        control_range(control, 0.0, 1 - LOOSE),
        verdict,
        sentence,
        {"p": p, "copies": len(control), "words": True},
    )


def _count_worse(p: float, control: np.ndarray) -> int:
    return round((1 - p) * (len(control) + 1))


ENTRY = Measure(
    title="random parts",
    source="Bhatt et al. 2020, Evaluating and Aggregating Feature-based Model Explanations, eq. 3",
    unit="correlation; of a text, share of the most important word",
    better=HIGHER,
    meaning="how well the map foresees what random masks cost; copies of the map",
    line=lambda tested: make_line(tested.masked, tested.values, tested.result.signed),
)
