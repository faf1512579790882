"""SRG, the symmetric relevance gain: the area between the insertion and the deletion curve.

Blücher et al. 2024, Decoupling pixel flipping and occlusion strategy. Its control are smooth random orders, of which
there are few; their answers are kept for the input.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from backends.evidence.controls import p_value
from backends.evidence.deletion_curves import UNIT, compute_curves, compute_random_srg
from backends.evidence.measure import HIGHER, Measure, Reading
from backends.evidence.verdict import CANNOT, FAILS, HOLDS, Line, format_number, name_target

if TYPE_CHECKING:
    from backends.evidence.map_under_test import MapUnderTest
    from backends.evidence.masked_forwards import MaskedForwards


def compute(tested: MapUnderTest) -> Reading:
    """The map's SRG, beside the lowest and the highest of random orders."""
    own, control = compute_curves(tested.masked, tested.values).srg, compute_random_srg(tested.masked)
    return Reading(own, (float(control.min()), float(control.max())), p_value(own, control))


def make_line(masked: MaskedForwards, values: np.ndarray) -> Line:
    """Brightest first against darkest first, beside smooth random orders."""
    found, control = compute_curves(masked, values), compute_random_srg(masked)
    change = abs(float(found.brightest_first[0] - found.brightest_first[-1]))
    spread = max(float(np.std(control, ddof=1)), 0.02 * change, 1e-9)
    mean = float(control.mean())
    verdict = HOLDS if found.srg > max(control.max(), mean + 3 * spread) else FAILS
    if verdict == FAILS and found.srg > min(mean + 2 * spread, control.max()):  # above all of few orders is no failure
        verdict = CANNOT
    what, low = name_target(masked), float(np.abs(control).max())
    sentence = (
        f"Hidden from the brightest on, {what} is lower by {format_number(found.srg)} on average than hidden "
        f"from the darkest on; for random orders the two differ by up to {format_number(low)}."
    )
    if found.srg <= 0:
        sentence = (
            f"Hidden from the brightest on, {what} stays as high as hidden from the darkest on "
            f"({format_number(-found.srg)} higher): the order of the map means nothing to the model."
        )
    about = {"curves": found.plain(), "p": p_value(found.srg, control)}
    return Line("order", found.srg, (float(control.min()), float(control.max())), verdict, sentence, about)


ENTRY = Measure(
    title="SRG",
    source="Blücher et al. 2024, Decoupling pixel flipping and occlusion strategy",
    unit=UNIT,
    better=HIGHER,
    order=30,
    meaning="insertion less deletion; random orders",
    number=compute,
    line=lambda tested: make_line(tested.masked, tested.values),
)
