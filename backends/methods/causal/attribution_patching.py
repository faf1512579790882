"""Attribution patching: an instant, approximate preview of activation patching."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from backends.hooks.recording import record
from backends.methods.base import Cost, Method, Size, Step, no_step, option
from backends.methods.causal import base
from backends.methods.causal.activation_patching import ActivationPatching
from backends.results import Result

if TYPE_CHECKING:
    from torch import Tensor

    from backends.models.base import Batch, Model, Target


@dataclass(frozen=True)
class AttributionPatching(Method):
    """An instant, approximate preview of activation patching, from one gradient.

    `effect` (layer, position), for heads (layer, head), is Σ (a_clean - a_corrupted) · ∂m/∂a at the corrupted run, as
    a share of the difference. It is exact where the network is a straight line between the two runs and may be far
    off elsewhere: `compare` also computes the exact grid, and `correlation` says how far to trust this one.
    """

    needs: ClassVar = frozenset({"answer", "residual", "gradient"})
    question: ClassVar = "causal"
    view: ClassVar = "grid"
    order: ClassVar = 50
    title: ClassVar = "Attribution patching (approximate)"
    source: ClassVar = "Nanda 2023, Attribution patching; Syed et al. 2023, eq. 1"
    needs_pair: ClassVar = True

    site: str = option("residual", "what is taken from the clean run", choices=base.SITES)
    metric: str = base.metric_option()
    part: str = base.part_option()
    compare: bool = option(False, "compute the exact grid too, and their correlation")

    def cost(self, size: Size) -> Cost:
        """Both runs and one gradient; the exact grid where it is compared with."""
        exact = ActivationPatching(self.site, self.metric, self.part).cost(size)
        return Cost(forwards=2, gradients=1) if not self.compare else dataclasses.replace(exact, gradients=1)

    def __call__(self, model: Model, batch: Batch, target: Target, step: Step = no_step) -> Result:
        watch = base.WatchedMetric(model, batch, target, self.metric, self.part, step)
        watch.require(self.site)
        contrast = base.Contrast(watch, base.choose_recording(self.site))
        layers = base.find_layers(watch.sites, self.site)
        slopes = compute_gradients(watch, contrast.corrupted_batch, self.site, layers)
        grid = []
        for layer, slope in zip(layers, slopes, strict=True):
            clean, corrupted = (base.read_values(run, self.site, layer) for run in (contrast.clean, contrast.corrupted))
            grid.append(((clean - corrupted).float() * slope.float()).sum((0, 2) if self.site == "heads" else 1))
        effect = np.stack([row.cpu().numpy() for row in grid]) / np.float32(contrast.high - contrast.low)
        step(0.2 if self.compare else 1.0)
        facts: dict[str, Any] = {**contrast.facts, "site": self.site, "approximate": True}
        if self.compare:
            exact = ActivationPatching(self.site, self.metric, self.part)(model, batch, target, step).arrays["effect"]
            facts["correlation"] = correlate(effect, exact)
        across = "head" if self.site == "heads" else "position"
        names = range(effect.shape[1]) if self.site == "heads" else base.name_positions(watch, effect.shape[1])
        return base.make_result(
            watch, "attribution_patching", {"effect": effect.astype(np.float32)}, {"effect": ("layer", across)},
            {"layer": layers, across: names}, "share of the difference restored", facts,
        )  # fmt: skip


def compute_gradients(watch: base.WatchedMetric, batch: Batch, site: str, layers: tuple[int, ...]) -> list[Tensor]:
    """∂m/∂a of a site in each layer, shaped like the values, zero where nothing depends on it."""
    import torch

    features = watch.features(batch).clone().requires_grad_()
    with (
        watch.model.lock,
        torch.enable_grad(),
        record(
            watch.model.module, watch.sites, residual=site == "residual", keep_grad=True, **base.choose_recording(site)
        ) as recording,
    ):
        number = watch.compute_metric(watch.model.outputs(features, batch)).sum()
        stores: dict[str, Any] = {"attention": recording.attention_out, "mlp": recording.mlp_out, "heads": recording.z}
        at = recording.residual if site == "residual" else stores[site]
        places = [at[layer] for layer in layers]
        found = torch.autograd.grad(number, places, allow_unused=True)
    some = [torch.zeros_like(a) if g is None else g for g, a in zip(found, places, strict=True)]
    length = features.shape[1] if batch.grid is None else None
    return [g if g.ndim == 2 and g.shape[0] == length else g[0] for g in some]


def correlate(a: np.ndarray, b: np.ndarray) -> float | None:
    """Pearson's correlation of two grids; None where one of them is flat."""
    a, b = a.ravel().astype(float), b.ravel().astype(float)
    return float(np.corrcoef(a, b)[0, 1]) if min(np.ptp(a), np.ptp(b)) > 0 else None


ENTRY = AttributionPatching
