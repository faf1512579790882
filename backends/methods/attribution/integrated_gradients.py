"""Integrated gradients: what each part adds on the way from nothing to this input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from backends.methods.attribution.base import (
    MOST_GAP,
    Attribution,
    average_noisy,
    baseline_option,
    describe_baseline,
    noise_option,
    seed_option,
    smooth_option,
)
from backends.methods.base import Cost, Size, option

if TYPE_CHECKING:
    import numpy as np

    from backends.methods.attribution.scoring import Scoring


@dataclass(frozen=True)
class IntegratedGradients(Attribution):
    """How much does each part add to the answer on the way from a neutral input to this one?

    The neutral input (a blurred picture, words replaced by a filler) is turned into the real one in
    small steps, and every part is credited with what it adds at each step. Positive parts speak for the answer,
    negative ones against it, and together they add up to the whole change: the completeness gap says
    how exactly. By default steps are spent where they are needed, until every stretch adds up within 5 %.
    """

    title: ClassVar = "Integrated gradients"
    source: ClassVar = "Sundararajan et al. 2017, Axiomatic Attribution for Deep Networks, eq. 1"
    order: ClassVar = 10
    claims: ClassVar = MOST_GAP

    baseline: str = baseline_option()
    steps: int = option(0, "this many equal steps; 0 puts steps where they are needed", low=0, high=1000)
    tolerance: float = option(
        MOST_GAP, "how exactly all stretches must add up where steps are placed by need", low=0.001, high=0.5
    )
    most: int = option(120, "at most this many gradients where steps are placed by need", low=8, high=5000)
    smooth: int = smooth_option()
    noise: float = noise_option()
    seed: int = seed_option()

    def cost(self, size: Size) -> Cost:
        """The steps asked for; where they are placed by need about 30 are, with a forward for every other one."""
        times, held = max(self.smooth, 1), 8 * size.numbers
        if self.steps:
            gradients = self.steps * times
            return Cost(3, gradients, min(size.batch, self.steps), bytes=held * self.steps)
        return Cost(17 * times, 30 * times, min(size.batch, 32), most=max(self.most / 30, 1.0), bytes=held * 32)

    def attribute(self, scoring: Scoring) -> tuple[np.ndarray, dict[str, Any]]:
        from captum import attr

        from backends.methods.attribution.adaptive_path import Adaptive

        baseline = scoring.baseline(self.baseline)
        noisy, start = (self.smooth, self.noise, self.seed), None
        if self.steps:
            scoring.expected = self.steps * max(self.smooth, 1)
            fixed: dict[str, Any] = {"baselines": baseline, "n_steps": self.steps, "internal_batch_size": scoring.size}
            attribution = average_noisy(attr.IntegratedGradients(scoring), scoring, *noisy, **fixed)
            facts = {}
        else:
            scoring.expected = 60 * max(self.smooth, 1)
            rule = Adaptive(scoring, self.tolerance, self.most, start=16 if _small(scoring) else 4)
            attribution = average_noisy(rule, scoring, *noisy, baselines=baseline)
            facts = {"local_gap": rule.local_gap}
            if not self.smooth:
                start, scoring.output = rule.ends  # known already
        folded = scoring.fold(attribution)
        return folded, describe_baseline(scoring, baseline, self.baseline, float(folded.sum()), start) | facts


def _small(scoring: Scoring) -> bool:
    """Whether starting a batch costs more than what is in it, so that one large batch beats several small ones."""
    return scoring.batch.image is None and sum(p.numel() for p in scoring.network.parameters()) < 5e6


ENTRY = IntegratedGradients
