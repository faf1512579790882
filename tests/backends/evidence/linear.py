"""Networks whose answer is a weighted sum of what they see, so that every test of a map has a closed form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from backends.evidence.cells import Cells
from backends.evidence.masked_forwards import MaskedForwards, get_masked_forwards
from backends.evidence.replacement_values import MaskedInput
from backends.models.base import Batch, Model
from backends.results import Result


@dataclass(eq=False)
class Linear(Model):
    """Two classes: the logit of `yes` is Σ weight · features + `bias`, that of `no` is 0."""

    weight: Any = None
    bias: float = 0.0
    words: tuple[str, ...] = ()
    baselines: ClassVar = ("zero", "minus")
    calls: list[int] = field(default_factory=list)

    @property
    def labels(self) -> tuple[str, ...]:
        return ("yes", "no")

    @property
    def offers(self) -> frozenset[str]:
        return frozenset({"answer", "gradient", "classes"})

    def encode(self, raw: Any) -> Batch:
        if "image" in raw:
            image = np.asarray(raw["image"], np.uint8)
            return Batch(raw, {}, image=image)
        words = tuple(raw["text"].split())
        special = np.array([word.startswith("[") for word in words])
        starts = np.cumsum([0, *(len(word) + 1 for word in words)])[:-1]
        spans = np.stack([starts, starts + [len(word) for word in words]], 1).astype(np.int32)
        return Batch(raw, {}, words, spans=spans, special=special, text=raw["text"])

    def features(self, batch: Batch) -> torch.Tensor:
        if batch.image is not None:
            return torch.from_numpy(batch.image[..., :1].copy()).permute(2, 0, 1)[None].float()
        return torch.ones(1, len(batch.tokens), 1)

    def outputs(self, features: torch.Tensor, batch: Batch) -> torch.Tensor:
        self.calls.append(len(features))
        yes = (features * self.weight).flatten(1).sum(1) + self.bias
        return torch.stack([yes, torch.zeros_like(yes)], 1)

    def baseline(self, features: torch.Tensor, batch: Batch, kind: str | None = None) -> torch.Tensor:
        return {"one": torch.ones_like(features), "minus": -features}.get(kind or "", torch.zeros_like(features))

    def fold(self, attribution: torch.Tensor, batch: Batch) -> np.ndarray:
        return attribution[0].sum(0 if batch.image is not None else -1).numpy()


class Fooled(Linear):
    """To this network a stand-in is as good as the words that it stands in for."""

    baselines: ClassVar = ("zero", "one")


def picture(spot: bool = True, side: int = 16) -> tuple[Linear, np.ndarray, np.ndarray]:
    """A network that sums a 4 × 4 spot (or everything, at random), a picture, and its exact map w · x."""
    chance = np.random.default_rng(4)
    weight = np.zeros((side, side)) if spot else chance.standard_normal((side, side)) / 100
    if spot:
        weight[3:7, 9:13] = 0.01
    image = chance.integers(60, 200, (side, side, 3), np.uint8)
    model = Linear("linear", "1", nn.Identity(), None, weight=torch.from_numpy(weight).float())
    return model, image, weight * image[..., 0].astype(float)


TEXT = "[CLS] a b c d e f g h i j k l [SEP]"


def text(effects: dict[str, float], bias: float = 0.0, words: str = TEXT) -> tuple[Linear, np.ndarray]:
    """A network to which each word is worth what `effects` says, and its exact map (token,)."""
    weight = np.array([effects.get(word, 0.0) for word in words.split()])
    made = Linear("linear", "1", nn.Identity(), None, weight=torch.from_numpy(weight).float()[:, None], bias=bias)
    return made, weight


def result_of(attribution: np.ndarray, image: np.ndarray | None = None, words: str = TEXT) -> Result:
    """A map from elsewhere as a result."""
    if image is not None:
        arrays = {"attribution": attribution.astype(np.float32), "image": image}
        axes = {"attribution": ("height", "width"), "image": ("height", "width", "channel")}
        return Result("given", arrays, axes, signed=True, request={"target": "yes"})
    arrays = {"attribution": attribution.astype(np.float32)}
    axes = {"attribution": ("token",)}
    return Result("given", arrays, axes, signed=True, facts={"text": words}, request={"target": "yes"})


def mask(model: Linear, raw: dict[str, Any], kind: str = "zero", count: int = 24, seed: int = 0) -> MaskedForwards:
    """The masked forwards of an input, explaining `yes`."""
    batch = model.encode(raw)
    given = MaskedInput(model, batch, model.target("yes", batch), kind, lambda fraction: None)
    return get_masked_forwards(given, Cells(batch), seed, count)
