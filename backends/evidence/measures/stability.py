"""Does the map stay when the input hardly changes? Its rank correlation with a rerun on a noisy copy.

The control is the map of another input: a map that is as like that one as like its own rerun is not stable but
constant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backends.evidence.agreement import similarity
from backends.evidence.measure import HIGHER, Measure, Reading
from backends.evidence.verdict import CANNOT, FAILS, HOLDS, Line

if TYPE_CHECKING:
    from backends.evidence.map_under_test import MapUnderTest
    from backends.models.base import Batch, Model
    from backends.results import Result

NOISE = 0.02
"""Of the range of the input's features."""


def make_line(model: Model, batch: Batch, result: Result, target: Any, seed: int = 0) -> Line:
    """The map against a noisy rerun, beside the map of another input; costs two explanations."""
    from backends.evidence import perturbed_runs

    own = result.arrays["attribution"]
    features = perturbed_runs.add_noise(model, batch, NOISE, seed)
    rerun = perturbed_runs.explain_again(
        perturbed_runs.with_features(model, batch, features), result, batch.raw, target
    )
    other = perturbed_runs.explain_again(model, result, perturbed_runs.make_other_input(batch), target)
    same = similarity(own, rerun)
    chance = similarity(own, other) if other.shape == own.shape else 0.0
    verdict = HOLDS if same >= 0.5 and same > chance + 0.2 else FAILS if same < 0.2 or same <= chance else CANNOT
    sentence = (
        f"Explained again with noise that one hardly sees ({NOISE:.0%}), the map is {same:.2f} like itself "
        f"(1 is the same); the map of another input is {chance:.2f} like it."
    )
    return Line("stability", same, (chance, chance), verdict, sentence, {"noise": NOISE})


def compute(tested: MapUnderTest) -> Reading:
    """The likeness of the map and its rerun, beside that of another input's map."""
    found = make_line(tested.model, tested.batch, tested.result, tested.asked_target, tested.seed)
    return Reading(found.value or 0.0, found.control, sentence=found.sentence)


ENTRY = Measure(
    title="stability",
    source="Alvarez-Melis & Jaakkola 2018, On the Robustness of Interpretability Methods",
    unit="rank correlation",
    better=HIGHER,
    order=80,
    meaning="how like the map is to that of a noisy copy of its input; the map of another input",
    number=compute,
)
