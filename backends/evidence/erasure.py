"""Erasure of a text's brightest words (DeYoung et al. 2020, ERASER): what the probability loses without them, or with
them alone, averaged over 1, 5, 10, 20 and 50 % of the words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from backends.evidence.controls import copy_map

if TYPE_CHECKING:
    from backends.evidence.masked_forwards import MaskedForwards

SOURCE = "DeYoung et al. 2020, ERASER: A Benchmark to Evaluate Rationalized NLP Models"
SHARES = (0.01, 0.05, 0.1, 0.2, 0.5)
COPIES = 8
"""Copies of the map that its number is compared with; each takes as many forwards as the map."""


def erase_words(masked: MaskedForwards, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is lost (share,) without the brightest words, and with only these; in probability where there is one."""
    use = masked.column
    order = np.argsort(-values, kind="stable")
    position = np.argsort(order)
    removed = np.stack([position < max(round(share * len(order)), 1) for share in SHARES])
    left = masked.ask(np.concatenate([removed, ~removed]))[:, use].reshape(2, len(SHARES))
    without, alone = masked.whole[use] - left
    return without, alone


def draw_copies(masked: MaskedForwards, values: np.ndarray) -> np.ndarray:
    """At most `COPIES` copies (copy, word) of a map, the same for each measure."""
    others = copy_map(values, masked.cells.shape, masked.seed)
    return others[np.random.default_rng([masked.seed, 9]).permutation(len(others))[:COPIES]]
