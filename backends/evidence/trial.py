"""Which parts matter at all, and by how much? A trial of every part at once, with false discoveries bounded.

Random halves of the parts are hidden, and then the other half: the differences of the scores, in which what two parts
do together cancels, are fitted by least squares on what was hidden (each part's effect with all others present or
absent at random). Errors are heteroscedasticity-consistent (HC3: MacKinnon & White 1985), and the parts that matter by
more than a least effect are chosen at a false discovery rate (Benjamini & Hochberg 1995).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from backends.errors import Refused

RATE = 0.1
LEAST = 0.05
"""An effect counts from this share of the change between the whole input and nothing of it."""
TRIALS = 6
"""Masked forwards for each part."""
SPARE = 5
"""Pairs of trials beyond the number of parts at least, so that errors can be known."""


@dataclass(frozen=True)
class Trial:
    """The drop that hiding each part causes: `effect`, its standard `error`, `p` and whether it is `found` (part,).

    All in the unit of the score; `least` is the effect that counts, `trials` how many forwards it took, `freedom` the
    degrees of freedom of the errors.
    """

    effect: np.ndarray
    error: np.ndarray
    p: np.ndarray
    found: np.ndarray
    least: float
    trials: int
    freedom: int

    def plain(self) -> dict[str, Any]:
        """The trial as JSON values."""
        return {
            **{name: getattr(self, name).tolist() for name in ("effect", "error", "p", "found")},
            "least": self.least, "trials": self.trials,
        }  # fmt: skip


def draw_design(parts: int, trials: int, seed: int = 0) -> np.ndarray:
    """What is hidden (trial, part) bool: independent halves, each followed by its complement; at least `trials`."""
    half = np.random.default_rng([seed, 11]).random((-(-trials // 2), parts)) < 0.5
    return np.stack([half, ~half], 1).reshape(-1, parts)


def fit_trial(hidden: np.ndarray, scores: np.ndarray, change: float, rate: float = RATE, least: float = LEAST) -> Trial:
    """The trial of what was `hidden` (trial, part), each row followed by its complement, given `scores` (trial,).

    `change` is |f(x) − f(none)|. Raises `Refused` for too few trials, `ValueError` where complements are missing.
    """
    from scipy.stats import t

    count, parts = hidden.shape
    if count < 2 * (parts + SPARE):
        raise Refused(f"{count} trials are too few for {parts} parts; take at least {2 * (parts + SPARE)}")
    if count % 2 or (hidden[::2] == hidden[1::2]).any():
        raise ValueError("each trial must be followed by the one that hides all else")
    matrix = np.where(hidden[::2], 1.0, -1.0)
    falls = scores[1::2] - scores[::2]  # hiding what matters lowers the score
    inverse = np.linalg.pinv(matrix.T @ matrix)
    effect = inverse @ (matrix.T @ falls)
    left = falls - matrix @ effect
    leverage = np.einsum("ij,jk,ik->i", matrix, inverse, matrix).clip(max=1 - 1e-6)
    meat = matrix * (left / (1 - leverage))[:, None]  # HC3
    error = np.sqrt(np.diag(inverse @ (meat.T @ meat) @ inverse).clip(min=0))
    floor, freedom = least * abs(change), count // 2 - parts
    rounding = 1e-6 * max(float(np.abs(scores).max(initial=0.0)), 1e-12)
    sure = np.maximum(error, rounding)
    p = t.sf((np.abs(effect) - floor) / sure, freedom) + t.sf((np.abs(effect) + floor) / sure, freedom)
    return Trial(effect, error, p.clip(max=1.0), select_discoveries(p, rate), floor, count, freedom)


def select_discoveries(p: np.ndarray, rate: float = RATE) -> np.ndarray:
    """The hypotheses (part,) bool that Benjamini and Hochberg reject at false discovery rate `rate`."""
    order = np.argsort(p)
    below = p[order] <= rate * np.arange(1, len(p) + 1) / len(p)
    found = np.zeros(len(p), bool)
    if below.any():
        found[order[: below.nonzero()[0].max() + 1]] = True
    return found
