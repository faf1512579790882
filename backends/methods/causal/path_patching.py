"""Path patching: which heads act on the answer, or on chosen heads, directly?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from backends.errors import Refused
from backends.hooks.partial_forward import Place, Row
from backends.methods.base import Cost, Method, Size, Step, no_step, option
from backends.methods.causal import base
from backends.results import Result

if TYPE_CHECKING:
    from torch import Tensor

    from backends.hooks.recording import Edit
    from backends.models.base import Batch, Model, Target

THROUGH = {"query": ("key", "value"), "key": ("query", "value"), "value": ("query", "key"), "all": ()}
"""What of a receiver may see the sender's change -> what is held as it was."""


@dataclass(frozen=True)
class PathPatching(Method):
    """Which heads act on the answer, or on chosen heads, directly?

    Each sending head in turn takes its clean value in the corrupted run while every later head is held as it was, so
    that the change reaches the receivers along the residual stream only (through the MLPs too, unless they are held).
    Without `receivers` the answer itself is read. With them, what they then give is put into the corrupted
    run, and the rest follows. `effect` (layer, head) is the share of the difference that comes back, 0 for heads that
    come after every receiver.
    """

    needs: ClassVar = frozenset({"answer", "residual", "heads", "gradient"})
    question: ClassVar = "causal"
    view: ClassVar = "grid"
    order: ClassVar = 40
    repeats: ClassVar = True
    title: ClassVar = "Path patching"
    source: ClassVar = "Wang et al. 2022, Interpretability in the wild, section 3.1; Goldowsky-Dill et al. 2023"
    needs_pair: ClassVar = True

    receivers: tuple[str, ...] = option((), "heads that receive, as layer.head, such as 2.1; none: the answer")
    through: str = option("all", "what of a receiver sees the change", choices=("all", "query", "key", "value"))
    mlps: str = option("follow", "whether MLPs between pass the change on, or are held", choices=("follow", "held"))
    metric: str = base.metric_option()

    def cost(self, size: Size) -> Cost:
        """One forward a head, from its layer on, and another where heads receive."""
        return base.estimate_sweep(size, size.heads * (2 if self.receivers else 1))

    def __call__(self, model: Model, batch: Batch, target: Target, step: Step = no_step) -> Result:
        watch = base.WatchedMetric(model, batch, target, self.metric, "", step)
        watch.require("heads")
        if self.mlps == "held":
            watch.require("mlp")
        receivers = base.parse_heads(self.receivers, watch.sites)
        if receivers and not any(layer > watch.sites.layers[0] for layer, _ in receivers):
            raise Refused("heads of the first layer receive nothing from other heads; choose receivers in later layers")
        contrast = base.Contrast(watch, {"heads": True, "components": self.mlps == "held"})
        kept = self._held(watch, contrast, receivers) if receivers and self.through != "all" else {}
        effect = np.full((len(watch.sites.layers), watch.sites.heads), np.nan, np.float32)
        rows, places, heard = self.senders(watch, contrast, receivers, kept)
        for cell in set(np.ndindex(effect.shape)) - set(places):
            effect[cell] = 0.0
        first, last = (0.0, 1.0) if not receivers else (0.0, 0.5)
        direct = np.full_like(effect, np.nan) if receivers else effect
        on_rows = base.announce(step, first, last, direct, places, contrast.share, "head")
        watch.sweep(rows, contrast.corrupted, contrast.corrupted_batch, on_rows=on_rows)
        if receivers:
            rows = [run_receivers(own) for own in heard]
            on_rows = base.announce(step, last, 1.0, effect, places, contrast.share, "head")
            watch.sweep(rows, contrast.corrupted, contrast.corrupted_batch, on_rows=on_rows)
        return base.make_result(
            watch, "path_patching", {"effect": effect}, {"effect": ("layer", "head")},
            {"layer": watch.sites.layers, "head": range(watch.sites.heads)}, "share of the difference restored",
            {**contrast.facts, "receivers": [f"{a}.{b}" for a, b in receivers], "through": self.through,
             "mlps": self.mlps},
        )  # fmt: skip

    def senders(
        self, watch: base.WatchedMetric, contrast: base.Contrast, receivers: tuple[tuple[int, int], ...],
        kept: dict[Place, Tensor], only: set[tuple[int, int]] | None = None, every: bool = False,
    ) -> tuple[list[Row], list[tuple[int, int]], list[dict[tuple[int, int], Tensor]]]:  # fmt: skip
        """A row for each sender, its place, and where the receivers' outputs will be found.

        `only` some heads send; `every` layer's heads do, those after the receivers too.
        """
        rows, places, heard = [], [], []
        depth = len(watch.sites.block)
        last = depth if every else max((layer for layer, _ in receivers), default=depth)
        for index, layer in enumerate(watch.sites.layers):
            for head in range(watch.sites.heads if layer < last else 0):
                own: dict[tuple[int, int], Tensor] = {}
                clean, corrupted = (
                    base.read_values(run, "heads", layer) for run in (contrast.clean, contrast.corrupted)
                )
                apart = bool((clean[:, head] != corrupted[:, head]).any())
                if not apart or (only is not None and (layer, head) not in only):
                    continue
                edits: dict[Place, Edit] = {("z", layer): partial(base.replace_head, head, clean[:, head])}
                for later in watch.sites.layers:
                    if later > layer:
                        mine = [h for at, h in receivers if at == later]
                        value = base.read_values(contrast.corrupted, "heads", later)
                        edits[("z", later)] = partial(_hold, later, mine, own, value)
                edits |= {place: partial(_keep_unchanged, value) for place, value in kept.items() if place[1] > layer}
                if self.mlps == "held":
                    edits |= {
                        ("mlp", at): partial(_keep_unchanged, base.read_values(contrast.corrupted, "mlp", at))
                        for at in base.find_layers(watch.sites, "mlp")
                        if at >= layer
                    }
                rows.append(Row(edits))
                places.append((index, head))
                heard.append(own)
        return rows, places, heard

    def _held(
        self, watch: base.WatchedMetric, contrast: base.Contrast, receivers: tuple[tuple[int, int], ...]
    ) -> dict[Place, Tensor]:
        """What of the receivers' layers must stay as it was: queries, keys or values of the corrupted run."""
        import torch

        from backends.hooks.recording import record

        found: dict[Place, Tensor] = {}

        def keep(place: Place, tensor: Tensor) -> Tensor:
            found[place] = tensor[0].clone()
            return tensor

        places = [(name, layer) for name in THROUGH[self.through] for layer in {at for at, _ in receivers}]
        edits = {place: partial(keep, place) for place in places}
        batch = contrast.corrupted_batch
        with watch.model.lock, torch.no_grad(), record(watch.model.module, watch.sites, edits=edits):
            watch.model.outputs(watch.features(batch), batch)
        return found


def _hold(layer: int, receivers: list[int], heard: dict[Any, Tensor], value: Tensor, tensor: Tensor) -> Tensor:
    """Every head as it was; what the receivers would have given is noted."""
    for head in receivers:
        heard[(layer, head)] = tensor[:, head].clone()
    return value


def _keep_unchanged(value: Tensor, tensor: Tensor) -> Tensor:
    return value


def run_receivers(heard: dict[tuple[int, int], Tensor]) -> Row:
    """The corrupted run with what the receivers heard of one sender."""
    edits: dict[Place, Edit] = {}
    for layer in {at for at, _ in heard}:
        own = {head: value for (at, head), value in heard.items() if at == layer}
        edits[("z", layer)] = partial(_put_heads, own)
    return Row(edits)


def _put_heads(own: dict[int, Tensor], tensor: Tensor) -> Tensor:
    for head, value in own.items():
        tensor[:, head] = value
    return tensor


ENTRY = PathPatching
