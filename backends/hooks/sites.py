"""Where things happen in one network: the paths of its modules, and how a state is unembedded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Sites:
    """Where things happen in one network, as module paths, and what was measured when they were found.

    `block`, `attention`, `branch`, `mlp` and `projection` have one entry a layer, empty where the
    layer has no such part. `attention` calls the attention kernel; `branch` is the module whose
    output joins the residual stream (mostly the same module, a norm after it in Gemma 2);
    `projection` is the linear layer that mixes the heads. `channels` are the stages of a
    convolutional network, whose output is (B, C, h, w). `tokens` is how many the probe's input had.
    A decoder beside an encoder also adds `cross`, what its attention to the encoder gives. States are unembedded
    as `cap` tanh(U · `scale` LN_f(R) / `cap`): T5 scales its last state, Gemma 2 caps its logits.

    `checks`: `install_gap` (logits after and before `install`), `attention_gap` (patterns against the
    same network in eager mode), `residual_gap` (largest |out - in - attention - MLP| of a block, relative),
    `lens_gap` (unembedding of the normed last state against the logits, relative), `head_gap` (a head set to zero
    against its columns of the output projection, relative), `patch_gap` (every state replaced by itself, relative).
    `withdrawn` says in a sentence why `attention`, `residual`, `components`, `unembedding` or `heads` is not offered.
    """

    block: tuple[str, ...] = ()
    attention: tuple[str, ...] = ()
    branch: tuple[str, ...] = ()
    mlp: tuple[str, ...] = ()
    cross: tuple[str, ...] = ()
    projection: tuple[str, ...] = ()
    final_norm: str | None = None
    unembedding: str | None = None
    embedding: str | None = None
    channels: tuple[str, ...] = ()
    heads: int = 0
    tokens: int = 0
    interface: bool = True
    scale: float = 1.0
    cap: float | None = None
    checks: Mapping[str, float] = field(default_factory=dict)
    withdrawn: Mapping[str, str] = field(default_factory=dict)

    @property
    def layers(self) -> tuple[int, ...]:
        """The layers that have attention."""
        return tuple(layer for layer, path in enumerate(self.attention) if path)

    @property
    def offers(self) -> frozenset[str]:
        """Which of attention, residual, components, heads, unembedding and channels these sites can give."""
        found = {
            "attention": bool(self.layers),
            "residual": bool(self.block),
            "components": bool(self.mlp) and bool(self.branch),
            "heads": bool(self.layers) and "head_gap" in self.checks,
            "unembedding": self.unembedding is not None,
            "channels": bool(self.channels),
        }
        return frozenset(name for name, there in found.items() if there and name not in self.withdrawn)

    def roles(self) -> dict[str, list[str]]:
        """Module paths by role, only the roles that were found."""
        one = {"final_norm": self.final_norm, "unembedding": self.unembedding, "embedding": self.embedding}
        many = ("block", "attention", "branch", "mlp", "cross", "projection", "channels")
        roles = {name: [path for path in getattr(self, name) if path] for name in many}
        return {name: paths for name, paths in (roles | {k: [v] for k, v in one.items() if v}).items() if paths}


def unembed(module: nn.Module, sites: Sites, states: Tensor) -> Tensor:
    """Return the logits (…, vocabulary) of residual states (…, d): final norm and unembedding."""
    if sites.final_norm:
        states = module.get_submodule(sites.final_norm)(states)
    states = states * sites.scale if sites.scale != 1 else states
    logits = module.get_submodule(sites.unembedding)(states) if sites.unembedding else states
    return sites.cap * (logits / sites.cap).tanh() if sites.cap else logits
