"""The smallest set of parts whose removal flips the answer, or that suffices for it; verified exactly.

A counterfactual: hide these words and the answer is another one. Candidates are ordered by what the masked forwards
say of each part, added until the answer flips, and each is put back if the answer stays flipped without it. So no part
of the set can be spared. Every part is tried alone, and the strongest six in pairs; of larger sets another may be as
small.
After FRED (minimal rationales of at most ten words, ε = 0.15) with the masked forwards as the screen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

Answers = Callable[[np.ndarray], np.ndarray]
"""From what is hidden (N, part) bool to how far the target is ahead of the best other answer (N,); below 0 it lost."""
MOST = 10
ALONE = 128
"""Parts that are tried alone at most, the strongest first."""


@dataclass(frozen=True)
class MinimalSet:
    """`parts` whose removal flips the answer (`flips`), or the best that was found; `margin` after hiding them."""

    parts: tuple[int, ...]
    flips: bool
    margin: float
    asked: int

    def plain(self) -> dict[str, Any]:
        """The set as JSON values."""
        return {"parts": list(self.parts), "flips": self.flips, "margin": self.margin, "asked": self.asked}


def find_flipping_set(effect: np.ndarray, answers: Answers, most: int = MOST) -> MinimalSet:
    """The smallest set found that flips the answer when hidden; `effect` (part,) orders the candidates."""
    return _search(effect, answers, most)


def find_sufficient_set(effect: np.ndarray, answers: Answers, most: int = MOST) -> MinimalSet:
    """The smallest set found that alone keeps the answer, all other parts being hidden; `margin` is above 0 then."""
    found = _search(effect, lambda shown: -answers(~shown), most)
    return MinimalSet(found.parts, found.flips, -found.margin, found.asked)


def _search(effect: np.ndarray, answers: Answers, most: int) -> MinimalSet:
    order = np.argsort(-effect, kind="stable")
    asked = 0

    def ask(sets: Sequence[tuple[int, ...]]) -> np.ndarray:
        nonlocal asked
        asked += len(sets)
        hidden = np.zeros((len(sets), len(effect)), bool)
        for row, parts in zip(hidden, sets, strict=True):
            row[list(parts)] = True
        return answers(hidden)

    promising = [int(i) for i in order[:most]]
    small: list[tuple[int, ...]] = [(int(i),) for i in order[:ALONE]]
    small += combinations(promising[:6], 2)
    margins = ask(small)
    for size in (1, 2):
        flipped = [(m, s) for m, s in zip(margins, small, strict=True) if m < 0 and len(s) == size]
        if flipped:
            margin, parts = min(flipped)
            return MinimalSet(tuple(sorted(parts)), True, float(margin), asked)
    grown = [tuple(promising[:k]) for k in range(3, len(promising) + 1)]
    if not grown:
        best = int(np.argmin(margins))
        return MinimalSet(tuple(sorted(small[best])), False, float(margins[best]), asked)
    margins = ask(grown)
    if not (margins < 0).any():
        best = int(np.argmin(margins))
        return MinimalSet(tuple(sorted(grown[best])), False, float(margins[best]), asked)
    parts, margin = grown[int(np.argmax(margins < 0))], float(margins[np.argmax(margins < 0)])
    while len(parts) > 1:
        fewer = [tuple(p for p in parts if p != spared) for spared in parts]
        margins = ask(fewer)
        if not (margins < 0).any():
            break
        best = int(np.argmin(margins))
        parts, margin = fewer[best], float(margins[best])
    return MinimalSet(tuple(sorted(parts)), True, margin, asked)
