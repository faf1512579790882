"""Saliency: the size of the gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from backends.methods.attribution.base import Attribution, average_noisy, noise_option, seed_option, smooth_option

if TYPE_CHECKING:
    import numpy as np

    from backends.methods.attribution.scoring import Scoring


@dataclass(frozen=True)
class Saliency(Attribution):
    """Where would the smallest change of the input change the answer most?

    Bright places are those that the answer is sensitive to; it does not say whether they speak for
    or against it. Quick, but noisy: averaging over noisy copies (SmoothGrad) calms it. Values are
    gradient sizes, summed over colours or embedding dimensions.
    """

    title: ClassVar = "Saliency"
    order: ClassVar = 60
    source: ClassVar = (
        "Simonyan et al. 2014, Deep Inside Convolutional Networks, eq. 3; SmoothGrad: Smilkov et al. 2017"
    )
    per: ClassVar = "per unit of input"

    smooth: int = smooth_option()
    noise: float = noise_option()
    seed: int = seed_option()

    @property
    def signed(self) -> bool:
        return False

    def attribute(self, scoring: Scoring) -> tuple[np.ndarray, dict[str, Any]]:
        from captum import attr

        scoring.expected = max(self.smooth, 1)
        gradient = average_noisy(attr.Saliency(scoring), scoring, self.smooth, self.noise, self.seed, abs=False)
        return scoring.fold(gradient.abs()), {}


ENTRY = Saliency
