"""What class activation maps share: the layer they look at, its activation and gradient, and how a map is laid out."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from backends.errors import Refused
from backends.methods.attribution.base import Attribution
from backends.methods.base import Cost, Size, option

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from backends.methods.attribution.scoring import Scoring


@dataclass(frozen=True)
class ClassActivationMap(Attribution):
    """A map of a deep layer's places: its channels, weighted by a gradient and added up at every place.

    Subclasses give `combine`. A place is a pixel of a convolutional stage, or a token or patch of the residual stream
    that enters a block. Where `centred`, a stream is taken against its mean over the places.
    """

    per: ClassVar = "per place"
    cheap: ClassVar = MappingProxyType({"positive": False})  # what is checked is the weighting, whatever is cut of it
    centred: ClassVar[bool] = False

    layer: int = option(-1, "which stage or block; -1 takes the last that is fine enough", low=-1, high=1000)
    positive: bool = option(False, "show only what speaks for the answer")

    @property
    def signed(self) -> bool:
        return not self.positive

    def combine(self, activation: Tensor, gradient: Tensor) -> Tensor:
        """Return one value a place, (place,), of the layer's activation and its gradient, both (place, channel)."""
        raise NotImplementedError(f"{type(self).__name__} does not say how channels are weighted")

    def cost(self, size: Size) -> Cost:
        """A gradient, and for convolutional networks a forward that measures the stages."""
        return Cost(forwards=2, gradients=1)

    def attribute(self, scoring: Scoring) -> tuple[np.ndarray, dict[str, Any]]:
        offers = scoring.model.offers
        if "channels" in offers:
            attribution, facts = self._map_stage(scoring)
        elif "residual" in offers:
            attribution, facts = self._map_stream(scoring)
        else:
            name = scoring.model.name
            raise Refused(f"no stages or blocks were found in {name}: {self.title} has no layer to look at")
        return scoring.fold(attribution), facts

    def _weigh(self, activation: Tensor, gradient: Tensor) -> Tensor:
        """Combine (place, channel) to (place,), without what speaks against the answer where only `positive` counts."""
        found = self.combine(activation, gradient)
        return found.clamp(min=0) if self.positive else found

    def _map_stage(self, scoring: Scoring) -> tuple[Tensor, dict[str, Any]]:
        """Map a convolutional stage: the attribution (1, 1, height, width), and facts."""
        import torch

        from backends.hooks.listeners import keep_outputs

        layer, path = choose_stage(scoring, self.layer)
        with keep_outputs(scoring.model.module.get_submodule(path)) as kept, torch.enable_grad():
            score = scoring(scoring.features)
        (gradient,) = torch.autograd.grad(score.sum(), kept[-1])
        activation = kept[-1].detach()[0].flatten(1).T  # (place, channel)
        places = kept[-1].shape[2:]
        coarse = self._weigh(activation, gradient[0].flatten(1).T).view(places)
        return enlarge(coarse, scoring), {"layer": layer, "module": path, "places": list(places)}

    def _map_stream(self, scoring: Scoring) -> tuple[Tensor, dict[str, Any]]:
        """Map the stream that enters a block: (1, token, 1), or (1, 1, height, width) of patches, and facts."""
        import torch

        from backends.hooks.recording import record

        model, batch, seen = scoring.model, scoring.batch, []
        paths = model.layers()["block"]
        layer = len(paths) - 1 if self.layer < 0 else check_layer(self.layer, paths, "blocks")
        assert model.sites, "blocks were found"

        def keep(stream: Tensor) -> Tensor:
            seen.append(stream)
            return stream

        with record(model.module, model.sites, edits={("residual", layer): keep}), torch.enable_grad():
            score = scoring(scoring.features)
        gradient = torch.autograd.grad(score.sum(), seen[-1])[0][0]  # (T, d)
        places = slice(batch.first_patch, None) if batch.grid else slice(None)
        stream = seen[-1].detach()[0, places]
        found = self._weigh(stream - stream.mean(0) if self.centred else stream, gradient[places])
        facts = {"layer": layer, "module": paths[layer], "places": list(batch.grid or [len(found)])}
        if batch.grid:
            return enlarge(found.view(*batch.grid), scoring), facts
        return found[None, : len(batch.tokens), None], facts


def enlarge(coarse: Tensor, scoring: Scoring) -> Tensor:
    """Enlarge a map (rows, columns) bilinearly to the size of the input, (1, 1, height, width)."""
    from torch.nn.functional import interpolate

    return interpolate(coarse[None, None], tuple(scoring.features.shape[2:]), mode="bilinear")


def choose_stage(scoring: Scoring, layer: int, least: int = 14) -> tuple[int, str]:
    """Choose a convolutional stage: `layer`, or the last with `least` × `least` places, or else the finest.

    Returns its number and its module's path. Raises `Refused` where there is no such layer.
    """
    import torch

    from backends.hooks.listeners import keep_outputs

    paths = scoring.model.layers()["channels"]
    if layer >= 0:
        return check_layer(layer, paths, "stages"), paths[layer]
    with ExitStack() as stack, torch.no_grad():
        kept = [stack.enter_context(keep_outputs(scoring.model.module.get_submodule(path))) for path in paths]
        scoring(scoring.features.detach())
    sizes = [min(outputs[-1].shape[2:]) for outputs in kept]
    fine = [i for i, size in enumerate(sizes) if size >= least]
    chosen = fine[-1] if fine else sizes.index(max(sizes))
    return chosen, paths[chosen]


def check_layer(layer: int, paths: list[str], noun: str) -> int:
    """Return `layer`. Raises `Refused` where the model has no such layer."""
    if layer >= len(paths):
        raise Refused(f"there is no layer {layer}: the model has {len(paths)} {noun}, numbered from 0")
    return layer
