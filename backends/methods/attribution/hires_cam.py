"""HiResCAM: which places of a deep layer speak for the answer, each place with weights of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from backends.methods.attribution.cam import ClassActivationMap

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class HiResCam(ClassActivationMap):
    """Which places, as seen by a deep layer, speak for the answer, each weighed by itself?

    The activation of a layer times its gradient, added up over the channels at every place. The map is coarse: one
    value for each place of that layer, drawn over the picture; in transformers the places are tokens or patches, and
    each is taken against the mean place, since what all share would drown the rest. Positive places speak for the
    answer, negative ones against it.
    """

    title: ClassVar = "HiResCAM"
    source: ClassVar = "Draelos & Carin 2020, HiResCAM, eq. 3 (arXiv 2011.08891)"
    order: ClassVar = 30
    order_on_images: ClassVar = 2
    centred: ClassVar = True

    def combine(self, activation: Tensor, gradient: Tensor) -> Tensor:
        """Multiply activation and gradient, and add up over the channels."""
        return (activation * gradient).sum(-1)


ENTRY = HiResCam
