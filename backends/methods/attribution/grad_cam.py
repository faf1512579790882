"""Grad-CAM: which places of a deep layer speak for the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from backends.errors import Refused
from backends.methods.attribution.base import Attribution
from backends.methods.base import Cost, Size, option

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from backends.methods.attribution.scoring import Scoring


@dataclass(frozen=True)
class GradCam(Attribution):
    """Which places, as seen by a deep layer, speak for the answer?

    The channels of a layer are weighted by how strongly the answer follows them, and added up at every place.
    The map is coarse: one value for each place of that layer, drawn over the picture; in transformers
    the places are tokens or patches. Positive places speak for the answer. By default each place has its own
    weights (HiResCAM); one weight a channel, as in the first paper, blurs over what differs from place to place.
    """

    title: ClassVar = "Grad-CAM"
    source: ClassVar = "Selvaraju et al. 2017, Grad-CAM, eq. 1 and 2; by place: Draelos & Carin 2020, HiResCAM, eq. 3"
    order: ClassVar = 30
    order_on_images: ClassVar = 2
    per: ClassVar = "per place"

    layer: int = option(-1, "which stage or block; -1 takes the last that is fine enough", low=-1, high=1000)
    weights: str = option(
        "place",
        "weights for each place, or one a channel as in the first paper",
        choices=("place", "channel"),
    )
    positive: bool = option(False, "show only what speaks for the answer, as the paper does")

    @property
    def signed(self) -> bool:
        return not self.positive

    def cost(self, size: Size) -> Cost:
        """A gradient, and for convolutional networks forwards that measure the stages."""
        return Cost(forwards=4, gradients=1)

    def attribute(self, scoring: Scoring) -> tuple[np.ndarray, dict[str, Any]]:
        offers = scoring.model.offers
        if "channels" in offers:
            attribution, facts = self._convolutional(scoring)
        elif "residual" in offers:
            attribution, facts = self._tokens(scoring)
        else:
            raise Refused(f"no stages or blocks were found in {scoring.model.name}: Grad-CAM has no layer to look at")
        return scoring.fold(attribution.clamp(min=0) if self.positive else attribution), facts

    def _convolutional(self, scoring: Scoring) -> tuple[Tensor, dict[str, Any]]:
        from captum import attr

        layer, path = stage(scoring, self.layer)
        features, module = scoring.features, scoring.model.module.get_submodule(path)
        if self.weights == "channel":
            cam = attr.LayerGradCam(scoring, module).attribute(features)  # (1, 1, h, w)
        else:
            cam = attr.LayerGradientXActivation(scoring, module).attribute(features).sum(1, keepdim=True)
        facts = {"layer": layer, "module": path, "places": list(cam.shape[2:])}
        return attr.LayerAttribution.interpolate(cam, features.shape[2:], "bilinear").detach(), facts

    def _tokens(self, scoring: Scoring) -> tuple[Tensor, dict[str, Any]]:
        """Ours: captum would take tokens for channels. The stream that enters block `layer`, tokens as places."""
        import torch

        from backends.hooks.recording import record

        model, batch, seen = scoring.model, scoring.batch, []
        paths = model.layers()["block"]
        layer = len(paths) - 1 if self.layer < 0 else _index(self.layer, paths, "blocks")
        assert model.sites, "blocks were found"

        def see(stream: Tensor) -> Tensor:
            seen.append(stream)
            return stream

        with record(model.module, model.sites, edits={("residual", layer): see}), torch.enable_grad():
            score = scoring(scoring.features)
        gradient = torch.autograd.grad(score.sum(), seen[-1])[0][0]  # (T, d)
        places = slice(batch.first_patch, None) if batch.grid else slice(None)
        stream, gradient = seen[-1].detach()[0, places], gradient[places]
        if self.weights == "channel":
            cam = stream @ gradient.mean(0)  # (T,)
        else:  # against the mean place: what all places share would drown the rest
            cam = ((stream - stream.mean(0)) * gradient).sum(-1)
        facts = {"layer": layer, "module": paths[layer], "places": [len(cam)]}
        if not batch.grid:
            return cam[None, : len(batch.tokens), None], facts
        size = scoring.features.shape[2:]
        cam = torch.nn.functional.interpolate(cam.view(1, 1, *batch.grid), tuple(size), mode="bilinear")
        return cam, {**facts, "places": list(batch.grid)}


def stage(scoring: Scoring, layer: int, least: int = 14) -> tuple[int, str]:
    """The convolutional stage to look at: `layer`, or the last with `least` × `least` places, else the finest."""
    import torch
    from captum.attr import LayerActivation

    paths = scoring.model.layers()["channels"]
    if layer >= 0:
        return _index(layer, paths, "stages"), paths[layer]
    sizes = []
    for path in paths:
        with torch.no_grad():
            found = LayerActivation(scoring, scoring.model.module.get_submodule(path)).attribute(scoring.features)
        sizes.append(min(found.shape[2:]))
    fine = [i for i, size in enumerate(sizes) if size >= least]
    chosen = fine[-1] if fine else sizes.index(max(sizes))
    return chosen, paths[chosen]


def _index(layer: int, paths: list[str], noun: str) -> int:
    if layer >= len(paths):
        raise Refused(f"there is no layer {layer}: the model has {len(paths)} {noun}, numbered from 0")
    return layer


ENTRY = GradCam
