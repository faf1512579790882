"""Comprehensiveness and sufficiency of a text's map (DeYoung et al. 2020, ERASER, eq. 1 and 2).

Comprehensiveness is what the probability loses without the brightest words, sufficiency what it loses with them
alone; both averaged over 1, 5, 10, 20 and 50 % of the words.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from backends.evidence.controls import copies, rank, spread
from backends.evidence.masked_forwards import Bank
from backends.evidence.measures.hiding import measure

SHARES = (0.01, 0.05, 0.1, 0.2, 0.5)


def eraser(bank: Bank, values: np.ndarray, control: int = 8) -> dict[str, dict[str, Any]]:
    """{"comprehensiveness", "sufficiency"}: value, that of `control` copies (5 to 95 %), p, and each share's."""
    others = copies(values, bank.places.shape, bank.seed)
    chance = np.random.default_rng([bank.seed, 9])
    others = others[chance.permutation(len(others))[:control]]
    lost = np.stack([_lost(bank, row) for row in (values, *others)])  # (map, 2, share)
    made = {}
    for i, (name, sign) in enumerate((("comprehensiveness", 1), ("sufficiency", -1))):
        means = lost[:, i].mean(1)
        made[name] = {
            "value": float(means[0]), "by_share": lost[0, i].tolist(), "p": rank(sign * means[0], sign * means[1:]),
            "control": spread(means[1:]),
        }  # fmt: skip
    return made


def _lost(bank: Bank, values: np.ndarray) -> np.ndarray:
    """What is lost (2, share) without the brightest words, and with only these."""
    use = measure(bank)
    order = np.argsort(-values, kind="stable")
    place = np.argsort(order)
    removed = np.stack([place < max(round(share * len(order)), 1) for share in SHARES])
    found = bank.ask(np.concatenate([removed, ~removed]))[:, use]
    return bank.whole[use] - found.reshape(2, len(SHARES))
