"""Does the map show what the network learnt? The same map of the network with shuffled weights (Adebayo et al. 2018).

The control is the map of another input by the trained network: two maps of pictures that share edges are alike to
some degree, whoever made them, so a similarity that is not 0 proves nothing by itself.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.errors import Refused, Unsettled
from backends.evidence.agreement import similarity
from backends.evidence.measure import LOWER, Measure
from backends.evidence.verdict import CANNOT, FAILS, HOLDS, Line

if TYPE_CHECKING:
    from backends.evidence.map_under_test import MapUnderTest
    from backends.methods.base import Step
    from backends.models.base import Batch, Model
    from backends.results import Result

ALIKE = 0.7
"""Rank correlation from which a map of shuffled weights is the same map."""
APART = 0.5
"""Up to this likeness it is another map, whatever two inputs' maps are."""
_kept: weakref.WeakKeyDictionary[Model, Model] = weakref.WeakKeyDictionary()


def get_randomised_model(model: Model) -> Model:
    """The network with shuffled weights; one for each model, kept while that is."""
    from backends.evidence import perturbed_runs

    with model.lock:  # nobody's hooks are on the network while it is copied
        if model not in _kept:
            _kept[model] = perturbed_runs.shuffle_weights(model)
        return _kept[model]


def make_line(model: Model, batch: Batch, result: Result, target: Any, step: Step | None = None) -> Line:
    """The map against that of shuffled weights; costs two explanations."""
    from backends.evidence import perturbed_runs

    own = result.arrays["attribution"]
    try:
        blind = perturbed_runs.explain_again(get_randomised_model(model), result, batch.raw, target, step)
    except Unsettled:
        raise
    except Refused as refused:  # it hangs on the weights so much that other weights give no map at all
        return Line("weights", None, None, CANNOT, f"With shuffled weights there is no map at all: {refused}", {})
    elsewhere = perturbed_runs.explain_again(model, result, perturbed_runs.make_other_input(batch), target, step)
    return judge(own, blind, elsewhere)


def judge(own: np.ndarray, blind: np.ndarray, elsewhere: np.ndarray) -> Line:
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


def compare_with_randomised(tested: MapUnderTest) -> Line | None:
    """The line of a map that a method made; None for a map from elsewhere, which cannot be made again."""
    if "method" not in tested.result.request:
        return None
    return make_line(tested.model, tested.batch, tested.result, tested.asked_target, tested.step)


ENTRY = Measure(
    title="weights",
    source="Adebayo et al. 2018, Sanity Checks for Saliency Maps",
    unit="rank correlation",
    better=LOWER,
    meaning="how like the map is to that of a network with shuffled weights; the map of another input",
    line=compare_with_randomised,
)
