"""Residual trajectory: how each token's state moves through the layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from backends.errors import Refused
from backends.hooks.recording import record
from backends.methods import token_rows
from backends.methods.base import Cost, Method, Size, Step, no_step, option
from backends.results import Result

if TYPE_CHECKING:
    from torch import Tensor

    from backends.models.base import Batch, Model, Target

COMPONENTS = 3
MOST = 1024
"""Positions that layers are compared over; of longer inputs, this many evenly spaced ones."""
ENOUGH = 20
"""Distinct positions that an intrinsic dimension is estimated from."""


@dataclass(frozen=True)
class ResidualTrajectory(Method):
    """Draws the path of every token's state through the layers, and compares the layers with one another.

    Layer 0 is the stream before the first block. `path` is the projection on the three directions in which the states
    of all layers and tokens differ most; `explained_variance` tells how much they hold. `similarity` of two layers is
    linear CKA over the tokens (1: the same up to rotation and scale), `cosine` the mean cosine between a token's two
    states. `norm` is the length of each state, `dimension` how many directions a layer's tokens really fill (TwoNN).
    """

    needs: ClassVar = frozenset({"residual"})
    question: ClassVar = "trajectory"
    view: ClassVar = "states"
    order: ClassVar = 20
    title: ClassVar = "Residual trajectory"
    source: ClassVar = "CKA: Kornblith et al. 2019, eq. 3; TwoNN: Facco et al. 2017"
    needs_target: ClassVar = False

    part: str = option(
        "", "which stack of a network that has several: encoder, decoder, image, text; none means its main one"
    )
    unit_length: bool = option(
        False, "scale every state to length 1 first, so that a few tokens with huge norms do not fill the picture"
    )

    def cost(self, size: Size) -> Cost:
        """One forward; every layer's states are held, beside copies in twice the precision."""
        states, pairs = (size.layers + 1) * size.tokens * size.width, min(size.tokens, MOST) ** 2
        return Cost(
            flops=8 * (size.layers + 1) * pairs * size.width,
            numbers=20 * states + (size.layers + 1) * pairs * size.width / 10,
            bytes=36 * states + 16 * (size.layers + 1) * pairs,
        )

    def __call__(self, model: Model, batch: Batch, target: Target | None = None, step: Step = no_step) -> Result:
        import torch

        sites: Any = model.stack(self.part)
        if "residual" not in sites.offers:
            raise Refused(
                f"{self.part or 'the stream'} of {model.name}: {sites.withdrawn.get('residual', 'not found')}"
            )
        with model.lock, torch.no_grad():
            with record(model.module, sites, residual=True) as recording:
                model.outputs(model.features(batch), batch)
            stream = torch.cat([state[:1] for state in recording.residual]).float()  # (L + 1, T, d)
            step(0.3)
            norm = stream.norm(dim=-1)
            straight = stream / norm.clamp(min=1e-12)[..., None]
            path, explained = _project(straight if self.unit_length else stream)
            step(0.6)
            length = stream.shape[1]
            some = torch.linspace(0, length - 1, min(length, MOST)).round().long().unique().to(stream.device)
            cosine = torch.einsum("atd,btd->ab", straight[:, some], straight[:, some]) / len(some)
            similarity = _compute_cka(stream[:, some]) if len(some) > 1 else cosine
            dimension = _estimate_dimension(stream[:, some])
            step(1.0)
        arrays = {"path": path, "similarity": similarity, "norm": norm, "cosine": cosine}
        facts = {"explained_variance": explained, "positions_compared": len(some)}
        if dimension is None:
            facts["dimension_omitted"] = f"a layer has fewer than {ENOUGH} distinct tokens, too few to estimate from"
        else:
            arrays["dimension"] = dimension
        if len(some) == 1:
            facts["similarity_note"] = "CKA needs two tokens; with one, the cosine is shown"
        context = token_rows.make_context(model, batch, self.part)
        axes = {
            "path": ("layer", "position", "component"),
            "similarity": ("layer", "layer"),
            "norm": ("layer", "position"),
        }
        axes |= {"cosine": ("layer", "layer"), "dimension": ("layer",)}
        return Result(
            method="residual_trajectory",
            arrays={name: a.cpu().numpy().astype(np.float32) for name, a in arrays.items()} | context["arrays"],
            axes={name: axes[name] for name in arrays} | context["axes"],
            labels={
                "layer": ("input", *(str(layer) for layer in range(1, len(stream)))),
                "position": token_rows.list_tokens(model, batch, self.part)[0]
                if self.part
                else token_rows.name_tokens(batch, length),
                "component": tuple(f"PC {i + 1}" for i in range(COMPONENTS)),
                **context["labels"],
            },
            unit="activation",
            signed=True,
            facts={**context["facts"], **facts, "part": self.part},
        )


def _project(stream: Tensor) -> tuple[Tensor, list[float]]:
    """Projections (layer, position, component) on the first principal directions, and their shares of the variance."""
    import torch

    states = stream.flatten(0, 1).double()
    states = states - states.mean(0)  # (N, d)
    if min(states.shape) > MOST:
        with torch.random.fork_rng(devices=[]):  # seeded, so that it can be repeated
            torch.manual_seed(0)
            directions = torch.svd_lowrank(states, q=COMPONENTS + 5, niter=4)[2].T
    elif states.shape[0] < states.shape[1]:
        directions = torch.linalg.svd(states, full_matrices=False)[2]
    else:
        directions = torch.linalg.eigh(states.T @ states)[1].flip(1).T
    directions = directions[:COMPONENTS]
    largest = directions.gather(1, directions.abs().argmax(1, keepdim=True))
    directions = directions * largest.sign()  # a direction has no sign of its own: its largest part is positive
    path = states.new_zeros(len(states), COMPONENTS)
    path[:, : len(directions)] = states @ directions.T
    shares = path.square().sum(0) / states.square().sum().clamp(min=1e-30)
    return path.view(*stream.shape[:2], COMPONENTS), [float(share) for share in shares]


def _compute_cka(stream: Tensor) -> Tensor:
    """Linear CKA (layer, layer) over positions: ‖XᵀY‖² / (‖XᵀX‖ ‖YᵀY‖), by the positions' Gram matrices."""
    import torch

    states = stream.double() - stream.double().mean(1, keepdim=True)
    grams = torch.stack([(layer @ layer.T).flatten() for layer in states])  # (L + 1, T · T)
    grams = grams / grams.norm(dim=1, keepdim=True).clamp(min=1e-30)
    return grams @ grams.T


def _estimate_dimension(stream: Tensor) -> Tensor | None:
    """The intrinsic dimension (layer,) by TwoNN: N / Σ log(r₂ / r₁); None where a layer has too few distinct states."""
    import torch

    found = []
    for layer in stream:
        points = layer.double().unique(dim=0)
        if len(points) < ENOUGH:
            return None
        apart = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
        near = apart.topk(3, largest=False).values[:, 1:]  # (N, 2), without the point itself
        found.append(len(points) / (near[:, 1] / near[:, 0]).log().sum().clamp(min=1e-12))
    return torch.stack(found)


ENTRY = ResidualTrajectory
