"""Sink share: how much of each head's attention rests on the first token, where it does little."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from backends.methods.attention.attention import AttentionPattern
from backends.methods.base import Method, Step, no_step, option
from backends.results import Result

if TYPE_CHECKING:
    from backends.models.base import Batch, Model, Target


@dataclass(frozen=True)
class SinkShare(Method):
    """How much of each head's attention rests on the first token?

    `share` (layer, head) is the weight on the first `keys` tokens, the mean over the queries after them: a head that
    finds nothing to look at rests there.
    """

    needs: ClassVar = frozenset({"attention"})
    question: ClassVar = "attention"
    title: ClassVar = "Attention sinks"
    source: ClassVar = "Xiao et al. 2024, Efficient Streaming Language Models with Attention Sinks, section 3.1"
    needs_target: ClassVar = False

    keys: int = option(1, "how many of the first tokens count as the sink", low=1, high=4)

    def __call__(self, model: Model, batch: Batch, target: Target, step: Step = no_step) -> Result:
        whole = AttentionPattern()(model, batch, target, step)
        pattern = whole.arrays["pattern"]  # (layer, head, query, key)
        later = pattern[:, :, min(self.keys, pattern.shape[2] - 1) :, : self.keys]
        names = {axis: whole.labels[axis] for axis in ("layer", "head")}
        share = later.sum(-1).mean(-1)
        return Result("sink_share", {"share": share}, {"share": ("layer", "head")}, names, unit="probability")


ENTRY = SinkShare
