"""Relevancy: attention weighted by its gradient, through the layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from backends.hooks.recording import record
from backends.methods import token_rows
from backends.methods.base import Cost, Method, Size, Step, no_step

if TYPE_CHECKING:
    from backends.models.base import Batch, Model, Target
    from backends.results import Result


@dataclass(frozen=True)
class Relevancy(Method):
    """Follows the attention that raises the target, from the answer's token back through all layers to the input.

    Attention counts where more of it would raise the target (its positive gradient times its weight, mean over heads).
    Values are relative and never negative: nothing speaks against the target here. The token that the answer is read
    from starts with 1 of its own.
    """

    needs: ClassVar = frozenset({"attention", "gradient", "one_stack"})
    question: ClassVar = "attribution"
    view: ClassVar = "map"
    title: ClassVar = "Relevancy (gradient × attention)"
    source: ClassVar = "Chefer et al. 2021 (generic attention explainability), eq. 5 and 6"
    order: ClassVar = 40

    def cost(self, size: Size) -> Cost:
        """A gradient that keeps every pattern, what made it and its gradient."""
        cells = size.layers * size.heads * size.tokens**2
        return Cost(forwards=0, gradients=1, numbers=12 * cells, bytes=16 * cells)

    def __call__(self, model: Model, batch: Batch, target: Target, step: Step = no_step) -> Result:
        import torch

        sites: Any = model.sites
        features = model.features(batch).detach().requires_grad_(True)
        with model.lock, torch.enable_grad():
            with record(model.module, sites, patterns=sites.layers, keep_grad=True) as recording:
                score = model.score(features, batch, target)
            step(0.4)
            patterns = [recording.patterns[layer] for layer in sites.layers]
            gradients = torch.autograd.grad(score.sum(), patterns)
        step(0.9)
        causal = all(float(p[0, :, 0, 1:].detach().abs().sum()) == 0 for p in patterns)
        relevance = token_rows.weigh_start(model, batch, patterns[0].shape[-1], causal, target)
        for pattern, gradient in zip(reversed(patterns), reversed(gradients), strict=True):
            raised = (pattern.float() * gradient.float())[0].detach().clamp(min=0).mean(0)  # (T, T)
            relevance = relevance + relevance @ raised  # the row of (I + C_L) … (I + C_1)
        return token_rows.make_result(
            model, batch, relevance, method="relevancy", unit="relevance", target=target.words,
            facts={"score": float(score.detach().sum())},
        )  # fmt: skip


ENTRY = Relevancy
