"""Which parts matter at all, and by how much? A trial of every part at once, with false discoveries bounded.

Random halves of the parts are hidden, the score is fitted by least squares on what was hidden (each part's effect with
all others present or absent at random), errors are heteroscedasticity-consistent (HC3: MacKinnon & White 1985), and the
parts that matter by more than a least effect are chosen at a false discovery rate (Benjamini & Hochberg 1995).
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


@dataclass(frozen=True)
class Trial:
    """The drop that hiding each part causes: `effect`, its standard `error`, `p` and whether it is `found` (part,).

    All in the unit of the score; `least` is the effect that counts, `trials` how many forwards it took.
    """

    effect: np.ndarray
    error: np.ndarray
    p: np.ndarray
    found: np.ndarray
    least: float
    trials: int

    def plain(self) -> dict[str, Any]:
        """The trial as JSON values."""
        return {
            **{name: getattr(self, name).tolist() for name in ("effect", "error", "p", "found")},
            "least": self.least, "trials": self.trials,
        }  # fmt: skip


def design(parts: int, trials: int, seed: int = 0) -> np.ndarray:
    """What is hidden (trial, part) bool: independent halves, each followed by its complement."""
    half = np.random.default_rng([seed, 11]).random((-(-trials // 2), parts)) < 0.5
    return np.stack([half, ~half], 1).reshape(-1, parts)[:trials]


def trial(hidden: np.ndarray, scores: np.ndarray, change: float, rate: float = RATE, least: float = LEAST) -> Trial:
    """The trial of what was `hidden` (trial, part), given `scores` (trial,) and the whole `change` |f(x) − f(none)|."""
    from scipy.stats import t

    count, parts = hidden.shape
    if count < parts + 10:
        raise Refused(f"{count} trials are too few for {parts} parts; take at least {parts + 10}")
    matrix = np.concatenate([np.ones((count, 1)), hidden], 1).astype(float)
    inverse = np.linalg.pinv(matrix.T @ matrix)
    slope = inverse @ (matrix.T @ scores)
    left = scores - matrix @ slope
    leverage = np.einsum("ij,jk,ik->i", matrix, inverse, matrix).clip(max=1 - 1e-6)
    meat = matrix * (left / (1 - leverage))[:, None]  # HC3
    error = np.sqrt(np.diag(inverse @ (meat.T @ meat) @ inverse).clip(min=0))[1:]
    effect = -slope[1:]  # hiding lowers the score
    floor = least * abs(change)
    excess = np.abs(effect) - floor
    rounding = 1e-6 * max(float(np.abs(scores).max(initial=0.0)), 1e-12)
    p = t.sf(excess / np.maximum(error, rounding), count - parts - 1)
    return Trial(effect, error, p, discoveries(p, rate), floor, count)


def discoveries(p: np.ndarray, rate: float = RATE) -> np.ndarray:
    """The hypotheses (part,) bool that Benjamini and Hochberg reject at false discovery rate `rate`."""
    order = np.argsort(p)
    below = p[order] <= rate * np.arange(1, len(p) + 1) / len(p)
    found = np.zeros(len(p), bool)
    if below.any():
        found[order[: below.nonzero()[0].max() + 1]] = True
    return found
