"""Steering: does moving the state from one input's towards the other's move the answer?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from backends.hooks.partial_forward import Row
from backends.methods import token_rows
from backends.methods.base import Cost, Method, Size, Step, no_step, option
from backends.methods.causal import base
from backends.results import Result

if TYPE_CHECKING:
    from torch import Tensor

    from backends.models.base import Batch, Model, Target


@dataclass(frozen=True)
class Steering(Method):
    """Does moving the state from one input's towards the other's move the answer?

    The difference of the two inputs' states, clean minus corrupted, is added to the corrupted run at one layer, times a
    strength. `effect` (layer, strength) is the watched number in its unit minus the corrupted run's. `at` chooses the
    difference: `each` token's own, the one at the `answer`'s token, or the `mean` over tokens added to all. With
    `each`, strength 1 gives the clean number at every layer; strength 0 changes nothing.
    """

    needs: ClassVar = frozenset({"answer", "residual", "gradient"})
    question: ClassVar = "causal"
    view: ClassVar = "grid"
    order: ClassVar = 70
    title: ClassVar = "Steering"
    source: ClassVar = "Turner et al. 2023, Activation addition, section 3"
    needs_pair: ClassVar = True

    at: str = option("answer", "whose difference is added where", choices=("answer", "mean", "each"))
    strengths: tuple[float, ...] = option(
        (-2.0, -1.0, 0.0, 0.5, 1.0, 2.0, 4.0), "by what the difference is multiplied", low=-100, high=100
    )
    metric: str = base.metric_option()
    part: str = base.part_option()

    def cost(self, size: Size) -> Cost:
        """One forward a layer and strength, from that layer on."""
        return base.estimate_sweep(size, len(self.strengths))

    def __call__(self, model: Model, batch: Batch, target: Target, step: Step = no_step) -> Result:
        watch = base.WatchedMetric(model, batch, target, self.metric, self.part, step)
        contrast = base.Contrast(watch)
        layers, strengths = base.find_layers(watch.sites, "residual"), tuple(dict.fromkeys(self.strengths))
        effect = np.full((len(layers), len(strengths)), np.nan, np.float32)
        rows, places = [], []
        for index, layer in enumerate(layers):
            push = self._push(watch, contrast, layer)
            for number, strength in enumerate(strengths):
                rows.append(Row({("residual", layer): partial(_add, push * strength)}))
                places.append((index, number))
        on_rows = base.announce(
            step, 0, 1, effect, places, lambda number: number - contrast.low, "strength", watch.unit
        )
        watch.sweep(rows, contrast.corrupted, contrast.corrupted_batch, on_rows=on_rows)
        return base.make_result(
            watch, "steering", {"effect": effect}, {"effect": ("layer", "strength")},
            {"layer": layers, "strength": [f"{s:g}" for s in strengths]}, watch.unit, {**contrast.facts, "at": self.at},
        )  # fmt: skip

    def _push(self, watch: base.WatchedMetric, contrast: base.Contrast, layer: int) -> Tensor:
        """What is added to the states (T, d) at strength 1."""
        import torch

        difference = contrast.clean.states[layer][0] - contrast.corrupted.states[layer][0]
        if self.at == "each":
            return difference
        if self.at == "mean":
            return difference.mean(0).expand_as(difference)
        causal = "next_token" in watch.model.offers
        weights = token_rows.weigh_start(watch.model, watch.batch, len(difference), causal)
        return torch.where((weights > 0)[:, None].to(difference.device), difference, torch.zeros_like(difference))


def _add(push: Tensor, tensor: Tensor) -> Tensor:
    return tensor + push


ENTRY = Steering
