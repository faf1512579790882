"""LIME: a straight line fitted to the network's answers near this input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from backends.methods.attribution.base import OverParts, baseline_option, describe_parts, seed_option, square_option
from backends.methods.base import Size, option

if TYPE_CHECKING:
    import numpy as np

    from backends.methods.attribution.scoring import Scoring


@dataclass(frozen=True)
class Lime(OverParts):
    """Which simple rule, a sum over parts, answers like the network near this input?

    Random halves of the words or squares are removed, and a line is fitted to the answers; inputs that keep
    more count more. Positive parts speak for the answer. `fit` says which share of the answers' variation
    the line explains: near 1 it can be trusted, near 0 it says nothing.
    """

    title: ClassVar = "LIME"
    source: ClassVar = "Ribeiro et al. 2016, Why Should I Trust You?, eq. 1 and 2 (ridge in place of K-Lasso)"
    cheap: ClassVar = {"samples": 64}

    samples: int = option(0, "random halves; 0 is six times the number of parts, at least 128", low=0, high=20000)
    width: float = option(0.25, "how near counts: the width of the kernel over cosine distance", low=0.01, high=100)
    ridge: float = option(1.0, "how strongly small effects are pulled towards zero", low=0.0, high=1000)
    square: int = square_option()
    baseline: str = baseline_option()
    seed: int = seed_option()

    def evaluations(self, size: Size) -> int:
        return self.samples or max(6 * size.parts, 128)

    def attribute(self, scoring: Scoring) -> tuple[np.ndarray, dict[str, Any]]:
        from captum import attr
        from captum.attr._core.lime import get_exp_kernel_similarity_function

        from backends.methods.attribution.scoring import LeastSquares, Parts, seeded

        parts = Parts(scoring, self.baseline, self.square)
        samples = self.samples or max(6 * parts.count, 128)
        scoring.expected = samples + 2
        line = LeastSquares(self.ridge)
        method = attr.Lime(parts, line, get_exp_kernel_similarity_function("cosine", self.width))
        with seeded(self.seed):
            values = method.attribute(parts.all, parts.none, n_samples=samples, perturbations_per_eval=scoring.size)
        facts = {"samples": samples, "fit": line.fit_share}
        return parts.spread(values), describe_parts(parts, self.baseline) | facts


ENTRY = Lime
