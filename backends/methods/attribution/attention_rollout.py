"""Attention rollout: attention multiplied through the layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from backends.hooks.recording import record
from backends.methods import token_rows
from backends.methods.base import Cost, Method, Size, Step, no_step

if TYPE_CHECKING:
    from torch import Tensor

    from backends.hooks.recording import Recording
    from backends.models.base import Batch, Model, Target
    from backends.results import Result


@dataclass(frozen=True)
class AttentionRollout(Method):
    """Follows attention from the answer's token back through all layers to the input.

    Each layer passes on half of what it attends to (mean over heads) and half of what it had. The values are shares and
    sum to 1. They ignore what the network does with the information: the map is the same for every class, and it says
    nothing for or against an answer.
    """

    needs: ClassVar = frozenset({"attention", "one_stack"})
    question: ClassVar = "attribution"
    view: ClassVar = "map"
    title: ClassVar = "Attention rollout"
    source: ClassVar = "Abnar & Zuidema 2020, eq. 1"
    needs_target: ClassVar = False

    def cost(self, size: Size) -> Cost:
        """One forward that keeps queries and keys, and every pattern computed from them, a part at a time."""
        cells = size.heads * size.tokens**2
        held = 8 * size.layers * size.tokens * size.width + 16 * min(cells, 2**23)
        return Cost(flops=2 * size.layers * size.width * size.tokens**2, numbers=4 * size.layers * cells, bytes=held)

    def __call__(self, model: Model, batch: Batch, target: Target | None = None, step: Step = no_step) -> Result:
        import torch

        sites: Any = model.sites
        layers = sites.layers
        with model.lock, torch.no_grad(), record(model.module, sites, qk=layers) as recording:
            model.outputs(model.features(batch), batch)
        length = recording.compute_rows(layers[0], [0]).shape[-1]
        share = token_rows.weigh_start(model, batch, length, token_rows.check_causal(recording, layers))
        row = (
            token_rows.name_tokens(batch, length)[int(share.argmax())]
            if float(share.max()) == 1
            else f"all {'tokens' if batch.grid is None else 'patches'}"
        )
        for index, layer in enumerate(reversed(layers)):
            share = _through(share, recording, layer)
            step((index + 1) / len(layers))
        facts = {"row": row, "row_sum_gap": abs(float(share.sum()) - 1), "class_agnostic": True}
        return token_rows.make_result(model, batch, share, method="attention_rollout", unit="share", facts=facts)


def _through(share: Tensor, recording: Recording, layer: int) -> Tensor:
    """Shares (T,) of a layer's output as shares of its input: share · norm(½ Ā + ½ I), rows at a time."""
    import torch

    back = torch.zeros_like(share)
    for first, part in recording.iterate_rows(layer):
        mean = 0.5 * part[0].float().mean(0)  # (rows, T)
        rows = torch.arange(len(mean), device=mean.device)
        mean[rows, first + rows] += 0.5
        back += share[first : first + len(mean)] @ (mean / mean.sum(-1, keepdim=True))
    return back


ENTRY = AttentionRollout
