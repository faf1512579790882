"""Competition: two answers through depth, and which parts speak for which."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from backends.errors import Refused
from backends.hooks.recording import record
from backends.methods import token_rows
from backends.methods.base import Method, Step, no_step, option
from backends.methods.causal import direct_logit
from backends.results import Result

if TYPE_CHECKING:
    from torch import Tensor

    from backends.hooks.recording import Recording
    from backends.models.base import Batch, Model, Target


@dataclass(frozen=True)
class Competition(Method):
    """Two answers through depth, and which parts speak for which.

    `logit` (answer, depth) reads both answers' logits from the state at the answer's token after each attention and
    each MLP, through the final norm. `difference` (depth) is the first minus the second, `crossing` the depths where
    its sign turns; at the last of them the winner took the lead. `contribution` (answer, component) is what each part
    writes towards each answer, with the norm held at the scale of the last state. Without a pair the second answer
    is the best of the others.
    """

    needs: ClassVar = frozenset({"answer", "residual", "unembedding"})
    question: ClassVar = "causal"
    view: ClassVar = "rivals"
    order: ClassVar = 10
    title: ClassVar = "Competition of two answers"
    source: ClassVar = "Ortu et al. 2024, Competition of mechanisms, section 4"

    by: str = option("part", "what counts as one part", choices=("head", "part", "layer"), label="one bar for each")

    def __call__(self, model: Model, batch: Batch, target: Target, step: Step = no_step) -> Result:
        import torch

        if target.kind == "sequence":
            raise Refused("two answers are compared, not a sequence: name two answers")
        target = choose_rivals(model, batch, target)
        sites: Any = model.stack(model.answers)
        added = "components" in sites.offers
        with model.lock, torch.no_grad():
            with record(
                model.module, sites, residual=True, components=added, heads=added and "heads" in sites.offers
            ) as recording:
                model.outputs(model.features(batch), batch)
            step(0.5)
            length = recording.residual[0].shape[1]
            place = int(token_rows.weigh_start(model, batch, length, "next_token" in model.offers).argmax())
            depths, states = read_path(sites, recording, place)
            sides = [dataclasses.replace(target, kind="index", ids=(i,)) for i in target.ids]
            logit = torch.stack(
                [direct_logit.compute_logits(model, sites, states, side) for side in sides]
            )  # (answer, depth)
            parts = self._parts(model, sites, recording, sides, place) if added else ([], logit)
        difference = logit[0] - logit[1]
        turns = ((difference[1:] > 0) != (difference[:-1] > 0)).nonzero()[:, 0].tolist()
        arrays = {"logit": logit, "difference": difference} | ({"contribution": parts[1]} if added else {})
        names = tuple(model.name_of(i) for i in target.ids)
        return Result(
            method="competition",
            arrays={n: a.float().cpu().numpy().astype(np.float32) for n, a in arrays.items()},
            axes={"logit": ("answer", "depth"), "difference": ("depth",), "contribution": ("answer", "component")}
            if added
            else {"logit": ("answer", "depth"), "difference": ("depth",)},
            labels={"answer": names, "depth": tuple(depths), **({"component": tuple(parts[0])} if added else {})},
            unit="logit",
            signed=True,
            target=target.words,
            facts={"position": place, "crossing": [depths[i + 1] for i in turns], "text": batch.text},
        )

    def _parts(
        self, model: Model, sites: Any, recording: Recording, sides: list[Target], place: int
    ) -> tuple[list[str], Tensor]:
        """Names of the parts, and what they write towards each answer (answer, component)."""
        import torch

        found = []
        for side in sides:
            reading = direct_logit.make_reading(model, sites, recording.residual[-1][0], side)
            names, rows, _ = direct_logit.read_components(model, sites, recording, reading, self.by)
            found.append(rows[:, place])
        return names, torch.stack(found)


def choose_rivals(model: Model, batch: Batch, target: Target) -> Target:
    """The pair itself, or the target and the best of the other answers."""
    if target.kind == "pair":
        return target
    other = next(choice for choice in model.predict(batch, most=2) if choice.index != target.ids[0])
    return dataclasses.replace(
        target, kind="pair", ids=(target.ids[0], other.index), words=f"{target.words} rather than {other.label}"
    )


def read_path(sites: Any, recording: Recording, place: int) -> tuple[list[str], Tensor]:
    """The states (depth, d) at one token, after each attention where parts add up, and after each block."""
    import torch

    names, states = ["input"], [recording.residual[0][0, place]]
    for layer, state in enumerate(recording.residual[1:]):
        if layer in recording.attention_out and layer in recording.mlp_out:
            between = recording.attention_out[layer][0, place]
            between = between + recording.cross_out[layer][0, place] if layer in recording.cross_out else between
            names.append(f"{layer} attention")
            states.append(states[-1] + between)
        names.append(f"{layer} mlp" if layer in recording.mlp_out else str(layer))
        states.append(state[0, place])
    return names, torch.stack(states)


ENTRY = Competition
