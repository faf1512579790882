"""Shapley sampling: parts join in random orders, and each is credited with what it adds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from backends.methods.attribution.base import OverParts, baseline_option, describe_parts, seed_option, square_option
from backends.methods.base import Size, option

if TYPE_CHECKING:
    import numpy as np

    from backends.methods.attribution.scoring import Scoring


@dataclass(frozen=True)
class ShapleySampling(OverParts):
    """How much does each part add when parts join in a random order?

    Starting from a neutral input, words or squares come in one after the other, and each is credited with the
    change it brings; this is repeated in other orders and averaged, which estimates Shapley values. Positive
    parts speak for the answer, and the shares add up to the whole change whatever the number of orders.
    """

    title: ClassVar = "Shapley sampling"
    source: ClassVar = "Castro et al. 2009, Polynomial calculation of the Shapley value based on sampling, section 3"
    claims: ClassVar = 0.01
    cheap: ClassVar = {"orders": 2}

    orders: int = option(10, "random orders; more are steadier", low=1, high=1000)
    square: int = square_option()
    baseline: str = baseline_option()
    seed: int = seed_option()

    def evaluations(self, size: Size) -> int:
        return self.orders * size.parts + 1

    def attribute(self, scoring: Scoring) -> tuple[np.ndarray, dict[str, Any]]:
        from captum import attr

        from backends.methods.attribution.scoring import Parts, seeded

        parts = Parts(scoring, self.baseline, self.square)
        scoring.expected = self.orders * parts.count + 3
        with seeded(self.seed):
            values = attr.ShapleyValueSampling(parts).attribute(
                parts.all, parts.none, n_samples=self.orders, perturbations_per_eval=scoring.size
            )
        return parts.spread(values), describe_parts(parts, self.baseline, values)


ENTRY = ShapleySampling
