"""Parts that a person can name: words of a text, squares of a picture; what trials and minimal sets are about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from backends.errors import Refused
from backends.evidence import minimal_sets, trial
from backends.evidence.cells import Places
from backends.evidence.masked_forwards import SILENCE, Bank, bank, silent
from backends.evidence.replacement_values import Hiding, replacements
from backends.models.base import Model

MOST = 200
"""Words of a text that are parts by themselves; of a longer one, stretches of neighbouring words are."""
SQUARES = 8
"""Squares along the longer side of a picture."""


@dataclass(frozen=True, eq=False)
class Parts:
    """`groups` (part, place) bool of a bank's places, and what each part is called."""

    bank: Bank
    groups: np.ndarray
    names: tuple[str, ...]

    def answers(self, hidden: np.ndarray) -> np.ndarray:
        """Score, probability and lead (N, 3) with the parts `hidden` (N, part) replaced."""
        return self.bank.ask((hidden.astype(np.int64) @ self.groups) > 0)


def parts(model: Model, raw: Any, target: Any = None, replacement: str = "", seed: int = 0, step: Any = None) -> Parts:
    """The words or squares of an input, with the bank that answers for them. Raises `Refused`."""
    with model.lock:
        batch = model.encode(raw)
        places = Places(batch)
        kind = replacement or replacements(model, batch)[0]
        hiding = Hiding(model, batch, model.target(target, batch), kind, step or (lambda fraction: None))
        made = bank(hiding, places, seed, 0)
    groups, names = _squares(places) if places.pictured else _words(places)
    if len(groups) < 2:
        raise Refused(f"the input has {len(groups)} part that can be hidden; there is nothing to compare it with")
    return Parts(made, groups, names)


def _words(places: Places) -> tuple[np.ndarray, tuple[str, ...]]:
    """Tokens without a space between them belong to one word; punctuation stays by itself. At most `MOST` parts."""
    batch = places.batch
    spans = [span for span, place in zip(batch.spans, places.number, strict=True) if place >= 0]
    group: list[int] = []
    last = None
    for start, end in spans:
        joined = last == start and batch.text[start:end].isalnum() and batch.text[start - 1 : start].isalnum()
        group.append(group[-1] if joined and group else (group[-1] + 1 if group else 0))
        last = end
    number = np.array(group)
    number //= max(-(-int(number.max(initial=-1) + 1) // MOST), 1)
    edges = [[spans[i] for i in np.flatnonzero(number == g)] for g in range(number.max(initial=-1) + 1)]
    names = tuple(batch.text[int(of[0][0]) : int(of[-1][1])].strip() for of in edges)
    return np.arange(len(edges))[:, None] == number[None], names


def _squares(places: Places) -> tuple[np.ndarray, tuple[str, ...]]:
    rows, columns = places.shape
    side = -(-max(rows, columns) // SQUARES)
    row, column = np.arange(rows) // side, np.arange(columns) // side
    number = (row[:, None] * (column[-1] + 1) + column).ravel()
    names = tuple(f"row {r + 1}, column {c + 1}" for r in range(row[-1] + 1) for c in range(column[-1] + 1))
    return np.arange(number[-1] + 1)[:, None] == number[None], names


def planned(made: Parts) -> int:
    """Trials of the usual effort: twice as many for each square as for a word, since squares act together more."""
    count = len(made.groups)
    return max(trial.TRIALS * count * (2 if made.bank.places.pictured else 1), 2 * count + 20)


def tried(made: Parts, rate: float = trial.RATE, least: float = trial.LEAST, effort: int = 1) -> trial.Trial:
    """Which parts matter at all, and by how much: see `trial`; `effort` multiplies its trials.

    What counts is a share of the largest change that hiding made. Raises `Refused` where hiding changed nothing.
    """
    count = effort * planned(made)
    hidden = trial.design(len(made.groups), count, made.bank.seed)
    answers = made.answers(hidden)
    everything = made.answers(np.ones((1, len(made.groups)), bool))
    moved = np.abs(np.concatenate([answers, everything]) - made.bank.whole).max(0)
    if silent(made.bank, float(moved[0]), float(moved[1])):
        raise Refused(SILENCE.format(kind=made.bank.hiding.kind, what="part can be told from another"))
    return trial.trial(hidden, answers[:, 0], float(moved[0]), rate, least)


def smallest(made: Parts, effect: np.ndarray | None = None) -> dict[str, Any]:
    """The smallest sets found: `flips` the answer when hidden, `suffices` when all else is; with their names.

    `effect` (part,) orders what is tried, by default that of a trial. Raises `Refused` where no other answer could win.
    """
    if not np.isfinite(made.bank.whole[2]):
        if made.bank.hiding.target.kind == "sequence":
            raise Refused("what is explained is a text of several tokens: there is no one other answer to flip to")
        raise Refused("this model's answer is a number, not a choice: there is no other answer to flip to")
    if made.bank.whole[2] <= 0 and made.bank.hiding.target.kind == "pair":
        raise Refused("the first of the two answers is behind the second already; explain the second against the first")
    if made.bank.whole[2] <= 0:
        raise Refused("the model does not give this answer in the first place; explain the answer that it gives")
    order = tried(made).effect if effect is None else effect

    def lead(hidden: np.ndarray) -> np.ndarray:
        return made.answers(hidden)[:, 2]

    found = {"flips": minimal_sets.flipping(order, lead), "suffices": minimal_sets.sufficient(order, lead)}
    return {k: v.plain() | {"names": [made.names[i] for i in v.parts]} for k, v in found.items()}
