"""Does the map show what the network learnt? The same map of the network with shuffled weights (Adebayo et al. 2018).

The control is the map of another input by the trained network: two maps of pictures that share edges are alike to
some degree, whoever made them, so a similarity that is not 0 proves nothing by itself.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.errors import Refused, Unsettled
from backends.evidence import perturbed_runs
from backends.evidence.measures.agreement import similarity
from backends.evidence.verdict import CANNOT, FAILS, HOLDS, Line
from backends.models.base import Batch, Model
from backends.results import Result

if TYPE_CHECKING:
    from backends.methods.base import Step

ALIKE = 0.7
"""Rank correlation from which a map of shuffled weights is the same map."""
APART = 0.5
"""Up to this likeness it is another map, whatever two inputs' maps are."""
_kept: weakref.WeakKeyDictionary[Model, Model] = weakref.WeakKeyDictionary()


def unknowing(model: Model) -> Model:
    """The network with shuffled weights; one for each model, kept while that is."""
    with model.lock:  # nobody's hooks are on the network while it is copied
        if model not in _kept:
            _kept[model] = perturbed_runs.shuffled(model)
        return _kept[model]


def line(model: Model, batch: Batch, result: Result, target: Any, step: Step | None = None) -> Line:
    """The map against that of shuffled weights; costs two explanations."""
    own = result.arrays["attribution"]
    try:
        blind = perturbed_runs.explained(unknowing(model), result, batch.raw, target, step)
    except Unsettled:
        raise
    except Refused as refused:  # it hangs on the weights so much that other weights give no map at all
        return Line("weights", None, None, CANNOT, f"With shuffled weights there is no map at all: {refused}", {})
    return judged(own, blind, perturbed_runs.explained(model, result, perturbed_runs.another(batch), target, step))


def judged(own: np.ndarray, blind: np.ndarray, elsewhere: np.ndarray) -> Line:
    """How alike a map and that of shuffled weights are, beside the map of another input."""
    if not np.isfinite(blind).all():
        return Line("weights", None, None, CANNOT, "With shuffled weights the map has no finite numbers.", {})
    if not np.ptp(own) or not np.ptp(blind):
        return Line(
            "weights", None, None, CANNOT, "One of the two maps is the same everywhere: there is no likeness.", {}
        )
    same = abs(similarity(own, blind))
    chance = abs(similarity(own, elsewhere)) if elsewhere.shape == own.shape else 0.0
    verdict = FAILS if same >= ALIKE else HOLDS if same <= max(chance, APART) else CANNOT
    least = max(chance, APART)
    sentence = (
        f"With the network's weights shuffled, so that it knows nothing, the map is still {same:.2f} like this one "
        f"(1 is the same, or its opposite); the maps of two different inputs are {chance:.2f} alike. Up to {least:.2f} "
        f"it counts as another map, from {ALIKE:.2f} on as the same."
    )
    return Line("weights", same, (0.0, max(chance, APART)), verdict, sentence, {})
