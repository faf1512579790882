"""KernelSHAP: a fair share of the answer for every part, from random sets of parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from backends.methods.attribution.base import OverParts, baseline_option, describe_parts, seed_option, square_option
from backends.methods.base import option

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from backends.methods.attribution.scoring import Scoring


@dataclass(frozen=True)
class KernelShap(OverParts):
    """What is each part's fair share of the answer, if parts can work together?

    Random sets of words or squares are removed, and shares are fitted so that they explain the answers best; they
    estimate Shapley values, which split what parts do together fairly among them. Positive
    parts speak for the answer, and the shares add up to the whole change. More samples are steadier.
    """

    title: ClassVar = "KernelSHAP"
    source: ClassVar = "Lundberg & Lee 2017, A Unified Approach, theorem 2; paired draws: Covert & Lee 2021"
    claims: ClassVar = 0.01
    cheap: ClassVar = {"samples": 64}

    samples: int = option(0, "random sets; 0 is eight times the number of parts, at least 128", low=0, high=20000)
    paired: bool = option(True, "draw each set together with the set of all other parts, which is much steadier")
    square: int = square_option()
    baseline: str = baseline_option()
    seed: int = seed_option()

    def attribute(self, scoring: Scoring) -> tuple[np.ndarray, dict[str, Any]]:
        from captum import attr

        from backends.methods.attribution.scoring import LeastSquares, Parts, seeded

        parts = Parts(scoring, self.baseline, self.square)
        samples = self.samples or max(8 * parts.count, 128)
        if parts.count == 1:  # nothing to share
            values = parts.all * (scoring.output - parts.baseline_output)
            return parts.spread(values), describe_parts(parts, self.baseline, values)
        scoring.expected = samples + 2
        method = attr.KernelShap(parts)
        method.interpretable_model = line = LeastSquares()
        if self.paired:
            method.perturb_func = _paired(method.perturb_func)
        with seeded(self.seed):
            values = method.attribute(
                parts.all, parts.none, n_samples=max(samples, 3), perturbations_per_eval=scoring.size
            )
        facts = {"samples": samples, "fit": line.fit_share}
        return parts.spread(values), describe_parts(parts, self.baseline, values) | facts


def _paired(draw: Callable[..., Iterator[Tensor]]) -> Callable[..., Iterator[Tensor]]:
    """Captum's draws, each followed by its complement (Covert & Lee 2021, section 4.2)."""

    def pairs(inputs: Tensor, **about: Any) -> Iterator[Tensor]:
        drawn = draw(inputs, **about)
        yield next(drawn)
        yield next(drawn)
        for kept in drawn:
            yield kept
            yield 1 - kept

    return pairs


ENTRY = KernelShap
