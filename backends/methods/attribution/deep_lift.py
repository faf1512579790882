"""DeepLIFT: differences from a neutral input, handed back from layer to layer."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from backends.errors import Refused
from backends.methods.attribution.base import MOST_GAP, Attribution, baseline_option, describe_baseline
from backends.methods.base import Cost, Size

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from backends.methods.attribution.scoring import Scoring


@dataclass(frozen=True)
class DeepLift(Attribution):
    """How much of the difference from a neutral input does each part account for?

    The difference in the answer is handed back through the network, layer by layer. One pass, and parts add up
    to the difference exactly, but only in networks whose bends are separate modules (most convolutional
    ones); where they do not add up within 5 %, no map is shown.
    """

    title: ClassVar = "DeepLIFT"
    source: ClassVar = "Shrikumar et al. 2017, Learning Important Features, eq. 1 (rescale rule)"
    claims: ClassVar = MOST_GAP

    baseline: str = baseline_option()

    def cost(self, size: Size) -> Cost:
        """Input and baseline go through together once; the baseline's and the input's numbers."""
        return Cost(forwards=2, gradients=2, at_once=2)

    def attribute(self, scoring: Scoring) -> tuple[np.ndarray, dict[str, Any]]:
        from backends.methods.attribution.deep_lift_rescale import Rescale

        baseline = scoring.baseline(self.baseline)
        scoring.expected = 2
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # captum announces its hooks
                attribution = Rescale(scoring).attribute(scoring.features, baseline)
        except RuntimeError as error:
            if "more than once" not in str(error):
                raise
            raise Refused(
                f"{scoring.model.name} uses one activation module at several places, which DeepLIFT cannot tell apart; "
                "integrated gradients works on it"
            ) from None
        finally:
            _tidy(scoring)
        folded = scoring.fold(attribution)
        facts = describe_baseline(scoring, baseline, self.baseline, float(folded.sum()))
        if not facts["completeness_gap"] <= MOST_GAP:
            raise Refused(
                f"DeepLIFT's parts miss the change of the answer by {facts['completeness_gap']:.0%} on "
                f"{scoring.model.name} (at most {MOST_GAP:.0%} is valid): it has bends that DeepLIFT does not know; "
                "integrated gradients works on it"
            )
        return folded, facts


def _tidy(network: nn.Module) -> None:
    """Remove the tensors that captum leaves on modules when a pass does not reach them."""
    for module in network.modules():
        for name in ("input", "output"):
            module.__dict__.pop(name, None)


ENTRY = DeepLift
