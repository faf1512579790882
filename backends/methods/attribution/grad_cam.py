"""Grad-CAM: which places of a deep layer speak for the answer, with one weight a channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from backends.errors import Refused
from backends.methods.attribution.cam import ClassActivationMap
from backends.methods.base import Method, option

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class GradCam(ClassActivationMap):
    """Which places, as seen by a deep layer, speak for the answer?

    Each channel of a layer has one weight, its mean gradient over all places; the weighted channels are added up at
    every place, and only what speaks for the answer is shown. The map is coarse: one value for each place of that
    layer, drawn over the picture; in transformers the places are tokens or patches. One weight for all places blurs
    what differs from place to place: HiResCAM weighs each place by itself.
    """

    title: ClassVar = "Grad-CAM"
    source: ClassVar = "Selvaraju et al. 2017, Grad-CAM, eq. 1 and 2"

    positive: bool = option(True, "show only what speaks for the answer, as the paper does")

    @classmethod
    def build(cls, options: Mapping[str, Any]) -> Method:
        """The method with `options`; raises `Refused` for the option that chose between this method and HiResCAM."""
        if "weights" in options:
            raise Refused(
                "Grad-CAM has no option 'weights' any more: it has one weight a channel, as in its paper, and shows "
                "only what speaks for the answer unless 'positive' is off; "
                "weights for each place are the method hires_cam"
            )
        return super().build(options)

    def combine(self, activation: Tensor, gradient: Tensor) -> Tensor:
        """Weigh each channel by its mean gradient over the places."""
        return activation @ gradient.mean(0)


ENTRY = GradCam
