"""Activation patching: which places carry what makes the two inputs' answers differ?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from backends.hooks.partial_forward import Row
from backends.methods.base import Cost, Method, Size, Step, no_step, option
from backends.methods.causal import base
from backends.results import Result

if TYPE_CHECKING:
    from backends.models.base import Batch, Model, Target


@dataclass(frozen=True)
class ActivationPatching(Method):
    """Which places carry what makes the two answers differ?

    The corrupted input runs with one place taken from the clean run: the state that enters a block, what attention or
    the MLP adds, or one head at all positions. `effect` (layer, position), for heads (layer, head), is the share of the
    difference that this restores, (m - m_corrupted) / (m_clean - m_corrupted): 0 changes nothing, 1 gives the clean
    number back, and it may leave that range. Places whose values are equal in both runs are 0 without a forward.
    """

    needs: ClassVar = frozenset({"answer", "residual", "gradient"})
    question: ClassVar = "causal"
    view: ClassVar = "grid"
    order: ClassVar = 10
    preview: ClassVar = "attribution_patching"
    repeats: ClassVar = True
    title: ClassVar = "Activation patching"
    source: ClassVar = "Vig et al. 2020, Causal mediation analysis; Wang et al. 2022, IOI circuit, section 3"
    needs_pair: ClassVar = True

    site: str = option("residual", "what is taken from the clean run", choices=base.SITES)
    metric: str = base.metric_option()
    part: str = base.part_option()

    def cost(self, size: Size) -> Cost:
        """One forward a cell, from its layer and token on; cells that are the same in both runs take none."""
        heads = self.site == "heads"
        return base.estimate_sweep(size, size.heads if heads else size.tokens, places=not heads)

    def __call__(self, model: Model, batch: Batch, target: Target, step: Step = no_step) -> Result:
        watch = base.WatchedMetric(model, batch, target, self.metric, self.part, step)
        watch.require(self.site)
        contrast = base.Contrast(watch, base.choose_recording(self.site))
        layers = base.find_layers(watch.sites, self.site)
        rows, places = changes(contrast, self.site, layers)
        length = watch.sites.heads if self.site == "heads" else contrast.clean.states[0].shape[1]
        effect = np.full((len(layers), length), np.nan, np.float32)
        same = set(np.ndindex(effect.shape)) - set(places)
        for cell in same:
            effect[cell] = 0.0
        across = "head" if self.site == "heads" else "position"
        on_rows = base.announce(step, 0.0, 1.0, effect, places, contrast.share, across)
        watch.sweep(rows, contrast.corrupted, contrast.corrupted_batch, on_rows=on_rows)
        names = range(length) if self.site == "heads" else base.name_positions(watch, length)
        return base.make_result(
            watch, "activation_patching", {"effect": effect}, {"effect": ("layer", across)},
            {"layer": layers, across: names}, "share of the difference restored",
            {**contrast.facts, "site": self.site, "forwards": len(rows), "skipped": len(same)},
        )  # fmt: skip


def changes(contrast: base.Contrast, site: str, layers: tuple[int, ...]) -> tuple[list[Row], list[tuple[int, int]]]:
    """A row for every cell whose value differs between the runs, and its place in the grid."""
    rows, places = [], []
    for index, layer in enumerate(layers):
        clean, corrupted = (base.read_values(run, site, layer) for run in (contrast.clean, contrast.corrupted))
        differs = (clean != corrupted).any(-1)  # (T,), of heads (T, H)
        for cell in (differs.any(0) if site == "heads" else differs).nonzero()[:, 0].tolist():
            first = int(differs[:, cell].nonzero()[0, 0]) if site == "heads" else cell
            rows.append(Row({base.find_place(site, layer): base.make_replacement(site, cell, clean)}, first=first))
            places.append((index, cell))
    return rows, places


ENTRY = ActivationPatching
