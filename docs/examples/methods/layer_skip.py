"""Layer skip: what the answer loses when one whole layer adds nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from backends.hooks.partial_forward import Row
from backends.methods.base import Cost, Method, Size, Step, no_step
from backends.methods.causal import base

if TYPE_CHECKING:
    from backends.models.base import Batch, Model, Target
    from backends.results import Result


@dataclass(frozen=True)
class LayerSkip(Method):
    """What does the answer lose when one whole layer adds nothing?

    What attention and MLP of a layer add to the stream is set to zero, one layer after another: `effect` (layer) is the
    watched number then, minus the number as it is.
    """

    needs: ClassVar = frozenset({"answer", "residual", "components"})
    question: ClassVar = "causal"
    title: ClassVar = "Skipping a layer"
    source: ClassVar = "Veit et al. 2016, Residual Networks Behave Like Ensembles of Shallow Networks, section 4"

    metric: str = base.metric_option()

    def cost(self, size: Size) -> Cost:
        """One forward for each layer."""
        return Cost(forwards=1 + size.layers)

    def __call__(self, model: Model, batch: Batch, target: Target, step: Step = no_step) -> Result:
        import torch

        watch = base.WatchedMetric(model, batch, target, self.metric, "", step)
        known = watch.run_base(batch)
        layers = watch.sites.layers
        rows = [Row({("attention", n): torch.zeros_like, ("mlp", n): torch.zeros_like}) for n in layers]
        clean = watch.measure_base(known)
        effect = watch.sweep(rows, known, batch) - clean
        facts = {"clean": clean, "metric": self.metric}
        axes = {"effect": ("layer",)}
        return base.make_result(watch, "layer_skip", {"effect": effect}, axes, {"layer": layers}, watch.unit, facts)


ENTRY = LayerSkip
