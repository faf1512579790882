"""Feature ablation: what changes when one part is removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from backends.methods.attribution.base import OverParts, baseline_option, describe_parts, square_option
from backends.methods.base import Size

if TYPE_CHECKING:
    import numpy as np

    from backends.methods.attribution.scoring import Scoring


@dataclass(frozen=True)
class FeatureAblation(OverParts):
    """How much does the answer lose when one word, or one square of the picture, is removed?

    Each part is replaced by something neutral, one at a time, and the network answers again. Positive
    parts speak for the answer. Parts that can stand in for each other both look unimportant.
    """

    title: ClassVar = "Feature ablation"
    source: ClassVar = "Li et al. 2016, Understanding Neural Networks through Representation Erasure, eq. 1"
    order: ClassVar = 50

    square: int = square_option()
    baseline: str = baseline_option()

    def evaluations(self, size: Size) -> int:
        return size.parts

    def attribute(self, scoring: Scoring) -> tuple[np.ndarray, dict[str, Any]]:
        from captum import attr

        from backends.methods.attribution.scoring import Parts

        parts = Parts(scoring, self.baseline, self.square)
        scoring.expected = parts.count + 2
        values = attr.FeatureAblation(parts).attribute(parts.all, parts.none, perturbations_per_eval=scoring.size)
        return parts.spread(values), describe_parts(parts, self.baseline)


ENTRY = FeatureAblation
