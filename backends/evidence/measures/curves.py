"""Deletion and insertion curves: the answer as more and more is hidden, brightest or darkest places first.

Petsiuk et al. 2018 (RISE), section 3.2; SRG, the area between both orders: Blücher et al. 2024, Decoupling pixel
flipping and occlusion strategy. Hiding the darkest share q is keeping the brightest 1 − q, so the darkest-first curve
read backwards is the insertion curve.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from backends.evidence.controls import rank
from backends.evidence.masked_forwards import Bank, clouds
from backends.evidence.verdict import CANNOT, FAILS, HOLDS, Line, named, number

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


def curves(bank: Bank, values: np.ndarray) -> Curves:
    """Both curves of a map (place,); ties are hidden from the middle of the input outwards, in either order."""
    order = np.lexsort((_outwards(bank.places.shape), -values))
    steps = sorted({round(share * len(order)) for share in FRACTIONS} - {0, len(order)})
    cut = np.array([0, *steps, len(order)])
    place = np.empty(len(order), int)
    place[order] = np.arange(len(order))
    first = place[None] < cut[:, None]
    last = place[None] >= len(order) - cut[:, None]
    found = bank.ask(np.concatenate([first, last]))[:, 0]
    return Curves(cut / len(order), found[: len(cut)], found[len(cut) :])


def _outwards(shape: tuple[int, ...]) -> np.ndarray:
    axes = [np.abs(np.arange(n) - (n - 1) / 2) for n in shape]
    return (axes[0][:, None] + axes[1][None]).ravel() if len(axes) == 2 else axes[0]


def random_curves(bank: Bank, count: int = ORDERS) -> list[Curves]:
    """The curves of smooth random orders, which know nothing of the input."""
    return [curves(bank, _order(bank, i)) for i in range(count)]


def random_orders(bank: Bank, count: int = ORDERS) -> np.ndarray:
    """SRG (order,) of smooth random orders."""
    return np.array([found.srg for found in random_curves(bank, count)])


def _order(bank: Bank, index: int) -> np.ndarray:
    chance = np.random.default_rng([bank.seed, 77, index])
    shape = bank.places.shape
    return clouds(shape, 0.07, chance) if len(shape) == 2 else chance.permutation(shape[0]).astype(float)


def line(bank: Bank, values: np.ndarray) -> Line:
    """Brightest first against darkest first, beside smooth random orders."""
    found, control = curves(bank, values), random_orders(bank)
    change = abs(float(found.brightest_first[0] - found.brightest_first[-1]))
    spread = max(float(np.std(control, ddof=1)), 0.02 * change, 1e-9)
    mean = float(control.mean())
    verdict = HOLDS if found.srg > max(control.max(), mean + 3 * spread) else FAILS
    if verdict == FAILS and found.srg > min(mean + 2 * spread, control.max()):  # above all of few orders is no failure
        verdict = CANNOT
    what, low = named(bank), float(np.abs(control).max())
    sentence = (
        f"Hidden from the brightest on, {what} is lower by {number(found.srg)} on average than hidden "
        f"from the darkest on; for random orders the two differ by up to {number(low)}."
    )
    if found.srg <= 0:
        sentence = (
            f"Hidden from the brightest on, {what} stays as high as hidden from the darkest on "
            f"({number(-found.srg)} higher): the order of the map means nothing to the model."
        )
    about = {"curves": found.plain(), "p": rank(found.srg, control)}
    return Line("order", found.srg, (float(control.min()), float(control.max())), verdict, sentence, about)
