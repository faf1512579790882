"""The masked forwards of an input, drawn without seeing any map, kept and shared by every measure and method.

Masks follow from the shape and the seed alone, and more masks begin with the fewer, so that
testing harder only adds forwards.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from backends.evidence.cells import Cells
from backends.evidence.controls import smooth_field
from backends.evidence.replacement_values import MaskedInput
from backends.models.base import Model

SHARES = (0.025, 0.05, 0.08)
"""How much of an image a mask hides."""
WORDS = 0.35
"""How much of a text a mask hides, beside single words: several words may say the same, and then only sets tell."""
SINGLE = 96
"""Texts of up to so many words have each word hidden by itself, too."""
WIDTHS = (0.024, 0.09)
"""The softness of an image's masks, scattered or compact, as a share of its longer side."""
SILENT = 0.02
"""Where no mask moves the answer by more than this share of its score, or this probability, nothing can be told."""
SILENCE = "nothing that was hidden by “{kind}” changed the answer, so no {what}"
OVERLAP = 0.25
"""The share of a region that another may cover and still lie elsewhere."""
RIDGE = 0.01
"""The weight of the penalty that keeps effects small where the masks say little."""
KEPT = 32
"""Inputs whose masked forwards are kept for each model."""


def list_mask_sizes(shape: tuple[int, ...]) -> tuple[int, ...]:
    """How many cells the masks hide, ascending: `SHARES` of an image, single words and `WORDS` of a text."""
    count = int(np.prod(shape))
    if len(shape) == 2:
        return tuple(sorted({max(round(share * count), 1) for share in SHARES}))
    return 1, max(round(WORDS * count), 2)


@lru_cache(maxsize=16)
def draw_masks(shape: tuple[int, ...], count: int, seed: int) -> np.ndarray:
    """Masks (mask, cell) bool of what is hidden: soft random shapes, or single words and then random sets of words."""
    made = np.stack([_draw_mask(shape, i, seed) for i in range(count)])
    made.setflags(write=False)
    return made


def _draw_mask(shape: tuple[int, ...], index: int, seed: int) -> np.ndarray:
    chance, kinds = np.random.default_rng([seed, index]), list_mask_sizes(shape)
    if len(shape) == 2:
        size = kinds[index % len(kinds)]
        field_ = smooth_field(shape, WIDTHS[index // len(kinds) % len(WIDTHS)], chance)
        return np.argsort(np.argsort(-field_, kind="stable")) < size
    words = shape[0]
    if index < words <= SINGLE:  # each word by itself first
        return np.arange(words) == index
    return chance.permutation(words) < kinds[-1]


@dataclass(eq=False)
class MaskedForwards:
    """Answers to one input with random parts hidden, and whatever else is asked about it: each only once.

    `whole` is the answer to the entire input, `hidden` (mask, cell) what each mask hides, `answers` (mask, 3) the
    score, probability and lead left.
    """

    input: MaskedInput
    cells: Cells
    seed: int
    whole: np.ndarray
    hidden: np.ndarray = field(init=False)
    answers: np.ndarray = field(init=False)
    memory: OrderedDict[bytes, np.ndarray] = field(default_factory=OrderedDict)

    def __post_init__(self) -> None:
        self.hidden = np.zeros((0, self.cells.count), bool)
        self.answers = np.zeros((0, 3))

    def grow(self, count: int) -> None:
        """Draw masks until there are `count`."""
        if count > len(self.hidden):
            new = draw_masks(self.cells.shape, count, self.seed)[len(self.hidden) :]
            self.answers = np.concatenate([self.answers, self.ask(new, remember=False)])
            self.hidden = np.concatenate([self.hidden, new])

    @property
    def drops(self) -> np.ndarray:
        """How much of the score each mask costs, (mask,)."""
        return self.whole[0] - self.answers[:, 0]

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many cells the masks hide, ascending."""
        return list_mask_sizes(self.cells.shape)

    @property
    def effects(self) -> np.ndarray:
        """How much of the score each cell is worth, (cell,), by ridge regression of the drops on what was hidden."""
        many = len(self.hidden)
        design = np.concatenate([np.ones((many, 1)), self.hidden], 1)
        penalty = RIDGE * many * np.diag([0.0] + [1.0] * self.cells.count)
        return np.linalg.solve(design.T @ design + penalty, design.T @ self.drops)[1:]

    @property
    def column(self) -> int:
        """The column of the answers that sentences speak of: the probability where there is one, else the score."""
        return 1 if np.isfinite(self.whole[1]) else 0

    def elsewhere(self, chosen: np.ndarray) -> np.ndarray:
        """The masks (mask,) bool about as large as the region `chosen` (cell,) that lie elsewhere."""
        size = min(self.sizes, key=lambda size: abs(np.log(size / max(chosen.sum(), 1))))
        apart = (self.hidden & chosen).sum(1) <= OVERLAP * min(size, chosen.sum())
        return (self.hidden.sum(1) == size) & apart

    def ask(self, hidden: np.ndarray, remember: bool = True) -> np.ndarray:
        """Score, probability and lead (N, 3) with `hidden` (N, cell) replaced; what was asked before costs nothing."""
        keys = [np.packbits(row).tobytes() for row in hidden]
        known = {bytes(len(keys[0])): self.whole} if keys else {}
        known |= {key: self.memory[key] for key in keys if key in self.memory}
        fresh = [i for i, key in enumerate(keys) if key not in known and key not in keys[:i]]
        if fresh:
            found = self.input.answers(self.cells.spread(hidden[fresh]))
            known |= {keys[i]: answer for i, answer in zip(fresh, found, strict=True)}
            if remember:
                self.memory.update({keys[i]: known[keys[i]] for i in fresh})
            while len(self.memory) > 4096:
                self.memory.popitem(last=False)
        return np.stack([known[key] for key in keys]) if keys else np.zeros((0, 3))


def get_cache(model: Model) -> OrderedDict[tuple, MaskedForwards]:
    """The masked forwards kept for a model: on the model itself, which they refer to, so that they go when it goes."""
    return vars(model).setdefault("_banks", OrderedDict())


def is_silent(masked: MaskedForwards, change: float, moved: float) -> bool:
    """Whether the largest `change` of the score and how far the probability `moved` (nan: it has none) tell nothing."""
    return change <= SILENT * max(abs(float(masked.whole[0])), 1e-6) and not (np.isfinite(moved) and moved > SILENT)


def get_masked_forwards(masked_input: MaskedInput, cells: Cells, seed: int, count: int) -> MaskedForwards:
    """The masked forwards of this model, input, target, replacement and seed, at least `count`; kept for the next map.

    The answer to the entire input is computed each time, so that a network whose weights changed gets new ones.
    """
    kept = get_cache(masked_input.model)
    nothing = cells.spread(np.zeros((1, cells.count), bool))
    whole = masked_input.answers(nothing)[0]
    content = masked_input.features.detach().cpu().contiguous().numpy().tobytes()
    key = (hashlib.sha256(content).hexdigest(), str(masked_input.target), masked_input.kind, seed)
    found = kept.get(key)
    if found is None or not np.allclose(found.whole, whole, rtol=1e-4, atol=1e-5, equal_nan=True):
        found = MaskedForwards(masked_input, cells, seed, whole)
    found.input, found.cells = (
        masked_input,
        cells,
    )  # progress and count are of this call, and so is how the text is spaced
    kept[key] = found
    kept.move_to_end(key)
    while len(kept) > KEPT:
        kept.popitem(last=False)
    found.grow(count)
    return found
