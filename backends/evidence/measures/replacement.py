"""The same hiding with another replacement: does what is hidden matter, or what it is replaced by?"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from backends.evidence.measure import HIGHER, Measure
from backends.evidence.measures import hiding
from backends.evidence.verdict import CANNOT, FAILS, HOLDS, Line, format_number

if TYPE_CHECKING:
    from backends.evidence.map_under_test import MapUnderTest
    from backends.evidence.masked_forwards import MaskedForwards

OTHERS = 8
"""Regions elsewhere that the other replacement hides: those that matter most by the first."""


def _tell_move(drop: float) -> str:
    return f"falls by {format_number(drop)}" if drop >= 0 else f"rises by {format_number(-drop)}"


def make_line(masked: MaskedForwards, other: MaskedForwards, values: np.ndarray) -> Line:
    """The brightest part that `hiding` speaks of, and as much elsewhere, hidden by either replacement."""
    kinds = f"“{masked.input.kind}” and “{other.input.kind}”"
    found = [region for region in hiding.find_bright_regions(masked, values) if len(region.others) >= hiding.FEWEST]
    if not found:
        return Line("stand-in", None, None, CANNOT, f"There is nothing to hide by {kinds} in turn.", {})
    region = hiding.select_strongest(masked, found)
    hardest = np.argsort(-region.drops(masked)[1], kind="stable")[:OTHERS]
    few = dataclasses.replace(region, elsewhere=region.elsewhere[hardest], others=region.others[hardest])
    again = hiding.ask_regions(other, [few.chosen], [few.elsewhere])
    first, second = hiding.judge(masked, [few]), hiding.judge(other, again)
    (one, _), (drop, others) = few.drops(masked), again[0].drops(other)
    verdict, agree = (
        (hiding.judge(masked, found), True) if first == second else (CANNOT, {first, second} != {HOLDS, FAILS})
    )
    changes = f"the score {_tell_move(one)} by the one and {_tell_move(drop)} by the other"
    sentence = (
        f"Hidden by {kinds} in turn, the brightest part leads to the same finding: {changes}."
        if first == second
        else f"Hidden by {kinds} in turn, only one of the two gives a clear finding: {changes}."
        if agree
        else f"The two stand-ins {kinds} disagree: {changes}. What the hidden part is filled with matters here, not "
        "only what is hidden."
    )
    bounds = float(others.min()), float(others.max())
    about = {"kinds": [masked.input.kind, other.input.kind], "verdicts": [first, second], "agree": agree}
    return Line("stand-in", drop, bounds, verdict, sentence, about)


def compare_replacements(tested: MapUnderTest) -> Line | None:
    """The line of the next replacement after the one that is used; None where there is no other."""
    others = [kind for kind in tested.replacements if kind != tested.masked.input.kind]
    if not others:
        return None
    return make_line(tested.masked, tested.mask(others[0], 0.0), tested.values)


ENTRY = Measure(
    title="stand-in",
    source="Haug et al. 2021, On Baselines for Local Feature Attributions",
    unit="fall of the score",
    better=HIGHER,
    meaning="what hiding the brightest region costs with another replacement; regions as large elsewhere",
    line=compare_replacements,
)
