"""What stands in for a hidden part of the input, and the answers to what is left.

Everything a receipt says is relative to this choice, so it is always said and can be changed. There are more than
methods have: `surroundings` continues what is around a hidden region into it (see `infill`), `noise` is as bright and
as varied as the picture, and `resample` takes what other inputs have there: the same place of an example picture,
joined without a seam, or words drawn from the examples and the text itself.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from backends.errors import Refused
from backends.evidence.infill import Infill, fill_smoothly
from backends.models import batching
from backends.models.replacement_kinds import NOISE, RESAMPLE, SURROUNDINGS, list_kinds

if TYPE_CHECKING:
    from backends.methods.base import Step
    from backends.models.base import Batch, Model, Target

LEAST = 16
"""Inputs that go through at once at least: the size tried on a busy machine may come out as one."""
SPREAD = "classes", "next_token"
"""What a model offers whose outputs are the logits of answers, so that a probability of them means something."""


def list_replacements(model: Model, batch: Batch) -> tuple[str, ...]:
    """What can stand in for a hidden part of this input, the default first and what it is compared with second."""
    return list_kinds(model, batch.image is not None)


@dataclass(eq=False)
class MaskedInput:
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
        there = list_replacements(self.model, self.batch)
        if self.kind not in there:
            raise Refused(f"{self.model.name} cannot hide parts by {self.kind[:40]!r}; it can by: {', '.join(there)}")

    @cached_property
    def features(self) -> Tensor:
        """The input's features (1, …)."""
        return self.model.features(self.batch).detach()

    @cached_property
    def infill(self) -> Infill:
        """What continues the picture into a hidden region."""
        return Infill(self.features)

    @cached_property
    def others(self) -> Tensor:
        """What `resample` draws from: other pictures (N, C, H, W), or words (N, d) of the examples and of this text."""
        here, read = self.batch.image, [self.model.encode(each) for each in self.model.examples]
        if here is not None:
            read = [b for b in read if b.image.shape == here.shape and not (b.image == here).all()]
            return torch.cat([self.model.features(b).detach() for b in read])
        read = [self.batch, *read]
        free = [self.model.features(b).detach()[0, torch.as_tensor(~np.asarray(b.special))] for b in read]
        return torch.cat(free)

    @cached_property
    def replacement(self) -> Tensor:
        """What stands everywhere, for replacements that do not depend on what is hidden."""
        if self.kind == NOISE:
            chance = torch.Generator().manual_seed(0)
            drawn = torch.randn(self.features.shape, generator=chance).to(self.features)
            spread = self.features.std((2, 3), keepdim=True)
            return self.features.mean((2, 3), keepdim=True) + spread * drawn
        return self.model.baseline(self.features, self.batch, self.kind).detach()

    def replace(self, hidden: Tensor) -> Tensor:
        """Features with what is `hidden` (B, T, 1) or (B, 1, H, W) replaced."""
        hidden = hidden.to(self.features.device)
        if self.kind == SURROUNDINGS:
            return self.infill(hidden).to(self.features)
        if self.kind == RESAMPLE:
            return self._resample(hidden)
        return torch.where(hidden, self.replacement, self.features)

    def _resample(self, hidden: Tensor) -> Tensor:
        """Each row with what another input has in its place; the same for the same row each time."""
        seeds = [zlib.crc32(row.numpy().tobytes()) for row in hidden.cpu()]
        if self.batch.image is None:
            drawn = [np.random.default_rng(seed).integers(0, len(self.others), hidden.shape[1]) for seed in seeds]
            words = self.others[torch.from_numpy(np.stack(drawn)).to(self.others.device)]  # (B, T, d)
            return torch.where(hidden, words, self.features)
        other = self.others[torch.tensor([seed % len(self.others) for seed in seeds])]
        return torch.where(hidden, other + fill_smoothly(self.features - other, hidden), self.features).to(
            self.features
        )

    def answers(self, hidden: Tensor) -> np.ndarray:
        """Score, probability and lead (B, 3) float64 with what is `hidden` replaced."""

        def run(rows: Tensor) -> Tensor:
            self.step(0.0)  # raises when cancelled
            with torch.no_grad():
                found = self._answer(self.replace(rows))
            self.forwards += len(rows)
            return found

        with self.model.lock:
            size = max(self.model.batch_size(self.batch, self.target), LEAST)
            parts, _ = batching.run_halving(run, hidden, size)
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
        if self.model.multi_label:  # each class is a yes from 0 on, whatever the others are
            return torch.stack([chosen[:, 0], chosen[:, 0].sigmoid(), chosen[:, 0]], 1).cpu()
        others = logits.clone()
        others[:, target.ids[0]] = -torch.inf
        lead = chosen[:, 0] - others.max(-1).values
        return torch.stack([chosen[:, 0], logits.softmax(-1)[:, target.ids[0]], lead], 1).cpu()
