"""Networks whose attributions are known in closed form, and direct calls that ours are compared with."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import nn

import backends
from backends.hooks.sites import Sites
from backends.methods.attribution.scoring import Scoring
from backends.methods.base import no_step
from backends.models.families.image_classifier import ImageClassifier

SIDE = 8


class Linear(nn.Module):
    """Logits (B, 2) = pixels · w + b: every method has a closed form on it."""

    def __init__(self) -> None:
        super().__init__()
        chance = torch.Generator().manual_seed(2)
        self.weight = nn.Parameter(torch.randn(2, 3, SIDE, SIDE, generator=chance), requires_grad=False)
        self.bias = nn.Parameter(torch.tensor([0.3, -0.7]), requires_grad=False)
        self.config = SimpleNamespace(id2label={0: "a", 1: "b"}, num_channels=3)

    def forward(self, pixel_values: torch.Tensor) -> SimpleNamespace:
        return SimpleNamespace(logits=torch.einsum("bchw,ochw->bo", pixel_values, self.weight) + self.bias)


class Pooled(nn.Module):
    """Logits (B, 2) = pooled pixels · w + b, with a weight for every place of the pooled stage (B, 3, 4, 4)."""

    def __init__(self) -> None:
        super().__init__()
        chance = torch.Generator().manual_seed(3)
        self.stage = nn.AvgPool2d(2)
        self.weight = nn.Parameter(torch.randn(2, 3, SIDE // 2, SIDE // 2, generator=chance), requires_grad=False)
        self.config = SimpleNamespace(id2label={0: "a", 1: "b"}, num_channels=3)

    def forward(self, pixel_values: torch.Tensor) -> SimpleNamespace:
        return SimpleNamespace(logits=torch.einsum("bchw,ochw->bo", self.stage(pixel_values), self.weight) + 0.5)


def pooled() -> ImageClassifier:
    """The pooled network as an open model whose stage was found."""
    from transformers import ViTImageProcessorPil

    processor = ViTImageProcessorPil(size={"height": SIDE, "width": SIDE})
    model = ImageClassifier("pooled", "0", Pooled().eval(), processor)
    model.sites = Sites(channels=("stage",))
    return model


def linear() -> ImageClassifier:
    """The linear network as an open model."""
    from transformers import ViTImageProcessorPil

    processor = ViTImageProcessorPil(size={"height": SIDE, "width": SIDE})
    return ImageClassifier("linear", "0", Linear().eval(), processor)


def image() -> dict[str, Any]:
    """A random picture for the linear network."""
    return {"image": np.random.default_rng(1).integers(0, 255, (SIDE, SIDE, 3), np.uint8)}


def effect(model: ImageClassifier, kind: str = "mean") -> tuple[np.ndarray, float]:
    """w ⊙ (x − baseline) of output 0 summed over colours (height, width), and f(x) − f(baseline)."""
    batch = model.encode(image())
    x = model.features(batch)
    change = ((x - model.baseline(x, batch, kind)) * model.module.weight[0]).sum((0, 1))
    return change.numpy(), float(change.sum())


def in_squares(values: np.ndarray, side: int) -> np.ndarray:
    """Each pixel with the sum over its square."""
    n = SIDE // side
    sums = values.reshape(n, side, n, side).sum((1, 3))
    return np.kron(sums, np.ones((side, side)))


def scoring(model: Any, raw: Any, target: Any = None) -> Scoring:
    """What captum is called with directly."""
    batch = model.encode(raw)
    return Scoring(model, batch, model.target(target, batch), no_step)


def attribution(model: Any, method: str, raw: Any, target: Any = None, **options: Any) -> np.ndarray:
    """Our map."""
    return backends.run(model, method, raw, target=target, **options).arrays["attribution"]
