"""The same explanation again: of a noisy input, of another input, of other weights."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from backends.models.base import Batch, Model
from backends.results import Result

if TYPE_CHECKING:
    from backends.methods.base import Step


def explain_again(
    model: Model, result: Result, raw: Mapping[str, Any], target: Any, step: Step | None = None
) -> np.ndarray:
    """The map of `result`'s method and options, of `raw`; of `step` only that it may stop it."""
    from backends import running

    options = {**result.request.get("options", {})}
    if step is not None:
        options["step"] = lambda fraction: step(0.0)
    return running.run(model, result.method, raw, target=target, **options).arrays["attribution"]


def with_features(model: Model, batch: Batch, features: Tensor) -> Model:
    """The model as it is, but with `features` for `batch`, whatever it is asked to read."""
    made = copy.copy(model)
    inputs = {**batch.inputs, "pixel_values": features} if batch.image is not None else batch.inputs
    changed = dataclasses.replace(batch, inputs=inputs)
    made.encode = lambda raw: changed  # type: ignore[method-assign] # this copy alone
    made.features = lambda batch: features  # type: ignore[method-assign] # this copy alone
    return made


def add_noise(model: Model, batch: Batch, share: float, seed: int) -> Tensor:
    """The features with Gaussian noise of `share` of their range; special tokens stay as they are."""
    features = model.features(batch).detach()
    chance = torch.Generator().manual_seed(seed)
    noise = torch.randn(features.shape, generator=chance).to(features) * share * (features.max() - features.min())
    if batch.image is None:
        noise[:, torch.as_tensor(np.asarray(batch.special))] = 0
    return features + noise


def shuffle_weights(model: Model) -> Model:
    """The model with the entries of every weight shuffled: as large, and knowing nothing (Adebayo et al. 2018)."""
    network, chance = model.clone(), torch.Generator().manual_seed(0)
    for weight in network.parameters():
        order = torch.randperm(weight.numel(), generator=chance).to(weight.device)
        weight.data = weight.data.flatten()[order].view(weight.shape)
    return dataclasses.replace(model, module=network, batch_sizes={})


def make_other_input(batch: Batch) -> dict[str, Any]:
    """Another input as large as this one: the picture turned and shifted by half, or the words in reverse.

    What stands beside it stays: captions, a second sentence, an answer so far.
    """
    beside = {name: batch.raw[name] for name in ("text", "pair", "output") if name in batch.raw}
    if batch.image is not None:
        high, wide = batch.image.shape[:2]
        turned = np.ascontiguousarray(np.roll(batch.image[::-1, ::-1], (high // 2, wide // 2), (0, 1)))
        return {**beside, "image": turned}
    return {**beside, "text": " ".join(batch.text.split()[::-1])}
