"""Deletion and insertion curves: the answer as more and more is hidden, brightest or darkest cells first.

Petsiuk et al. 2018 (RISE), section 3.2; SRG, the area between both orders: Blücher et al. 2024, Decoupling pixel
flipping and occlusion strategy. Hiding the darkest share q is keeping the brightest 1 − q, so the darkest-first curve
read backwards is the insertion curve.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.evidence.controls import smooth_field

if TYPE_CHECKING:
    from backends.evidence.masked_forwards import MaskedForwards

SOURCE = "Petsiuk et al. 2018, RISE: Randomized Input Sampling for Explanation, section 3.2"
UNIT = "score, mean over the curve"
FRACTIONS = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.85)
"""How much of the input is hidden at each point of a curve, beside none and all."""
ORDERS = 4
"""Smooth random orders that a map's curves are compared with; their answers are kept for the input."""


@dataclass(frozen=True)
class Curves:
    """Scores (point,) as `hidden` (point,), a share of the input, is replaced in either order; `srg` is in scores."""

    hidden: np.ndarray
    brightest_first: np.ndarray
    darkest_first: np.ndarray

    @property
    def deletion(self) -> float:
        """Mean score while the brightest go first; lower is better."""
        return float(np.trapezoid(self.brightest_first, self.hidden))

    @property
    def insertion(self) -> float:
        """Mean score while the brightest are shown first; higher is better."""
        return float(np.trapezoid(self.darkest_first, self.hidden))

    @property
    def srg(self) -> float:
        """Mean height of the darkest-first curve over the brightest-first one; 0 for an order without meaning."""
        return self.insertion - self.deletion

    def plain(self) -> dict[str, Any]:
        """The curves as JSON values."""
        return {name: np.asarray(getattr(self, name)).tolist() for name in self.__dataclass_fields__}


def compute_curves(masked: MaskedForwards, values: np.ndarray) -> Curves:
    """Both curves of a map (cell,); ties are hidden from the middle of the input outwards, in either order."""
    order = np.lexsort((_measure_outwards(masked.cells.shape), -values))
    steps = sorted({round(share * len(order)) for share in FRACTIONS} - {0, len(order)})
    cut = np.array([0, *steps, len(order)])
    position = np.empty(len(order), int)
    position[order] = np.arange(len(order))
    first = position[None] < cut[:, None]
    last = position[None] >= len(order) - cut[:, None]
    found = masked.ask(np.concatenate([first, last]))[:, 0]
    return Curves(cut / len(order), found[: len(cut)], found[len(cut) :])


def _measure_outwards(shape: tuple[int, ...]) -> np.ndarray:
    axes = [np.abs(np.arange(n) - (n - 1) / 2) for n in shape]
    return (axes[0][:, None] + axes[1][None]).ravel() if len(axes) == 2 else axes[0]


def compute_random_curves(masked: MaskedForwards, count: int = ORDERS) -> list[Curves]:
    """The curves of smooth random orders, which know nothing of the input."""
    return [compute_curves(masked, _draw_order(masked, i)) for i in range(count)]


def compute_random_srg(masked: MaskedForwards, count: int = ORDERS) -> np.ndarray:
    """SRG (order,) of smooth random orders."""
    return np.array([found.srg for found in compute_random_curves(masked, count)])


def _draw_order(masked: MaskedForwards, index: int) -> np.ndarray:
    chance = np.random.default_rng([masked.seed, 77, index])
    shape = masked.cells.shape
    return smooth_field(shape, 0.07, chance) if len(shape) == 2 else chance.permutation(shape[0]).astype(float)
