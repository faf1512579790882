"""Input × gradient: what each part adds, if the network were a straight line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from backends.methods.attribution.base import Attribution, average_noisy, noise_option, seed_option, smooth_option

if TYPE_CHECKING:
    import numpy as np

    from backends.methods.attribution.scoring import Scoring


@dataclass(frozen=True)
class InputXGradient(Attribution):
    """How much would each part add to the answer, if the network were a straight line through this input?

    Positive parts speak for the answer, negative ones against it. One pass, so quick; networks bend,
    so it is a rough first look. SmoothGrad averages it over noisy copies.
    """

    title: ClassVar = "Input × gradient"
    source: ClassVar = "Shrikumar et al. 2016, Not Just a Black Box, section 2; SmoothGrad: Smilkov et al. 2017"

    smooth: int = smooth_option()
    noise: float = noise_option()
    seed: int = seed_option()

    def attribute(self, scoring: Scoring) -> tuple[np.ndarray, dict[str, Any]]:
        from captum import attr

        scoring.expected = max(self.smooth, 1)
        return scoring.fold(
            average_noisy(attr.InputXGradient(scoring), scoring, self.smooth, self.noise, self.seed)
        ), {}


ENTRY = InputXGradient
