"""Head ablation: what does the answer lose when one attention head is switched off?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from backends.hooks.partial_forward import Base, Row
from backends.methods.base import Cost, Method, Size, Step, no_step, option
from backends.methods.causal import base
from backends.results import Result

if TYPE_CHECKING:
    from backends.models.base import Batch, Model, Target


@dataclass(frozen=True)
class HeadAblation(Method):
    """What does the answer lose when one attention head is switched off?

    `effect` (layer, head) is the watched number with the head replaced, minus the number as it is, in its unit:
    negative where the head helps the target. A head is set to zero, to its mean over the tokens of the input, or to
    what it gives for the corrupted input. Heads that stand in for one another may each seem to do nothing.
    """

    needs: ClassVar = frozenset({"answer", "residual", "heads", "gradient"})
    question: ClassVar = "causal"
    view: ClassVar = "grid"
    order: ClassVar = 30
    uses_pair: ClassVar = True
    title: ClassVar = "Head ablation"
    source: ClassVar = "Michel et al. 2019, Are sixteen heads really better than one?, section 2.3"

    ablation: str = option("mean", base.ABLATION, choices=base.ABLATIONS)
    metric: str = base.metric_option()
    part: str = base.part_option()

    def cost(self, size: Size) -> Cost:
        """One forward a head, from its layer on."""
        return base.estimate_sweep(size, size.heads)

    def __call__(self, model: Model, batch: Batch, target: Target, step: Step = no_step) -> Result:
        base.require_other(self.ablation, batch)
        watch = base.WatchedMetric(model, batch, target, self.metric, self.part, step)
        watch.require("heads")
        known = watch.run_base(batch, heads=True)
        other = watch.run_base(batch.corrupted, heads=True) if batch.corrupted and self.ablation != "zero" else None
        clean = watch.measure_base(known)
        rows, places, effect = ablations(watch, known, other, self.ablation)
        on_rows = base.announce(step, 0, 1, effect, places, lambda m: m - clean, "head", watch.unit)
        watch.sweep(rows, known, batch, on_rows=on_rows)
        return base.make_result(
            watch, "head_ablation", {"effect": effect}, {"effect": ("layer", "head")},
            {"layer": watch.sites.layers, "head": range(watch.sites.heads)}, watch.unit,
            {"clean": clean, "unit": watch.unit, "metric": self.metric, "ablation": self.ablation},
        )  # fmt: skip


def ablations(
    watch: base.WatchedMetric, known: Base, other: Base | None, kind: str
) -> tuple[list[Row], list[tuple[int, int]], np.ndarray]:
    """A row for every head, its place, and the grid (layer, head) to fill."""
    rows, places = [], []
    layers = watch.sites.layers
    for index, layer in enumerate(layers):
        for head in range(watch.sites.heads):
            value = base.compute_ablation(known, other, kind, layer, head)
            rows.append(Row({("z", layer): partial(base.replace_head, head, value)}))
            places.append((index, head))
    return rows, places, np.full((len(layers), watch.sites.heads), np.nan, np.float32)


ENTRY = HeadAblation
