"""Guided Grad-CAM: Grad-CAM's places with the gradient's detail."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from backends.methods.attribution.base import Attribution
from backends.methods.attribution.cam import choose_stage
from backends.methods.base import Cost, Size, option

if TYPE_CHECKING:
    import numpy as np

    from backends.methods.attribution.scoring import Scoring


@dataclass(frozen=True)
class GuidedGradCam(Attribution):
    """Which fine details, within the places that Grad-CAM finds, speak for the answer?

    Grad-CAM's coarse map times a gradient that lets only positive signals through. Pretty and sharp, yet some of the
    sharpness is the picture's own edges: compare it with plain Grad-CAM. Values have no unit of their
    own. Only for networks whose ReLUs are modules, since elsewhere nothing would be guided.
    """

    title: ClassVar = "Guided Grad-CAM"
    source: ClassVar = "Selvaraju et al. 2017, Grad-CAM, section 3.2; guided: Springenberg et al. 2015"
    needs: ClassVar = frozenset({"gradient", "channels", "relu"})
    guided: ClassVar = True

    layer: int = option(-1, "which stage; -1 takes the last that is fine enough", low=-1, high=1000)

    def unit(self, target: Any, batch: Any) -> str:
        return "relative"

    def cost(self, size: Size) -> Cost:
        """Grad-CAM's gradient and the guided one, and a forward that measures the stages."""
        return Cost(forwards=2, gradients=2)

    def attribute(self, scoring: Scoring) -> tuple[np.ndarray, dict[str, Any]]:
        from captum import attr

        layer, path = choose_stage(scoring, self.layer)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # captum announces its hooks
            method = attr.GuidedGradCam(scoring, scoring.model.module.get_submodule(path))
            attribution = method.attribute(scoring.features, interpolate_mode="bilinear")
        return scoring.fold(attribution), {"layer": layer, "module": path}


ENTRY = GuidedGradCam
