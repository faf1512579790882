"""Logit lens: what each layer would answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from backends.hooks.recording import record
from backends.hooks.sites import unembed
from backends.methods import token_rows
from backends.methods.base import Cost, Method, Size, Step, no_step, option
from backends.results import Result

if TYPE_CHECKING:
    from torch import Tensor

    from backends.models.base import Batch, Model, Target

MOST = 2**24
"""Numbers of one layer's logits that are held at once."""
LOWEST = -1e30
"""Stands for the logarithm of nothing, so that nothing times it is nothing."""


@dataclass(frozen=True)
class LogitLens(Method):
    """Reads every layer's state as if it were the last one, through the final norm and the unembedding.

    Layer 0 is the stream before the first block, the last layer is the network's own answer. `token` are the k most
    probable next tokens at each position, with their `probability` and `rank` there (from 1) and their `final_rank` in
    the network's own answer. `entropy` and `kl`, from the network's own answer to the layer's, are in nat.
    `target_rank` and `target_probability` follow the target, `rather_…` the token it is compared with. Early
    layers may speak another basis: a poor reading there does not mean that nothing is known.
    """

    needs: ClassVar = frozenset({"residual", "unembedding", "next_token"})
    question: ClassVar = "trajectory"
    view: ClassVar = "words"
    order: ClassVar = 10
    title: ClassVar = "Logit lens"
    source: ClassVar = "nostalgebraist 2020; U · LN_f(R_l) → top-k"

    k: int = option(5, "how many tokens to list at each layer and position", low=1, high=20)

    def cost(self, size: Size) -> Cost:
        """One forward; the unembedding of every layer's states, which are held, as are some logits at a time."""
        states, outputs = (size.layers + 1) * size.tokens, max(size.outputs, 1)
        at_once = min(max(MOST // outputs, 1), size.tokens) * outputs
        return Cost(
            flops=2 * states * size.width * outputs,
            numbers=15 * states * outputs,
            bytes=8 * states * size.width + 20 * at_once,
        )

    def __call__(self, model: Model, batch: Batch, target: Target, step: Step = no_step) -> Result:
        import torch

        sites: Any = model.stack(model.answers)
        followed = dict(zip(("target", "rather"), target.ids[: 2 if target.kind == "pair" else 1], strict=False))
        with model.lock, torch.no_grad():
            with record(model.module, sites, residual=True) as recording:
                own = model.outputs(model.features(batch), batch)[0]  # (V,) after the last token
            stream = torch.cat(recording.residual)  # (L + 1, T, d)
            size = max(MOST // len(own), 1)
            parts, gap = [], 0.0
            for first in range(0, stream.shape[1], size):
                some = stream[:, first : first + size]
                logits = unembed(model.module, sites, some[-1])
                parts.append(self._read(model, some, logits, followed))
                step((first + some.shape[1]) / stream.shape[1])
            gap = float((logits[-1] - own).abs().max())
        arrays = {name: np.concatenate([part[name] for part in parts], 1) for name in parts[0]}
        context = token_rows.make_context(model, batch, model.answers)
        used = {int(i) for i in np.unique(arrays["token"])} | set(followed.values())
        return Result(
            method="logit_lens",
            arrays=arrays | context["arrays"],
            axes={name: ("layer", "position", "k")[: array.ndim] for name, array in arrays.items()} | context["axes"],
            labels={
                "layer": ("input", *(str(layer) for layer in range(1, len(stream)))),
                "position": token_rows.list_tokens(model, batch, model.answers)[0],
                **context["labels"],
            },
            unit="probability",
            target=target.words,
            facts={
                **context["facts"],
                "part": model.answers,
                "parity_gap": gap,
                "strings": {str(i): model.name_of(i) for i in sorted(used)},
                "followed": followed,
            },
        )

    def _read(self, model: Model, stream: Tensor, last: Tensor, followed: dict[str, int]) -> dict[str, Any]:
        """Every array for some positions, one layer's logits (position, token) at a time."""
        import torch

        sites: Any = model.stack(model.answers)
        final = last.float().log_softmax(-1).clamp_(min=LOWEST)
        sure = final.exp()
        certain, ordered = torch.linalg.vecdot(sure, final), final.sort(-1).values
        k = min(self.k, final.shape[-1])
        layers: list[dict[str, Tensor]] = []
        for index, states in enumerate(stream):
            is_last = index == len(stream) - 1
            log = final
            if not is_last:
                log = unembed(model.module, sites, states).float().log_softmax(-1).clamp_(min=LOWEST)
            share, top = sure if is_last else log.exp(), log.topk(k)
            found = {
                "probability": top.values.exp(),
                "rank": (top.values[:, None] > top.values[..., None]).sum(-1) + 1,  # what is greater is listed too
                "token": top.indices,
                "final_rank": _place(ordered, final.gather(-1, top.indices)),
                "entropy": -torch.linalg.vecdot(share, log),
                "kl": (certain - torch.linalg.vecdot(sure, log)).clamp(min=0),
            }
            for name, token in followed.items():
                found[f"{name}_rank"] = _rank(log, torch.full_like(top.indices[:, :1], token))[:, 0]
                found[f"{name}_probability"] = log[:, token].exp()
            layers.append({name: value.cpu() for name, value in found.items()})
        stacked = {name: torch.stack([layer[name] for layer in layers]).numpy() for name in layers[0]}
        return {name: a.astype(np.float32 if a.dtype.kind == "f" else np.int32) for name, a in stacked.items()}


def _place(ordered: Tensor, values: Tensor) -> Tensor:
    """The rank of each of `values` (position, k) among the numbers of its row, sorted upwards."""
    import torch

    return ordered.shape[-1] - torch.searchsorted(ordered, values, right=True) + 1


def _rank(log: Tensor, tokens: Tensor) -> Tensor:
    """The rank (position, k) of each of `tokens` (position, k): one more than the tokens that are more probable."""
    import torch

    values = log.gather(-1, tokens)
    return torch.stack([(log > values[:, i, None]).sum(-1) for i in range(tokens.shape[1])], -1) + 1


ENTRY = LogitLens
