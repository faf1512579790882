"""Direct logit attribution: what does each part write towards the answer?"""

from __future__ import annotations

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
    from backends.models.base import Batch, Model, Target


@dataclass(frozen=True)
class LogitAttribution(Method):
    """What does each part write towards the answer?

    The last state is a sum: the embedding, and what every head and MLP added. With the final norm held at the scale it
    has here, `contribution` (component, position) is what each adds to the target's logit there (of a pair: to the
    difference), the norm's gain and the biases included, so that a column sums to `logit` (position). `residue`
    (position) is what is missing, `sum_gap` the largest of it relative to the largest logit. A part may also
    work through later parts: this shows its direct path only.
    """

    needs: ClassVar = frozenset({"answer", "residual", "components", "unembedding"})
    question: ClassVar = "causal"
    view: ClassVar = "contributions"
    order: ClassVar = 10
    title: ClassVar = "Logit attribution"
    source: ClassVar = "Lieberum et al. 2023, Chinchilla circuits, section 2; Elhage et al. 2021"

    by: str = option("head", "what counts as one part", choices=("head", "part", "layer"), label="one bar for each")

    def __call__(self, model: Model, batch: Batch, target: Target, step: Step = no_step) -> Result:
        import torch

        if target.kind == "sequence":
            raise Refused("logits are shared out for one answer, not a sequence: name a token or a pair of them")
        sites: Any = model.stack(model.answers)
        direct_logit.require(model, sites, "residual", "components", "unembedding")
        heads = self.by == "head" and "heads" in sites.offers
        with model.lock, torch.no_grad():
            with record(model.module, sites, residual=True, components=True, heads=heads) as recording:
                model.outputs(model.features(batch), batch)
            step(0.5)
            stream = recording.residual[-1][0]
            reading = direct_logit.make_reading(model, sites, stream, target)
            names, rows, split = direct_logit.read_components(model, sites, recording, reading, self.by)
            logit = direct_logit.compute_logits(model, sites, stream, target)  # (T,)
        residue = logit - rows.sum(0)
        gap = float(residue.abs().max() / logit.abs().max().clamp(min=1e-12))
        context = token_rows.make_context(model, batch, model.answers)
        arrays = {"contribution": rows, "logit": logit, "residue": residue}
        place = int(token_rows.weigh_start(model, batch, len(stream), "next_token" in model.offers).argmax())
        return Result(
            method="logit_attribution",
            arrays={n: a.float().cpu().numpy().astype(np.float32) for n, a in arrays.items()} | context["arrays"],
            axes={"contribution": ("component", "position"), "logit": ("position",), "residue": ("position",)}
            | context["axes"],
            labels={
                "component": tuple(names),
                "position": token_rows.list_tokens(model, batch, model.answers)[0],
                **context["labels"],
            },
            unit="logit",
            signed=True,
            target=target.words,
            facts={
                **context["facts"],
                "sum_gap": gap,
                "position": place,
                "heads_apart": split and (heads or self.by != "head"),
                "capped": sites.cap is not None,
            },
        )


ENTRY = LogitAttribution
