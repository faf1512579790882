"""GradientSHAP: integrated gradients over random paths from several neutral inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from backends.methods.attribution.base import Attribution, baseline_option, describe_baseline, seed_option
from backends.methods.base import Cost, Size, option

if TYPE_CHECKING:
    import numpy as np

    from backends.methods.attribution.scoring import Scoring

AT_ONCE = 8
"""Samples in one captum call: fixed, so that the draws do not depend on the machine."""


@dataclass(frozen=True)
class GradientShap(Attribution):
    """How much does each part add, on average over several neutral inputs and points on the way?

    Like integrated gradients, but at random points between this input and random neutral ones, so the map
    hangs less on the choice of one of them. Positive parts speak for the answer. It is an estimate:
    the completeness gap says how far its parts are from adding up, and more samples shrink it.
    """

    title: ClassVar = "GradientSHAP"
    source: ClassVar = "Lundberg & Lee 2017, A Unified Approach; expected gradients: Erion et al. 2021, eq. 3"
    cheap: ClassVar = {"samples": 16}

    baseline: str = baseline_option()
    samples: int = option(64, "random points; more are steadier", low=1, high=1000)
    noise: float = option(0.0, "noise added to the input, as a share of its range", low=0.0, high=1.0)
    seed: int = seed_option()

    def cost(self, size: Size) -> Cost:
        """One gradient a sample, some at once, and a forward of each baseline."""
        return Cost(4, self.samples, min(AT_ONCE, self.samples), bytes=8 * AT_ONCE * size.numbers)

    def attribute(self, scoring: Scoring) -> tuple[np.ndarray, dict[str, Any]]:
        import torch
        from captum import attr

        from backends.methods.attribution.scoring import seeded

        kinds = [k for k in scoring.model.stand_ins if k != "zero"] if self.baseline == "default" else [self.baseline]
        baselines = torch.cat([scoring.baseline(kind) for kind in kinds])  # (kind, …)
        features, scoring.expected = scoring.features, self.samples
        total = torch.zeros_like(features)
        spread = self.noise * scoring.range
        with seeded(self.seed, scoring.model.device):
            at_once = min(AT_ONCE, scoring.most)  # fewer only where memory ran out: then other points are drawn
            for start in range(0, self.samples, at_once):
                count = min(at_once, self.samples - start)
                part = attr.GradientShap(scoring).attribute(features, baselines, n_samples=count, stdevs=spread)
                total = total + part.detach() * (count / self.samples)
        folded = scoring.fold(total)
        facts = describe_baseline(scoring, baselines, self.baseline, float(folded.sum()))
        return folded, {**facts, "baseline": ", ".join(kinds)}


ENTRY = GradientShap
