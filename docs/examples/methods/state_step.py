"""State step: how far each layer moves the state of each token, as a share of the state's length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from backends.methods import token_rows
from backends.methods.base import Method, Step, no_step
from backends.results import Result

if TYPE_CHECKING:
    from backends.models.base import Batch, Model, Target


@dataclass(frozen=True)
class StateStep(Method):
    """How far does each layer move the state of each token?

    `step` (layer, position) is the length of what a layer adds, as a share of the length of what comes in: where it is
    small, the layer refines; where it is large, it rewrites.
    """

    needs: ClassVar = frozenset({"residual"})
    question: ClassVar = "trajectory"
    title: ClassVar = "Step of each layer"
    source: ClassVar = "Jastrzębski et al. 2018, Residual Connections Encourage Iterative Inference, section 4.2"
    needs_target: ClassVar = False

    def __call__(self, model: Model, batch: Batch, target: Target, step: Step = no_step) -> Result:
        import torch

        from backends.hooks.recording import record

        with model.lock, torch.no_grad(), record(model.module, model.sites, residual=True) as recording:
            model.outputs(model.features(batch), batch)
        states = torch.cat([state[:1] for state in recording.residual]).float()  # (layer + 1, position, width)
        moved = states.diff(dim=0).norm(dim=-1) / states[:-1].norm(dim=-1).clamp(min=1e-12)
        names = {
            "layer": tuple(map(str, range(len(moved)))),
            "position": token_rows.name_tokens(batch, moved.shape[1]),
        }
        grid = {"step": moved.cpu().numpy()}
        return Result("state_step", grid, {"step": ("layer", "position")}, names, unit="share", signed=False)


ENTRY = StateStep
