"""Word spread: how much of the picture each word of the prompt is spread over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from backends.methods.base import Method, Step, no_step, option
from backends.methods.diffusion.daam import Daam
from backends.results import Result

if TYPE_CHECKING:
    from backends.models.base import Batch, Model, Target


@dataclass(frozen=True)
class WordSpread(Method):
    """How much of the picture is each word of the prompt spread over?

    `spread` (word) is the smallest share of the places that holds the given share of a word's attention map: a word for
    a thing lies close together, a word such as "a" lies everywhere.
    """

    needs: ClassVar = frozenset({"denoising", "cross_attention"})
    question: ClassVar = "diffusion"
    title: ClassVar = "Spread of each word"
    source: ClassVar = "Tang et al. 2022, What the DAAM, section 3 (the maps)"
    needs_target: ClassVar = False

    share: float = option(0.5, "the share of a word's map that is to be held", low=0.01, high=0.99)
    steps: int = option(20, "denoising steps", low=1, high=500)
    seed: int = option(0, "from which noise the picture begins", low=0)

    def __call__(self, model: Model, batch: Batch, target: Target, step: Step = no_step) -> Result:
        drawn = Daam(steps=self.steps, seed=self.seed, by_step=False, by_layer=False)(model, batch, target, step)
        heat = drawn.arrays["heat"].reshape(len(drawn.labels["word"]), -1)  # (word, place)
        held = np.cumsum(-np.sort(-heat, axis=1), axis=1) / heat.sum(1, keepdims=True).clip(1e-12)
        spread = ((held < self.share).sum(1) + 1) / heat.shape[1]
        words = {"word": drawn.labels["word"]}
        return Result("word_spread", {"spread": np.asarray(spread, np.float32)}, {"spread": ("word",)}, words,
                      unit="share of the picture", signed=False, facts={"seed": self.seed})  # fmt: skip


ENTRY = WordSpread
