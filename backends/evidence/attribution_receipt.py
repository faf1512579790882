"""How the receipt of an attribution map is made: which lines it has, and the rule over them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from backends.errors import Refused
from backends.evidence.map_under_test import MapUnderTest
from backends.evidence.masked_forwards import SILENCE, MaskedForwards, is_silent
from backends.evidence.measure import get_line
from backends.evidence.verdict import CANNOT, FAILS, HARDEST, HOLDS, Line, Receipt
from backends.models.base import Model
from backends.results import Result

LINES = "hiding", "mask_correlation", "replacement"
"""The measures whose lines every receipt has, by file name."""
HARDER = ("srg",)
"""Those of a harder test, too."""
DECIDES = {"image": ("hiding", "random parts"), "text": ("random parts", "hiding")}
"""The line that decides, and the one that says the same of the rest of the map.

Random masks cannot cover every place of an image finely, so hiding what is bright is the sharper question there. In a
text it is not: of few words a handful hits one that matters by luck, and where two say the same, hiding one moves
nothing; random sets of words tell.
"""
DRAWN = 0.5
"""How far a receipt is when the masked forwards are there."""


def make(
    model: Model, result: Result, raw: Any, target: Any, kind: str, effort: int, seed: int, step: Any = None
) -> Receipt:
    """See `receipt`; `kind` is the replacement."""
    start, step = time.perf_counter(), _keep_rising(step or (lambda fraction: None))
    if type(effort) is not int or not 1 <= effort <= HARDEST:
        raise Refused(f"effort must be a whole number from 1 to {HARDEST}, not {str(effort)[:40]!r}")
    with model.lock:
        tested = MapUnderTest(
            model, result, raw, target=target, replacement=kind, effort=effort, seed=seed, step=step
        )  # fmt: skip
        lines = make_lines(tested)
    verdict, rule = decide(lines, explain_silence(tested.masked), tested.kind)
    step(1.0)
    facts = {
        "method": result.method, "target": tested.target.words, "replacement": tested.masked.input.kind,
        "replacements": list(tested.replacements), "samples": len(tested.masked.hidden), "effort": effort,
        "seed": seed, "forwards": tested.forwards, "seconds": time.perf_counter() - start,
    }  # fmt: skip
    return Receipt(tuple(lines), verdict, rule, facts)


def make_lines(tested: MapUnderTest) -> list[Line]:
    """At most five lines: those of `LINES`, and of a harder test `HARDER`; last whether the map follows the weights.

    Where that is not asked, or not to be told of a map from elsewhere, the last line says whether the map adds up.
    """
    harder = tested.effort > 1
    names = [*LINES, *(HARDER if harder else ())]
    lines: list[Line | None] = []
    for done, name in enumerate(names):
        tested.step(DRAWN + (1 - DRAWN) * done / (len(names) + 1))
        lines.append(get_line(name)(tested))
    last = get_line("randomisation")(tested) if harder else None
    return [line for line in (*lines, last or get_line("completeness")(tested)) if line]


def _keep_rising(step: Any) -> Any:
    """`step` that never goes back: masked inputs only ask with 0 whether to go on."""
    furthest = 0.0

    def forward(fraction: float) -> None:
        nonlocal furthest
        furthest = max(furthest, fraction)
        step(furthest)

    return forward


def explain_silence(masked: MaskedForwards) -> str:
    """Why these answers tell nothing about any map of the input; empty where they do."""
    change = float(np.abs(masked.drops).max(initial=0.0))
    moved = float(np.abs(masked.answers[:, 1] - masked.whole[1]).max(initial=0.0))
    if not is_silent(masked, change, moved):
        return ""
    return SILENCE.format(kind=masked.input.kind, what="map can be tested this way")


def decide(lines: Sequence[Line], silent: str = "", kind: str = "image") -> tuple[str, str]:
    """The verdict of all lines, and the rule with the line that decided it: see `DECIDES`.

    “weights” can only fail a map.
    """
    if silent:
        return CANNOT, f"Cannot tell: {silent}."
    found: Mapping[str, Line] = {line.name: line for line in lines}
    first, weights = found[DECIDES[kind][0]], found.get("weights")
    reason = {**REASONS[first.name]}
    reason[FAILS] = first.about.get("why") or reason[FAILS]
    if first.verdict == HOLDS and weights and weights.verdict == FAILS:
        return FAILS, "Fails because of “weights”: a network that knows nothing gives the same map."
    if found["hiding"].about.get("against"):
        return CANNOT, (
            "Cannot tell: hiding what is bright raises the score, and this map says only what matters, not whether it "
            "speaks for the answer or against it (“hiding”)."
        )
    but = _tell_disagreement(found.get("stand-in"))
    if first.verdict == CANNOT and first.value is None:
        return CANNOT, f"Cannot tell (“{first.name}”): {first.sentence[:1].lower()}{first.sentence[1:]}"
    if first.verdict == CANNOT:
        return CANNOT, f"Cannot tell: “{first.name}” is too close to call{_tell_sizes(first)}; test harder."
    word = "Holds" if first.verdict == HOLDS else "Fails"
    return first.verdict, f"{word} because of “{first.name}”: {reason[first.verdict]}{but}."


REASONS = {
    "hiding": {
        HOLDS: "what is bright matters more than elsewhere", FAILS: "what is bright matters no more than elsewhere",
    },
    "random parts": {
        HOLDS: "the bright words are those that matter", FAILS: "the bright words are not those that matter",
    },
}  # fmt: skip


def _tell_sizes(line: Line) -> str:
    """What is missing where only some sizes of an image's brightest part are clear."""
    clear, sizes = line.about.get("clear", 0), line.about.get("sizes", 0)
    if not 0 < clear < sizes:
        return ""
    those = "one size" if clear == 1 else f"{clear} sizes"
    what = f"only {those} of the bright part, of {sizes} tried"
    return f" ({what}, moves the answer more than all that was hidden elsewhere)"


def _tell_disagreement(other: Line | None) -> str:
    """What to add where another replacement leads to another finding."""
    if other is None or other.about.get("agree", True):
        return ""
    first, second = other.about["kinds"]
    return f"; so with “{first}” in the place of what is hidden, but not with “{second}”"
