"""Regions that a person can name: words of a text, squares of an image; what trials and minimal sets are about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from backends import words
from backends.errors import Refused
from backends.evidence import minimal_sets, trial
from backends.evidence.cells import Cells
from backends.evidence.masked_forwards import SILENCE, MaskedForwards, get_masked_forwards, is_silent
from backends.evidence.replacement_values import MaskedInput, list_replacements
from backends.models.base import Model

MOST = 200
"""Words of a text that are regions by themselves; of a longer one, stretches of neighbouring words are."""
SQUARES = 8
"""Squares along the longer side of an image."""


@dataclass(frozen=True, eq=False)
class Regions:
    """`groups` (region, cell) bool says which cells each region has, `names` what it is called."""

    masked: MaskedForwards
    groups: np.ndarray
    names: tuple[str, ...]

    def answers(self, hidden: np.ndarray) -> np.ndarray:
        """Score, probability and lead (N, 3) with the regions `hidden` (N, region) replaced."""
        return self.masked.ask((hidden.astype(np.int64) @ self.groups) > 0)


def find_regions(
    model: Model, raw: Any, target: Any = None, replacement: str = "", seed: int = 0, step: Any = None
) -> Regions:
    """The words or squares of an input, with the masked forwards that answer for them. Raises `Refused`."""
    with model.lock:
        batch = model.encode(raw)
        cells = Cells(batch)
        kind = replacement or list_replacements(model, batch)[0]
        masked_input = MaskedInput(model, batch, model.target(target, batch), kind, step or (lambda fraction: None))
        made = get_masked_forwards(masked_input, cells, seed, 0)
    groups, names = _split_squares(cells) if cells.is_image else _split_words(cells)
    if len(groups) < 2:
        raise Refused(f"the input has {len(groups)} part that can be hidden; there is nothing to compare it with")
    return Regions(made, groups, names)


def _split_words(cells: Cells) -> tuple[np.ndarray, tuple[str, ...]]:
    """Tokens without a space between them belong to one word; punctuation stays by itself. At most `MOST` parts."""
    batch = cells.batch
    spans = [span for span, cell in zip(batch.spans, cells.number, strict=True) if cell >= 0]
    group: list[int] = []
    last = None
    for (start, end), word in zip(spans, words.number(batch.text, spans), strict=True):
        group.append(group[-1] if group and last == (start, word) else (group[-1] + 1 if group else 0))
        last = (end, word)
    number = np.array(group)
    number //= max(-(-int(number.max(initial=-1) + 1) // MOST), 1)
    edges = [[spans[i] for i in np.flatnonzero(number == g)] for g in range(number.max(initial=-1) + 1)]
    names = tuple(batch.text[int(of[0][0]) : int(of[-1][1])].strip() for of in edges)
    return np.arange(len(edges))[:, None] == number[None], names


def _split_squares(cells: Cells) -> tuple[np.ndarray, tuple[str, ...]]:
    rows, columns = cells.shape
    side = -(-max(rows, columns) // SQUARES)
    row, column = np.arange(rows) // side, np.arange(columns) // side
    number = (row[:, None] * (column[-1] + 1) + column).ravel()
    names = tuple(f"row {r + 1}, column {c + 1}" for r in range(row[-1] + 1) for c in range(column[-1] + 1))
    return np.arange(number[-1] + 1)[:, None] == number[None], names


def count_trials(made: Regions) -> int:
    """Trials of the usual effort: twice as many for each square as for a word, since squares act together more."""
    count = len(made.groups)
    return max(trial.TRIALS * count * (2 if made.masked.cells.is_image else 1), 2 * count + 20)


def run_trial(made: Regions, rate: float = trial.RATE, least: float = trial.LEAST, effort: int = 1) -> trial.Trial:
    """Which parts matter at all, and by how much: see `trial`; `effort` multiplies its trials.

    What counts is a share of the largest change that hiding made. Raises `Refused` where hiding changed nothing.
    """
    count = effort * count_trials(made)
    hidden = trial.draw_design(len(made.groups), count, made.masked.seed)
    answers = made.answers(hidden)
    everything = made.answers(np.ones((1, len(made.groups)), bool))
    moved = np.abs(np.concatenate([answers, everything]) - made.masked.whole).max(0)
    if is_silent(made.masked, float(moved[0]), float(moved[1])):
        raise Refused(SILENCE.format(kind=made.masked.input.kind, what="part can be told from another"))
    return trial.fit_trial(hidden, answers[:, 0], float(moved[0]), rate, least)


def find_minimal_sets(made: Regions, effect: np.ndarray | None = None) -> dict[str, Any]:
    """The smallest sets found: `flips` the answer when hidden, `suffices` when all else is; with their names.

    `effect` (part,) orders what is tried, by default that of a trial. Raises `Refused` where no other answer could win.
    """
    if not np.isfinite(made.masked.whole[2]):
        if made.masked.input.target.kind == "sequence":
            raise Refused("what is explained is a text of several tokens: there is no one other answer to flip to")
        raise Refused("this model's answer is a number, not a choice: there is no other answer to flip to")
    if made.masked.whole[2] <= 0 and made.masked.input.target.kind == "pair":
        raise Refused("the first of the two answers is behind the second already; explain the second against the first")
    if made.masked.whole[2] <= 0:
        raise Refused("the model does not give this answer in the first place; explain the answer that it gives")
    order = run_trial(made).effect if effect is None else effect

    def lead(hidden: np.ndarray) -> np.ndarray:
        return made.answers(hidden)[:, 2]

    found = {
        "flips": minimal_sets.find_flipping_set(order, lead),
        "suffices": minimal_sets.find_sufficient_set(order, lead),
    }
    return {k: v.plain() | {"names": [made.names[i] for i in v.parts]} for k, v in found.items()}
