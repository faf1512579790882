"""What stands in for a hidden part of the input, and the answers to what is left.

Everything a receipt says is relative to this choice, so it is always said and can be changed. Pictures have one
stand-in more than methods do: `surroundings` continues what is around the hidden region into it, without a seam.
A blurred or grey patch is an object of its own to many networks; a continued background hides and adds nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from backends.errors import Refused
from backends.models import _batching

if TYPE_CHECKING:
    from backends.methods._base import Step
    from backends.models._base import Batch, Model, Target

SURROUNDINGS = "surroundings"
SWEEPS = 6
"""Relaxations at each resolution."""
LEAST = 16
"""Inputs that go through at once at least: the size tried on a busy machine may come out as one."""
SPREAD = "classes", "next_token"
"""What a model offers whose outputs are the logits of exclusive answers, so that a softmax of them means something."""


def replacements(model: Model, batch: Batch) -> tuple[str, ...]:
    """What can stand in for a hidden part of this input, the default first."""
    return ((SURROUNDINGS,) if batch.image is not None else ()) + tuple(model.stand_ins)


def surroundings(pixels: Tensor, hidden: Tensor) -> Tensor:
    """`pixels` (B, C, H, W) with what is `hidden` (B, 1, H, W) continued from around it, as a membrane over a hole.

    Each hidden value becomes about the mean of its neighbours; found from coarse to fine.
    """
    known = (~hidden).to(pixels.dtype)
    levels = [(pixels * known, known)]
    while min(levels[-1][0].shape[-2:]) > 2:
        total, weight = levels[-1]
        levels.append((F.avg_pool2d(total, 2, ceil_mode=True), F.avg_pool2d(weight, 2, ceil_mode=True)))
    total, weight = levels[-1]
    mean = total.sum((2, 3), keepdim=True) / weight.sum((2, 3), keepdim=True).clamp(min=1e-6)
    filled = mean.expand_as(total)
    for total, weight in reversed(levels):
        filled = F.interpolate(filled, size=total.shape[-2:], mode="bilinear", align_corners=False)
        unknown = weight < 1e-6
        filled = torch.where(unknown, filled, total / weight.clamp(min=1e-6))
        for _ in range(SWEEPS):
            filled = torch.where(unknown, _neighbours(filled), filled)
    return filled


def _neighbours(values: Tensor) -> Tensor:
    """The mean of each place's four neighbours."""
    wide = F.pad(values, (1, 1, 1, 1), mode="replicate")
    across = wide[..., 1:-1, :-2] + wide[..., 1:-1, 2:]
    return (across + wide[..., :-2, 1:-1] + wide[..., 2:, 1:-1]) / 4


@dataclass(eq=False)
class Hiding:
    """The answers of one model to one input with parts of it hidden; counts the forwards that it takes.

    `kind` is one of `replacements`. An answer is three numbers: the score that the map explains, the target's
    probability, and how far its logit is ahead of the best other one, below 0 where another answer wins; the latter two
    are nan where the model's outputs are no exclusive answers.
    """

    model: Model
    batch: Batch
    target: Target
    kind: str
    step: Step
    forwards: int = 0

    def __post_init__(self) -> None:
        there = replacements(self.model, self.batch)
        if self.kind not in there:
            raise Refused(f"{self.model.name} cannot hide parts by {self.kind[:40]!r}; it can by: {', '.join(there)}")

    @cached_property
    def present(self) -> Tensor:
        """The input's features (1, …)."""
        return self.model.features(self.batch).detach()

    @cached_property
    def absent(self) -> Tensor:
        """What stands in everywhere, for stand-ins that do not depend on what is hidden."""
        return self.model.baseline(self.present, self.batch, self.kind).detach()

    def shown(self, hidden: Tensor) -> Tensor:
        """Features with what is `hidden` (B, T, 1) or (B, 1, H, W) replaced."""
        if self.kind != SURROUNDINGS:
            return torch.where(hidden, self.absent, self.present)
        many = self.present.expand(len(hidden), *self.present.shape[1:])
        return torch.where(hidden, surroundings(many.float(), hidden).to(many), many)

    def answers(self, hidden: Tensor) -> np.ndarray:
        """Score, probability and lead (B, 3) float64 with what is `hidden` replaced."""

        def run(rows: Tensor) -> Tensor:
            self.step(0.0)  # raises when cancelled
            with torch.no_grad():
                found = self._answer(self.shown(rows))
            self.forwards += len(rows)
            return found

        with self.model.lock:
            size = max(self.model.batch_size(self.batch, self.target), LEAST)
            parts, _ = _batching.halving(run, hidden, size)
        return torch.cat(parts).double().numpy()

    def _answer(self, features: Tensor) -> Tensor:
        target = self.target
        if target.kind == "sequence" or not self.model.offers.intersection(SPREAD):
            score = self.model.score(features, self.batch, target).float()
            nothing = torch.full_like(score, float("nan"))
            return torch.stack([score, score.exp() if target.kind == "sequence" else nothing, nothing], 1).cpu()
        logits = self.model.outputs(features, self.batch).float()
        chosen = logits[:, list(target.ids)]  # (B, 1) or (B, 2)
        if target.kind == "pair":
            lead = chosen[:, 0] - chosen[:, 1]
            return torch.stack([lead, lead.sigmoid(), lead], 1).cpu()
        others = logits.clone()
        others[:, target.ids[0]] = -torch.inf
        lead = chosen[:, 0] - others.max(-1).values
        return torch.stack([chosen[:, 0], logits.softmax(-1)[:, target.ids[0]], lead], 1).cpu()
