"""KernelSHAP: a fair share of the answer for every part, from random sets of parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from backends.methods._attribution import OverParts, baseline_option, of_parts, seed_option, square_option
from backends.methods._base import option

if TYPE_CHECKING:
    import numpy as np

    from backends.methods._scoring import Scoring


@dataclass(frozen=True)
class KernelShap(OverParts):
    """What is each part's fair share of the answer, if parts can work together?

    Random sets of words or squares are removed, and shares are fitted so that they explain the answers best; they
    estimate Shapley values, which split what parts do together fairly among them. Positive
    parts speak for the answer, and the shares add up to the whole change. More samples are steadier.
    """

    title: ClassVar = "KernelSHAP"
    source: ClassVar = "Lundberg & Lee 2017, A Unified Approach to Interpreting Model Predictions, theorem 2"
    claims: ClassVar = 0.01
    cheap: ClassVar = {"samples": 64}

    samples: int = option(0, "random sets; 0 is six times the number of parts, at least 128", low=0, high=20000)
    square: int = square_option()
    baseline: str = baseline_option()
    seed: int = seed_option()

    def attribute(self, scoring: Scoring) -> tuple[np.ndarray, dict[str, Any]]:
        from captum import attr

        from backends.methods._scoring import LeastSquares, Parts, seeded

        parts = Parts(scoring, self.baseline, self.square)
        samples = self.samples or max(6 * parts.count, 128)
        if parts.count == 1:  # nothing to share
            values = parts.all * (scoring.output - parts.baseline_output)
            return parts.spread(values), of_parts(parts, self.baseline, values)
        scoring.expected = samples + 2
        method = attr.KernelShap(parts)
        method.interpretable_model = line = LeastSquares()
        with seeded(self.seed):
            values = method.attribute(
                parts.all, parts.none, n_samples=max(samples, 3), perturbations_per_eval=scoring.size
            )
        facts = {"samples": samples, "fit": line.fit_share}
        return parts.spread(values), of_parts(parts, self.baseline, values) | facts


ENTRY = KernelShap
