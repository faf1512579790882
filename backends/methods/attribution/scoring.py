"""The number that is explained as a function of the input's features alone, which is what captum asks for.

Imports torch, so methods import it when they are called, not when they are listed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from backends.errors import Refused
from backends.methods.base import Step
from backends.models.base import Batch, Model, Target

MOST = 64
"""Inputs that go through a network at once at most."""


class Scoring(nn.Module):
    """`model.score` of one input and target: features (B, …) -> (B,). Counts evaluations and reports progress.

    It is a module with the network inside, for captum's methods that change how modules work.
    Set `expected` to the number of evaluations to come, so that the progress means something.
    """

    def __init__(self, model: Model, batch: Batch, target: Target, step: Step) -> None:
        super().__init__()
        self.network = model.module
        self.model, self.batch, self.target, self.step = model, batch, target, step
        self.expected = 1
        self.most = MOST
        self.gradients = self.forwards = 0

    def forward(self, features: Tensor) -> Tensor:
        self.step(min((self.gradients + self.forwards) / self.expected, 0.99))  # raises when cancelled
        if torch.is_grad_enabled():
            self.gradients += len(features)
            return self.model.score(features, self.batch, self.target)
        self.forwards += len(features)
        return self.model.scores(features, self.batch, self.target).to(features.device)

    @property
    def features(self) -> Tensor:
        """The input's features (1, …), a copy that asks for a gradient."""
        return self.model.features(self.batch).detach().clone().requires_grad_()

    @property
    def range(self) -> float:
        """Largest minus smallest value of the features, which noise is a share of."""
        low, high = self.model.features(self.batch).detach().aminmax()
        return float(high - low)

    @property
    def size(self) -> int:
        """How many inputs go through the network at once: `most`, where memory ran out with more."""
        return min(self.model.batch_size(self.batch, self.target), self.most)

    @cached_property
    def output(self) -> float:
        """The number that is explained."""
        return float(self.value(self.features))

    def value(self, features: Tensor) -> Tensor:
        """Scores (B,) without gradients."""
        with torch.no_grad():
            return self(features.detach())

    def baseline(self, kind: str) -> Tensor:
        """What stands in for the input, like `features`; "default" is the model's own choice."""
        return self.model.baseline(self.features.detach(), self.batch, None if kind == "default" else kind).detach()

    def fold(self, attribution: Tensor) -> np.ndarray:
        """(token,) or (height, width) of an attribution shaped like the features, channels summed."""
        return self.model.fold(attribution, self.batch)


class Parts(nn.Module):
    """The same number as a function of which parts of the input are kept: (B, part) of 0 and 1 -> (B,).

    Parts are words, or squares of `square` pixels (0: an eighth of the height); a part that is not kept
    is replaced by the baseline. Special tokens belong to no part and always stay.
    """

    def __init__(self, scoring: Scoring, baseline: str, square: int = 0) -> None:
        super().__init__()
        self.scoring = scoring
        if scoring.batch.image is not None:
            square = square or max(scoring.batch.image.shape[0] // 8, 1)
        self.units = scoring.model.units(scoring.batch, square)  # (1, T, 1) or (1, 1, H, W)
        self.count = int(self.units.max()) + 1
        if self.count < 1:
            raise Refused("there is no word to remove: the input has special tokens only")
        self.present = scoring.features.detach()
        self.absent = scoring.baseline(baseline)

    def forward(self, kept: Tensor) -> Tensor:
        there = kept.bool()[:, self.units[0].clamp(min=0)] | (self.units < 0)  # (B, T, 1) or (B, 1, H, W)
        return self.scoring.value(torch.where(there, self.present, self.absent))

    @property
    def all(self) -> Tensor:
        """Every part kept, (1, part)."""
        return torch.ones(1, self.count, device=self.present.device)

    @property
    def none(self) -> Tensor:
        """No part kept, (1, part)."""
        return torch.zeros(1, self.count, device=self.present.device)

    @cached_property
    def baseline_output(self) -> float:
        """The number with nothing kept."""
        return float(self.scoring.value(self.absent))

    def spread(self, values: Tensor) -> np.ndarray:
        """(token,) or (height, width) in which every token or pixel has the value of its part, (1, part)."""
        padded = torch.cat([values.flatten().float(), values.new_zeros(1).float()])  # units -1: belongs to no part
        return self.scoring.fold(padded[self.units])


class LeastSquares:
    """Weighted least squares with an intercept, in closed form; captum's own would need scikit-learn.

    `ridge` shrinks the coefficients. `fit_share` is the weighted share of variance that the line explains.
    """

    def __init__(self, ridge: float = 0.0) -> None:
        self.ridge = ridge
        self.fit_share = 0.0

    def fit(self, data: torch.utils.data.DataLoader) -> None:
        """Fit to batches of (inputs (N, part), outputs (N,), weights (N,))."""
        inputs, outputs, weights = (torch.cat(column).cpu().double() for column in zip(*data, strict=True))
        design = torch.cat([inputs, torch.ones(len(inputs), 1, dtype=torch.double)], 1)  # (N, part + 1)
        root = weights.sqrt()[:, None]
        shrink = self.ridge**0.5 * torch.eye(inputs.shape[1], design.shape[1], dtype=torch.double)
        left, right = torch.cat([design * root, shrink]), torch.cat([outputs[:, None] * root, shrink[:, :1] * 0])
        found = torch.linalg.lstsq(left, right, driver="gelsd").solution[:, 0]
        mean = (weights * outputs).sum() / weights.sum()
        spread = (weights * (outputs - mean) ** 2).sum().clamp(min=1e-12)
        self.fit_share = float(1 - (weights * (outputs - design @ found) ** 2).sum() / spread)
        self.coefficients = found[:-1][None].float()

    def representation(self) -> Tensor:
        """The coefficients (1, part)."""
        return self.coefficients


@contextmanager
def seeded(seed: int, device: str = "cpu") -> Iterator[None]:
    """Captum draws from the global generators: seed them inside, and leave them as they were."""
    devices = [torch.device(device)] if torch.device(device).type == "cuda" else []
    kept, drawn = np.random.get_state(), random.getstate()
    try:
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            np.random.seed(seed)
            random.seed(seed)
            yield
    finally:
        np.random.set_state(kept)
        random.setstate(drawn)
