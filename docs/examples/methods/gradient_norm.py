"""Gradient norm: how strongly each word or pixel moves the answer, whatever the direction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from backends.methods.attribution.base import Attribution
from backends.methods.base import option

if TYPE_CHECKING:
    import numpy as np

    from backends.methods.attribution.scoring import Scoring


@dataclass(frozen=True)
class GradientNorm(Attribution):
    """How strongly does each part move the answer, whatever the direction?

    The norm of the gradient over the numbers that stand for one word or one pixel.
    """

    title: ClassVar = "Gradient norm"
    source: ClassVar = "Li et al. 2016, Visualizing and Understanding Neural Models in NLP, section 5"
    power: float = option(2.0, "which norm", low=1, high=8)

    @property
    def signed(self) -> bool:
        return False

    def attribute(self, scoring: Scoring) -> tuple[np.ndarray, dict[str, Any]]:
        from captum import attr

        gradient = attr.Saliency(scoring).attribute(scoring.features, abs=False)
        total = scoring.fold(gradient.abs() ** self.power)
        return total ** (1 / self.power), {}


ENTRY = GradientNorm
